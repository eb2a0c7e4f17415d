/* Environments: what is set later wins, nonsense is left out, too much is noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/lib/alloc.h"

#include "daemon/control/env.c"

static void
what_is_set_later_wins(void **state)
{
	struct env env;

	(void)state;
	env_init(&env);
	env_set(&env, "A", "1");
	env_set(&env, "AB", "2");
	env_put(&env, "A=3=4");
	env_put(&env, "C=");
	env_put(&env, "=x");
	env_put(&env, "nothing");
	assert_int_equal(env.n, 3);
	assert_string_equal(env_get(&env, "A"), "3=4");
	assert_string_equal(env_get(&env, "AB"), "2");
	assert_string_equal(env_get(&env, "C"), "");
	assert_null(env_get(&env, "B"));
	assert_string_equal(env.items[0], "A=3=4");
	assert_null(env.items[3]);
	assert_false(env.failed);
	env_done(&env);
	assert_int_equal(env.n, 0);
}

static void
there_is_an_end_to_it(void **state)
{
	struct env env;
	char key[16];

	(void)state;
	env_init(&env);
	for (int i = 0; i < ENV_MAX; i++) {
		(void)snprintf(key, sizeof(key), "K%d", i);
		env_set(&env, key, "v");
	}
	env_set(&env, "K0", "other");
	assert_false(env.failed);
	env_set(&env, "ONE_MORE", "v");
	assert_true(env.failed);
	assert_int_equal(env.n, ENV_MAX);
	env_done(&env);
	assert_false(env.failed);
}

static void
memory_that_fails_is_noticed(void **state)
{
	(void)state;
	ALLOC_LOOP(i)
	{
		struct env env;

		env_init(&env);
		env_put(&env, "A=1");
		env_put(&env, "B=1");
		assert_int_equal(env.failed, env.n < 2);
		env_done(&env);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_later_wins),
		cmocka_unit_test(there_is_an_end_to_it),
		cmocka_unit_test(memory_that_fails_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

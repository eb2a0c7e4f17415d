/* Which command a line means: both spellings, aliases, the longest name wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/command.h"

static const struct command *
find(const char *one, const char *two, int *n_used)
{
	char a[64], b[64];
	char *words[] = {a, b, NULL};
	(void)strcpy(a, one);
	(void)strcpy(b, two ? two : "");
	return command_find(words, two ? 2 : 1, n_used);
}

static void
is_found(const char *one, const char *two, const char *name, int wanted_used)
{
	int n_used;
	const struct command *c = find(one, two, &n_used);
	assert_non_null(c);
	assert_string_equal(c->name, name);
	assert_int_equal(n_used, wanted_used);
}

static void
test_spellings(void **state)
{
	(void)state;
	is_found("scale", "web=3", "scale", 1);
	is_found("ps:scale", "web=3", "scale", 1);
	is_found("ps", "scale", "scale", 2);
	is_found("ps", "-a", "ps", 1);
	is_found("config", "set", "config set", 2);
	is_found("config:set", "A=1", "config set", 1);
	is_found("config", NULL, "config", 1);
	is_found("config:list", NULL, "config", 1);
	is_found("apps:create", "x", "create", 1);
	is_found("apps", "destroy", "destroy", 2);
	is_found("run:detached", "ls", "run detached", 1);
	is_found("releases:rollback", NULL, "rollback", 1);
}

static void
test_unknown(void **state)
{
	int n_used;
	(void)state;
	assert_null(find("frobnicate", NULL, &n_used));
	assert_null(find("config:frobnicate", NULL, &n_used));
	assert_null(find("", NULL, &n_used));
	assert_null(command_find(NULL, 0, &n_used));
	char long_word[200];
	memset(long_word, 'a', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	char *words[] = {long_word, NULL};
	assert_null(command_find(words, 1, &n_used));
}

static void
test_table_is_whole(void **state)
{
	(void)state;
	for (const struct command *c = commands; c->name; c++) {
		int n_used;
		char first[64], second[64] = "";
		(void)strcpy(first, c->name);
		char *space = strchr(first, ' ');
		if (space) {
			(void)strcpy(second, space + 1);
			*space = '\0';
		}
		assert_ptr_equal(find(first, *second ? second : NULL, &n_used), c);
		assert_non_null(c->fn);
		assert_true(c->help[strlen(c->help) - 1] == '.');
		assert_true(c->max_words < 0 || c->min_words <= c->max_words);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_table_is_whole),
	};
	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}

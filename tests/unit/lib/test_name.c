/* lib/name: both sides of every rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "lib/name.h"

#define A30 "abcdefghijklmnopqrstuvwxyz0123"
#define A63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"

typedef const char *check_fn(const char *name);

static void
check_all(check_fn *check, const char *const good[], const char *const bad[])
{
	for (; *good; good++) {
		if (check(*good))
			fail_msg("\"%s\" refused: %s", *good, check(*good));
	}
	for (; *bad; bad++) {
		const char *why = check(*bad);

		if (!why)
			fail_msg("\"%s\" accepted", *bad);
		assert_int_equal(why[strlen(why) - 1], '.');
	}
}

static void
test_app(void **state)
{
	static const char *const good[] = {"a", "hello", "a1", "a-b", "a--b", A30, NULL};
	static const char *const bad[] = {"",	  A30 "4",     "1a",  "-a",  "a-",    "A",
					  "aB",	  "a_b",       "a.b", "a/b", "..",    "a\n",
					  "a b",  "a\303\244", "a%",  "a:",  "a\x7f", "a\x01",
					  "$(a)", "'a'",       NULL};

	(void)state;
	check_all(name_check_app, good, bad);
}

static void
test_type(void **state)
{
	static const char *const good[] = {"web", "Worker_2", "-x", "_", A63, NULL};
	static const char *const bad[] = {"", A63 "1", "a.b", "a b", "a:", "\303\244", NULL};

	(void)state;
	check_all(name_check_type, good, bad);
}

static void
test_config(void **state)
{
	char longest[258];
	static const char *const good[] = {"A",	   "_a",     "DATABASE_URL", "port", "HOMES",
					   "PAAS", "PORT_2", "aPAAS_x",	     NULL};
	static const char *const bad[] = {"",	  "1A",	  "A-B",  "A B",    "A=B",   "\303\204",
					  "PORT", "DYNO", "HOME", "PAAS_X", "PAAS_", NULL};

	(void)state;
	check_all(name_check_config, good, bad);
	memset(longest, 'A', sizeof(longest));
	longest[256] = '\0';
	assert_null(name_check_config(longest));
	longest[256] = 'A';
	longest[257] = '\0';
	assert_non_null(name_check_config(longest));
}

static void
test_host(void **state)
{
	static const char *const good[] = {"localhost",
					   "a.b.example.com",
					   "*.example.com",
					   "1.2.3.4",
					   "xn--bcher-kva.example",
					   A63 ".x",
					   "EXAMPLE.com",
					   NULL};
	static const char *const bad[] = {"",	  ".",	  "a.",		".a",	"a..b",
					  "*.",	  "*",	  "a.*.b",	"**.a", "-a.b",
					  "a-.b", "a.b-", A63 "1.x",	"a_b",	"a b",
					  "a/b",  "a:80", "\303\244.x", "a.-b", NULL};
	char longest[256];

	(void)state;
	check_all(name_check_host, good, bad);
	for (size_t i = 0; i < sizeof(longest); i++)
		longest[i] = i % 2 ? '.' : 'a';
	longest[253] = '\0';
	assert_null(name_check_host(longest));
	longest[253] = '.';
	longest[254] = 'a';
	longest[255] = '\0';
	assert_non_null(name_check_host(longest));
}

static void
test_user(void **state)
{
	static const char *const good[] = {"a", "anna.b", "ci-1", "x_y", A63 "x", NULL};
	static const char *const bad[] = {"", "1a", "A", "a b", "a@b", A63 "xy", "aB", NULL};

	(void)state;
	check_all(name_check_user, good, bad);
}

static void
test_platform(void **state)
{
	static const char *const good[] = {"p", "paas", "abc123", "0", NULL};
	static const char *const bad[] = {"", "abcdefg", "a-b", "A", "a.b", "a/b", NULL};

	(void)state;
	check_all(name_check_platform, good, bad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_app),    cmocka_unit_test(test_type),
		cmocka_unit_test(test_config), cmocka_unit_test(test_host),
		cmocka_unit_test(test_user),   cmocka_unit_test(test_platform),
	};

	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}

/* Procfiles as people write them, and the sentences for those that are wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/err.h"

#include "builder/procfile.h"
#include "builder/types.h"

static struct types types;
static struct buf warnings;
static struct err err;

static int
setup(void **state)
{
	(void)state;
	types_init(&types);
	buf_init(&warnings, 4096);
	err.text[0] = '\0';
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	types_done(&types);
	buf_done(&warnings);
	return 0;
}

static int
parse(const char *text)
{
	return procfile_parse(text, strlen(text), &types, &warnings, &err);
}

static void
assert_type(size_t i, const char *name, const char *command)
{
	assert_in_range(i, 0, types.n - 1);
	assert_string_equal(types.items[i].name, name);
	assert_string_equal(types.items[i].command, command);
}

static void
assert_refused(const char *text, const char *why)
{
	assert_int_equal(parse(text), -EINVAL);
	assert_string_equal(err.text, why);
}

static void
test_plain(void **state)
{
	(void)state;
	assert_int_equal(parse("web: node server.js --port $PORT\nworker:  bundle exec rake  \n"
			       "my-clock_2:python clock.py\nrelease: a: b # c"),
			 0);
	assert_int_equal(types.n, 4);
	assert_type(0, "web", "node server.js --port $PORT");
	assert_type(1, "worker", "bundle exec rake");
	assert_type(2, "my-clock_2", "python clock.py");
	assert_type(3, "release", "a: b # c");
	assert_int_equal(warnings.len, 0);
}

static void
test_odd_but_fine(void **state)
{
	(void)state;
	assert_int_equal(parse("\xef\xbb\xbf# comment\r\n\r\n   \t\n  web : x\t\r\n  # more\n"), 0);
	assert_int_equal(types.n, 1);
	assert_type(0, "web", "x");
}

static void
test_empty(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_int_equal(parse("\n\n# nothing\n"), 0);
	assert_int_equal(types.n, 0);
}

static void
test_later_wins(void **state)
{
	(void)state;
	assert_int_equal(parse("web: a\nworker: b\nweb: c\n"), 0);
	assert_int_equal(types.n, 2);
	assert_type(0, "web", "c");
	assert_type(1, "worker", "b");
	assert_string_equal(buf_text(&warnings),
			    "Procfile line 3 replaces an earlier line for web.\n");
}

static void
test_bad_lines(void **state)
{
	(void)state;
	assert_refused("web: x\n\nrun the server\n",
		       "Procfile line 3 is not \"type: command\" (no colon): run the server");
	assert_refused(": x", "Procfile line 1 is not \"type: command\" (no type before the "
			      "colon): : x");
	assert_refused("web:  \t\r\n", "Procfile line 1 is not \"type: command\" (no command after "
				       "the colon): web:");
	assert_refused("my web: x", "Procfile line 1 is not \"type: command\" (a type is 1 to 63 "
				    "letters, digits, - and _): my web: x");
	assert_refused("w\303\266b: x", "Procfile line 1 is not \"type: command\" (a type is 1 to "
					"63 letters, digits, - and _): w\303\266b: x");
	assert_refused("web\001\033[31m", "Procfile line 1 is not \"type: command\" (no colon): "
					  "web??[31m");
	assert_int_equal(procfile_parse("web: a\0b", 8, &types, NULL, &err), -EINVAL);
	assert_non_null(strstr(err.text, "a NUL byte"));
}

static void
test_limits(void **state)
{
	char text[PROCFILE_MAX_BYTES + 2];
	size_t n;

	(void)state;
	memset(text, 'a', 64);
	(void)snprintf(text + 64, 8, ": x");
	assert_int_equal(parse(text), -EINVAL);
	assert_int_equal(parse(text + 1), 0); /* 63 letters */

	memset(text, 'x', sizeof(text));
	memcpy(text, "web: ", 5);
	assert_int_equal(procfile_parse(text, 5 + TYPE_COMMAND_MAX, &types, NULL, &err), 0);
	assert_int_equal(procfile_parse(text, 6 + TYPE_COMMAND_MAX, &types, NULL, &err), -EINVAL);
	assert_string_equal(err.text, "Procfile line 1: the command is longer than 8000 bytes.");
	assert_int_equal(procfile_parse(text, sizeof(text), &types, NULL, &err), -EINVAL);
	assert_string_equal(err.text, "The Procfile is larger than 65536 bytes.");

	types_done(&types);
	n = 0;
	for (int i = 0; i <= TYPES_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "t%d: x\n", i);
	assert_int_equal(procfile_parse(text, n, &types, NULL, &err), -EINVAL);
	assert_string_equal(err.text, "Procfile line 65: there are more than 64 process types.");
}

static void
test_long_line_is_cut(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'y', sizeof(text));
	assert_int_equal(procfile_parse(text, sizeof(text), &types, NULL, &err), -EINVAL);
	assert_int_equal(strlen(strstr(err.text, "yyy")), 83);
	assert_non_null(strstr(err.text, "yyy..."));
}

static void
test_list(void **state)
{
	struct types other;
	char out[64];

	(void)state;
	types_init(&other);
	assert_int_equal(parse("web: a\nworker: b\nclock: c\n"), 0);
	assert_int_equal(types_set(&other, "worker", "x", 1), 0);
	assert_int_equal(types_list(&types, NULL, out, sizeof(out)), 3);
	assert_string_equal(out, "web, worker, clock");
	assert_int_equal(types_list(&types, &other, out, sizeof(out)), 2);
	assert_string_equal(out, "web, clock");
	assert_int_equal(types_list(&other, &types, out, sizeof(out)), 0);
	assert_string_equal(out, "");
	assert_int_equal(types_list(&types, NULL, out, 12), 3);
	assert_string_equal(out, "web, wor...");
	types_done(&other);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(plain),
		TEST(odd_but_fine),
		TEST(empty),
		TEST(later_wins),
		TEST(bad_lines),
		TEST(limits),
		TEST(long_line_is_cut),
		TEST(list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

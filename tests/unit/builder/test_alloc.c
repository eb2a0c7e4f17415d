/* Every allocation of the builder's parsers fails once: a sentence or an errno, and no leak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/lib/alloc.h"

static inline char *
alloc_strndup(const char *s, size_t n)
{
	return alloc_fails() ? NULL : strndup(s, n);
}
#define strndup alloc_strndup

#include "lib/buf.c"

/* Statics of the same name in several modules. */
#define find find_environ
#include "builder/environ.c"
#undef find
#define parse_line parse_ignore_line
#include "builder/ignore.c"
#undef parse_line
#include "builder/procfile.c"
#include "builder/types.c"

static void
test_procfile(void **state)
{
	static const char text[] = "web: a\nworker: b\nweb: c\n";

	(void)state;
	ALLOC_LOOP(i)
	{
		struct types types;
		struct buf warnings;
		struct err err = {""};
		int ret;

		types_init(&types);
		buf_init(&warnings, 1000);
		ret = procfile_parse(text, strlen(text), &types, &warnings, &err);
		/* A warning that finds no memory is no failure. */
		if (ret < 0) {
			assert_int_equal(ret, -ENOMEM);
			assert_true(err.text[0]);
		} else {
			assert_int_equal(types.n, 2);
			assert_string_equal(types.items[0].command, "c");
		}
		types_done(&types);
		buf_done(&warnings);
	}
}

static void
test_ignore(void **state)
{
	static const char text[] = "*.o\n/a/**/b/\n!x\nc\n";

	(void)state;
	ALLOC_LOOP(i)
	{
		struct ignore ignore;
		struct buf warnings;
		struct err err = {""};
		int ret;

		buf_init(&warnings, 1000);
		ret = ignore_parse(text, strlen(text), &ignore, &warnings, &err);
		if (ret < 0) {
			assert_int_equal(ret, -ENOMEM);
			assert_true(err.text[0]);
			assert_int_equal(ignore.n, 0);
		} else {
			assert_true(ignore_match(&ignore, "x/y.o", false));
			ignore_done(&ignore);
		}
		buf_done(&warnings);
	}
}

static void
test_environ(void **state)
{
	char *const given[] = {(char[]){"A=1"}, (char[]){"B=2"}, NULL};

	(void)state;
	ALLOC_LOOP(i)
	{
		struct environ_list e;
		int ret;

		environ_init(&e);
		ret = environ_inherit(&e, given);
		assert_true(ret == 0 || ret == -ENOMEM);
		assert_int_equal(e.v[e.n] == NULL, 1);
		environ_done(&e);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_procfile),
		cmocka_unit_test(test_ignore),
		cmocka_unit_test(test_environ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* .slugignore against what git itself does with the same lines in a .gitignore. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/err.h"

#include "builder/ignore.h"

static struct err err;

static bool
matches(const char *pattern, const char *path, bool is_dir)
{
	struct ignore ignore;
	bool found;

	assert_int_equal(ignore_parse(pattern, strlen(pattern), &ignore, NULL, &err), 0);
	found = ignore_match(&ignore, path, is_dir);
	ignore_done(&ignore);
	return found;
}

struct match_case {
	const char *pattern, *path;
	bool is_dir;
};

static const struct match_case matching[] = {
	{"a", "a", false},
	{"a", "b/c/a", false},
	{"*.o", "src/x.o", false},
	{"*.o", ".o", false},
	{"/a", "a", false},
	{"a/b", "a/b", false},
	{"/a/*", "a/b", false},
	{"a/", "a", true},
	{"a/", "x/a", true},
	{"a/**", "a/b", false},
	{"a/**", "a/b/c", false},
	{"**/b", "b", false},
	{"**/b", "a/c/b", false},
	{"a/**/b", "a/b", false},
	{"a/**/b", "a/x/y/b", false},
	{"a/**/b/**/c", "a/b/x/b/c", false},
	{"?at", "cat", false},
	{"[ab]x", "bx", false},
	{"[a-c]x", "bx", false},
	{"[!a-c]x", "dx", false},
	{"[^a]x", "bx", false},
	{"[]a]x", "]x", false},
	{"[[:digit:]]x", "4x", false},
	{"[[:alpha:][:digit:]]x", "qx", false},
	{"[\\]]x", "]x", false},
	{"\\#a", "#a", false},
	{"\\!a", "!a", false},
	{"a\\*", "a*", false},
	{"a\\ ", "a ", false},
	{"a  ", "a", false},
	{"a\r\n", "a", false},
	{"foo*bar*baz", "foo1bar2bar3baz", false},
	{"\xef\xbb\xbf"
	 "a",
	 "a", false},
	{"# c\n\nb\na", "a", false},
	{"dir/", "dir", true},
	{"a//b", "a/b", false},
	{"***/x", "q/x", false},
	{"a**b", "aXXb", false},
};

static const struct match_case not_matching[] = {
	{"a", "ab", false},	 {"/a", "b/a", false},	   {"a/b", "x/a/b", false},
	{"a/", "a", false},	 {"*.o", "x.oo", false},   {"*", "", false},
	{"a/*", "a/b/c", false}, {"a/**", "a", true},	   {"?", "/", false},
	{"[ab]x", "cx", false},	 {"[a-c]x", "-x", false},  {"[!a]x", "ax", false},
	{"#a", "#a", false},	 {"a\\*", "ab", false},	   {"", "a", false},
	{"/", "a", true},	 {"a/**/b", "a/x", false}, {"[[:digit:]]", "a", false},
	{"a\\", "a", false},	 {"**/b/c", "b/x", false}, {"A", "a", false},
};

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(matching) / sizeof(*matching); i++) {
		const struct match_case *c = &matching[i];

		if (!matches(c->pattern, c->path, c->is_dir))
			fail_msg("\"%s\" does not match %s", c->pattern, c->path);
	}
	for (size_t i = 0; i < sizeof(not_matching) / sizeof(*not_matching); i++) {
		const struct match_case *c = &not_matching[i];

		if (matches(c->pattern, c->path, c->is_dir))
			fail_msg("\"%s\" matches %s", c->pattern, c->path);
	}
}

/* The same questions to the git of this machine, for files (folders would have to exist). */
static void
test_as_git(void **state)
{
	char dir[] = "/tmp/ignore-test.XXXXXX", command[512];

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(command, sizeof(command), "git init -q '%s'", dir);
	assert_int_equal(system(command), 0);
	for (size_t i = 0; i < sizeof(matching) / sizeof(*matching); i++) {
		const struct match_case *c = &matching[i];
		FILE *f;

		if (c->is_dir)
			continue;
		(void)snprintf(command, sizeof(command), "%s/.gitignore", dir);
		f = fopen(command, "w");
		assert_non_null(f);
		(void)fprintf(f, "%s\n", c->pattern);
		(void)fclose(f);
		(void)snprintf(command, sizeof(command),
			       "git -C '%s' check-ignore -q --no-index -- '%s'", dir, c->path);
		/* git takes a doubled slash literally and leaves it without a match. */
		if (strcmp(c->pattern, "a//b") != 0 && system(command) != 0)
			fail_msg("git does not match \"%s\" with %s", c->pattern, c->path);
	}
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

static void
test_negation_warns(void **state)
{
	static const char text[] = "*.log\n!keep.log\n";
	struct ignore ignore;
	struct buf warnings;

	(void)state;
	buf_init(&warnings, 1000);
	assert_int_equal(ignore_parse(text, strlen(text), &ignore, &warnings, &err), 0);
	assert_true(ignore_match(&ignore, "keep.log", false));
	assert_non_null(strstr(buf_text(&warnings), ".slugignore line 2: patterns with !"));
	buf_done(&warnings);
	ignore_done(&ignore);
}

static void
test_limits(void **state)
{
	char *text = malloc(IGNORE_MAX_BYTES + 2);
	struct ignore ignore;
	size_t n = 0;

	(void)state;
	memset(text, '\n', IGNORE_MAX_BYTES + 1);
	assert_int_equal(ignore_parse(text, IGNORE_MAX_BYTES, &ignore, NULL, &err), 0);
	ignore_done(&ignore);
	assert_int_equal(ignore_parse(text, IGNORE_MAX_BYTES + 1, &ignore, NULL, &err), -EINVAL);
	for (int i = 0; i <= IGNORE_MAX_RULES; i++)
		n += (size_t)snprintf(text + n, 16, "a%d\n", i);
	assert_int_equal(ignore_parse(text, n, &ignore, NULL, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 1000 patterns"));
	n = 0;
	for (int i = 0; i < 70; i++)
		n += (size_t)snprintf(text + n, 16, "a/");
	assert_int_equal(ignore_parse(text, n, &ignore, NULL, &err), -EINVAL);
	assert_int_equal(ignore_parse("a\0b", 3, &ignore, NULL, &err), -EINVAL);
	free(text);
}

/* Patterns that take naive matchers for ever. */
static void
test_no_blow_up(void **state)
{
	char pattern[600], path[4096];
	clock_t start = clock();

	(void)state;
	memset(path, 'a', 3000);
	path[3000] = '\0';
	for (int i = 0; i < 100; i++)
		memcpy(pattern + 2 * i, "*a", 2);
	(void)snprintf(pattern + 200, sizeof(pattern) - 200, "b");
	assert_false(matches(pattern, path, false));
	for (size_t i = 1; i < 3000; i += 2)
		path[i] = '/';
	pattern[0] = '\0';
	for (int i = 0; i < 30; i++)
		(void)snprintf(pattern + 5 * i, sizeof(pattern) - 5 * (size_t)i, "**/a/");
	(void)snprintf(pattern + 150, sizeof(pattern) - 150, "b");
	assert_false(matches(pattern, path, false));
	assert_true((clock() - start) / CLOCKS_PER_SEC < 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	       cmocka_unit_test(test_as_git),
		cmocka_unit_test(test_negation_warns), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_blow_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

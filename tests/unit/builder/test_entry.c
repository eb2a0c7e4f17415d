/* Names that may not come out of a tree, in all their disguises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "builder/entry.h"

static void
test_fine(void **state)
{
	static const char *const names[] = {
		"a",
		".gitignore",
		".gitmodules",
		".gitattributes",
		"git",
		"...",
		".g",
		".gi",
		".gitx",
		"x.git",
		"git~2",
		"git~10",
		"a b",
		"a\nb",
		"\xff\xfe",
		"\xc3\xa9",
		"a\\b",
		".git-x",
		"git~1x",
		"-rf",
		"~",
		"con",
		".github",
		"C:",
		"\xe2\x80\x8c.gi",
		"\xe2\x80",
		"\xf8\x88\x80\x80\x80",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (entry_check(names[i]))
			fail_msg("\"%s\" is refused: %s", names[i], entry_check(names[i]));
	}
}

static void
test_refused(void **state)
{
	static const char *const names[] = {
		"",
		".",
		"..",
		"a/b",
		"/",
		".git",
		".GIT",
		".Git",
		".giT",
		"git~1",
		"GIT~1",
		".git.",
		".git ",
		".git. . .",
		".git::$INDEX_ALLOCATION",
		".git\\x",
		"x\\.git",
		"x\\.GIT ",
		"a\\git~1\\b",
		"git~1 .",
		".g\xe2\x80\x8cit",
		"\xe2\x80\x8e.git",
		".git\xef\xbb\xbf",
		".\xe2\x81\xafG\xe2\x80\xaaI\xe2\x80\xadT",
	};
	char name[300];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!entry_check(names[i]))
			fail_msg("\"%s\" is accepted", names[i]);
	}
	memset(name, 'x', sizeof(name));
	name[255] = '\0';
	assert_null(entry_check(name));
	name[255] = 'x';
	name[256] = '\0';
	assert_non_null(entry_check(name));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fine),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* receiver/command: words as sh would split them, and nothing that is not an app's name. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lib/alloc.h"

#include "daemon/receiver/command.c"

static struct command command;
static struct err err;

/* Parses an exact heap copy, so that a sanitizer sees one byte too far. */
static int
parse_n(const char *line, size_t n)
{
	char *copy = alloc_zeroed(n ? n : 1);
	int ret;

	memcpy(copy, line, n);
	command_done(&command);
	ret = command_parse(&command, copy, n, &err);
	free(copy);
	return ret;
}

static int
parse(const char *line)
{
	return parse_n(line, strlen(line));
}

static void
assert_words(const char *line, const char *joined)
{
	char text[400] = "";

	if (parse(line) < 0)
		fail_msg("%s: %s", line, err.text);
	assert_int_equal(command.kind, COMMAND_PAAS);
	assert_string_equal(command.argv[0], "paas");
	for (size_t i = 1; command.argv[i]; i++) {
		strcat(text, "[");
		strcat(text, command.argv[i]);
		strcat(text, "]");
	}
	assert_string_equal(text, joined);
	command_done(&command);
}

static void
assert_refused(const char *line, const char *why)
{
	assert_int_equal(parse(line), -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", line, err.text);
	assert_null(command.memory);
	assert_null(command.argv);
}

static void
splits_like_sh(void **state)
{
	(void)state;
	assert_words("ps", "[ps]");
	assert_words("  ps \t -a  hello ", "[ps][-a][hello]");
	assert_words("config set 'A=b c' \"D=e \\\"f\\\\ \\x\"",
		     "[config][set][A=b c][D=e \"f\\ \\x]");
	assert_words("a\\ b c'd'\"e\"f", "[a b][cdef]");
	assert_words("run '' \"\"", "[run][][]");
	assert_words("run 'a\nb' \"c\nd\"", "[run][a\nb][c\nd]");
	assert_words("paas scale web=3", "[scale][web=3]");
	assert_words("paas", "");
	assert_words("paas paas", "[paas]");
}

static void
expands_nothing(void **state)
{
	(void)state;
	assert_words("run echo $HOME `id` $(id) ~ * ? [a] {a,b} ; | & > < # !x",
		     "[run][echo][$HOME][`id`][$(id)][~][*][?][[a]][{a,b}][;][|][&][>][<][#][!x]");
	assert_words("run \"$x `y`\" '$z'", "[run][$x `y`][$z]");
}

static void
refuses_unclear_lines(void **state)
{
	static char line[COMMAND_MAX_BYTES + 2];

	(void)state;
	assert_refused("", "empty");
	assert_refused("   ", "empty");
	assert_refused("run 'a", "single quote");
	assert_refused("run \"a", "double quote");
	assert_refused("run \"a\\\"", "double quote");
	assert_refused("run a\\", "backslash");
	assert_refused("run a\nb", "line break");
	assert_refused("run a\rb", "line break");
	assert_int_equal(parse_n("run\0a", 5), -EINVAL);
	assert_non_null(strstr(err.text, "NUL"));
	memset(line, 'a', sizeof(line));
	assert_int_equal(parse_n(line, COMMAND_MAX_BYTES), 0);
	assert_int_equal(strlen(command.argv[1]), COMMAND_MAX_BYTES);
	assert_int_equal(parse_n(line, COMMAND_MAX_BYTES + 1), -EINVAL);
	for (size_t i = 0; i < sizeof(line) - 1; i += 2)
		line[i] = ' ';
	assert_int_equal(parse_n(line, 2 * COMMAND_MAX_WORDS), 0);
	assert_int_equal(parse_n(line, 2 * COMMAND_MAX_WORDS + 2), -EINVAL);
	assert_non_null(strstr(err.text, "words"));
	command_done(&command);
}

static void
knows_git(void **state)
{
	static const struct {
		const char *line, *app;
		enum command_kind kind;
	} lines[] = {
		{"git-receive-pack 'hello.git'", "hello", COMMAND_RECEIVE_PACK},
		{"git-receive-pack '/hello.git'", "hello", COMMAND_RECEIVE_PACK},
		{"git-receive-pack hello", "hello", COMMAND_RECEIVE_PACK},
		{"git receive-pack 'hello.git/'", "hello", COMMAND_RECEIVE_PACK},
		{"git-upload-pack '~/hello.git'", "hello", COMMAND_UPLOAD_PACK},
		{"git-upload-pack '/~/a-b-2'", "a-b-2", COMMAND_UPLOAD_PACK},
		{"git upload-pack h", "h", COMMAND_UPLOAD_PACK},
		{"git-upload-pack abcdefghijklmnopqrstuvwxyz0123.git",
		 "abcdefghijklmnopqrstuvwxyz0123", COMMAND_UPLOAD_PACK},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		if (parse(lines[i].line) < 0)
			fail_msg("%s: %s", lines[i].line, err.text);
		assert_int_equal(command.kind, lines[i].kind);
		assert_string_equal(command.app, lines[i].app);
	}
	/* Not git's: lines for paas, which will say what it thinks of them. */
	assert_words("git", "[git]");
	assert_words("gitx receive-pack a", "[gitx][receive-pack][a]");
	command_done(&command);
}

static void
refuses_path_tricks(void **state)
{
	static const char *const paths[] = {
		"..",		"../x",		 "a/../b",
		"a/b.git",	"//hello",	 "/",
		"''",		".git",		 "'~root/x'",
		"/../hello",	"Hello",	 "hello_x",
		"'-x'",		"'hello '",	 "'he\nllo'",
		"'$(id)'",	"hello.git.git", "abcdefghijklmnopqrstuvwxyz01234",
		"\"\xc3\xa4\"", "hello/.",	 "~",
		"'.'",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		char line[100];

		(void)snprintf(line, sizeof(line), "git-receive-pack %s", paths[i]);
		assert_int_equal(parse(line), -EINVAL);
		/* The sentence is fit for a terminal. */
		for (const char *p = err.text; *p; p++)
			assert_true(*p >= ' ' && *p < 0x7f);
	}
	assert_refused("git-receive-pack", "takes one repository");
	assert_refused("git-receive-pack a b", "takes one repository");
	assert_refused("git-upload-pack --strict a", "takes one repository");
	assert_refused("git-upload-archive a", "only git push, fetch and clone");
	assert_refused("git gc", "only git push, fetch and clone");
	assert_refused("git-shell", "only git push, fetch and clone");
}

static void
survives_missing_memory(void **state)
{
	(void)state;
	ALLOC_LOOP(i)
	{
		int ret = command_parse(&command, "scale web=3", 11, &err);

		assert_true(ret == 0 || ret == -ENOMEM);
		command_done(&command);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_like_sh),	 cmocka_unit_test(expands_nothing),
		cmocka_unit_test(refuses_unclear_lines), cmocka_unit_test(knows_git),
		cmocka_unit_test(refuses_path_tricks),	 cmocka_unit_test(survives_missing_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

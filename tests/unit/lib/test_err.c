/* lib/err: sentences that are cut, never overrun, and one harmless line on stderr. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/err.h"

static void
test_set(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, -ENOENT, "open %s", "x"), -ENOENT);
	assert_string_equal(err.text, "open x: No such file or directory");
	assert_int_equal(err_set(&err, -99999, "odd"), -99999);
	assert_string_equal(err.text, "odd: unknown error");
	assert_int_equal(err_say(&err, -EINVAL, "just %d", 7), -EINVAL);
	assert_string_equal(err.text, "just 7");
	assert_int_equal(err_prefix(&err, -EIO, "while %s", "doing"), -EIO);
	assert_string_equal(err.text, "while doing: just 7");
	assert_int_equal(err_set(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_say(NULL, -EIO, "x"), -EIO);
	assert_int_equal(err_prefix(NULL, -EIO, "x"), -EIO);
}

static void
test_cut(void **state)
{
	char text[2000];
	struct err err;

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t n = sizeof(err.text) - 50; n < sizeof(err.text) + 50; n++) {
		text[n] = '\0';
		(void)err_set(&err, -ENOENT, "%s", text);
		assert_true(strlen(err.text) < sizeof(err.text));
		(void)err_prefix(&err, -ENOENT, "%s", text);
		assert_true(strlen(err.text) < sizeof(err.text));
		(void)err_prefix(&err, -ENOENT, "short");
		assert_memory_equal(err.text, "short: aaa", 10);
		text[n] = 'a';
	}
}

/* What log_line writes when given this. */
static const char *
logged(const char *text)
{
	static char out[4096];
	int ends[2], old = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	log_line("%s", text);
	assert_true(dup2(old, STDERR_FILENO) >= 0);
	n = read(ends[0], out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	close(old);
	close(ends[0]);
	close(ends[1]);
	return out;
}

static void
test_log(void **state)
{
	char text[3000];
	const char *out;

	(void)state;
	assert_string_equal(logged("plain"), "paas: plain\n");
	log_name("paas-test");
	assert_string_equal(logged("two\nlines \033[2J \177 \303\244"),
			    "paas-test: two?lines ?[2J ? \303\244\n");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	out = logged(text);
	assert_true(strlen(out) <= 1024);
	assert_int_equal(strchr(out, '\n') - out, strlen(out) - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}

/* Options: which commands take which, and what is said about the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"

#include "cli/args.h"

#define PARSE(allowed, ...) parse(allowed, (const char *[]){__VA_ARGS__, NULL})

static struct args args;
static struct err err;

/* getopt moves the words around, so they are copied; they live until the next call. */
static int
parse(unsigned allowed, const char *const *words)
{
	static char text[16][64];
	static char *argv[17];
	int n = 0;
	for (; words[n]; n++)
		argv[n] = strcpy(text[n], words[n]);
	argv[n] = NULL;
	return args_parse(&args, n, argv, allowed, &err);
}

static void
test_mixed_with_words(void **state)
{
	(void)state;
	assert_int_equal(
		PARSE(ARG_APP | ARG_JSON, "scale", "web=3", "-a", "hello", "worker-1", "--json"),
		0);
	assert_string_equal(args.app, "hello");
	assert_true(args.json);
	assert_int_equal(args.n_words, 2);
	assert_string_equal(args.words[0], "web=3");
	assert_string_equal(args.words[1], "worker-1");
}

static void
test_run_ends_at_first_word(void **state)
{
	(void)state;
	assert_int_equal(PARSE(ARG_APP | ARG_RUN, "run", "-a", "x", "-d", "ls", "-a", "-l"), 0);
	assert_true(args.detached);
	assert_string_equal(args.app, "x");
	assert_int_equal(args.n_words, 3);
	assert_string_equal(args.words[1], "-a");
}

static void
test_refused(void **state)
{
	(void)state;
	assert_true(PARSE(ARG_JSON, "apps", "-a", "hello") < 0);
	assert_non_null(strstr(err.text, "not an option of this command"));
	assert_true(PARSE(ARG_APP, "ps", "--frob") < 0);
	assert_non_null(strstr(err.text, "no option"));
	assert_true(PARSE(ARG_APP, "ps", "-a") < 0);
	assert_non_null(strstr(err.text, "needs a value"));
	assert_true(PARSE(ARG_NUM, "logs", "-n", "many") < 0);
	assert_true(PARSE(ARG_NUM, "logs", "-n", "0") < 0);
	assert_non_null(strstr(err.text, "1 to 100000"));
}

static void
test_logs(void **state)
{
	(void)state;
	assert_int_equal(PARSE(ARG_APP | ARG_NUM | ARG_TAIL | ARG_SOURCE, "logs", "-n", "20", "-t",
			       "--dyno", "web.1", "--source", "app"),
			 0);
	assert_int_equal(args.num, 20);
	assert_true(args.tail);
	assert_string_equal(args.instance, "web.1");
	assert_string_equal(args.source, "app");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mixed_with_words),
		cmocka_unit_test(test_run_ends_at_first_word),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_logs),
	};
	return cmocka_run_group_tests_name("args", tests, NULL, NULL);
}

/* The command line paasd gives: defaults, every kind of value, and sentences about what is wrong.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/control/options.h"
#include "lib/err.h"

static struct options options;
static struct err err;

static int
parse(const char *one, const char *two)
{
	static char words[3][512];
	char *argv[4] = {words[0], NULL, NULL, NULL};
	int argc = 1;

	(void)snprintf(words[0], sizeof(words[0]), "paas-control");
	if (one != NULL) {
		(void)snprintf(words[1], sizeof(words[1]), "%s", one);
		argv[argc++] = words[1];
	}
	if (two != NULL) {
		(void)snprintf(words[2], sizeof(words[2]), "%s", two);
		argv[argc++] = words[2];
	}
	return options_parse(&options, argc, argv, &err);
}

static void
defaults_are_those_of_the_manual(void **state)
{
	(void)state;
	assert_int_equal(parse(NULL, NULL), 0);
	assert_string_equal(options.domain, "localhost");
	assert_int_equal(options.uid_base, 1900000000u);
	assert_int_equal(options.instance_memory, 512 << 20);
	assert_int_equal(options.build_memory, (uint64_t)2 << 30);
	assert_int_equal(options.build_time_ms, 15 * 60 * 1000);
	assert_int_equal(options.boot_time_ms, 60000);
	assert_int_equal(options.stop_time_ms, 30000);
	assert_int_equal(options.drain_time_ms, 30000);
	assert_int_equal(options.restart_max_ms, 600000);
	assert_int_equal(options.builds, 2);
	assert_null(options.build_env[0]);
	options_done(&options);
}

static void
values_are_read(void **state)
{
	(void)state;
	assert_int_equal(parse("--boot-time=1500ms", "--build-env=A=1  B=x=y "), 0);
	assert_int_equal(options.boot_time_ms, 1500);
	assert_int_equal(options.n_build_env, 2);
	assert_string_equal(options.build_env[0], "A=1");
	assert_string_equal(options.build_env[1], "B=x=y");
	assert_null(options.build_env[2]);
	options_done(&options);
	assert_int_equal(parse("--subnet=10.1.0.0/24", "--builds=7"), 0);
	assert_int_equal(options.subnet.bits, 24);
	assert_int_equal(options.builds, 7);
	options_done(&options);
}

static void
what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *word, *part;
	} cases[] = {
		{"--builds=0", "--builds cannot be 0"},
		{"--builds=many", "--builds cannot be many"},
		{"--boot-time=soon", "--boot-time cannot be soon"},
		{"--boot-time=0", "--boot-time cannot be 0"},
		{"--slug-size=1", "--slug-size cannot be 1"},
		{"--slug-size=99999999999G", "--slug-size"},
		{"--subnet=10.1.0.0/33", ""},
		{"--build-env=A", "KEY=VALUE"},
		{"--build-env==x", "KEY=VALUE"},
		{"--nosuch=1", "--nosuch"},
		{"--builds", "--builds"},
		{"stray", "stray"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err.text[0] = '\0';
		assert_int_equal(parse(cases[i].word, NULL), -EINVAL);
		assert_true(err.text[0] != '\0');
		assert_non_null(strstr(err.text, cases[i].part));
		options_done(&options);
	}
}

static void
build_env_has_a_limit(void **state)
{
	char word[512] = "--build-env=";

	(void)state;
	for (int i = 0; i <= OPTIONS_MAX_BUILD_ENV; i++)
		(void)strcat(word, "A=1 ");
	assert_int_equal(parse(word, NULL), -EINVAL);
	assert_non_null(strstr(err.text, "at most"));
	options_done(&options);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(values_are_read),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(build_env_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

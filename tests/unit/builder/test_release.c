/* What bin/release of real and of broken buildpacks prints. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"

#include "builder/release.h"
#include "builder/types.h"

static struct types types;
static struct err err;

static int
setup(void **state)
{
	(void)state;
	types_init(&types);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	types_done(&types);
	return 0;
}

static int
parse(const char *text)
{
	types_done(&types);
	return release_parse(text, strlen(text), &types, &err);
}

static void
assert_refused(const char *text, const char *why)
{
	assert_int_equal(parse(text), -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static void
test_types(void **state)
{
	(void)state;
	assert_int_equal(parse("---\naddons: [a:b]\nconfig_vars:\n  A: b\ndefault_process_types:\n"
			       "  web: npm start\n  worker: \"a: b\"\n  \"clock\": |\n    tick\n"),
			 0);
	assert_int_equal(types.n, 3);
	assert_string_equal(types_find(&types, "web")->command, "npm start");
	assert_string_equal(types_find(&types, "worker")->command, "a: b");
	assert_string_equal(types_find(&types, "clock")->command, "tick");
	assert_int_equal(parse("default_process_types: {web: a, web: b}"), 0);
	assert_string_equal(types_find(&types, "web")->command, "b");
}

static void
test_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n",
		"--- {}",
		"---",
		"--- \n...\n",
		"~",
		"# comment",
		"addons: []",
		"default_process_types:\n",
		"default_process_types: ~\n",
		"default_process_types: {}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(parse(texts[i]), 0);
		assert_int_equal(types.n, 0);
	}
}

static void
test_only_first_document(void **state)
{
	(void)state;
	assert_int_equal(parse("default_process_types: {web: a}\n---\n[broken"), 0);
	assert_int_equal(types.n, 1);
}

static void
test_refused(void **state)
{
	(void)state;
	assert_refused("just words", "it is no YAML map");
	assert_refused("[a, b]", "it is no YAML map");
	assert_refused("a: [1\n", "is no YAML");
	assert_refused("\t- x", "is no YAML");
	assert_refused("a: *nowhere", "is no YAML");
	assert_refused("\xff\xfe\xff", "is no YAML");
	assert_refused("default_process_types: [web]", "must be a map");
	assert_refused("default_process_types: {web: [a]}", "must be a map");
	assert_refused("default_process_types: {[web]: a}", "must be a map");
	assert_refused("default_process_types: {web: ''}", "the process type web has no command");
	assert_refused("default_process_types: {'we b': x}", "process type");
	assert_refused("default_process_types: {web: \"a\\0b\"}", "a NUL byte");
}

/* References stay references: what would be gigabytes written out is nothing here. */
static void
test_many_references(void **state)
{
	char text[4096];
	size_t n = 0;

	(void)state;
	n += (size_t)snprintf(text, sizeof(text), "a0: &a0 [x]\n");
	for (int i = 1; i < 60; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "a%d: &a%d [*a%d, *a%d, *a%d]\n",
				      i, i, i - 1, i - 1, i - 1);
	assert_int_equal(parse(text), 0);
}

static void
test_limits(void **state)
{
	char *text = malloc(RELEASE_MAX_BYTES + 2);
	size_t n;

	(void)state;
	memset(text, '#', RELEASE_MAX_BYTES + 1);
	assert_int_equal(release_parse(text, RELEASE_MAX_BYTES, &types, &err), 0);
	assert_int_equal(release_parse(text, RELEASE_MAX_BYTES + 1, &types, &err), -EINVAL);
	memset(text, '[', 30000);
	assert_int_equal(release_parse(text, 30000, &types, &err), -EINVAL);
	n = (size_t)snprintf(text, 100, "default_process_types:\n");
	for (int i = 0; i <= TYPES_MAX; i++)
		n += (size_t)snprintf(text + n, 100, "  t%d: x\n", i);
	text[n] = '\0';
	assert_refused(text, "more than 64 process types");
	n = (size_t)snprintf(text, 100, "default_process_types:\n  web: ");
	memset(text + n, 'x', TYPE_COMMAND_MAX + 1);
	text[n + TYPE_COMMAND_MAX + 1] = '\0';
	assert_refused(text, "the command of web is longer");
	free(text);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(types),   TEST(nothing),	      TEST(only_first_document),
		TEST(refused), TEST(many_references), TEST(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* JSON as RFC 8259 has it, and nothing else; static.json on top of it; its patterns. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"

#include "buildpacks/static/server/config.h"
#include "buildpacks/static/server/glob.h"
#include "buildpacks/static/server/json.h"

static struct json json;
static struct config config;
static struct err err;

/* The events of a text as letters; strings and numbers behind them. */
static const char *
events(const char *text)
{
	static const char letters[] = "!.{}[]KSNtfn";
	static char out[8192];
	enum json_event event;
	size_t n = 0;

	json_init(&json, text, strlen(text));
	do {
		event = json_next(&json);
		out[n++] = letters[event];
		if (event == JSON_KEY || event == JSON_STRING || event == JSON_NUMBER) {
			memcpy(out + n, json.text, json.n);
			n += json.n;
			out[n++] = ' ';
		}
	} while (event != JSON_BAD && event != JSON_END);
	out[n] = '\0';
	return out;
}

static void
test_good(void **state)
{
	(void)state;
	assert_string_equal(events("{\"a\":[1,-2.5e+3,true],\"b\":{\"c\":null},\"d\":false}"),
			    "{Ka [N1 N-2.5e+3 t]Kb {Kc n}Kd f}.");
	assert_string_equal(events(" [ ] "), "[].");
	assert_string_equal(events("{}"), "{}.");
	assert_string_equal(events("\"x\""), "Sx .");
	assert_string_equal(events("0"), "N0 .");
	assert_string_equal(events("[0.1E-7,\t\r\n\"\"]"), "[N0.1E-7 S ].");
	assert_string_equal(events("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\""), "S\"\\/\b\f\n\r\tA .");
	assert_string_equal(events("\"\\u00e9\\u20AC\\ud83d\\ude00\""),
			    "S\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 .");
	assert_string_equal(events("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""),
			    "S\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 .");
}

static void
test_bad(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"{",
		"[",
		"}",
		"[1,]",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{a:1}",
		"[1 2]",
		"1 2",
		"01",
		"-",
		"1.",
		".5",
		"1e",
		"+1",
		"tru",
		"True",
		"nul",
		"\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"\\ud800\"",
		"\"\\ud800\\u0041\"",
		"\"\\udc00\"",
		"\"\\u0000\"",
		"\"\n\"",
		"\"\x01\"",
		"\"\xff\"",
		"\"\xc3\"",
		"\"\xc0\xaf\"",
		"\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"[1}",
		"{\"a\":1]",
		"// c\n1",
		"'a'",
		"\xef\xbb\xbf{}",
		"[,1]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		const char *got = events(texts[i]);

		if (got[strlen(got) - 1] != '!')
			fail_msg("%s is accepted: %s", texts[i], got);
		assert_non_null(json.problem);
		assert_int_equal(json_next(&json), JSON_BAD);
	}
}

static void
test_limits(void **state)
{
	char text[JSON_MAX_STRING + 8];
	char *all;

	(void)state;
	memset(text, '[', sizeof(text));
	text[JSON_MAX_DEPTH] = '\0';
	(void)events(text);
	assert_string_equal(json.problem, "an end that comes too early");
	text[JSON_MAX_DEPTH] = '[';
	text[JSON_MAX_DEPTH + 1] = '\0';
	(void)events(text);
	assert_string_equal(json.problem, "too many brackets");
	memset(text, 'x', sizeof(text));
	text[0] = '"';
	text[JSON_MAX_STRING + 1] = '"';
	text[JSON_MAX_STRING + 2] = '\0';
	all = strdup(events(text));
	assert_int_equal(strlen(all), JSON_MAX_STRING + 3);
	free(all);
	text[JSON_MAX_STRING + 1] = 'x';
	text[JSON_MAX_STRING + 2] = '"';
	text[JSON_MAX_STRING + 3] = '\0';
	(void)events(text);
	assert_string_equal(json.problem, "a string that is too long");
}

static void
test_skip_and_line(void **state)
{
	static const char text[] = "{\"a\":\n{\"x\":[1,{}]},\n\"b\":2}";

	(void)state;
	json_init(&json, text, strlen(text));
	assert_int_equal(json_next(&json), JSON_OBJECT);
	assert_int_equal(json_next(&json), JSON_KEY);
	assert_int_equal(json_skip(&json, json_next(&json)), JSON_OBJECT_END);
	assert_int_equal(json_next(&json), JSON_KEY);
	assert_string_equal(json.text, "b");
	assert_int_equal(json_line(&json), 3);
	assert_int_equal(json_skip(&json, json_next(&json)), JSON_NUMBER);
	assert_int_equal(json_next(&json), JSON_OBJECT_END);
	assert_int_equal(json_next(&json), JSON_END);
}

/* ---- static.json --------------------------------------------------------------------------- */

static int
parse(const char *text)
{
	config_done(&config);
	return config_parse(&config, text, strlen(text), &err);
}

static void
assert_refused(const char *text, const char *why)
{
	assert_int_equal(parse(text), -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static void
test_config(void **state)
{
	(void)state;
	assert_int_equal(
		parse("{\"root\":\"/public_html/\",\"clean_urls\":true,\"https_only\":[{}],"
		      "\"error_page\":\"errors/404.html\",\"routes\":{\"/**\":\"/index.html\"},"
		      "\"headers\":{\"/**\":{\"X-A\":\"b c\",\"X-B\":\"\"}}}"),
		0);
	assert_string_equal(config.root, "public_html");
	assert_string_equal(config.error_page, "errors/404.html");
	assert_true(config.clean_urls);
	assert_int_equal(config.n_routes, 1);
	assert_string_equal(config.routes[0].file, "index.html");
	assert_int_equal(config.n_headers, 2);
	assert_string_equal(config.headers[0].line, "X-A: b c");
	assert_string_equal(config.headers[1].pattern, "/**");
	assert_string_equal(config.ignored, "https_only");
	assert_int_equal(parse("{}"), 0);
	assert_string_equal(config.root, "");
	assert_int_equal(parse("{\"root\":\"/\"}"), 0);
	assert_string_equal(config.root, ".");
	config_done(&config);
}

static void
test_config_refused(void **state)
{
	(void)state;
	assert_refused("", "static.json line 1: an end that comes too early.");
	assert_refused("[]", "it must be an object");
	assert_refused("{} {}", "something behind the end");
	assert_refused("{\n\"root\":\n1}", "static.json line 3: root must be a string.");
	assert_refused("{\"root\":\"a/../b\"}", "must not hold \"..\"");
	assert_refused("{\"root\":\"..\"}", "must not hold \"..\"");
	assert_refused("{\"error_page\":\"../../etc/passwd\"}", "must not hold \"..\"");
	assert_refused("{\"clean_urls\":\"yes\"}", "clean_urls must be true or false");
	assert_refused("{\"routes\":[]}", "routes must be");
	assert_refused("{\"routes\":{\"/\":1}}", "a route must lead to a file's name");
	assert_refused("{\"headers\":{\"/\":\"x\"}}", "headers must be");
	assert_refused("{\"headers\":{\"/\":{\"A\":1}}}", "a header's value must be a string");
	assert_refused("{\"headers\":{\"/\":{\"A b\":\"x\"}}}", "no name of a header");
	assert_refused("{\"headers\":{\"/\":{\"A\":\"x\\r\\nB: y\"}}}", "control characters");
	assert_refused("{\"headers\":{\"/\":{\"content-length\":\"1\"}}}", "set by the server");
	config_done(&config);
}

static void
test_patterns(void **state)
{
	(void)state;
	assert_true(glob_match("/**", "/"));
	assert_true(glob_match("/**", "/a/b.c"));
	assert_true(glob_match("/*", "/a"));
	assert_false(glob_match("/*", "/a/b"));
	assert_true(glob_match("/a/*/c", "/a/b/c"));
	assert_true(glob_match("/a/**/c", "/a/b/x/c"));
	assert_true(glob_match("*.css", "/a/b.css"));
	assert_true(glob_match("index.html", "/a/index.html"));
	assert_false(glob_match("index.html", "/a/xindex.html"));
	assert_true(glob_match("**.js", "/a/b.js"));
	assert_false(glob_match("/a", "/ab"));
	assert_true(glob_match("/a*b*c**d/e", "/aXbYc/q/d/e"));
	assert_false(glob_match("/a*d", "/ab/cd"));
	assert_true(glob_match("/**a/*b", "/xa/ya/zb"));
	assert_false(glob_match("", "/a"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	 cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limits),	 cmocka_unit_test(test_skip_and_line),
		cmocka_unit_test(test_config),	 cmocka_unit_test(test_config_refused),
		cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

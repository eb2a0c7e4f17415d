/* daemon/logs/line: the exact text, what is made harmless, what is cut, and the filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/logs/line.h"

#define HEAD "2026-11-20T10:00:00.000123+00:00 app[web.1]: "
#define TIME UINT64_C(1795168800000123)

static const char *
write_line(const char *text, size_t n)
{
	static char out[LINE_MAX_BYTES + 1];
	char *copy = malloc(n ? n : 1);
	size_t len;

	assert_non_null(copy);
	memcpy(copy, text, n);
	len = line_write(out, TIME, "app[web.1]", copy, n);
	free(copy);
	assert_true(len <= LINE_MAX_BYTES);
	out[len] = '\0';
	assert_int_equal(strlen(out), len);
	assert_int_equal(out[len - 1], '\n');
	return out;
}

#define CHECK(text, want) assert_string_equal(write_line(text, sizeof(text) - 1), HEAD want "\n")

static void
test_text(void **state)
{
	(void)state;
	CHECK("hello", "hello");
	CHECK("", "");
	CHECK("a\tb ~", "a\tb ~");
	CHECK("dos\r", "dos");
	CHECK("\r", "");
	CHECK("10%\r20%", "10%\\x0d20%");
	CHECK("nul \0 bell \a del \177", "nul \\x00 bell \\x07 del \\x7f");
	CHECK("two\nlines", "two\\x0alines");
}

static void
test_escapes(void **state)
{
	(void)state;
	/* Colours go without a trace. */
	CHECK("\033[1;31mred\033[0m \033[38:5:1mx\033[m", "red x");
	/* Whatever else a terminal would obey is shown instead. */
	CHECK("\033[2J", "\\x1b[2J");
	CHECK("\033]0;title\a", "\\x1b]0;title\\x07");
	CHECK("\033[31", "\\x1b[31");
	CHECK("\033[", "\\x1b[");
	CHECK("\033", "\\x1b");
	CHECK("\033[?25h\033c", "\\x1b[?25h\\x1bc");
	CHECK("\033\033[1m[2J", "\\x1b[2J");
	/* One-byte and UTF-8 forms of the same. */
	CHECK("\x9b"
	      "2J",
	      "\\x9b2J");
	CHECK("\xc2\x9b"
	      "2J",
	      "\\xc2\\x9b2J");
}

static void
test_utf8(void **state)
{
	(void)state;
	CHECK("\xc2\xa0 \xc3\xa4 \xdf\xbf \xe2\x82\xac \xef\xbf\xbd \xf0\x9f\x9a\x80 "
	      "\xf4\x8f\xbf\xbf",
	      "\xc2\xa0 \xc3\xa4 \xdf\xbf \xe2\x82\xac \xef\xbf\xbd \xf0\x9f\x9a\x80 "
	      "\xf4\x8f\xbf\xbf");
	CHECK("\xff\xfe", "\\xff\\xfe");
	CHECK("\xc3", "\\xc3");
	CHECK("\xc3(", "\\xc3(");
	CHECK("\xe2\x82", "\\xe2\\x82");
	CHECK("\xe2(\xac", "\\xe2(\\xac");
	CHECK("\xf0\x9f\x9a", "\\xf0\\x9f\\x9a");
	CHECK("\x80", "\\x80");
	/* Too long for what it means; a surrogate; beyond the last character. */
	CHECK("\xc0\xaf \xc1\xbf", "\\xc0\\xaf \\xc1\\xbf");
	CHECK("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	CHECK("\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf");
	CHECK("\xed\xa0\x80", "\\xed\\xa0\\x80");
	CHECK("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	CHECK("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80");
}

static void
test_cut(void **state)
{
	static const char mark[] = " [cut]\n";
	static char text[20000];
	const char *out;

	(void)state;
	memset(text, 'x', sizeof(text));
	out = write_line(text, LINE_TEXT_MAX);
	assert_int_equal(strlen(out), sizeof(HEAD) - 1 + LINE_TEXT_MAX + 1);
	for (size_t n = LINE_TEXT_MAX + 1; n < sizeof(text); n += 997) {
		out = write_line(text, n);
		assert_int_equal(strlen(out), sizeof(HEAD) - 1 + LINE_TEXT_MAX + sizeof(mark) - 1);
		assert_string_equal(out + strlen(out) - sizeof(mark) + 1, mark);
	}
	/* What grows when it is made harmless is measured as it is stored; no character is torn. */
	memset(text, 1, sizeof(text));
	out = write_line(text, LINE_TEXT_MAX);
	assert_int_equal(strlen(out), sizeof(HEAD) - 1 + LINE_TEXT_MAX + sizeof(mark) - 1);
	for (size_t i = 0; i + 3 <= sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	out = write_line(text, 12000);
	assert_int_equal(strlen(out), sizeof(HEAD) - 1 + 9999 + sizeof(mark) - 1);
	/* Colours alone do not count. */
	for (size_t i = 0; i + 4 <= sizeof(text); i += 4)
		memcpy(text + i, "\033[1m", 4);
	out = write_line(text, sizeof(text));
	assert_string_equal(out, HEAD "\n");
}

static void
test_sources_and_times(void **state)
{
	char out[LINE_MAX_BYTES], source[200];
	size_t n;

	(void)state;
	n = line_write_dropped(out, TIME, 7);
	out[n] = '\0';
	assert_string_equal(out, "2026-11-20T10:00:00.000123+00:00 heroku[logs]: "
				 "Error L10 (output buffer overflow): 7 messages dropped\n");
	memset(source, 's', sizeof(source) - 1);
	source[sizeof(source) - 1] = '\0';
	n = line_write(out, 0, source, "x", 1);
	assert_int_equal(n, 33 + LINE_SOURCE_MAX + 4);
	assert_memory_equal(out, "1970-01-01T00:00:00.000000+00:00 sss", 36);
	n = line_write(out, UINT64_MAX, "a", "x", 1);
	assert_int_equal(out[n - 1], '\n');
	/* A claimed time is believed for a day, never from the future. */
	assert_int_equal(line_time(TIME - 5, TIME), TIME - 5);
	assert_int_equal(line_time(TIME, TIME), TIME);
	assert_int_equal(line_time(TIME + 1, TIME), TIME);
	assert_int_equal(line_time(UINT64_MAX, TIME), TIME);
	assert_int_equal(line_time(TIME - UINT64_C(86400000000), TIME),
			 TIME - UINT64_C(86400000000));
	assert_int_equal(line_time(TIME - UINT64_C(86400000001), TIME), TIME);
	assert_int_equal(line_time(0, TIME), TIME);
}

static bool
matches(const char *source, const char *instance, const char *line)
{
	struct line_filter f = {0};

	strcpy(f.source, source);
	strcpy(f.instance, instance);
	return line_matches(&f, line, strlen(line));
}

static void
test_filter(void **state)
{
	static const char app[] = HEAD "text heroku[router]: x";
	static const char router[] = "2026-11-20T10:00:00.000000+00:00 heroku[router]: at=info";

	(void)state;
	assert_true(matches("", "", app));
	assert_true(matches("", "", "anything"));
	assert_true(matches("app", "", app));
	assert_true(matches("app", "web.1", app));
	assert_true(matches("app", "web", app));
	assert_true(matches("", "web", app));
	assert_false(matches("heroku", "", app));
	assert_false(matches("ap", "", app));
	assert_false(matches("apps", "", app));
	assert_false(matches("", "web.10", app));
	assert_false(matches("", "web.", app));
	assert_false(matches("", "we", app));
	assert_false(matches("", "worker", app));
	assert_false(matches("", "router", app));
	assert_true(matches("heroku", "router", router));
	assert_true(matches("", "router", router));
	assert_false(matches("app", "router", router));
	/* Names that are one longer. */
	assert_false(matches("", "web.1", "2026-11-20T10:00:00.000000+00:00 app[web.10]: x"));
	assert_false(matches("", "web", "2026-11-20T10:00:00.000000+00:00 app[webx.1]: x"));
	/* No line of ours. */
	assert_false(matches("app", "", ""));
	assert_false(matches("app", "", "app[web.1]: x"));
	assert_false(matches("app", "", "2026-11-20T10:00:00.000000+00:00 "));
	assert_false(matches("app", "", "2026-11-20T10:00:00.000000+00:00 app[web.1: x"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_sources_and_times),
		cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}

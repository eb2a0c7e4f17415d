/* lib/conf: lines, quotes, complaints with their place; sizes, durations, numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/buf.h"
#include "lib/conf.h"
#include "lib/err.h"

static struct buf seen;

static int
on_pair(void *user, const char *key, const char *value, unsigned line, struct err *err)
{
	assert_ptr_equal(user, &seen);
	if (strcmp(key, "stop") == 0)
		return 7;
	if (strcmp(key, "wrong") == 0)
		return err_say(err, -EINVAL, "wrong at %u", line);
	return buf_printf(&seen, "%u %s=<%s>\n", line, key, value);
}

static int
parse(const char *text, struct err *err)
{
	size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);
	int ret;

	assert_non_null(copy);
	memcpy(copy, text, n);
	buf_done(&seen);
	buf_init(&seen, 100000);
	ret = conf_parse(copy, n, "paas.conf", on_pair, &seen, err);
	free(copy);
	return ret;
}

static void
test_good(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(parse("", &err), 0);
	assert_int_equal(parse("# only\n\n   \t\n  # comments", &err), 0);
	assert_string_equal(buf_text(&seen), "");
	assert_int_equal(parse("http = 127.0.0.1:80\n"
			       "\tdomain=example.com  \r\n"
			       "# x = y\n"
			       "empty =\n"
			       "build-env = \"A=1  B=#2 \" # a comment\n"
			       "path = \"a \\\"b\\\" \\\\ \\n\"\n"
			       "plain = a # b \"c\"\n"
			       "last = x",
			       &err),
			 0);
	assert_string_equal(buf_text(&seen), "1 http=<127.0.0.1:80>\n"
					     "2 domain=<example.com>\n"
					     "4 empty=<>\n"
					     "5 build-env=<A=1  B=#2 >\n"
					     "6 path=<a \"b\" \\ \\n>\n"
					     "7 plain=<a # b \"c\">\n"
					     "8 last=<x>\n");
}

static void
test_bad(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"a = 1\nnothing", "paas.conf:2: this is not key = value"},
		{"= 1", "paas.conf:1: this is not key = value"},
		{"a b = 1", "paas.conf:1: this is not key = value"},
		{"a: 1", "paas.conf:1: this is not key = value"},
		{"\303\244 = 1", "paas.conf:1: this is not key = value"},
		{"a = \"1", "paas.conf:1: the closing quote is missing"},
		{"a = \"1\\\"", "paas.conf:1: the closing quote is missing"},
		{"a = \"1\\", "paas.conf:1: the closing quote is missing"},
		{"a = \"1\" 2", "paas.conf:1: there is more behind the closing quote"},
		{"a = 1\001", "paas.conf:1: there is a control character"},
		{"a = 1\rb = 2", "paas.conf:1: there is a control character"},
		{"a = 1\n\n\nwrong = 1\nb = 2", "wrong at 4"},
	};
	char longest[5000];
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(parse(rows[i].text, &err), -EINVAL);
		assert_string_equal(err.text, rows[i].says);
	}
	assert_int_equal(parse("a = 1\nstop = 1\nb = 2", &err), 7);
	assert_string_equal(buf_text(&seen), "1 a=<1>\n");

	memset(longest, 'k', sizeof(longest));
	memcpy(longest + 64, "=1", 3);
	assert_int_equal(parse(longest, &err), 0);
	memcpy(longest + 64, "k=1", 4);
	assert_int_equal(parse(longest, &err), -EINVAL);
	assert_string_equal(err.text, "paas.conf:1: the key is too long");
	for (int quoted = 0; quoted < 2; quoted++) {
		memset(longest, 'v', sizeof(longest));
		memcpy(longest, quoted ? "a=\"" : "a=v", 3);
		strcpy(longest + 4098 + quoted, quoted ? "\"" : "");
		assert_int_equal(parse(longest, &err), 0);
		memset(longest + 4098, 'v', 2);
		strcpy(longest + 4099 + quoted, quoted ? "\"" : "");
		assert_int_equal(parse(longest, &err), -EINVAL);
		assert_string_equal(err.text, "paas.conf:1: the value is too long");
	}
	buf_done(&seen);
}

static void
test_load(void **state)
{
	char path[] = "/tmp/paas-conf-XXXXXX";
	int fd = mkstemp(path);
	struct err err;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a = 1\n", 6), 6);
	buf_init(&seen, 1000);
	assert_int_equal(conf_load(path, on_pair, &seen, &err), 0);
	assert_string_equal(buf_text(&seen), "1 a=<1>\n");
	/* A file that cannot be a configuration. */
	assert_int_equal(ftruncate(fd, 1024 * 1024), 0);
	assert_int_equal(conf_load(path, on_pair, &seen, &err), -ENOBUFS);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(conf_load(path, on_pair, &seen, &err), -ENOENT);
	assert_non_null(strstr(err.text, path));
	buf_done(&seen);
}

static void
test_bytes(void **state)
{
	static const char *const bad[] = {"",
					  "M",
					  "-1",
					  "1.5M",
					  "1MM",
					  "1 M",
					  "1X",
					  "16777216T",
					  "18446744073709551616",
					  "99999999999999999999999",
					  NULL};
	unsigned long long v;
	char text[16];

	(void)state;
	assert_int_equal(conf_bytes("65536", &v), 0);
	assert_int_equal(v, 65536);
	assert_int_equal(conf_bytes("512M", &v), 0);
	assert_int_equal(v, 512ULL << 20);
	assert_int_equal(conf_bytes("2g", &v), 0);
	assert_int_equal(v, 2ULL << 30);
	assert_int_equal(conf_bytes("1k", &v), 0);
	assert_int_equal(v, 1024);
	assert_int_equal(conf_bytes("1T", &v), 0);
	assert_int_equal(v, 1ULL << 40);
	assert_int_equal(conf_bytes("18446744073709551615", &v), 0);
	for (const char *const *t = bad; *t; t++)
		assert_int_equal(conf_bytes(*t, &v), -EINVAL);

	assert_string_equal(conf_bytes_text(0, text, sizeof(text)), "0B");
	assert_string_equal(conf_bytes_text(17, text, sizeof(text)), "17B");
	assert_string_equal(conf_bytes_text(1023, text, sizeof(text)), "1023B");
	assert_string_equal(conf_bytes_text(1024, text, sizeof(text)), "1K");
	assert_string_equal(conf_bytes_text(12 * 1024 + 700, text, sizeof(text)), "12K");
	assert_string_equal(conf_bytes_text(300 << 20, text, sizeof(text)), "300M");
	assert_string_equal(conf_bytes_text(3ULL << 29, text, sizeof(text)), "1.5G");
	assert_string_equal(conf_bytes_text(ULLONG_MAX, text, sizeof(text)), "15E");
}

static void
test_duration(void **state)
{
	static const char *const bad[] = {
		"", "s", "-1s", "1.5s", "1d", "1 s", "1sm", "18446744073709552s", NULL};
	unsigned long long v;

	(void)state;
	assert_int_equal(conf_duration("15m", &v), 0);
	assert_int_equal(v, 900000);
	assert_int_equal(conf_duration("30s", &v), 0);
	assert_int_equal(v, 30000);
	assert_int_equal(conf_duration("30", &v), 0);
	assert_int_equal(v, 30000);
	assert_int_equal(conf_duration("2h", &v), 0);
	assert_int_equal(v, 7200000);
	assert_int_equal(conf_duration("100ms", &v), 0);
	assert_int_equal(v, 100);
	for (const char *const *t = bad; *t; t++)
		assert_int_equal(conf_duration(*t, &v), -EINVAL);
}

static void
test_number(void **state)
{
	static const char *const bad[] = {"",
					  "-",
					  "--1",
					  "+1",
					  "1x",
					  " 1",
					  "1.0",
					  "abc",
					  "101",
					  "-101",
					  "9223372036854775808",
					  NULL};
	long long v;

	(void)state;
	assert_int_equal(conf_number("100", -100, 100, &v), 0);
	assert_int_equal(v, 100);
	assert_int_equal(conf_number("-100", -100, 100, &v), 0);
	assert_int_equal(v, -100);
	for (const char *const *t = bad; *t; t++)
		assert_int_equal(conf_number(*t, -100, 100, &v), -EINVAL);
	assert_int_equal(conf_number("9223372036854775807", 0, LLONG_MAX, &v), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	 cmocka_unit_test(test_bad),
		cmocka_unit_test(test_load),	 cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_duration), cmocka_unit_test(test_number),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}

/* receiver/sentence: no byte of a stranger commands a terminal. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/receiver/sentence.h"

/* The same, however the stream is cut in two. */
static void
assert_filtered(const char *in, size_t n, const char *wanted)
{
	char out[300];

	for (size_t cut = 0; cut <= n; cut++) {
		struct sentence_filter f;
		size_t len;

		sentence_filter_init(&f);
		len = sentence_filter(&f, in, cut, out);
		assert_true(len <= cut + 1);
		len += sentence_filter(&f, in + cut, n - cut, out + len);
		out[len] = '\0';
		assert_string_equal(out, wanted);
	}
}

#define F(in, wanted) assert_filtered(in, sizeof(in) - 1, wanted)

static void
keeps_text(void **state)
{
	(void)state;
	F("", "");
	F("-----> Building\n\tx\r50%\r100%\n", "-----> Building\n\tx\r50%\r100%\n");
	F("\xc3\xa4 \xe2\x9c\x93 \xf0\x9f\x98\x80 \xc2\xa0\xc2\xbf",
	  "\xc3\xa4 \xe2\x9c\x93 \xf0\x9f\x98\x80 \xc2\xa0\xc2\xbf");
}

static void
drops_commands(void **state)
{
	(void)state;
	F("a\033[31mb\033[0;1mc\033[2Jd\033[?25le", "abcde");
	F("a\033]0;title\007b\033]8;;http://x\033\\c", "abc");
	F("a\033Pq#0;1\033\\b\033_x\033\\c\033^y\033\\d\033Xz\033\\e", "abcde");
	F("a\033cb\033(Bc\033#8d\0337e", "abcde");
	F("a\033\033[1mb", "ab");
	F("a\033[1\033[2mb", "ab");
	F("a\033[1\030b\033]x\032c", "abc");
	F("a\xc2\x9b"
	  "1mb\xc2\x9dtitle\xc2\x9c"
	  "c\xc2\x85"
	  "d",
	  "abcd");
	F("a\x9b"
	  "b\xff"
	  "c\x80"
	  "d\xc0"
	  "e\xf5"
	  "f",
	  "abcdef");
	F("a\001\010\013\177b\000c", "abc");
	F("\xe2\x9c"
	  "a\033[mb",
	  "\xe2\x9c"
	  "ab");
	F("\xc2"
	  "a\xc2\xc2\xa0",
	  "a\xc2\xa0");
}

static void
ends_an_endless_string(void **state)
{
	static char in[10000], out[10001];
	struct sentence_filter f;

	(void)state;
	memset(in, 'x', sizeof(in));
	memcpy(in, "\033]", 2);
	sentence_filter_init(&f);
	assert_int_equal(sentence_filter(&f, in, sizeof(in), out), sizeof(in) - 2 - 4096);
}

static void
quotes(void **state)
{
	char out[8];

	(void)state;
	assert_string_equal(sentence_quote("abc", 3, out, sizeof(out)), "abc");
	assert_string_equal(sentence_quote("abcdefg", 7, out, sizeof(out)), "abcdefg");
	assert_string_equal(sentence_quote("abcdefgh", 8, out, sizeof(out)), "abcd...");
	assert_string_equal(sentence_quote("a\033\n\xc3", 4, out, sizeof(out)), "a???");
	assert_string_equal(sentence_quote("", 0, out, sizeof(out)), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_text),
		cmocka_unit_test(drops_commands),
		cmocka_unit_test(ends_an_endless_string),
		cmocka_unit_test(quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

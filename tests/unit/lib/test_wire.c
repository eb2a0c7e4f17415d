/* lib/wire: what was written reads back, and nothing bad is ever read as good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/wire.h"

static void
write_all(struct wire_writer *w)
{
	wire_put_u8(w, 0xab);
	wire_put_u16(w, 0x1234);
	wire_put_u32(w, 0xdeadbeef);
	wire_put_u64(w, UINT64_C(0x0123456789abcdef));
	wire_put_str(w, "hello");
	wire_put_str(w, NULL);
	wire_put_bytes(w, "a\0b", 3);
}

/* 0 when all fields read as they were written. */
static int
read_all(struct wire_reader *r)
{
	char text[6], empty[1];
	const void *bytes;
	size_t n;

	if (wire_get_u8(r) != 0xab || wire_get_u16(r) != 0x1234 || wire_get_u32(r) != 0xdeadbeef ||
	    wire_get_u64(r) != UINT64_C(0x0123456789abcdef))
		return -1;
	wire_get_str(r, text, sizeof(text));
	wire_get_str(r, empty, sizeof(empty));
	bytes = wire_get_bytes(r, &n);
	if (strcmp(text, "hello") != 0 || empty[0] || n != 3 || memcmp(bytes, "a\0b", 3) != 0)
		return -1;
	return 0;
}

static void
test_round(void **state)
{
	uint8_t data[64];
	struct wire_writer w;
	struct wire_reader r;

	(void)state;
	wire_write_init(&w, data, sizeof(data));
	write_all(&w);
	assert_false(w.failed);
	assert_int_equal(w.len, 15 + 9 + 4 + 7);
	/* Little-endian, whatever we run on. */
	assert_memory_equal(data, "\xab\x34\x12\xef\xbe\xad\xde", 7);
	wire_read_init(&r, data, w.len);
	assert_int_equal(wire_end(&r), -EBADMSG);
	assert_int_equal(read_all(&r), 0);
	assert_int_equal(wire_end(&r), 0);
}

/* Every shorter message fails, and stays failed. Exact heap copies for the sanitizers. */
static void
test_cut(void **state)
{
	uint8_t data[64];
	struct wire_writer w;

	(void)state;
	wire_write_init(&w, data, sizeof(data));
	write_all(&w);
	for (size_t len = 0; len < w.len; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		struct wire_reader r;

		assert_non_null(copy);
		memcpy(copy, data, len);
		wire_read_init(&r, copy, len);
		(void)read_all(&r);
		assert_true(r.failed);
		assert_int_equal(wire_end(&r), -EBADMSG);
		assert_int_equal(wire_get_u64(&r), 0);
		free(copy);
	}
}

static void
test_full(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < 35; cap++) {
		uint8_t *data = malloc(cap ? cap : 1);
		struct wire_writer w;

		assert_non_null(data);
		wire_write_init(&w, data, cap);
		write_all(&w);
		assert_true(w.failed);
		assert_true(w.len <= cap);
		free(data);
	}
}

static void
test_bad_strings(void **state)
{
	uint8_t data[16];
	char out[4] = "old";
	struct wire_writer w;
	struct wire_reader r;
	size_t n;

	(void)state;
	wire_write_init(&w, data, sizeof(data));
	wire_put_str(&w, "four");
	wire_read_init(&r, data, w.len);
	wire_get_str(&r, out, sizeof(out));
	assert_true(r.failed);
	assert_string_equal(out, "");

	wire_write_init(&w, data, sizeof(data));
	wire_put_bytes(&w, "a\0", 2);
	wire_read_init(&r, data, w.len);
	wire_get_str(&r, out, sizeof(out));
	assert_true(r.failed);

	memset(data, 0xff, sizeof(data));
	wire_read_init(&r, data, sizeof(data));
	assert_null(wire_get_bytes(&r, &n));
	assert_int_equal(n, 0);
	assert_int_equal(wire_end(&r), -EBADMSG);

	wire_write_init(&w, data, sizeof(data));
	wire_put_bytes(&w, data, (size_t)UINT32_MAX + 1);
	assert_true(w.failed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_bad_strings),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}

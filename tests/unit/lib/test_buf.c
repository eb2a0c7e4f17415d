/* lib/buf: growth, the maximum, and memory that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/lib/alloc.h"
#include "lib/buf.c"

static void
test_grow(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_string_equal(buf_text(&b), "");
	for (int i = 0; i < 100; i++)
		assert_int_equal(buf_add_string(&b, "0123456789"), 0);
	assert_int_equal(b.len, 1000);
	assert_int_equal(strlen(buf_text(&b)), 1000);
	assert_true(b.cap <= 1001);
	assert_int_equal(buf_add(&b, "x", 1), -ENOBUFS);
	assert_int_equal(buf_printf(&b, "%d", 1), -ENOBUFS);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	assert_int_equal(b.len, 1000);
	buf_consume(&b, 0);
	buf_consume(&b, 995);
	assert_string_equal(buf_text(&b), "56789");
	assert_int_equal(buf_printf(&b, "-%s-%d", "a", 7), 0);
	assert_string_equal(buf_text(&b), "56789-a-7");
	buf_consume(&b, b.len);
	assert_string_equal(buf_text(&b), "");
	buf_done(&b);
	assert_int_equal(buf_add_string(&b, "again"), 0);
	assert_string_equal(buf_text(&b), "again");
	buf_done(&b);
}

static void
test_huge(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOBUFS);
	assert_int_equal(buf_reserve(&b, 10), 0);
	buf_done(&b);
	buf_init(&b, 0);
	assert_int_equal(buf_reserve(&b, 0), 0);
	assert_int_equal(buf_add(&b, "x", 1), -ENOBUFS);
	buf_done(&b);
}

static void
test_take(void **state)
{
	struct buf b;
	char *s;

	(void)state;
	buf_init(&b, 100);
	s = buf_take(&b);
	assert_string_equal(s, "");
	free(s);
	assert_int_equal(buf_add_string(&b, "text"), 0);
	s = buf_take(&b);
	assert_string_equal(s, "text");
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_text(&b), "");
	free(s);
	buf_done(&b);
}

static void
test_no_memory(void **state)
{
	struct buf b;

	(void)state;
	ALLOC_LOOP(i)
	{
		int ret;
		char *s;

		buf_init(&b, 1000);
		ret = buf_add_string(&b, "first");
		if (ret == 0) {
			for (int k = 0; k < 20 && ret == 0; k++) {
				size_t before = b.len;

				ret = buf_printf(&b, "%020d", k);
				if (ret < 0)
					assert_int_equal(b.len, before);
			}
			assert_memory_equal(buf_text(&b), "first", 5);
		}
		assert_true(ret == 0 || ret == -ENOMEM);
		buf_done(&b);
		s = buf_take(&b);
		free(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}

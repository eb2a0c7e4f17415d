/* Addresses go round, survive a restart, and end with a sentence. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/control/addresses.h"
#include "lib/err.h"

static struct err err;
static uint32_t saved;
static unsigned n_saves;

static void
save(void *user, uint32_t next)
{
	assert_ptr_equal(user, &saved);
	saved = next;
	n_saves++;
}

static struct addresses
make(uint32_t n, uint32_t from)
{
	struct addresses a;

	n_saves = 0;
	assert_int_equal(addresses_init(&a, n, from, save, &saved), 0);
	return a;
}

static uint32_t
take(struct addresses *a)
{
	uint32_t offset = 0;

	assert_int_equal(addresses_take(a, &offset, &err), 0);
	return offset;
}

static void
a_freed_address_comes_last(void **state)
{
	struct addresses a = make(13, 0);

	(void)state;
	assert_int_equal(take(&a), 2);
	addresses_give(&a, 2);
	for (uint32_t expected = 3; expected <= 14; expected++) {
		assert_int_equal(take(&a), expected);
		addresses_give(&a, expected);
	}
	assert_int_equal(take(&a), 2);
	addresses_done(&a);
}

static void
used_ones_are_passed_over_and_a_full_subnet_says_so(void **state)
{
	struct addresses a = make(4, 0);
	uint32_t offset;

	(void)state;
	addresses_mark(&a, 3);
	addresses_mark(&a, 3);
	assert_true(addresses_is_used(&a, 3));
	assert_int_equal(take(&a), 2);
	assert_int_equal(take(&a), 4);
	assert_int_equal(take(&a), 5);
	assert_int_equal(addresses_take(&a, &offset, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "all 4 addresses"));
	addresses_give(&a, 3);
	addresses_give(&a, 3);
	assert_int_equal(take(&a), 3);
	addresses_done(&a);
	a = make(0, 7);
	assert_int_equal(addresses_take(&a, &offset, &err), -ENOSPC);
	addresses_done(&a);
}

static void
what_is_not_in_the_subnet_is_left_alone(void **state)
{
	static const uint32_t outside[] = {0, 1, 6, UINT32_MAX};
	struct addresses a = make(4, 0);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		addresses_mark(&a, outside[i]);
		addresses_give(&a, outside[i]);
		assert_false(addresses_is_used(&a, outside[i]));
	}
	assert_int_equal(a.n_used, 0);
	addresses_done(&a);
}

/* Whatever moment control is killed at, its successor begins behind all that were given out. */
static void
a_restart_goes_on_behind(void **state)
{
	uint32_t n = 65533;
	struct addresses a = make(n, 0);

	(void)state;
	for (uint32_t i = 0; i < 3 * n / 2; i++) {
		uint32_t offset = take(&a), index = offset - ADDRESSES_FIRST;
		/* How far ahead the saved place is, going round. */
		uint32_t ahead = (saved + n - index) % n;

		assert_true(ahead > 0 && ahead <= ADDRESSES_STEP + 1);
		addresses_give(&a, offset);
	}
	assert_true(n_saves <= 3 * n / 2 / ADDRESSES_STEP + 2);
	addresses_done(&a);
	uint32_t then = saved;

	a = make(n, then);
	assert_int_equal(take(&a), then % n + ADDRESSES_FIRST);
	addresses_done(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_freed_address_comes_last),
		cmocka_unit_test(used_ones_are_passed_over_and_a_full_subnet_says_so),
		cmocka_unit_test(what_is_not_in_the_subnet_is_left_alone),
		cmocka_unit_test(a_restart_goes_on_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

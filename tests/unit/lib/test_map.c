/* lib/map: against a plain array, through growth, removal and walks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/lib/alloc.h"
#include "lib/map.c"

#define N_KEYS 500

static char values[N_KEYS];
static bool present[N_KEYS];

static const char *
key_of(unsigned i)
{
	static char key[32];

	(void)snprintf(key, sizeof(key), "host-%u.example", i);
	return key;
}

static void
check_map(const struct map *map, bool is_id)
{
	size_t n = 0, at = 0, walked = 0;

	for (unsigned i = 0; i < N_KEYS; i++) {
		void *got = is_id ? map_find_id(map, (uint64_t)i << 32) : map_find(map, key_of(i));

		assert_ptr_equal(got, present[i] ? &values[i] : NULL);
		n += present[i];
	}
	assert_int_equal(map->n, n);
	while (map_next(map, &at))
		walked++;
	assert_int_equal(walked, n);
}

/* The same random operations on a table and on an array. */
static void
random_operations(bool is_id)
{
	struct map map;
	unsigned seed = 7;

	map_init(&map);
	memset(present, 0, sizeof(present));
	for (int step = 0; step < 20000; step++) {
		unsigned i;
		bool set;

		seed = seed * 1103515245 + 12345;
		i = (seed >> 8) % N_KEYS;
		/* Mostly filling at first, mostly emptying at the end. */
		set = (seed >> 20) % 20000 >= (unsigned)step;
		if (set)
			assert_int_equal(is_id ? map_set_id(&map, (uint64_t)i << 32, &values[i])
					       : map_set(&map, key_of(i), &values[i]),
					 0);
		else
			assert_ptr_equal(is_id ? map_remove_id(&map, (uint64_t)i << 32)
					       : map_remove(&map, key_of(i)),
					 present[i] ? &values[i] : NULL);
		present[i] = set;
		assert_true((map.n + map.n_dead) * 4 <= map.cap * 3);
		if (step % 997 == 0)
			check_map(&map, is_id);
	}
	check_map(&map, is_id);
	assert_true(map.cap <= 2048);
	map_done(&map);
	assert_null(map_find(&map, "x"));
}

static void
test_strings(void **state)
{
	(void)state;
	random_operations(false);
}

static void
test_ids(void **state)
{
	(void)state;
	random_operations(true);
}

static void
test_details(void **state)
{
	struct map map;
	size_t at = 0;
	char key[] = "key";

	(void)state;
	map_init(&map);
	assert_null(map_find(&map, "key"));
	assert_null(map_find_id(&map, 1));
	assert_null(map_remove(&map, "key"));
	assert_null(map_remove_id(&map, 1));
	assert_null(map_next(&map, &at));
	assert_int_equal(map_set(&map, key, &values[0]), 0);
	/* The key was copied. */
	key[0] = 'x';
	assert_ptr_equal(map_find(&map, "key"), &values[0]);
	/* Part of a longer text; a prefix of the key; an extension of it. */
	assert_ptr_equal(map_find_n(&map, "keyboard", 3), &values[0]);
	assert_null(map_find_n(&map, "key", 2));
	assert_null(map_find(&map, "keyboard"));
	assert_int_equal(map_set(&map, "key", &values[1]), 0);
	assert_ptr_equal(map_find(&map, "key"), &values[1]);
	assert_int_equal(map.n, 1);
	assert_int_equal(map_set(&map, "", &values[2]), 0);
	assert_ptr_equal(map_find_n(&map, "abc", 0), &values[2]);
	assert_int_equal(map_set_id(&map, 0, &values[3]), 0);
	assert_int_equal(map_set_id(&map, 0, &values[4]), 0);
	assert_ptr_equal(map_find_id(&map, 0), &values[4]);
	map_done(&map);
}

static void
test_remove_in_walk(void **state)
{
	struct map map;
	size_t at = 0, n = 0;
	char *v;

	(void)state;
	map_init(&map);
	for (unsigned i = 0; i < N_KEYS; i++)
		assert_int_equal(map_set(&map, key_of(i), &values[i]), 0);
	while ((v = map_next(&map, &at))) {
		assert_ptr_equal(map_remove(&map, key_of((unsigned)(v - values))), v);
		n++;
	}
	assert_int_equal(n, N_KEYS);
	assert_int_equal(map.n, 0);
	map_done(&map);
}

/* Reference values of SipHash-1-3 would only test the test; what matters is that short and long
 * keys that differ in one byte differ. */
static void
test_hash_spreads(void **state)
{
	char key[40];
	uint64_t all, one;

	(void)state;
	memset(key, 'a', sizeof(key));
	for (size_t len = 1; len < sizeof(key); len++) {
		all = hash_bytes(key, len);
		assert_int_not_equal(all, hash_bytes(key, len - 1));
		for (size_t i = 0; i < len; i++) {
			key[i] = 'b';
			one = hash_bytes(key, len);
			key[i] = 'a';
			assert_int_not_equal(all, one);
		}
	}
}

static void
test_no_memory(void **state)
{
	(void)state;
	ALLOC_LOOP(i)
	{
		struct map map;
		unsigned n = 0;

		map_init(&map);
		for (; n < 40; n++) {
			int ret = map_set(&map, key_of(n), &values[n]);

			if (ret == 0)
				ret = map_set_id(&map, n, &values[n]);
			if (ret < 0) {
				assert_int_equal(ret, -ENOMEM);
				break;
			}
		}
		for (unsigned k = 0; k < n; k++) {
			assert_ptr_equal(map_find(&map, key_of(k)), &values[k]);
			assert_ptr_equal(map_find_id(&map, k), &values[k]);
		}
		assert_null(map_find_id(&map, n));
		map_done(&map);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),	     cmocka_unit_test(test_ids),
		cmocka_unit_test(test_details),	     cmocka_unit_test(test_remove_in_walk),
		cmocka_unit_test(test_hash_spreads), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}

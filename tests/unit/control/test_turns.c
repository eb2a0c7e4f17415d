/* Turns: order, places, leaving from anywhere, and callbacks that give back at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/control/turns.h"

#define NOBODY 99u

struct person {
	struct turn turn;
	unsigned place;
	unsigned n_calls;
	bool gives_back;
};

static struct turns turns;
static struct person people[6];

static struct person *
person_of(struct turn *turn)
{
	return (struct person *)((char *)turn - offsetof(struct person, turn));
}

static void
called(struct turn *turn, unsigned place)
{
	struct person *person = person_of(turn);

	person->place = place;
	person->n_calls++;
	if (place == 0 && person->gives_back)
		turn_give(turn);
}

static void
set_up(unsigned limit)
{
	memset(people, 0, sizeof(people));
	for (size_t i = 0; i < 6; i++)
		people[i].place = NOBODY;
	turns_init(&turns, limit);
}

static void
take(unsigned i)
{
	turn_take(&turns, &people[i].turn, called);
}

static void
one_after_the_other(void **state)
{
	(void)state;
	set_up(1);
	for (unsigned i = 0; i < 4; i++) {
		take(i);
		assert_int_equal(people[i].place, i);
	}
	turn_give(&people[0].turn);
	assert_int_equal(people[1].place, 0);
	assert_int_equal(people[2].place, 1);
	assert_int_equal(people[3].place, 2);
	/* The one in the middle goes, then the last, then a new one comes. */
	turn_give(&people[2].turn);
	assert_int_equal(people[3].place, 1);
	turn_give(&people[3].turn);
	take(4);
	assert_int_equal(people[4].place, 1);
	turn_give(&people[1].turn);
	assert_int_equal(people[4].place, 0);
	turn_give(&people[4].turn);
	turn_give(&people[4].turn);
	assert_int_equal(turns.n_running, 0);
	assert_null(turns.head);
	assert_null(turns.tail);
}

static void
several_at_once(void **state)
{
	(void)state;
	set_up(2);
	for (unsigned i = 0; i < 5; i++)
		take(i);
	assert_int_equal(people[1].place, 0);
	assert_int_equal(people[2].place, 2);
	assert_int_equal(people[4].place, 4);
	turn_give(&people[0].turn);
	assert_int_equal(people[2].place, 0);
	assert_int_equal(people[3].place, 2);
}

static void
who_gives_back_at_once_lets_all_the_others_pass(void **state)
{
	(void)state;
	set_up(1);
	take(0);
	for (unsigned i = 1; i < 5; i++) {
		people[i].gives_back = true;
		take(i);
	}
	take(5);
	turn_give(&people[0].turn);
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(people[i].place, 0);
	assert_int_equal(people[5].place, 0);
	assert_int_equal(turns.n_running, 1);
}

static void
some_go_first(void **state)
{
	(void)state;
	set_up(1);
	turn_take_first(&turns, &people[0].turn, called);
	assert_int_equal(people[0].place, 0);
	take(1);
	turn_take_first(&turns, &people[2].turn, called);
	assert_int_equal(people[2].place, 1);
	assert_int_equal(people[1].place, 2);
	turn_give(&people[0].turn);
	assert_int_equal(people[2].place, 0);
	assert_int_equal(people[1].place, 1);
	turn_give(&people[1].turn);
	turn_take_first(&turns, &people[3].turn, called);
	turn_give(&people[2].turn);
	assert_int_equal(people[3].place, 0);
	assert_null(turns.tail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(several_at_once),
		cmocka_unit_test(who_gives_back_at_once_lets_all_the_others_pass),
		cmocka_unit_test(some_go_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

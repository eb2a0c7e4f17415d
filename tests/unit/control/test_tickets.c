/* Tickets: who waits is told once, from the loop; who leaves is not told; who was last is missed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/control/tickets.h"

static struct loop loop;
static struct tickets tickets;
static unsigned n_told;
static bool had_exit;
static int last_code;
static uint64_t missed, cancel_next;

static void
on_exit_of(void *user, const struct instance_exit *exit)
{
	(void)user;
	n_told++;
	had_exit = exit != NULL;
	last_code = exit != NULL ? exit->code : -1;
	tickets_cancel(&tickets, cancel_next);
}

static void
on_missed(void *user, uint64_t sandbox)
{
	assert_ptr_equal(user, &loop);
	missed = sandbox;
}

static int
set_up(void **state)
{
	(void)state;
	n_told = 0;
	missed = cancel_next = 0;
	assert_int_equal(loop_init(&loop), 0);
	tickets_init(&tickets, &loop, on_missed, &loop);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tickets_done(&tickets);
	assert_int_equal(tickets.n, 0);
	loop_done(&loop);
	return 0;
}

static void
turn(void)
{
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_turn(&loop, 2), 0);
}

static void
all_who_wait_are_told_once(void **state)
{
	struct instance_exit exit = {.code = 3};

	(void)state;
	assert_true(tickets_wait(&tickets, 7, on_exit_of, NULL) != 0);
	assert_true(tickets_wait(&tickets, 7, on_exit_of, NULL) != 0);
	assert_true(tickets_wait(&tickets, 8, on_exit_of, NULL) != 0);
	assert_true(tickets_attend(&tickets, 7) != 0);
	tickets_ended(&tickets, 7, &exit);
	assert_int_equal(n_told, 0);
	turn();
	assert_int_equal(n_told, 2);
	assert_int_equal(last_code, 3);
	tickets_ended(&tickets, 7, &exit);
	turn();
	assert_int_equal(n_told, 2);
	tickets_ended(&tickets, 8, NULL);
	turn();
	assert_int_equal(n_told, 3);
	assert_false(had_exit);
	assert_int_equal(tickets.n, 0);
}

static void
what_has_ended_is_answered_from_the_loop(void **state)
{
	struct instance_exit exit = {.code = 9};

	(void)state;
	assert_true(tickets_answer(&tickets, &exit, on_exit_of, NULL) != 0);
	assert_int_equal(n_told, 0);
	turn();
	assert_int_equal(n_told, 1);
	assert_int_equal(last_code, 9);
}

static void
the_last_who_leaves_is_missed(void **state)
{
	uint64_t a = tickets_attend(&tickets, 7);
	uint64_t b = tickets_wait(&tickets, 7, on_exit_of, NULL);

	(void)state;
	tickets_cancel(&tickets, a);
	tickets_cancel(&tickets, a);
	assert_int_equal(missed, 0);
	assert_true(tickets_has(&tickets, 7));
	tickets_cancel(&tickets, b);
	assert_int_equal(missed, 7);
	assert_false(tickets_has(&tickets, 7));
	tickets_ended(&tickets, 7, NULL);
	turn();
	assert_int_equal(n_told, 0);
}

static void
one_may_be_cancelled_while_another_is_told(void **state)
{
	struct instance_exit exit = {0};

	(void)state;
	cancel_next = tickets_wait(&tickets, 7, on_exit_of, NULL);
	assert_true(tickets_wait(&tickets, 7, on_exit_of, NULL) != 0);
	tickets_ended(&tickets, 7, &exit);
	turn();
	assert_int_equal(n_told, 1);
	assert_int_equal(tickets.n, 0);
}

static void
there_is_an_end_to_them(void **state)
{
	(void)state;
	for (int i = 0; i < 4096; i++)
		assert_true(tickets_attend(&tickets, 7) != 0);
	assert_int_equal(tickets_attend(&tickets, 7), 0);
	assert_int_equal(tickets_answer(&tickets, &(struct instance_exit){0}, on_exit_of, NULL), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(all_who_wait_are_told_once),
		TEST(what_has_ended_is_answered_from_the_loop),
		TEST(the_last_who_leaves_is_missed),
		TEST(one_may_be_cancelled_while_another_is_told),
		TEST(there_is_an_end_to_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

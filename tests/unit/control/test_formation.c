/* The formation: every cell of its table, every decision of its plan, and a long life under
 * random events in which what must always hold is checked after each step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "daemon/control/formation.h"

static const struct formation_times times = {
	.boot_ms = 60000,
	.ask_ms = 1000,
	.drain_ms = 30000,
	.stop_ms = 30000,
	.restart_max_ms = 600000,
	.good_ms = 60000,
};

static struct formation_member
member(const char *type, unsigned number, uint32_t batch, enum formation_state state)
{
	struct formation_member m = {.number = number, .batch = batch, .state = state};

	(void)snprintf(m.type, sizeof(m.type), "%s", type);
	m.is_web = strcmp(type, "web") == 0;
	return m;
}

static struct formation_want
want(const char *type, unsigned number, uint32_t batch)
{
	struct formation_want w = {.number = number, .batch = batch};

	(void)snprintf(w.type, sizeof(w.type), "%s", type);
	w.is_web = strcmp(type, "web") == 0;
	return w;
}

/* ---- the table ------------------------------------------------------------------------------- */

struct expected {
	enum formation_state state;
	enum formation_event event;
	enum formation_state next;
	enum formation_action action;
};

#define CELL(state, event, next, action)                                                           \
	{                                                                                          \
		FORMATION_##state, FORMATION_##event, FORMATION_##next, FORMATION_##action         \
	}

/* What changes for a web instance; every other cell keeps the state and does nothing. */
static const struct expected changes[] = {
	CELL(DOWN, WANTED, STARTING, DO_START),	     CELL(DOWN, UNWANTED, GONE, DO_FORGET),
	CELL(STARTING, STARTED, STARTING, DO_PROBE), CELL(STARTING, ACCEPTS, UP, DO_SERVE),
	CELL(STARTING, EXITED, CRASHED, DO_CRASH),   CELL(STARTING, UNWANTED, STOPPING, DO_TERM),
	CELL(STARTING, TIMEOUT, ASKING, DO_ASK),     CELL(UP, EXITED, CRASHED, DO_CRASH),
	CELL(UP, UNWANTED, DRAINING, DO_DRAIN),	     CELL(ASKING, ACCEPTS, UP, DO_SERVE),
	CELL(ASKING, ANSWERED, FAILING, DO_GIVE_UP), CELL(ASKING, EXITED, CRASHED, DO_CRASH),
	CELL(ASKING, UNWANTED, STOPPING, DO_TERM),   CELL(ASKING, TIMEOUT, FAILING, DO_GIVE_UP),
	CELL(FAILING, EXITED, CRASHED, DO_CRASH),    CELL(FAILING, UNWANTED, KILLING, NOTHING),
	CELL(DRAINING, DRAINED, STOPPING, DO_TERM),  CELL(DRAINING, EXITED, GONE, DO_FORGET),
	CELL(DRAINING, TIMEOUT, STOPPING, DO_TERM),  CELL(STOPPING, EXITED, GONE, DO_FORGET),
	CELL(STOPPING, TIMEOUT, KILLING, DO_KILL),   CELL(KILLING, EXITED, GONE, DO_FORGET),
	CELL(CRASHED, WANTED, STARTING, DO_START),   CELL(CRASHED, UNWANTED, GONE, DO_FORGET),
};

static void
every_cell_is_as_expected(void **state)
{
	(void)state;
	for (int s = 0; s < FORMATION_STATES; s++)
		for (int e = 0; e < FORMATION_EVENTS; e++) {
			struct formation_member m = member("web", 1, 1, s);
			struct expected cell = {s, e, s, FORMATION_NOTHING};

			for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
				if (changes[i].state == (enum formation_state)s &&
				    changes[i].event == (enum formation_event)e)
					cell = changes[i];
			assert_int_equal(formation_apply(&m, e, &times, 1000), cell.action);
			assert_int_equal(m.state, cell.next);
		}
}

static void
a_worker_is_up_when_it_runs_and_is_stopped_without_draining(void **state)
{
	struct formation_member m = member("worker", 1, 1, FORMATION_STARTING);

	(void)state;
	assert_int_equal(formation_apply(&m, FORMATION_STARTED, &times, 5), FORMATION_DO_SERVE);
	assert_int_equal(m.state, FORMATION_UP);
	assert_int_equal(m.since_ms, 5);
	assert_int_equal(formation_apply(&m, FORMATION_UNWANTED, &times, 6), FORMATION_DO_TERM);
	assert_int_equal(m.state, FORMATION_STOPPING);
}

static void
the_boot_time_counts_from_the_program(void **state)
{
	struct formation_member m = member("web", 1, 1, FORMATION_DOWN);

	(void)state;
	(void)formation_apply(&m, FORMATION_WANTED, &times, 100);
	assert_int_equal(m.started_ms, 100);
	(void)formation_apply(&m, FORMATION_STARTED, &times, 900);
	assert_int_equal(m.since_ms, 900);
}

/* ---- crashes --------------------------------------------------------------------------------- */

static void
waits_double_up_to_the_maximum(void **state)
{
	static const uint64_t expected[] = {0,	   1000,  2000,	  4000,	  8000,	  16000,
					    32000, 64000, 128000, 256000, 512000, 600000};

	(void)state;
	for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_int_equal(formation_backoff_ms(i, 600000), expected[i]);
	assert_int_equal(formation_backoff_ms(32, 600000), 600000);
	assert_int_equal(formation_backoff_ms(33, 600000), 600000);
	assert_int_equal(formation_backoff_ms(UINT32_MAX, 600000), 600000);
	assert_int_equal(formation_backoff_ms(1, 10), 10);
}

static uint64_t
crash_after(struct formation_member *m, uint64_t start_ms, uint64_t run_ms)
{
	assert_int_equal(formation_apply(m, FORMATION_WANTED, &times, start_ms),
			 FORMATION_DO_START);
	(void)formation_apply(m, FORMATION_ACCEPTS, &times, start_ms);
	assert_int_equal(formation_apply(m, FORMATION_EXITED, &times, start_ms + run_ms),
			 FORMATION_DO_CRASH);
	return m->due_ms - (start_ms + run_ms);
}

static void
a_good_run_forgives(void **state)
{
	struct formation_member m = member("web", 1, 1, FORMATION_DOWN);

	(void)state;
	assert_int_equal(crash_after(&m, 0, 10), 0);
	assert_int_equal(crash_after(&m, 1000, 10), 1000);
	assert_int_equal(crash_after(&m, 5000, 59999), 2000);
	assert_int_equal(m.n_failures, 3);
	assert_int_equal(crash_after(&m, 100000, 60000), 0);
	assert_int_equal(m.n_failures, 1);
	assert_int_equal(crash_after(&m, 300000, 10), 1000);
}

/* ---- the plan -------------------------------------------------------------------------------- */

static uint64_t next_ms;
static struct formation_step steps[64];

static size_t
plan(const struct formation_want *wants, size_t n_wants, struct formation_member *members,
     size_t n_members, uint64_t now_ms)
{
	struct formation_member *pointers[32];

	for (size_t i = 0; i < n_members; i++)
		pointers[i] = &members[i];
	return formation_plan(&times, wants, n_wants, pointers, n_members, now_ms, steps, 64,
			      &next_ms);
}

static void
what_is_missing_is_made(void **state)
{
	struct formation_want wants[] = {want("web", 1, 1), want("web", 2, 1)};
	struct formation_member members[] = {member("web", 2, 1, FORMATION_UP)};

	(void)state;
	assert_int_equal(plan(wants, 2, members, 1, 0), 1);
	assert_null(steps[0].member);
	assert_ptr_equal(steps[0].want, &wants[0]);
	assert_int_equal(next_ms, FORMATION_NEVER);
	assert_int_equal(plan(NULL, 0, NULL, 0, 0), 0);
}

static void
what_is_not_wanted_is_told_so_once(void **state)
{
	struct formation_member members[] = {
		member("web", 1, 1, FORMATION_UP),	 member("web", 2, 1, FORMATION_CRASHED),
		member("web", 3, 1, FORMATION_DRAINING), member("web", 4, 1, FORMATION_STOPPING),
		member("web", 5, 1, FORMATION_KILLING),	 member("web", 6, 1, FORMATION_GONE),
	};

	(void)state;
	assert_int_equal(plan(NULL, 0, members, 6, 100), 2);
	assert_ptr_equal(steps[0].member, &members[0]);
	assert_int_equal(steps[0].event, FORMATION_UNWANTED);
	assert_ptr_equal(steps[1].member, &members[1]);
	assert_int_equal(steps[1].event, FORMATION_UNWANTED);
	assert_int_equal(next_ms, 30000);
}

static void
each_state_has_its_deadline(void **state)
{
	static const struct {
		enum formation_state state;
		uint64_t due_ms;
	} cases[] = {
		{FORMATION_STARTING, 60000},
		{FORMATION_UP, FORMATION_NEVER},
		{FORMATION_ASKING, 1000},
		{FORMATION_FAILING, FORMATION_NEVER},
		{FORMATION_DRAINING, 30000},
		{FORMATION_STOPPING, 30000},
		{FORMATION_KILLING, FORMATION_NEVER},
	};
	struct formation_want wants[] = {want("web", 1, 1)};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct formation_member m = member("web", 1, 1, cases[i].state);
		bool leaving = formation_is_leaving(cases[i].state);

		/* A leaving member does not satisfy the want, so take the want away. */
		assert_int_equal(plan(wants, !leaving, &m, 1, 0), 0);
		assert_int_equal(next_ms, cases[i].due_ms);
		if (cases[i].due_ms == FORMATION_NEVER)
			continue;
		assert_int_equal(plan(wants, !leaving, &m, 1, cases[i].due_ms - 1), 0);
		assert_int_equal(plan(wants, !leaving, &m, 1, cases[i].due_ms), 1);
		assert_int_equal(steps[0].event, FORMATION_TIMEOUT);
	}
}

static void
a_worker_may_take_as_long_as_it_likes_to_start(void **state)
{
	struct formation_want wants[] = {want("worker", 1, 1)};
	struct formation_member m = member("worker", 1, 1, FORMATION_STARTING);

	(void)state;
	assert_int_equal(plan(wants, 1, &m, 1, 1000000), 0);
	assert_int_equal(next_ms, FORMATION_NEVER);
}

static void
a_crashed_one_starts_when_it_is_due(void **state)
{
	struct formation_want wants[] = {want("web", 1, 1)};
	struct formation_member m = member("web", 1, 1, FORMATION_CRASHED);

	(void)state;
	m.due_ms = 5000;
	assert_int_equal(plan(wants, 1, &m, 1, 4999), 0);
	assert_int_equal(next_ms, 5000);
	assert_int_equal(plan(wants, 1, &m, 1, 5000), 1);
	assert_int_equal(steps[0].event, FORMATION_WANTED);
	m.state = FORMATION_DOWN;
	assert_int_equal(plan(wants, 1, &m, 1, 0), 1);
	assert_int_equal(steps[0].event, FORMATION_WANTED);
}

static void
a_new_web_stands_beside_the_old(void **state)
{
	struct formation_want both[] = {want("web", 1, 1), want("web", 1, 2)};
	struct formation_member m = member("web", 1, 1, FORMATION_UP);

	(void)state;
	assert_int_equal(plan(both, 2, &m, 1, 0), 1);
	assert_ptr_equal(steps[0].want, &both[1]);
	/* One that leaves does not stand in the way either. */
	m.state = FORMATION_STOPPING;
	assert_int_equal(plan(both + 1, 1, &m, 1, 0), 1);
	assert_null(steps[0].member);
}

static void
a_new_worker_waits_for_the_end_of_the_old(void **state)
{
	struct formation_want wants[] = {want("worker", 1, 2)};
	struct formation_member m = member("worker", 1, 1, FORMATION_UP);

	(void)state;
	assert_int_equal(plan(wants, 1, &m, 1, 0), 1);
	assert_int_equal(steps[0].event, FORMATION_UNWANTED);
	for (int s = FORMATION_STOPPING; s <= FORMATION_KILLING; s++) {
		m.state = s;
		assert_int_equal(plan(wants, 1, &m, 1, 0), 0);
	}
	m.state = FORMATION_GONE;
	assert_int_equal(plan(wants, 1, &m, 1, 0), 1);
	assert_ptr_equal(steps[0].want, &wants[0]);
}

static void
a_full_list_of_steps_is_gone_on_with(void **state)
{
	struct formation_want wants[] = {want("web", 1, 1), want("web", 2, 1), want("web", 3, 1)};
	struct formation_member ms[] = {member("a", 1, 9, FORMATION_UP),
					member("b", 1, 9, FORMATION_UP)};
	struct formation_member *pointers[] = {&ms[0], &ms[1]};

	(void)state;
	assert_int_equal(formation_plan(&times, wants, 3, pointers, 2, 0, steps, 1, &next_ms), 1);
	assert_ptr_equal(steps[0].member, &ms[0]);
	assert_int_equal(formation_plan(&times, wants, 3, pointers, 2, 0, steps, 3, &next_ms), 3);
	assert_ptr_equal(steps[2].want, &wants[0]);
}

/* ---- a long life ------------------------------------------------------------------------------
 */

#define LIFE_MEMBERS 24
#define LIFE_STEPS 200000

static struct formation_member pool[LIFE_MEMBERS];
static bool in_use[LIFE_MEMBERS];
static uint32_t seed = 12345;

static uint32_t
roll(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* Never two processes of one worker, and no want without somebody who stands for it, except
 * while its place is still being vacated. */
static void
check_life(const struct formation_want *wants, size_t n_wants)
{
	for (size_t i = 0; i < LIFE_MEMBERS; i++)
		for (size_t j = i + 1; j < LIFE_MEMBERS; j++) {
			if (!in_use[i] || !in_use[j] || pool[i].number != pool[j].number ||
			    strcmp(pool[i].type, pool[j].type) != 0)
				continue;
			assert_false(!pool[i].is_web && formation_is_alive(pool[i].state) &&
				     formation_is_alive(pool[j].state));
			assert_false(pool[i].batch == pool[j].batch &&
				     !formation_is_leaving(pool[i].state) &&
				     !formation_is_leaving(pool[j].state));
		}
	for (size_t i = 0; i < n_wants; i++) {
		bool found = false;

		for (size_t j = 0; j < LIFE_MEMBERS; j++)
			found = found || (in_use[j] && pool[j].number == wants[i].number &&
					  strcmp(pool[j].type, wants[i].type) == 0);
		assert_true(found);
	}
}

static void
settle(const struct formation_want *wants, size_t n_wants, uint64_t now_ms)
{
	struct formation_member *pointers[LIFE_MEMBERS];
	size_t n, rounds = 0;

	do {
		size_t n_members = 0;

		for (size_t i = 0; i < LIFE_MEMBERS; i++)
			if (in_use[i])
				pointers[n_members++] = &pool[i];
		n = formation_plan(&times, wants, n_wants, pointers, n_members, now_ms, steps, 64,
				   &next_ms);
		for (size_t i = 0; i < n; i++) {
			struct formation_member *m = steps[i].member;

			if (m == NULL) {
				size_t at = 0;

				while (at < LIFE_MEMBERS && in_use[at])
					at++;
				assert_true(at < LIFE_MEMBERS);
				m = &pool[at];
				*m = member(steps[i].want->type, steps[i].want->number,
					    steps[i].want->batch, FORMATION_DOWN);
				in_use[at] = true;
			}
			(void)formation_apply(m, steps[i].event, &times, now_ms);
		}
		for (size_t i = 0; i < LIFE_MEMBERS; i++)
			if (pool[i].state == FORMATION_GONE)
				in_use[i] = false;
		assert_true(++rounds < 100);
	} while (n > 0);
	assert_true(next_ms > now_ms);
}

static void
a_long_life_keeps_its_promises(void **state)
{
	struct formation_want wants[6];
	uint32_t batch = 1;
	uint64_t now_ms = 0;
	size_t n_wants = 0;

	(void)state;
	for (int i = 0; i < LIFE_STEPS; i++) {
		if (roll(50) == 0) {
			unsigned n_web = roll(3), n_worker = roll(3);

			batch += roll(2);
			n_wants = 0;
			for (unsigned n = 1; n <= n_web; n++)
				wants[n_wants++] = want("web", n, batch);
			for (unsigned n = 1; n <= n_worker; n++)
				wants[n_wants++] = want("worker", n, batch);
		}
		size_t at = roll(LIFE_MEMBERS);

		/* Reports come only from those that live. */
		if (in_use[at] && formation_is_alive(pool[at].state))
			(void)formation_apply(&pool[at], roll(FORMATION_EXITED + 1), &times,
					      now_ms);
		now_ms += roll(5000);
		settle(wants, n_wants, now_ms);
		check_life(wants, n_wants);
		/* At most 24: things must end. */
		for (size_t j = 0; j < LIFE_MEMBERS; j++)
			if (in_use[j] && pool[j].state == FORMATION_KILLING)
				(void)formation_apply(&pool[j], FORMATION_EXITED, &times, now_ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_as_expected),
		cmocka_unit_test(a_worker_is_up_when_it_runs_and_is_stopped_without_draining),
		cmocka_unit_test(the_boot_time_counts_from_the_program),
		cmocka_unit_test(waits_double_up_to_the_maximum),
		cmocka_unit_test(a_good_run_forgives),
		cmocka_unit_test(what_is_missing_is_made),
		cmocka_unit_test(what_is_not_wanted_is_told_so_once),
		cmocka_unit_test(each_state_has_its_deadline),
		cmocka_unit_test(a_worker_may_take_as_long_as_it_likes_to_start),
		cmocka_unit_test(a_crashed_one_starts_when_it_is_due),
		cmocka_unit_test(a_new_web_stands_beside_the_old),
		cmocka_unit_test(a_new_worker_waits_for_the_end_of_the_old),
		cmocka_unit_test(a_full_list_of_steps_is_gone_on_with),
		cmocka_unit_test(a_long_life_keeps_its_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* No side effects: what happens is decided here and done by instances.c. */
#include <string.h>

#include "daemon/control/formation.h"

struct cell {
	enum formation_state next;
	enum formation_action action;
};

/* clang-format off */
#define TO(state, action) {FORMATION_##state, FORMATION_##action}
#define STAY(state) TO(state, NOTHING)

/*
 * Reports and orders cross each other on their way, so every event can meet every state; each
 * cell is decided. What a type without a port does differently is said in cell_of.
 */
static const struct cell table[FORMATION_STATES][FORMATION_EVENTS] = {
	/* STARTED, ACCEPTS, ANSWERED, DRAINED,
	 * EXITED, WANTED, UNWANTED, TIMEOUT */
	[FORMATION_DOWN] = {
		STAY(DOWN), STAY(DOWN), STAY(DOWN), STAY(DOWN),
		STAY(DOWN), TO(STARTING, DO_START), TO(GONE, DO_FORGET), STAY(DOWN)},
	[FORMATION_STARTING] = {
		TO(STARTING, DO_PROBE), TO(UP, DO_SERVE), STAY(STARTING), STAY(STARTING),
		TO(CRASHED, DO_CRASH), STAY(STARTING), TO(STOPPING, DO_TERM), TO(ASKING, DO_ASK)},
	[FORMATION_UP] = {
		STAY(UP), STAY(UP), STAY(UP), STAY(UP),
		TO(CRASHED, DO_CRASH), STAY(UP), TO(DRAINING, DO_DRAIN), STAY(UP)},
	[FORMATION_ASKING] = { /* ACCEPTS: it made it after all, a moment late */
		STAY(ASKING), TO(UP, DO_SERVE), TO(FAILING, DO_GIVE_UP), STAY(ASKING),
		TO(CRASHED, DO_CRASH), STAY(ASKING), TO(STOPPING, DO_TERM), TO(FAILING, DO_GIVE_UP)},
	[FORMATION_FAILING] = {
		STAY(FAILING), STAY(FAILING), STAY(FAILING), STAY(FAILING),
		TO(CRASHED, DO_CRASH), STAY(FAILING), STAY(KILLING), STAY(FAILING)},
	[FORMATION_DRAINING] = {
		STAY(DRAINING), STAY(DRAINING), STAY(DRAINING), TO(STOPPING, DO_TERM),
		TO(GONE, DO_FORGET), STAY(DRAINING), STAY(DRAINING), TO(STOPPING, DO_TERM)},
	[FORMATION_STOPPING] = {
		STAY(STOPPING), STAY(STOPPING), STAY(STOPPING), STAY(STOPPING),
		TO(GONE, DO_FORGET), STAY(STOPPING), STAY(STOPPING), TO(KILLING, DO_KILL)},
	[FORMATION_KILLING] = {
		STAY(KILLING), STAY(KILLING), STAY(KILLING), STAY(KILLING),
		TO(GONE, DO_FORGET), STAY(KILLING), STAY(KILLING), STAY(KILLING)},
	[FORMATION_CRASHED] = {
		STAY(CRASHED), STAY(CRASHED), STAY(CRASHED), STAY(CRASHED),
		STAY(CRASHED), TO(STARTING, DO_START), TO(GONE, DO_FORGET), STAY(CRASHED)},
	[FORMATION_GONE] = {
		STAY(GONE), STAY(GONE), STAY(GONE), STAY(GONE),
		STAY(GONE), STAY(GONE), STAY(GONE), STAY(GONE)},
};
/* clang-format on */

bool
formation_is_leaving(enum formation_state state)
{
	return state == FORMATION_DRAINING || state == FORMATION_STOPPING ||
	       state == FORMATION_KILLING || state == FORMATION_GONE;
}

bool
formation_is_alive(enum formation_state state)
{
	return state != FORMATION_DOWN && state != FORMATION_CRASHED && state != FORMATION_GONE;
}

uint64_t
formation_backoff_ms(unsigned n_failures, uint64_t max_ms)
{
	if (n_failures == 0)
		return 0;
	if (n_failures > 32)
		return max_ms;
	uint64_t ms = (uint64_t)1000 << (n_failures - 1);

	return ms < max_ms ? ms : max_ms;
}

/* What the table leaves to the type: only web has a port to wait for and requests to finish. */
static struct cell
cell_of(const struct formation_member *member, enum formation_event event)
{
	struct cell cell = table[member->state][event];

	if (member->is_web)
		return cell;
	if (cell.action == FORMATION_DO_PROBE)
		return (struct cell)TO(UP, DO_SERVE);
	if (cell.action == FORMATION_DO_DRAIN)
		return (struct cell)TO(STOPPING, DO_TERM);
	return cell;
}

enum formation_action
formation_apply(struct formation_member *member, enum formation_event event,
		const struct formation_times *times, uint64_t now_ms)
{
	struct cell cell = cell_of(member, event);

	if (cell.action == FORMATION_DO_CRASH) {
		if (now_ms - member->started_ms >= times->good_ms)
			member->n_failures = 0;
		member->due_ms =
			now_ms + formation_backoff_ms(member->n_failures, times->restart_max_ms);
		member->n_failures++;
	}
	if (cell.action == FORMATION_DO_START)
		member->started_ms = now_ms;
	/* The boot time counts from the moment the program runs, not from the order. */
	if (cell.next != member->state || cell.action == FORMATION_DO_PROBE)
		member->since_ms = now_ms;
	member->state = cell.next;
	return cell.action;
}

/* When this state ends by itself. */
static uint64_t
deadline_of(const struct formation_member *member, const struct formation_times *times)
{
	switch (member->state) {
	case FORMATION_STARTING:
		return member->is_web ? member->since_ms + times->boot_ms : FORMATION_NEVER;
	case FORMATION_ASKING:
		return member->since_ms + times->ask_ms;
	case FORMATION_DRAINING:
		return member->since_ms + times->drain_ms;
	case FORMATION_STOPPING:
		return member->since_ms + times->stop_ms;
	case FORMATION_DOWN:
	case FORMATION_UP:
	case FORMATION_FAILING:
	case FORMATION_KILLING:
	case FORMATION_CRASHED:
	case FORMATION_GONE:
	case FORMATION_STATES:
		break;
	}
	return FORMATION_NEVER;
}

static bool
is_same_place(const struct formation_member *member, const struct formation_want *want)
{
	return member->number == want->number && strcmp(member->type, want->type) == 0;
}

static bool
is_wanted(const struct formation_member *member, const struct formation_want *wants, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (wants[i].batch == member->batch && is_same_place(member, &wants[i]))
			return true;
	return false;
}

/* The event that is due for a member now, or FORMATION_EVENTS. */
static enum formation_event
event_due(const struct formation_member *member, const struct formation_times *times, bool wanted,
	  uint64_t now_ms, uint64_t *next_ms)
{
	enum formation_state state = member->state;
	uint64_t due_ms = deadline_of(member, times);

	if (state == FORMATION_GONE)
		return FORMATION_EVENTS;
	if (!wanted && !formation_is_leaving(state))
		return FORMATION_UNWANTED;
	if (state == FORMATION_DOWN)
		return FORMATION_WANTED;
	if (state == FORMATION_CRASHED)
		due_ms = member->due_ms;
	if (due_ms <= now_ms)
		return state == FORMATION_CRASHED ? FORMATION_WANTED : FORMATION_TIMEOUT;
	if (due_ms < *next_ms)
		*next_ms = due_ms;
	return FORMATION_EVENTS;
}

/* May a new member be made for this want? */
static bool
is_missing(const struct formation_want *want, struct formation_member *const *members, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct formation_member *member = members[i];

		if (!is_same_place(member, want) || member->state == FORMATION_GONE)
			continue;
		if (member->batch == want->batch && !formation_is_leaving(member->state))
			return false;
		/* A worker's successor waits until the last process of the old one has ended. */
		if (!want->is_web && formation_is_alive(member->state))
			return false;
	}
	return true;
}

size_t
formation_plan(const struct formation_times *times, const struct formation_want *wants,
	       size_t n_wants, struct formation_member *const *members, size_t n_members,
	       uint64_t now_ms, struct formation_step *steps, size_t max, uint64_t *next_ms)
{
	size_t n = 0;

	*next_ms = FORMATION_NEVER;
	for (size_t i = 0; i < n_members && n < max; i++) {
		bool wanted = is_wanted(members[i], wants, n_wants);
		enum formation_event event = event_due(members[i], times, wanted, now_ms, next_ms);

		if (event != FORMATION_EVENTS)
			steps[n++] = (struct formation_step){members[i], event, NULL};
	}
	for (size_t i = 0; i < n_wants && n < max; i++)
		if (is_missing(&wants[i], members, n_members))
			steps[n++] = (struct formation_step){NULL, FORMATION_WANTED, &wants[i]};
	return n;
}

/*
 * What should run against what does run, as two pure things: a table that says what an event
 * does to an instance in each state, and a function that compares wants with members at a
 * moment and says which events have become due. Neither does anything; instances.c does.
 *
 * A member is one running copy or the place of one that crashed: type, number and batch. A
 * new batch of the same type and number replaces an older one: web members stand side by side
 * until the old are not wanted any more, all others follow each other.
 */
#ifndef CONTROL_FORMATION_H
#define CONTROL_FORMATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMATION_TYPE_MAX 63
#define FORMATION_NEVER UINT64_MAX

enum formation_state {
	FORMATION_DOWN,	    /* wanted, never started */
	FORMATION_STARTING, /* web: does not accept yet */
	FORMATION_UP,
	FORMATION_ASKING,   /* web: out of boot time; paasd is asked what it listens on */
	FORMATION_FAILING,  /* web: killed for not booting, will count as crashed */
	FORMATION_DRAINING, /* web: out of the routes, may finish its requests */
	FORMATION_STOPPING, /* told to end by TERM */
	FORMATION_KILLING,  /* did not obey */
	FORMATION_CRASHED,  /* ended by itself; starts again at due_ms */
	FORMATION_GONE,	    /* may be forgotten */
	FORMATION_STATES,
};

enum formation_event {
	FORMATION_STARTED,  /* the program was executed */
	FORMATION_ACCEPTS,  /* web: accepts connections */
	FORMATION_ANSWERED, /* what it listens on is known */
	FORMATION_DRAINED,  /* no router has a request for it any more */
	FORMATION_EXITED,   /* or could not be set up */
	FORMATION_WANTED,   /* it is time to start it */
	FORMATION_UNWANTED, /* it is not wanted any more */
	FORMATION_TIMEOUT,  /* the time of this state is over */
	FORMATION_EVENTS,
};

enum formation_action {
	FORMATION_NOTHING,
	FORMATION_DO_START,
	FORMATION_DO_PROBE,   /* begin to look whether it accepts */
	FORMATION_DO_SERVE,   /* it is up */
	FORMATION_DO_ASK,     /* what does it listen on? */
	FORMATION_DO_GIVE_UP, /* R10 and kill */
	FORMATION_DO_DRAIN,
	FORMATION_DO_TERM,
	FORMATION_DO_KILL,  /* R12 and kill */
	FORMATION_DO_CRASH, /* it ended though it should run */
	FORMATION_DO_FORGET,
};

struct formation_times {
	uint64_t boot_ms;	 /* until a web instance accepts */
	uint64_t ask_ms;	 /* for paasd to say what it listens on */
	uint64_t drain_ms;	 /* for requests to end */
	uint64_t stop_ms;	 /* between TERM and KILL */
	uint64_t restart_max_ms; /* the longest wait after a crash */
	uint64_t good_ms;	 /* a run that long forgives earlier crashes */
};

struct formation_member {
	char type[FORMATION_TYPE_MAX + 1];
	unsigned number;
	uint32_t batch;
	bool is_web;
	enum formation_state state;
	uint64_t since_ms;   /* in this state */
	uint64_t started_ms; /* its last start */
	uint64_t due_ms;     /* CRASHED: when it starts again */
	unsigned n_failures; /* crashes without a good run between */
};

struct formation_want {
	char type[FORMATION_TYPE_MAX + 1];
	unsigned number;
	uint32_t batch;
	bool is_web;
};

/* What is due: the event for a member, or (member NULL) a new member for a want. */
struct formation_step {
	struct formation_member *member;
	enum formation_event event;
	const struct formation_want *want;
};

/* Takes the member through its table; returns what is to be done about it. */
enum formation_action formation_apply(struct formation_member *member, enum formation_event event,
				      const struct formation_times *times, uint64_t now_ms);

/* Writes at most `max` steps and returns their number; *next_ms is when to ask again although
 * nothing happened (FORMATION_NEVER: need not). After `max` steps, ask again at once. */
size_t formation_plan(const struct formation_times *times, const struct formation_want *wants,
		      size_t n_wants, struct formation_member *const *members, size_t n_members,
		      uint64_t now_ms, struct formation_step *steps, size_t max, uint64_t *next_ms);

/* 0 after the first crash, then 1 s, 2 s, 4 s ... up to the maximum. */
uint64_t formation_backoff_ms(unsigned n_failures, uint64_t max_ms);
/* Does a process of it exist, or will one in a moment? */
bool formation_is_alive(enum formation_state state);
/* Is it on its way out, so that it cannot satisfy a want? */
bool formation_is_leaving(enum formation_state state);

#endif

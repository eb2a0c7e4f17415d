/*
 * Bringing a release into force, or the same one anew (a restart): unpack, release command,
 * new web instances beside the old, switch, commit. What can fail fails before the switch,
 * and then nothing has changed. One at a time per app.
 */
#ifndef CONTROL_ROLLOUT_H
#define CONTROL_ROLLOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/loop.h"

#include "daemon/control/live.h"
#include "daemon/control/trees.h"
#include "daemon/control/turns.h"

struct live;
struct live_app;
struct member;
struct rollout;
struct run;
struct transcript;

enum rollout_phase {
	ROLLOUT_WAITING, /* for its turn */
	ROLLOUT_UNPACKING,
	ROLLOUT_COMMAND,   /* the release command runs */
	ROLLOUT_STARTING,  /* candidates boot beside what serves */
	ROLLOUT_SWITCHING, /* routers are told; not all have answered */
};

/* `why` NULL: the release is in force. The roll-out is gone afterwards. */
typedef void rollout_fn(void *user, const struct err *why);

struct rollout {
	struct live_app *app;
	enum rollout_phase phase;
	struct turn turn;
	bool is_restart;
	char which[INSTANCE_NAME_MAX + 1]; /* of a restart */
	uint32_t version, slug;
	uint32_t batch;
	unsigned n_web;	     /* of the release: how many must be up */
	uint64_t generation; /* that all routers must have */
	bool has_failed;     /* a candidate did; rollout_check acts on it */
	struct err why;	     /* how */
	struct tree_need need;
	struct run *command;
	struct loop_timer timer;       /* release command, or routers that do not answer */
	struct transcript *transcript; /* borrowed; NULL: nobody watches */
	int transcript_fd;	       /* borrowed; for the release command; -1: the log */
	int64_t push_mark;	       /* not 0: noted in the store with the switch (push_mark.h) */
	rollout_fn *fn;
	void *user;
};

/* Queues a pending release. NULL: out of memory. `fn` may be NULL; it is never called from inside.
 */
struct rollout *rollout_release(struct live_app *app, uint32_t version,
				struct transcript *transcript, int transcript_fd, int64_t push_mark,
				rollout_fn *fn, void *user);
/* Queues a restart of the web instances that are up and meant by `which`. 0 or -ENOMEM. */
int rollout_restart(struct live_app *app, const char *which);
/* Gives up, without calling `fn`: nothing has changed. NULL is fine. */
void rollout_cancel(struct rollout *rollout);

/* The app goes: all its roll-outs fail. */
void rollouts_fail_all(struct live_app *app, const struct err *why);

/* Frees all without a trace in the store: the process ends. */
void rollouts_forget(struct live_app *app);

/* Called after each look at the app: are the candidates up, have the routers answered? */
void rollout_check(struct live_app *app);
/* A member that crashed: if it is a candidate, the roll-out has failed. */
void rollout_member_failed(struct live_app *app, const struct member *member);
/* Which batch serves a slot now. */
uint32_t rollout_serving_batch(const struct live_app *app, uint32_t batch, uint32_t next_batch);

#endif

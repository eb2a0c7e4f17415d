/*
 * The life of one child: started, heard, watched, and when it ends started again - at once the
 * first time, then after 100 ms doubling to 10 s, until it ran well for 30 s.
 */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/chan.h"
#include "lib/loop.h"
#include "lib/msg.h"

#include "daemon/roles.h"

struct child;

/* What differs between children; `user` is the caller's. */
struct child_hooks {
	/* Starts the program: ends[0] is ours, ends[1] is for its fd 3 (both -1 without a
	 * channel); borrowed. 0 or negative errno with a sentence. */
	int (*launch)(struct child *child, const int ends[2], pid_t *pid, int *pid_fd,
		      struct err *err);
	/* It runs and its channel is open. NULL: nothing to do. */
	void (*up)(struct child *child);
	void (*message)(struct child *child, struct msg *m);
	/* It has ended: child->status says how, -1 when nobody knows. It is started again after
	 * this unless child_stop was called. May call child_stop and child_start. */
	void (*down)(struct child *child);
};

struct child {
	const struct role_row *row;
	const struct child_hooks *hooks;
	struct loop *loop;
	void *user;
	uint32_t number; /* of a router worker; 0 */
	pid_t pid;	 /* 0: it does not run */
	int pid_fd;
	int status;	   /* wait status; -1: unknown */
	bool is_ready;	   /* it said so */
	bool is_stopping;  /* it is meant to end, and stays down */
	bool is_condemned; /* it was killed for what it did: already logged */
	unsigned n_failures;
	uint64_t started_ms;
	struct loop_io exit_io;
	struct loop_timer timer; /* running: when to kill it; down: when to start it */
	struct chan chan;
};

void child_init(struct child *child, struct loop *loop, const struct role_row *row,
		const struct child_hooks *hooks, uint32_t number, void *user);
/* Starts it, or logs why not and tries again later. */
void child_start(struct child *child);
/* Takes over one that runs; owns both fds from here on, also after a failure. 0 or -errno. */
int child_adopt(struct child *child, pid_t pid, int pid_fd, int channel_fd);
/* Asks it to end (end of file on its channel; TERM for routers), kills it after `grace_ms`, and
 * does not start it again. One that is down just stays down; then hooks->down is not called. */
void child_stop(struct child *child, uint64_t grace_ms);
/* Kills it if it still runs after `ms`. */
void child_limit(struct child *child, uint64_t ms);
/* The same as child_stop with KILL at once. */
void child_kill(struct child *child);
/* It broke a rule: says so and kills it; it will be replaced. */
void child_condemn(struct child *child, const struct err *why);
/* Its pid was reaped by somebody who was not looking for it in particular. */
void child_reaped(struct child *child, int status);
/* Sends, if it is up; a message for a child that is not is dropped. */
void child_send(struct child *child, struct msg *m);
bool child_is_up(const struct child *child);
/* Closes everything without touching the process. */
void child_done(struct child *child);

#endif

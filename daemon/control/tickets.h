/*
 * Who waits for the end of what. A ticket stands for one waiting client of the API; callbacks
 * are always made from the loop, never from inside the call that asked.
 */
#ifndef CONTROL_TICKETS_H
#define CONTROL_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/loop.h"

#include "daemon/control/live.h"

struct ticket;

struct tickets {
	struct loop *loop;
	struct ticket *head;
	size_t n;
	uint64_t last;
	struct loop_timer timer; /* for those that are answered already */
	/* Nobody waits for this sandbox any more. */
	void (*unattended)(void *user, uint64_t sandbox);
	void *user;
};

void tickets_init(struct tickets *tickets, struct loop *loop,
		  void (*unattended)(void *user, uint64_t sandbox), void *user);
void tickets_done(struct tickets *tickets);
/* A new ticket without a callback, which only says that somebody attends; 0: out of memory, or
 * too many. */
uint64_t tickets_attend(struct tickets *tickets, uint64_t sandbox);
/* A ticket for the end of a sandbox; 0 as above. */
uint64_t tickets_wait(struct tickets *tickets, uint64_t sandbox, live_exit_fn *fn, void *user);
/* A ticket for what has ended already. */
uint64_t tickets_answer(struct tickets *tickets, const struct instance_exit *exit, live_exit_fn *fn,
			void *user);
bool tickets_has(const struct tickets *tickets, uint64_t sandbox);
/* The sandbox has ended: all who wait for it are told. `exit` may be NULL. */
void tickets_ended(struct tickets *tickets, uint64_t sandbox, const struct instance_exit *exit);
/* The client went away. */
void tickets_cancel(struct tickets *tickets, uint64_t ticket);

#endif

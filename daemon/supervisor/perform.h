/* Carries out a plan, in the process that will be the sandbox's init. */
#ifndef DAEMON_SUPERVISOR_PERFORM_H
#define DAEMON_SUPERVISOR_PERFORM_H

#include "daemon/supervisor/plan.h"

struct err;

struct perform {
	int source_fds[PLAN_SOURCES];
	int view_fds[4];
	uint32_t uid;	   /* who owns the upper layer of an overlay */
	int fds[PLAN_MAX]; /* mounts not yet attached */
};

/*
 * Opens every source and makes every file system while still in the host's mount namespace,
 * so that no path has to be found again in the new one; then moves the caller into a new
 * mount namespace whose root is the plan's. The current directory is "/" afterwards.
 * 0 or -errno with a sentence.
 */
int perform_plan(const struct plan *plan, struct perform *p, struct err *err);

#endif

/*
 * The roles table: for each program paasd runs, as whom, where, with which files in reach and
 * within which limits.
 */
#ifndef DAEMON_ROLES_H
#define DAEMON_ROLES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "lib/confine.h"
#include "lib/msg.h"
#include "lib/spawn.h"

#include "daemon/users.h"

struct err;

enum role_place {
	PLACE_ROOT, /* no directory of its own */
	PLACE_STATE,
	PLACE_SSH,
	PLACE_LOGS,
};

#define ROLE_RULES_MAX 8

struct role_row {
	enum role role;
	const char *program; /* in libexec */
	const char *label;   /* its directory in the register; NULL: the caller names it */
	enum user user;
	enum role_place place;
	bool has_channel; /* runs for ever, speaks on fd 3; otherwise: does one thing and ends */
	bool may_fork;
	bool may_execute;  /* other programs of ours */
	size_t max_queued; /* messages it may leave unread before it is replaced */
	rlim_t max_fds;
	const char *oom_score_adj; /* whom the kernel spares when memory is out; best effort */
	struct confine_rule rules[ROLE_RULES_MAX]; /* beyond what every program needs to start */
};

/* CONTROL, RECEIVER, LOGS, ROUTER, and SESSION: the run that makes host keys. */
const struct role_row *role_get(enum role role);

struct role_launch {
	const struct role_row *row;
	const char *const *argv;
	const struct spawn_fd *fds; /* of its own, from 3 on */
	size_t n_fds;
	int libexec_fd, bin_fd; /* where our programs are */
	int cwd_fd;
	int cgroup_fd;
	int null_fd; /* becomes its stdin */
	struct user_ids ids;
};

/* Makes the kernel spare this process, best effort: without it nothing can be mended. */
void role_protect_self(void);
/* Starts it, in a session of its own, stdout going where stderr goes. As spawn_start. */
int role_launch(const struct role_launch *launch, pid_t *pid, int *pid_fd, struct err *err);

#endif

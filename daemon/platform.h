/* Everything paasd holds. One of these exists, in paasd.c; the modules beside it work on it. */
#ifndef DAEMON_PLATFORM_H
#define DAEMON_PLATFORM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/loop.h"

#include "daemon/child.h"
#include "daemon/config.h"
#include "daemon/listeners.h"
#include "daemon/state.h"
#include "daemon/users.h"

struct supervisor;

/* Twice what may be configured: while workers are replaced both generations serve. */
#define WORKERS_MAX (2 * CONFIG_ROUTERS_MAX)

enum platform_phase {
	PHASE_STARTING,
	PHASE_SERVING,
	PHASE_STOPPING_FRONT, /* receiver, control */
	PHASE_STOPPING_APPS,
	PHASE_STOPPING_REST, /* routers, logs */
};

struct platform {
	struct loop loop;
	struct config config;
	char exe[PATH_MAX]; /* our own program; what we execute on SIGHUP */
	char **argv;
	int libexec_fd, bin_fd, null_fd;
	struct user_ids users[USER_COUNT];
	struct state state;
	struct listeners listeners;
	struct supervisor *supervisor;
	enum platform_phase phase;
	bool is_hastened; /* told to stop a second time */

	struct child control, receiver, logs;
	struct child host_keys; /* runs before the first receiver */
	struct child self_test; /* runs before we execute a new paasd */
	/* Router workers; slots keep their place, NULL: free. */
	struct child *workers[WORKERS_MAX];
	bool is_retiring[WORKERS_MAX]; /* served until its replacement does */
};

/* Fills exe, libexec_fd, bin_fd and null_fd. 0 or -errno with a sentence. */
int platform_find_programs(struct platform *p, struct err *err);

#endif

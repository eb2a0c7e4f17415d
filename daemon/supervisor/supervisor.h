/*
 * All sandboxes of one platform: what control asks for is made here, what becomes of it is
 * reported to control, and what an earlier paasd left running is adopted.
 *
 * paasd's main owns the loop, the children and their channels, and reaps: it calls
 * waitid(P_ALL) on SIGCHLD; nothing here needs the status, so unknown pids are simply reaped.
 * Nothing here blocks: slow work happens in chores (forked children).
 */
#ifndef DAEMON_SUPERVISOR_SUPERVISOR_H
#define DAEMON_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/addr.h"

struct err;
struct loop;
struct msg;
struct supervisor;

struct supervisor_config {
	struct loop *loop;
	const char *name;  /* of the platform: 1..6 of [a-z0-9] */
	const char *stack; /* "host" or the directory of an imported root file system */
	int state_fd;	   /* the state directory; borrowed, as the next two */
	int runtime_fd;	   /* where generated files may lie (/run/paas, or the state directory) */
	int libexec_fd;	   /* build/libexec/paas or where it is installed */
	struct subnet subnet;
	gid_t control_gid; /* the group paas-control runs as: it writes slugs/APP */

	/* Sends to control: 0, or a negative errno when control is away; supervisor_control_down
	 * has been called then, or will be. The message is borrowed. */
	int (*send_control)(void *user, struct msg *m);
	/* A new stream to paas-logs for this app and source ("app[web.1]"): makes a pair, sends one
	 * end with LOGS_STREAM, returns the other; or a negative errno while paas-logs is away. */
	int (*open_logs)(void *user, const char *app, const char *source);
	void *user;
};

/*
 * Opens the register and the cgroup tree, generates what all sandboxes share, starts loading
 * the firewall. The strings in `config` must live as long as the supervisor. 0 or -errno with
 * a sentence.
 */
int supervisor_open(const struct supervisor_config *config, struct supervisor **ret,
		    struct err *err);
/* Lets go of everything; sandboxes go on running, to be adopted by the next paasd. */
void supervisor_close(struct supervisor *s);

/* Takes over every sandbox the register knows, removes what is dead. Call once after open. */
int supervisor_adopt(struct supervisor *s, struct err *err);

/*
 * A (new) control is there: sends one SANDBOX_FOUND per sandbox, SANDBOX_FOUND_END, then
 * SANDBOX_STARTED for those whose program runs and SANDBOX_EXITED for those that ended
 * unrecorded. From here on reports are sent as they happen.
 */
void supervisor_control_up(struct supervisor *s);
/* Control is gone: reports are kept until it is back. */
void supervisor_control_down(struct supervisor *s);

/* A message from control addressed to PARENT (SANDBOX_*, APP_*, SLUG_REMOVE). 0, or -EBADMSG
 * with a sentence: control broke the protocol and its channel should be ended. */
int supervisor_message(struct supervisor *s, struct msg *m, struct err *err);

/* paas-logs was started anew: every init gets a new stream. */
void supervisor_logs_up(struct supervisor *s);

/*
 * TERM to everything, after `grace_ms` KILL; `done` is called from the loop once nothing runs
 * and all is unmounted. Exits are not kept for control any more. New orders are refused.
 */
void supervisor_stop_all(struct supervisor *s, uint64_t grace_ms, void (*done)(void *user));
/* Removes what an orderly end leaves nothing of: the firewall's table, empty cgroups, generated
 * files. Call after stop_all's `done` and before supervisor_close. Waits for nft. */
void supervisor_remove(struct supervisor *s);

size_t supervisor_count(const struct supervisor *s);

/* ---- router workers: registered beside the sandboxes so that the next paasd finds them ---- */

struct supervisor_router {
	uint32_t worker;
	pid_t pid;  /* valid as long as pid_fd says it has not ended */
	int pid_fd; /* owned by the caller */
};

/* The register's directory, <cgroup2>/paas-NAME; borrowed. Children of paasd are born in
 * directories of their own in it (lib/spawn.h): router.N, and role.X, which is not looked at. */
int supervisor_register_fd(const struct supervisor *s);
/* Puts a worker just started into the register. 0 or -errno. */
int supervisor_router_add(struct supervisor *s, uint32_t worker, pid_t pid, struct err *err);
/* Forgets a worker that has ended. */
void supervisor_router_remove(struct supervisor *s, uint32_t worker);
/* The workers an earlier paasd left running; at most `max`. The number or -errno. */
int supervisor_routers(struct supervisor *s, struct supervisor_router *routers, size_t max);

#endif

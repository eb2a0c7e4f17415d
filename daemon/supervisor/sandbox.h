/* One sandbox, from the order until nothing is left of it. */
#ifndef DAEMON_SUPERVISOR_SANDBOX_H
#define DAEMON_SUPERVISOR_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/chan.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "lib/sandbox.h"
#include "daemon/supervisor/cgroup.h"
#include "daemon/supervisor/disk.h"

struct platform;
struct sandbox;

enum sandbox_state {
	SANDBOX_WAITING,  /* for the firewall, its disk or its directory; no process yet */
	SANDBOX_ENTERING, /* the child is on its way in */
	SANDBOX_RUNNING,  /* paas-init was executed */
	SANDBOX_ENDED,	  /* the outcome is known; init waits for INIT_BYE or is dead */
	SANDBOX_LEAVING,  /* no process is left; files and cgroups go */
	SANDBOX_GONE,
};

/* None of them may free the sandbox but on_gone. */
struct sandbox_events {
	void (*on_started)(struct sandbox *sb);
	void (*on_pty)(struct sandbox *sb, int fd); /* borrowed */
	void (*on_listens)(struct sandbox *sb, const char *text);
	/* Set-up failed: sb->why says how. */
	void (*on_failed)(struct sandbox *sb);
	/* Ended: sb->status and sb->usage are set. Answer with sandbox_recorded, at any time. */
	void (*on_exited)(struct sandbox *sb);
	/* Nothing is left. */
	void (*on_gone)(struct sandbox *sb);
};

struct sandbox {
	struct platform *platform;
	const struct sandbox_events *events;
	void *user;
	struct sandbox_order order;
	enum sandbox_state state;
	char entry[192]; /* the register's name for it */

	/* until it has entered; -1 afterwards */
	int spec_fd, log_fd, stdio_fds[3], job_fd;
	int sync_fd;
	struct loop_io sync_io;
	bool is_disk_ready, is_slug_ready;
	struct disk_user disk;

	bool has_cgroup;
	struct cgroup cgroup;
	pid_t pid;
	int pid_fd;
	struct loop_io pid_io;
	struct chan chan;
	struct loop_timer timer;
	unsigned n_tries;

	bool has_started; /* the program was executed */
	bool has_outcome; /* on_failed or on_exited was called */
	bool is_recorded; /* the outcome need not be kept any more */
	bool is_waiting_for_chore;
	uint32_t status;
	struct cgroup_usage usage;
	struct err why;
};

/*
 * Takes the order and, in any case, the fds (closed on failure; -1: none). Nothing has happened
 * yet: call sandbox_advance. NULL: no memory.
 */
struct sandbox *sandbox_new(struct platform *p, const struct sandbox_order *order, int spec_fd,
			    const int stdio_fds[3], int job_fd, const struct sandbox_events *events,
			    void *user);
/* Takes over a running one from the register. NULL: nothing alive, all was cleaned up. */
struct sandbox *sandbox_adopt(struct platform *p, const struct sandbox_order *order,
			      const char *entry, const struct sandbox_events *events, void *user);
/* Lets go of it without ending it. */
void sandbox_free(struct sandbox *sb);

/* Goes on with a waiting sandbox: call when the firewall's state has changed. */
void sandbox_advance(struct sandbox *sb);
/* To every process inside. One that has not entered yet is killed by any terminating signal. */
void sandbox_signal(struct sandbox *sb, int signal);
/* SIGKILL for all of it, in whatever state it is. */
void sandbox_kill(struct sandbox *sb);
void sandbox_ask_ports(struct sandbox *sb);
/* Gives init a new stream to paas-logs, if it is one that writes there. `fd` is borrowed. */
void sandbox_set_log(struct sandbox *sb, int fd);
bool sandbox_wants_log(const struct sandbox *sb);
/* The outcome was recorded: init may end. */
void sandbox_recorded(struct sandbox *sb);

#endif

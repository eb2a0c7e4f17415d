/* What the child of clone3 does until it is paas-init: the way into the sandbox. */
#ifndef DAEMON_SUPERVISOR_ENTER_H
#define DAEMON_SUPERVISOR_ENTER_H

#include "lib/err.h"
#include "lib/sandbox.h"

struct cgroup;
struct platform;

struct enter {
	const struct platform *platform;
	const struct sandbox_order *order;
	const struct cgroup *cgroup;
	int sync_fd;  /* SOCK_SEQPACKET to paasd */
	int chan_fd;  /* init's end of its channel */
	int other_fd; /* paasd's end, kept by init for the next paasd */
	int spec_fd, log_fd, stdio_fds[3], job_fd; /* -1: none */
};

/* What the child says on the sync socket: one byte asks for its ids, ENTER_GO answers; a whole
 * report is a failure. End of file without one means that init was executed. */
#define ENTER_IDS 'i'
#define ENTER_GO 'g'

struct enter_report {
	int code;
	struct err err;
};

/* The fds of paas-init. */
enum {
	INIT_FD_CHAN = 3,
	INIT_FD_OTHER = 4,
	INIT_FD_SPEC = 5,
	INIT_FD_FILTER = 6,
	INIT_FD_LOG = 7,
	INIT_FD_STDIO = 8, /* and 9, 10 */
	INIT_FD_JOB = 11,
	INIT_FD_END,
};

_Noreturn void enter_sandbox(const struct enter *e);

#endif

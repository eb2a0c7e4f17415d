/* The program of a sandbox: what the spec names, started below paas-init. */
#ifndef DAEMON_SUPERVISOR_INIT_PROGRAM_H
#define DAEMON_SUPERVISOR_INIT_PROGRAM_H

#include <stdint.h>
#include <sys/types.h>

struct err;

struct program {
	unsigned flags; /* enum sandbox_flag */
	uint16_t columns, rows;
	int spec_fd, filter_fd, job_fd; /* -1: none */
	int stdio_fds[3];		/* with SANDBOX_STDIO */

	pid_t pid;     /* once started */
	int output_fd; /* what it prints, when that goes to the log; else -1 */
	int pty_fd;    /* the terminal's master with SANDBOX_PTY; else -1 */
};

/*
 * Starts it in a session of its own, under the filter, and waits until it was executed. The
 * spec and the filter are read in the child: init's own memory stays small. 0, or -errno with
 * a sentence for the app's owner.
 */
int program_start(struct program *p, struct err *err);

#endif

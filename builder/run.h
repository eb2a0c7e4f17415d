/* One program of a build: started, its output relayed or captured, and nothing of it left. */
#ifndef BUILDER_RUN_H
#define BUILDER_RUN_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct disk;
struct err;
struct transcript;

struct run {
	const char *path; /* absolute */
	const char *const *argv;
	const char *const *envp;
	int cwd_fd;		/* -1: stay */
	struct transcript *out; /* where output goes unless captured */
	struct buf *capture;	/* stdout goes here, up to its maximum; the rest is dropped */
	bool is_quiet;		/* with capture: stderr is dropped instead of relayed */
	bool joins_stderr;	/* with capture: stderr is captured too */
	struct disk *disk;	/* looked at while it runs; may be NULL */
	unsigned timeout_s;	/* 0: none of our own */
};

/* Makes us the parent of every orphan below us. Once, at the start. 0 or -errno. */
int run_init(void);

/*
 * Runs it to its end. What it left running is killed, whatever it holds open; *n_left says how many
 * processes (may be NULL). 0 and *status as of waitpid; -ETIMEDOUT; -errno with a sentence when it
 * could not be started.
 */
int run_program(const struct run *run, int *status, unsigned *n_left, struct err *err);

/* "exit status 1", "killed by signal 9 (Killed)" into `out`; returns it. */
const char *run_status_text(int status, char *out, size_t cap);

#endif

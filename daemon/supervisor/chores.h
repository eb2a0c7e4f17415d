/*
 * Work that may wait for a disk, done by forked children so that paasd never does: file
 * systems made and mounted, trees removed, the firewall loaded. A few run at once, the others
 * queue. A child says how it went over a pipe, so whoever reaps it may throw its status away.
 */
#ifndef DAEMON_SUPERVISOR_CHORES_H
#define DAEMON_SUPERVISOR_CHORES_H

#include <stddef.h>

#include "lib/loop.h"

struct err;
struct buf;
struct chore;

#define CHORES_AT_ONCE 4
#define CHORES_MAX 4096

struct chores {
	struct loop *loop;
	struct chore *running, *waiting, **waiting_end;
	size_t n_running, n_waiting;
	int keep[8]; /* the fds a child needs; everything else above 2 is closed in it */
	size_t n_keep;
};

/* Runs in the child, a copy of our process: may block, may change anything but files it should
 * not. 0 or -errno with a sentence. */
typedef int chore_fn(void *what, struct err *err);
/* Runs in the parent when the child has ended. `code` is 0 or a negative errno. */
typedef void chore_done_fn(void *user, int code, const struct err *why);

/* `keep` are the fds that work needs, e.g. of the state directory. */
void chores_init(struct chores *c, struct loop *loop, const int *keep, size_t n_keep);
/* Forgets what waits and what runs; running children finish, nobody is told. */
void chores_done(struct chores *c);

/* Copies the `size` bytes of `what`, which must hold no pointers that die. 0; -EBUSY when too
 * many wait; -ENOMEM. `done` is never called from here. */
int chores_add(struct chores *c, chore_fn *fn, const void *what, size_t size, chore_done_fn *done,
	       void *user);
size_t chores_count(const struct chores *c);

/*
 * For use in a chore: runs a program of the host's PATH with `input` as its stdin (may be NULL)
 * and waits. What it prints (both streams) goes to `output`, if given, else its last line into
 * the sentence. 0, or -errno with a sentence; -EIO when the exit status is not 0.
 */
int chore_execute(const char *const argv[], const char *input, struct buf *output, struct err *err);

#endif

/*
 * A child's directory in the register: it is born there, and found there by the next paasd. The
 * register is <cgroup2>/paas-NAME; directories are named router.N and role.X.
 */
#ifndef DAEMON_CRADLE_H
#define DAEMON_CRADLE_H

#include <stdbool.h>

struct err;

/* Makes it unless it is there. The directory's fd or -errno with a sentence. */
int cradle_make(int register_fd, const char *name, struct err *err);
/* Waits until each process in it has ended, at most `ms` each; if told to, kills those that have
 * not and waits again. 0, also when there is no such directory, or -errno. Blocks. */
int cradle_await(int register_fd, const char *name, int ms, bool kill_them);
/* Kills what is left in it and removes it; a missing one is fine. Logs a failure. Blocks for at
 * most a second per process. */
void cradle_remove(int register_fd, const char *name);
/* cradle_remove of all whose name begins with `prefix`. */
void cradle_remove_all(int register_fd, const char *prefix);

#endif

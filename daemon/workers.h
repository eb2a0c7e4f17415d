/*
 * Router workers. They own the listening sockets as much as we do, and go on serving when we
 * die: a new paasd finds them in the register and takes their sockets and channels back.
 */
#ifndef DAEMON_WORKERS_H
#define DAEMON_WORKERS_H

#include <stdbool.h>

struct child;
struct err;
struct platform;

/*
 * Opens all listeners: those that workers of an earlier paasd hold, then those that systemd
 * passed, then new ones; and takes these workers over. Those of another program or
 * configuration serve until workers_retire; those without a usable channel are killed. 0, or
 * -errno with a sentence and the workers as they were.
 */
int workers_adopt(struct platform *p, struct err *err);
/* Starts what is missing. */
void workers_start(struct platform *p);
/* All that are meant to stay have said that they serve. */
bool workers_are_ready(const struct platform *p);
/* Those of an earlier configuration finish what they do and end. */
void workers_retire(struct platform *p);

void workers_stop(struct platform *p);
void workers_kill(struct platform *p);
bool workers_are_gone(const struct platform *p);
/* Removes their directories in the register. */
void workers_remove(struct platform *p);
/* The worker with that pid, or NULL. */
struct child *workers_find(struct platform *p, int pid);
void workers_done(struct platform *p);

#endif

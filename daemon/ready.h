/* The moment when everything serves. */
#ifndef DAEMON_READY_H
#define DAEMON_READY_H

struct platform;

/* A child said that it serves: once all do, prints the ready line, tells systemd, and lets the
 * routers of an earlier configuration go. */
void ready_check(struct platform *p);

#endif

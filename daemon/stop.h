/*
 * The orderly end: first those who take new work, then the apps, then routers and logs, so that
 * requests are answered and output is kept as long as there is any.
 */
#ifndef DAEMON_STOP_H
#define DAEMON_STOP_H

struct platform;

/* Begins; the second time, everything is killed. The loop stops when nothing is left. */
void stop_begin(struct platform *p);
/* The start failed before there was a child: ends what the supervisor has begun meanwhile. Turns
 * the loop until that is done. */
void stop_unstarted(struct platform *p);
/* Something has ended: goes on if that was what it waited for. */
void stop_progress(struct platform *p);

#endif

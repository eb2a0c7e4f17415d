/*
 * Somebody who reads a log: its last lines, then those that come. A reader is fed from the ring
 * itself and holds one block in memory, however slow it is; when the ring goes round past it, it
 * gets a line that says how many lines it missed.
 */
#ifndef DAEMON_LOGS_TAIL_H
#define DAEMON_LOGS_TAIL_H

#include <stdbool.h>
#include <stdint.h>

struct app_log;
struct line_filter;
struct loop;

#define TAIL_MAX_READERS 256

/* Sends the last `n` lines that pass the filter to `fd`, which is taken and closed at the end:
 * after them or, when `follow`, when the peer closes or tail_close is called. 0; -EMFILE when
 * there are too many readers; -errno. The fd is closed then too. */
int tail_open(struct app_log *app, struct loop *loop, int fd, uint64_t n, bool follow,
	      const struct line_filter *filter);
/* Ends all readers of an app, whatever they still had to get. */
void tail_close(struct app_log *app);
/* For struct store: lines were written; the older half of the ring is about to go. */
void tail_on_lines(struct app_log *app);
void tail_on_rotate(struct app_log *app);

#endif

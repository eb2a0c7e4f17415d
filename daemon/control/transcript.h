/*
 * The pusher's terminal, as far as control itself writes to it. The fd is the write end of
 * a pipe that builders and release commands share, so it stays in blocking mode; control
 * nevertheless never blocks on it: its lines wait in a pipe of its own (64 KiB, what does not
 * fit is dropped) and are moved over as there is room.
 */
#ifndef CONTROL_TRANSCRIPT_H
#define CONTROL_TRANSCRIPT_H

#include <stdbool.h>

#include "lib/loop.h"

struct transcript;
typedef void transcript_fn(struct transcript *transcript);

struct transcript {
	struct loop *loop;
	struct loop_io io; /* of fd, while something waits */
	struct loop_timer timer;
	int fd; /* -1: nobody listens */
	int queue_r, queue_w;
	transcript_fn *ended;
};

/* Owns `fd`, the write end of a pipe. On a failure the transcript works and says nothing, and
 * a negative errno is returned. SIGPIPE must be ignored. */
int transcript_open(struct transcript *transcript, struct loop *loop, int fd);
/* Appends text as it is. */
void transcript_say(struct transcript *transcript, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Calls `ended` from the loop when all was taken over or the reader went away, at the latest
 * after 5 s, having closed the fd. */
void transcript_end(struct transcript *transcript, transcript_fn *ended);
/* Closes without waiting and without a call; a zeroed or closed one is left alone. */
void transcript_close(struct transcript *transcript);

#endif

/*
 * The two directions between a client and a program: an inlet writes what the client sent to an
 * fd, an outlet reads an fd for the client. Neither ever blocks or holds more than its bound, and a
 * program that does not read, or a client that does not, just makes the other side wait.
 */
#ifndef RECEIVER_PUMP_H
#define RECEIVER_PUMP_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/loop.h"

struct inlet {
	struct loop *loop;
	struct loop_io io;
	int fd;		    /* -1: closed; what comes then is dropped */
	struct buf waiting; /* what the program has not taken yet */
	bool is_ending;	    /* to be closed when all is written */
};

#define INLET_MAX (256 * 1024)

void inlet_init(struct inlet *in);
/* Takes `fd` and makes it non-blocking. 0 or -errno (fd is closed then too). */
int inlet_open(struct inlet *in, struct loop *loop, int fd);
/* Takes as much of `p` as there is room for; all of it when nothing waits and n <= INLET_MAX. */
size_t inlet_write(struct inlet *in, const void *p, size_t n);
/* Closes once everything is written. */
void inlet_end(struct inlet *in);
/* Closes at once. */
void inlet_close(struct inlet *in);

struct outlet {
	struct loop *loop;
	struct loop_io io;
	int fd;		    /* -1: at its end */
	struct buf pending; /* for the client; what we say ourselves is added here, too */
	bool is_dropping;   /* read on, to nowhere */
	bool is_last;	    /* the program is gone: what is there now is all */
	size_t n_read;
};

/* How much is read ahead of the client at most. */
#define OUTLET_AHEAD (128 * 1024)

void outlet_init(struct outlet *out);
/* Takes `fd` and makes it non-blocking; reading begins with outlet_watch. 0 or -errno. */
int outlet_open(struct outlet *out, struct loop *loop, int fd);
/* Reads when `wanted`, or when dropping. 0 or -errno. */
int outlet_watch(struct outlet *out, bool wanted);
/* From now on everything goes to nowhere, what waits included. */
void outlet_drop(struct outlet *out);
/* The program is gone: an fd without data counts as ended, whoever still holds its other end. */
void outlet_last(struct outlet *out);
void outlet_close(struct outlet *out);
/* Nothing more will come and nothing waits. */
bool outlet_is_done(const struct outlet *out);

#endif

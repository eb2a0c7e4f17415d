/*
 * The channel to paasd: routes come in, acknowledgements and drained instances go out. The
 * worker outlives everybody at the other end, so nothing that happens here ends it: what cannot
 * be sent now waits, and the messages that wait are few and small.
 */
#ifndef ROUTER_CHANNEL_H
#define ROUTER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/loop.h"
#include "lib/msg.h"

struct router;
struct channel_waiting;

struct channel {
	struct loop_io io;
	struct router *router;
	struct channel_waiting *first, **last;
	size_t n_waiting;
	struct table_row *rows; /* of the ROUTE_APP being read */
};

/* Borrows `fd`, makes it non-blocking, watches it. 0 or -errno. */
int channel_open(struct channel *channel, struct router *router, int fd);
void channel_close(struct channel *channel);
/* ROUTER_READY: connections are accepted. */
void channel_say_ready(struct channel *channel);
/* BACKEND_DRAINED. */
void channel_say_drained(struct channel *channel, uint64_t instance);

#endif

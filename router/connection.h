/*
 * A client's connection: reads heads, hands requests over (router/forward.h) one after the
 * other, queues what the client does not take yet, and knows when to give up waiting.
 */
#ifndef ROUTER_CONNECTION_H
#define ROUTER_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "lib/loop.h"

#include "router/block.h"
#include "router/errors.h"
#include "router/forward.h"

struct router;

/* Where clients come from. */
struct listener {
	struct loop_io io;
	struct router *router;
	struct loop_timer retry; /* after accept ran out of something */
	const char *proto;
	char port[6];
	unsigned n_accepted; /* since it was last put at the end of the queue of sleepers */
};

enum connection_state {
	CONNECTION_HEAD,    /* waits for a request or the rest of its head */
	CONNECTION_BUSY,    /* an exchange is under way */
	CONNECTION_FLUSH,   /* the response must go before the next request is looked at */
	CONNECTION_CLOSING, /* the response must go, then the end */
	CONNECTION_LINGER,  /* our side is shut; what still comes is thrown away */
	CONNECTION_DEAD,    /* closed; memory stays until the turn of the loop ends */
};

struct connection {
	struct loop_io io;
	struct router *router;
	const struct listener *listener;
	struct connection *next, *prev;
	struct loop_timer timer;
	uint64_t deadline_ms; /* the timer may be armed for earlier */
	enum connection_state state;
	bool is_running; /* connection_run is on the stack */
	bool must_linger;
	bool has_served;  /* at least one request was answered on it */
	struct block in;  /* a head that came in parts, or what came after a request */
	size_t n_parsed;  /* bytes of `in` when the head was last tried */
	struct block out; /* what the socket did not take */
	uint32_t read_size;
	char address[46];
	struct exchange exchange;
};

/* Begins to accept on `fd` (borrowed). 0 or -errno. */
int listener_open(struct listener *listener, struct router *router, int fd, const char *proto);
void listener_close(struct listener *listener);

/*
 * Sends, or queues what the socket does not take. 0; negative: the client is gone, the
 * connection must be ended with connection_abort. At most BLOCK_MAX bytes may wait.
 */
int connection_write(struct connection *c, const struct iovec *iov, int n_iov);
/* Is something queued? Then nothing more should be read for this client. */
bool connection_is_full(const struct connection *c);
/* Watches the client for more (or not). */
void connection_watch(struct connection *c, bool want_in);
/* Gives up at `ms` from now, unless told otherwise meanwhile. */
void connection_deadline(struct connection *c, uint64_t ms);
/* Keeps bytes that came after the request, for the next one. 0 or negative errno. */
int connection_keep(struct connection *c, const char *p, size_t n);

/* The exchange is over: on to the next request or, without keep_alive, the end. */
void connection_next(struct connection *c, bool keep_alive);
/* Closes now, whatever waits. */
void connection_abort(struct connection *c);
/* The same with RST, for a client that would take an orderly end for the end of the response. */
void connection_reset(struct connection *c);

/* Closes those that wait for another request; the first one of a new connection is awaited for
 * a second, since its client could not know better. For SIGTERM. */
void connection_close_idle(struct router *router);
/* Frees what was closed; for the end of a turn of the loop. */
void connection_reap(struct router *router);

#endif

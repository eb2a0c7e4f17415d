/*
 * Connections to backends. Idle ones are kept per instance, the last used first, and all
 * together up to a cap, beyond which the one idle longest goes.
 */
#ifndef ROUTER_POOL_H
#define ROUTER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/loop.h"

#include "router/block.h"

struct backend;
struct exchange;

/* A connection to one instance. */
struct server {
	struct loop_io io;
	struct pool *pool;
	struct backend *backend;
	struct exchange *exchange; /* NULL: idle */
	struct block head;	   /* a response head that came in parts */
	size_t n_parsed;	   /* bytes of it when it was last tried */
	bool is_connected, is_reused;
	uint64_t n_sent; /* bytes written in its life */
	/* idle */
	struct server *next, *prev; /* of the same backend */
	struct server *lru_newer, *lru_older;
	uint64_t idle_since_ms;
	/* closed: until the turn of the loop ends */
	struct server *next_dead;
};

struct pool {
	struct loop *loop;
	struct blocks *blocks;
	struct slab slab;
	struct server *newest, *oldest; /* idle */
	size_t n_idle, max_idle;
	uint64_t idle_ms;
	struct loop_timer timer;
	struct server *dead;
	loop_io_fn *on_event;
};

void pool_init(struct pool *pool, struct loop *loop, struct blocks *blocks, size_t max_idle,
	       uint64_t idle_ms, loop_io_fn *on_event);
/* Closes all idle connections; none may be in use. */
void pool_done(struct pool *pool);

/* The idle connection of that backend used last, or NULL. It is the caller's then. */
struct server *pool_take(struct pool *pool, struct backend *backend);
/* Begins to connect. *ret is 0 or the negative errno that NULL comes with. Events go to on_event.
 */
struct server *pool_connect(struct pool *pool, struct backend *backend, int *ret);
/* Gives back a connection on which a response has ended cleanly. */
void pool_put(struct pool *pool, struct server *server);
/* Closes a connection, idle or not. Its memory stays until pool_reap. */
void pool_close(struct pool *pool, struct server *server);
void pool_close_idle(struct pool *pool, struct backend *backend);
/* Frees what was closed; for the end of a turn of the loop. */
void pool_reap(struct pool *pool);

/* Did the other end acknowledge any of what was written after the first `n_before` bytes? */
bool pool_was_received(const struct server *server, uint64_t n_before);

#endif

/* What the parts of one worker share. There is one struct router, in main.c. */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "lib/http.h"
#include "lib/loop.h"

#include "router/access.h"
#include "router/balance.h"
#include "router/block.h"
#include "router/ident.h"
#include "router/pool.h"
#include "router/table.h"

struct connection;

/* What is taken from a socket at a time: at first, at most, at least. */
#define ROUTER_READ_FIRST 65536
#define ROUTER_READ_MAX (256 * 1024)
#define ROUTER_READ_MIN 16384

#define ROUTER_TRIES 4 /* backends one request may be offered to */

struct router_timeouts {
	uint64_t head_ms;	/* from the first byte of a request to the end of its head */
	uint64_t keep_alive_ms; /* between requests */
	uint64_t connect_ms;
	uint64_t first_byte_ms; /* from the end of the request to the answer: H12 */
	uint64_t idle_ms;	/* nothing moves within a request, a response, a tunnel */
	uint64_t linger_ms;	/* after our last word, while the client is still sending */
	uint64_t drain_ms;	/* for what is in flight at SIGTERM */
	uint64_t pool_ms;	/* an idle connection to a backend */
};

struct router {
	struct loop loop;
	struct router_timeouts timeouts;
	struct table table;
	struct pool pool;
	struct balance balance;
	struct ident ident;
	struct access access;
	struct blocks blocks;
	struct slab slab; /* of connections */
	struct connection *connections, *dead;
	size_t n_connections, max_connections;
	bool is_stopping;
	uint64_t unix_us, unix_at_ms; /* the wall clock and when it was read */
	struct http_head head;	      /* the one being looked at; nobody keeps it */
	char *in;		      /* ROUTER_READ_MAX: what was just read */
	char *out;		      /* BLOCK_MAX: a response head being written */
};

/* CLOCK_REALTIME in microseconds, read once per turn of the loop. */
uint64_t router_unix_us(struct router *router);
/* Bytes the socket took, 0 when it is full (or not connected yet), or negative errno. */
ssize_t router_send(int fd, const struct iovec *iov, int n_iov);

#endif

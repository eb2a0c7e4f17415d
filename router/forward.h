/*
 * One request and its response: chosen backend, both bodies, retries, the access line. A
 * connection has one exchange at a time.
 */
#ifndef ROUTER_FORWARD_H
#define ROUTER_FORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http.h"
#include "lib/loop.h"

#include "router/block.h"
#include "router/errors.h"
#include "router/headers.h"
#include "router/router.h"

struct connection;

struct exchange {
	struct app *app;	 /* held */
	struct backend *backend; /* begun */
	struct server *server;
	struct block request; /* the head for the backend and the body as long as it can be sent
			       * again; `at` is what this server took */
	struct block backlog; /* what came after that and the server does not take */
	size_t head_bytes;    /* of request: the head */
	struct headers_marks marks;
	struct http_body from_client, from_server;
	uint64_t n_sent_before; /* server->n_sent when this request began */
	uint64_t tried[ROUTER_TRIES];
	unsigned n_tried;
	uint64_t start_ms, connect_ms;
	uint64_t bytes; /* of the response's body, for the client */
	uint32_t read_size;
	int status;		  /* sent to the client; 0: nothing yet */
	enum error connect_error; /* why the last backend could not be reached */
	bool is_head, is_old /* HTTP/1.0 */, is_idempotent, wants_html, keep_alive;
	bool expects_continue, is_upgrade, is_tunnel;
	bool is_replayable;		 /* request holds all that was received */
	bool was_connected;		 /* connect_ms is known */
	bool is_cut;			 /* the server takes no more of the request */
	bool was_answered;		 /* a byte of the response came */
	bool must_close;		 /* the response ends with the connection */
	bool is_chunked_out;		 /* the client gets chunks */
	bool is_server_kept;		 /* the server may be used again after the response */
	bool client_ended, server_ended; /* tunnels: which sides have shut down */
};

/*
 * Takes over a request whose head is router->head and lies, with what followed it, in `in`.
 * The connection is BUSY from here on until connection_next or connection_abort.
 */
void forward_start(struct connection *c, char *in, size_t len);
/* Answers without a backend; also in place of forward_start. */
void forward_refuse(struct connection *c, enum error error);
/* Events and time for a BUSY connection; on_server is the pool's. */
void forward_on_client(struct connection *c);
void forward_on_server(struct loop_io *io, uint32_t events);
void forward_on_timeout(struct connection *c);
/* The client took all that was queued. */
void forward_on_flushed(struct connection *c);
/* The connection is closing: lets go of everything, without a word to the client. */
void forward_drop(struct connection *c);

/* For tunnel.c: the end of an exchange, logged with `error`; the connection closes. */
void forward_end_tunnel(struct connection *c, enum error error);

#endif

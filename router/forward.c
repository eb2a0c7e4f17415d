/*
 * What always holds: an exchange with a server has begun on a backend, and server->exchange
 * points back. Bytes of the request that the server has not taken lie in `request` behind its
 * `at`, then in `backlog`; while there are any, no more is read from the client. While the
 * client's own queue is not empty, nothing is read from the server. So what one exchange holds
 * is bounded by one read in each direction and the replayable beginning of the request.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "router/connection.h"
#include "router/forward.h"
#include "router/router.h"
#include "router/tunnel.h"

/* Head and body up to here are kept to be sent again: 64 KiB of body behind a usual head. */
#define REPLAY_MAX 81920
/* A payload up to here is copied behind its head: one vector is cheaper for the kernel than two. */
#define COPY_MAX 4096
/* How long a backend on which connecting failed is the last choice. */
#define AVOID_MS 1000

static void try_backend(struct connection *c, bool fresh);

static uint64_t
now_ms(const struct connection *c)
{
	return loop_now_ms(&c->router->loop);
}

/* ---- the end of an exchange -------------------------------------------------------------------
 */

static struct http_text
marked(const struct exchange *x, struct headers_mark mark)
{
	return (struct http_text){x->request.data + mark.at, mark.len};
}

static void
write_line(struct connection *c, enum error error, int status)
{
	const struct exchange *x = &c->exchange;
	uint64_t total_ms = now_ms(c) - x->start_ms;
	struct access_line line;

	if (!x->app || !x->request.data)
		return;
	line = (struct access_line){
		.app = x->app->name,
		.time_us = router_unix_us(c->router),
		.method = marked(x, x->marks.method),
		.path = marked(x, x->marks.path),
		.host = marked(x, x->marks.host),
		.request_id = marked(x, x->marks.request_id),
		.forwarded = marked(x, x->marks.forwarded),
		.instance = x->backend ? x->backend->name : NULL,
		.proto = c->listener->proto,
		.error = error,
		.has_connect = x->was_connected,
		.has_service = x->backend != NULL,
		.connect_ms = x->connect_ms,
		.service_ms = total_ms > x->connect_ms ? total_ms - x->connect_ms : 0,
		.status = status,
		.bytes = x->bytes,
	};
	access_write(&c->router->access, &line);
}

/* The server is given back to the pool or closed, and the backend has one request less. */
static void
leave_backend(struct connection *c, bool reusable)
{
	struct router *router = c->router;
	struct exchange *x = &c->exchange;
	struct backend *backend = x->backend;

	if (x->server) {
		if (reusable && backend->is_routed && !router->is_stopping)
			pool_put(&router->pool, x->server);
		else
			pool_close(&router->pool, x->server);
		x->server = NULL;
	}
	x->backend = NULL;
	if (backend)
		backend_end(&router->table, backend);
}

static void
release(struct connection *c, bool reusable)
{
	struct blocks *blocks = &c->router->blocks;
	struct exchange *x = &c->exchange;

	leave_backend(c, reusable);
	block_release(blocks, &x->request);
	block_release(blocks, &x->backlog);
	if (x->app)
		app_release(x->app);
	x->app = NULL;
}

void
forward_drop(struct connection *c)
{
	release(c, false);
}

/* The client went away, or the connection to it broke. */
static void
client_gone(struct connection *c)
{
	write_line(c, ERROR_CLIENT_GONE, 499);
	connection_abort(c);
}

/* After the first byte of a response there is only one way to say that it is not whole. */
static void
interrupt(struct connection *c, enum error error)
{
	struct exchange *x = &c->exchange;
	bool is_unmarked = x->from_server.kind != HTTP_BODY_LENGTH && !x->is_chunked_out;

	write_line(c, error, error_status(error));
	release(c, false);
	c->must_linger = true;
	if (is_unmarked)
		connection_reset(c);
	else
		connection_next(c, false);
}

/* What the client likes to read is in the head that was written for the backend. */
static bool
wants_html(struct connection *c)
{
	struct exchange *x = &c->exchange;
	struct http_head *h = &c->router->head;

	if (!x->request.data || http_parse_request(h, x->request.data, x->head_bytes) <= 0)
		return x->wants_html;
	return error_wants_html(h);
}

/* Answers in place of a backend. */
static void
fail(struct connection *c, enum error error)
{
	struct router *router = c->router;
	struct exchange *x = &c->exchange;
	bool keep_alive = x->keep_alive && x->from_client.done && !x->is_old &&
			  !router->is_stopping && error != ERROR_BAD_REQUEST;
	struct iovec iov = {.iov_base = router->out};
	size_t n_body;

	if (x->status) {
		interrupt(c, error);
		return;
	}
	iov.iov_len =
		error_response(router->out, error, wants_html(c), x->is_head, keep_alive, &n_body);
	x->status = error_status(error);
	x->bytes = n_body;
	write_line(c, error, x->status);
	release(c, false);
	c->must_linger = !keep_alive;
	if (connection_write(c, &iov, 1) < 0) {
		connection_abort(c);
		return;
	}
	connection_next(c, keep_alive);
}

static void
begin(struct connection *c)
{
	c->state = CONNECTION_BUSY;
	c->exchange = (struct exchange){.start_ms = now_ms(c), .read_size = ROUTER_READ_FIRST};
}

void
forward_refuse(struct connection *c, enum error error)
{
	begin(c);
	fail(c, error);
}

/* The whole response was handed to the client's connection. */
static void
finish(struct connection *c, bool reusable)
{
	struct exchange *x = &c->exchange;
	bool is_sent = x->from_client.done && !x->is_cut && block_bytes(&x->request) == 0 &&
		       block_bytes(&x->backlog) == 0;

	write_line(c, ERROR_NONE, x->status);
	c->must_linger = !x->from_client.done;
	release(c, reusable && is_sent);
	connection_next(c, !x->must_close);
}

/* ---- the request, towards the server ----------------------------------------------------------
 */

/* Writes from a block. 0: all of it; 1: the socket is full or not connected; negative errno. */
static int
send_block(struct server *server, struct block *b)
{
	while (b->at < b->len) {
		ssize_t n = send(server->io.fd, b->data + b->at, b->len - b->at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 1 : -errno;
		server->is_connected = true;
		server->n_sent += (uint64_t)n;
		b->at += (uint32_t)n;
		if (b->at < b->len)
			return 1;
	}
	return 0;
}

/* This backend is out of reach, for this request and, if there are others, for a while. */
static void
give_up_backend(struct connection *c, enum error error)
{
	struct exchange *x = &c->exchange;

	x->connect_error = error;
	x->tried[x->n_tried++] = x->backend->instance;
	x->backend->avoid_until_ms = now_ms(c) + AVOID_MS;
	leave_backend(c, false);
}

/* Another one may do. May end the exchange. */
static void
connect_failed(struct connection *c, enum error error)
{
	give_up_backend(c, error);
	try_backend(c, false);
}

static void
note_connected(struct connection *c)
{
	struct exchange *x = &c->exchange;

	x->was_connected = true;
	x->connect_ms = now_ms(c) - x->start_ms;
}

/* All that was received of the request is with the server. */
static void
request_taken(struct connection *c)
{
	struct exchange *x = &c->exchange;

	block_release(&c->router->blocks, &x->backlog);
	if (!x->is_replayable && x->request.len > x->head_bytes)
		block_shrink(&c->router->blocks, &x->request, x->head_bytes);
	if (!x->from_client.done) {
		connection_watch(c, true);
		connection_deadline(c, c->router->timeouts.idle_ms);
		return;
	}
	if (!x->was_answered)
		connection_deadline(c, c->router->timeouts.first_byte_ms);
}

/* Sends what waits for the server, and decides what is awaited next. May end the exchange. */
static void
send_request(struct connection *c)
{
	struct router *router = c->router;
	struct exchange *x = &c->exchange;
	struct server *server = x->server;
	bool was_connected = server->is_connected;
	int ret = send_block(server, &x->request);

	if (ret == 0)
		ret = send_block(server, &x->backlog);
	if (!was_connected && server->is_connected)
		note_connected(c);
	if (ret < 0 && !server->is_connected) {
		connect_failed(c, ret == -ETIMEDOUT ? ERROR_CONNECT_TIMEOUT : ERROR_REFUSED);
		return;
	}
	if (ret < 0) {
		/* It may have answered before it closed: reading will tell. */
		x->is_cut = true;
		connection_watch(c, false);
	}
	if (loop_change(&router->loop, &server->io, ret > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN) < 0) {
		fail(c, ERROR_PLATFORM);
		return;
	}
	if (ret == 0)
		request_taken(c);
	else if (ret > 0 && !x->from_client.done)
		connection_watch(c, false);
	if (ret > 0 && server->is_connected)
		connection_deadline(c, router->timeouts.idle_ms);
}

/*
 * Framing for a payload: size line, payload, line end, and the last chunk. Returns the number of
 * vectors (0: nothing to say). `size` is scratch space that must live as long as they do.
 */
static int
frame(struct iovec iov[4], char size[20], char *payload, size_t n, bool is_chunked, bool is_done)
{
	static char end[] = "\r\n0\r\n\r\n";
	int n_iov = 0;

	if (n > 0 && is_chunked)
		iov[n_iov++] = (struct iovec){size, (size_t)snprintf(size, 20, "%zx\r\n", n)};
	if (n > 0)
		iov[n_iov++] = (struct iovec){payload, n};
	if (!is_chunked)
		return n_iov;
	if (n > 0 && is_done)
		iov[n_iov++] = (struct iovec){end, 7};
	else if (n > 0)
		iov[n_iov++] = (struct iovec){end, 2};
	else if (is_done)
		iov[n_iov++] = (struct iovec){end + 2, 5};
	return n_iov;
}

/*
 * Takes the framing off `in`: the payload is moved together where it has gaps. Returns what was
 * consumed, or negative for a body that is not well-formed.
 */
static long
unframe(struct http_body *body, char *in, size_t len, char **payload, size_t *n_payload)
{
	size_t at = 0;

	*payload = in;
	*n_payload = 0;
	while (at < len && !body->done) {
		const char *data;
		size_t n;
		long used = http_body_next(body, in + at, len - at, &data, &n);

		if (used < 0)
			return used;
		if (used == 0)
			break;
		at += (size_t)used;
		if (n == 0)
			continue;
		if (*n_payload == 0)
			*payload = in + (data - in);
		else if (*payload + *n_payload != data)
			memmove(*payload + *n_payload, data, n);
		*n_payload += n;
	}
	return (long)at;
}

/* A piece of body for the server. 0 or negative errno. */
static int
add_body(struct connection *c, char *payload, size_t n)
{
	struct blocks *blocks = &c->router->blocks;
	struct exchange *x = &c->exchange;
	struct server *server = x->server;
	char size[20];
	struct iovec iov[4];
	int n_iov = frame(iov, size, payload, n, x->from_client.kind == HTTP_BODY_CHUNKED,
			  x->from_client.done);
	ssize_t sent = 0;

	if (x->is_replayable && x->request.len + n + 32 <= REPLAY_MAX)
		return block_add_iov(blocks, &x->request, iov, n_iov, 0);
	x->is_replayable = false;
	if (n_iov && server && server->is_connected && block_bytes(&x->request) == 0 &&
	    block_bytes(&x->backlog) == 0)
		sent = router_send(server->io.fd, iov, n_iov);
	if (sent < 0) /* send_request will meet it again */
		sent = 0;
	if (server)
		server->n_sent += (uint64_t)sent;
	return block_add_iov(blocks, &x->backlog, iov, n_iov, (size_t)sent);
}

/* More of the request's body. */
static void
on_body(struct connection *c)
{
	struct router *router = c->router;
	struct exchange *x = &c->exchange;
	ssize_t n = recv(c->io.fd, router->in, c->read_size, 0);
	char *payload;
	size_t n_payload;
	long used;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			client_gone(c);
		return;
	}
	c->read_size = (size_t)n < c->read_size ? ROUTER_READ_FIRST : ROUTER_READ_MAX;
	used = unframe(&x->from_client, router->in, (size_t)n, &payload, &n_payload);
	if (used < 0) {
		fail(c, ERROR_BAD_REQUEST);
		return;
	}
	if (add_body(c, payload, n_payload) < 0) {
		fail(c, ERROR_PLATFORM);
		return;
	}
	if (used < n) {
		if (connection_keep(c, router->in + used, (size_t)(n - used)) < 0) {
			fail(c, ERROR_PLATFORM);
			return;
		}
		connection_watch(c, false);
	}
	connection_deadline(c, router->timeouts.idle_ms);
	send_request(c);
}

/*
 * Bytes after the request (the next one, or what a tunnel begins with), or the client's end. A
 * client that shuts only its sending side looks like one that is gone, and is taken for that:
 * apps learn at once when nobody waits any more, as they do behind nginx.
 */
static void
on_early(struct connection *c)
{
	ssize_t n = recv(c->io.fd, c->router->in, ROUTER_READ_MIN, 0);

	if (n > 0) {
		connection_watch(c, false);
		if (connection_keep(c, c->router->in, (size_t)n) < 0)
			fail(c, ERROR_PLATFORM);
		return;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		client_gone(c);
}

void
forward_on_client(struct connection *c)
{
	struct exchange *x = &c->exchange;

	if (x->is_tunnel)
		tunnel_on_client(c);
	else if (x->from_client.done)
		on_early(c);
	else if (x->is_cut || block_bytes(&x->request) || block_bytes(&x->backlog))
		connection_watch(c, false);
	else
		on_body(c);
}

/* ---- which backend ----------------------------------------------------------------------------
 */

/* Why an app without a backend has none. */
static enum error
error_of_state(const struct app *app)
{
	switch (app->state) {
	case ROUTE_CRASHED:
		return ERROR_CRASHED;
	case ROUTE_BOOTING:
		return ERROR_BOOTING;
	case ROUTE_BLANK:
		return ERROR_BLANK;
	case ROUTE_UP:
	case ROUTE_NO_WEB:
		break;
	}
	return ERROR_NO_WEB;
}

static bool
is_unreachable(int error)
{
	return error == -ECONNREFUSED || error == -EHOSTUNREACH || error == -ENETUNREACH ||
	       error == -ETIMEDOUT || error == -ECONNRESET || error == -EACCES || error == -EPERM;
}

/* Chooses until a connection is there or under way. May end the exchange. */
static void
try_backend(struct connection *c, bool fresh)
{
	struct router *router = c->router;
	struct exchange *x = &c->exchange;
	int ret;

	while (!x->server) {
		struct backend *backend = NULL;

		if (x->n_tried < ROUTER_TRIES)
			backend = balance_choose(&router->balance, x->app, x->tried, x->n_tried,
						 now_ms(c));
		if (!backend) {
			fail(c, x->n_tried ? x->connect_error : error_of_state(x->app));
			return;
		}
		x->backend = backend;
		backend_begin(backend);
		if (!fresh)
			x->server = pool_take(&router->pool, backend);
		if (x->server)
			break;
		x->server = pool_connect(&router->pool, backend, &ret);
		if (x->server)
			break;
		if (!is_unreachable(ret)) {
			fail(c, ERROR_PLATFORM);
			return;
		}
		give_up_backend(c, ERROR_REFUSED);
	}
	x->server->exchange = x;
	x->n_sent_before = x->server->n_sent;
	x->request.at = 0;
	x->is_cut = false;
	if (x->server->is_connected)
		note_connected(c);
	else
		connection_deadline(c, router->timeouts.connect_ms);
	send_request(c);
}

/*
 * The connection ended before a byte of the answer. What cannot have been acted upon is sent
 * again: nothing was received, or it was a kept connection (which its backend may close at any
 * time) and doing it twice does no harm (RFC 9110 section 9.2.2).
 */
static void
lost_server(struct connection *c)
{
	struct exchange *x = &c->exchange;
	struct server *server = x->server;
	bool was_received = pool_was_received(server, x->n_sent_before);

	if (!x->is_replayable || x->n_tried == ROUTER_TRIES ||
	    (was_received && !(server->is_reused && x->is_idempotent))) {
		fail(c, ERROR_NO_RESPONSE);
		return;
	}
	if (server->is_reused) {
		leave_backend(c, false);
		try_backend(c, true);
		return;
	}
	connect_failed(c, ERROR_NO_RESPONSE);
}

static bool
is_idempotent(struct http_text method)
{
	static const char *const names[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (http_text_is(method, names[i]))
			return true;
	return false;
}

/* Everything the head says; it is overwritten by the next one. */
static void
note_head(struct exchange *x, const struct http_head *h)
{
	x->is_head = h->is_head;
	x->is_old = h->minor == 0;
	x->keep_alive = h->keep_alive;
	x->expects_continue = h->expects_continue;
	x->is_upgrade = headers_is_upgrade(h);
	x->is_idempotent = is_idempotent(h->method);
	x->is_replayable = true;
	http_body_init(&x->from_client, h->body, h->content_length);
}

/* The head as the backend gets it. 0 or negative errno. */
static int
write_head(struct connection *c, const struct http_head *h)
{
	struct exchange *x = &c->exchange;
	struct headers_origin origin = {c->address, c->listener->proto, c->listener->port,
					router_unix_us(c->router) / 1000};
	int ret = block_reserve(&c->router->blocks, &x->request, headers_bound(h, &origin));

	if (ret < 0)
		return ret;
	x->request.len = (uint32_t)headers_write_request(x->request.data, h, &origin,
							 &c->router->ident, &x->marks);
	x->head_bytes = x->request.len;
	return 0;
}

void
forward_start(struct connection *c, char *in, size_t len)
{
	const struct http_head *h = &c->router->head;
	struct exchange *x = &c->exchange;
	size_t n_head = h->bytes, n_payload;
	char *payload;
	long used;

	begin(c);
	note_head(x, h);
	x->app = table_find(&c->router->table, h->host);
	if (x->app)
		app_hold(x->app);
	if (x->app && write_head(c, h) < 0) {
		fail(c, ERROR_PLATFORM);
		return;
	}
	used = unframe(&x->from_client, in + n_head, len - n_head, &payload, &n_payload);
	if (used < 0) {
		fail(c, ERROR_BAD_REQUEST);
		return;
	}
	n_head += (size_t)used;
	if (n_head < len && connection_keep(c, in + n_head, len - n_head) < 0) {
		fail(c, ERROR_PLATFORM);
		return;
	}
	if (!x->app) {
		x->wants_html = error_wants_html(h);
		fail(c, ERROR_NO_APP);
		return;
	}
	if ((n_payload || x->from_client.kind == HTTP_BODY_CHUNKED) &&
	    add_body(c, payload, n_payload) < 0) {
		fail(c, ERROR_PLATFORM);
		return;
	}
	if (c->in.len)
		connection_watch(c, false);
	try_backend(c, false);
}

/* ---- the response, towards the client ---------------------------------------------------------
 */

/* The other side did not take all of it: read less next time, so that less has to be kept. */
static void
adapt_read_size(struct connection *c, size_t n_read)
{
	struct exchange *x = &c->exchange;

	if (connection_is_full(c))
		x->read_size =
			x->read_size / 4 > ROUTER_READ_MIN ? x->read_size / 4 : ROUTER_READ_MIN;
	else if (n_read == x->read_size && x->read_size < ROUTER_READ_MAX)
		x->read_size *= 2;
}

/* Payload of the response, behind `head` if there is one. `extra`: bytes after its end. */
static void
write_response(struct connection *c, struct iovec head, char *payload, size_t n, bool has_extra)
{
	struct exchange *x = &c->exchange;
	char size[20];
	struct iovec iov[5] = {head};
	int n_iov = head.iov_len > 0;

	if (n_iov && n > 0 && n <= COPY_MAX && !x->is_chunked_out) {
		memcpy((char *)head.iov_base + head.iov_len, payload, n);
		iov[0].iov_len += n;
	} else {
		n_iov += frame(iov + n_iov, size, payload, n, x->is_chunked_out,
			       x->from_server.done);
	}
	x->bytes += n;
	if (n_iov && connection_write(c, iov, n_iov) < 0) {
		client_gone(c);
		return;
	}
	if (x->from_server.done)
		finish(c, x->is_server_kept && !has_extra);
	else
		connection_deadline(c, c->router->timeouts.idle_ms);
}

static enum headers_framing
choose_framing(struct exchange *x, const struct http_head *h)
{
	switch (h->body) {
	case HTTP_BODY_NONE:
		return h->has_length && h->status >= 200 && h->status != 204 ? FRAMING_LENGTH
									     : FRAMING_NONE;
	case HTTP_BODY_LENGTH:
		return FRAMING_LENGTH;
	case HTTP_BODY_CHUNKED:
	case HTTP_BODY_EOF:
		break;
	}
	x->is_chunked_out = !x->is_old;
	return x->is_old ? FRAMING_CLOSE : FRAMING_CHUNKED;
}

/* The final head is in router->head; `len` bytes came behind it. */
static void
start_response(struct connection *c, char *in, size_t len)
{
	struct router *router = c->router;
	const struct http_head *h = &router->head;
	struct exchange *x = &c->exchange;
	enum headers_framing framing = choose_framing(x, h);
	enum headers_persistence persistence;
	struct iovec head = {.iov_base = router->out};
	char *payload;
	size_t n_payload;
	long used;

	x->status = h->status;
	x->is_server_kept = h->keep_alive;
	x->must_close = !x->keep_alive || !x->from_client.done || framing == FRAMING_CLOSE ||
			router->is_stopping;
	persistence = x->must_close ? PERSIST_NOT : x->is_old ? PERSIST_SAID : PERSIST;
	http_body_init(&x->from_server, h->body, h->content_length);
	head.iov_len = headers_write_response(router->out, h, framing, persistence);
	used = unframe(&x->from_server, in, len, &payload, &n_payload);
	if (used < 0) {
		x->status = 0;
		fail(c, ERROR_BAD_RESPONSE);
		return;
	}
	write_response(c, head, payload, n_payload, (size_t)used < len);
}

/* 101: from here on both sides speak something else. */
static void
start_tunnel(struct connection *c, char *in, size_t len)
{
	struct router *router = c->router;
	struct exchange *x = &c->exchange;
	struct iovec iov = {.iov_base = router->out};

	if (!x->is_upgrade || !router->head.is_upgrade || !x->from_client.done || x->is_cut) {
		fail(c, ERROR_BAD_RESPONSE);
		return;
	}
	x->status = 101;
	iov.iov_len =
		headers_write_response(router->out, &router->head, FRAMING_NONE, PERSIST_OTHER);
	if (connection_write(c, &iov, 1) < 0) {
		client_gone(c);
		return;
	}
	x->is_tunnel = true;
	tunnel_start(c, in, len);
}

/* 100 goes to a client that waits for it, other news to any that knows them. False: it is gone. */
static bool
pass_interim(struct connection *c)
{
	struct router *router = c->router;
	const struct exchange *x = &c->exchange;
	struct iovec iov = {.iov_base = router->out};

	if (x->is_old || (router->head.status == 100 && !x->expects_continue))
		return true;
	iov.iov_len =
		headers_write_response(router->out, &router->head, FRAMING_NONE, PERSIST_INTERIM);
	if (connection_write(c, &iov, 1) == 0)
		return true;
	client_gone(c);
	return false;
}

/* Bytes of a response whose final head is not complete yet. */
static void
on_response_head(struct connection *c, char *in, size_t len)
{
	struct router *router = c->router;
	struct exchange *x = &c->exchange;

	while (len > 0) {
		int ret = http_parse_response(&router->head, in, len, x->is_head);

		if (ret < 0) {
			fail(c, ERROR_BAD_RESPONSE);
			return;
		}
		if (ret == 0) {
			x->server->n_parsed = len;
			if (block_add(&router->blocks, &x->server->head, in, len) < 0)
				fail(c, ERROR_PLATFORM);
			return;
		}
		in += ret;
		len -= (size_t)ret;
		if (router->head.status == 101) {
			start_tunnel(c, in, len);
			return;
		}
		if (router->head.status >= 200) {
			start_response(c, in, len);
			return;
		}
		if (!pass_interim(c))
			return;
	}
}

/* `n` more bytes, in router->in, of a head that comes in parts. */
static void
on_more_response_head(struct connection *c, size_t n)
{
	struct router *router = c->router;
	struct server *server = c->exchange.server;
	struct block head;

	if (block_add(&router->blocks, &server->head, router->in, n) < 0) {
		fail(c, ERROR_PLATFORM);
		return;
	}
	head = server->head;
	if (!http_is_worth_parsing(head.data, head.len, n, server->n_parsed))
		return;
	/* The server may be closed on the way; an incomplete head is stored anew. */
	server->head = (struct block){0};
	on_response_head(c, head.data, head.len);
	block_release(&router->blocks, &head);
}

static void
on_response_body(struct connection *c, char *in, size_t len)
{
	struct exchange *x = &c->exchange;
	char *payload;
	size_t n_payload;
	long used = unframe(&x->from_server, in, len, &payload, &n_payload);

	if (used < 0) {
		interrupt(c, ERROR_BAD_RESPONSE);
		return;
	}
	write_response(c, (struct iovec){0}, payload, n_payload, (size_t)used < len);
	if (c->state == CONNECTION_BUSY)
		adapt_read_size(c, len);
}

/* The server's end of file, or (is_error) of the connection. */
static void
on_server_end(struct connection *c, bool is_error)
{
	struct exchange *x = &c->exchange;

	if (!x->was_answered) {
		lost_server(c);
	} else if (!x->status) {
		fail(c, x->server->head.len ? ERROR_BAD_RESPONSE : ERROR_NO_RESPONSE);
	} else if (x->from_server.kind == HTTP_BODY_EOF && !is_error) {
		x->from_server.done = true;
		write_response(c, (struct iovec){0}, NULL, 0, true);
	} else {
		interrupt(c, ERROR_INTERRUPTED);
	}
}

/* The first byte of an answer: the request will not be sent again. */
static void
note_answer(struct connection *c)
{
	struct exchange *x = &c->exchange;

	x->was_answered = true;
	x->is_replayable = false;
	if (block_bytes(&x->request) == 0 && x->request.len > x->head_bytes)
		block_shrink(&c->router->blocks, &x->request, x->head_bytes);
}

static void
read_response(struct connection *c)
{
	struct router *router = c->router;
	struct exchange *x = &c->exchange;
	struct server *server = x->server;
	ssize_t n;

	if (connection_is_full(c)) {
		/* Resumed by forward_on_flushed. */
		(void)loop_change(&router->loop, &server->io, server->io.events & EPOLLOUT);
		return;
	}
	n = recv(server->io.fd, router->in, x->read_size, 0);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			on_server_end(c, n < 0);
		return;
	}
	if (!x->was_answered)
		note_answer(c);
	if (x->status) {
		on_response_body(c, router->in, (size_t)n);
		return;
	}
	if (server->head.len == 0)
		on_response_head(c, router->in, (size_t)n);
	else
		on_more_response_head(c, (size_t)n);
}

void
forward_on_flushed(struct connection *c)
{
	struct exchange *x = &c->exchange;
	struct server *server = x->server;

	if (x->is_tunnel) {
		tunnel_on_flushed(c);
		return;
	}
	connection_deadline(c, c->router->timeouts.idle_ms);
	if (server && loop_change(&c->router->loop, &server->io, server->io.events | EPOLLIN) < 0)
		fail(c, ERROR_PLATFORM);
}

void
forward_on_server(struct loop_io *io, uint32_t events)
{
	struct server *server = container_of(io, struct server, io);
	struct exchange *x = server->exchange;
	struct connection *c;

	if (!x) {
		/* Idle: it was closed, or says what nobody asked for. */
		pool_close(server->pool, server);
		return;
	}
	c = container_of(x, struct connection, exchange);
	if (x->is_tunnel) {
		tunnel_on_server(c, events);
		return;
	}
	if (!server->is_connected || (events & EPOLLOUT && !x->is_cut)) {
		send_request(c);
		if (c->state != CONNECTION_BUSY || x->server != server || !server->is_connected)
			return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_response(c);
}

/* ---- time, and the end of tunnels --------------------------------------------------------------
 */

void
forward_on_timeout(struct connection *c)
{
	struct exchange *x = &c->exchange;
	bool is_stuck = block_bytes(&x->request) || block_bytes(&x->backlog);

	if (x->is_tunnel)
		forward_end_tunnel(c, ERROR_IDLE);
	else if (x->server && !x->server->is_connected)
		connect_failed(c, ERROR_CONNECT_TIMEOUT);
	else if (x->status)
		interrupt(c, connection_is_full(c) ? ERROR_CLIENT_IDLE : ERROR_IDLE);
	else if (!x->from_client.done)
		fail(c, is_stuck ? ERROR_IDLE : ERROR_CLIENT_IDLE);
	else
		fail(c, ERROR_TIMEOUT);
}

void
forward_end_tunnel(struct connection *c, enum error error)
{
	write_line(c, error, c->exchange.status);
	connection_abort(c);
}

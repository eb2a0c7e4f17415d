/*
 * What always holds: a connection that is not dead is in the router's list and has a timer armed
 * no later than its deadline; EPOLLOUT is watched exactly while `out` holds something. Closing
 * is possible at any depth: the memory stays until connection_reap, and whoever called something
 * that may close looks at the state afterwards.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/addr.h"

#include "router/connection.h"
#include "router/router.h"

/* Few at a time, so that a sleeping worker gets its share of a burst. */
#define ACCEPT_BATCH 4
#define FIRST_REQUEST_MS 1000 /* for a new connection's first request at SIGTERM */
/* The kernel wakes the last that went to sleep on a shared listener; now and then we queue up anew.
 */
#define ACCEPT_ROTATE 16
#define ACCEPT_RETRY_MS 100

static void on_event(struct loop_io *io, uint32_t events);
static void on_timer(struct loop_timer *timer);
static void connection_run(struct connection *c);

/* ---- watching and waiting ---------------------------------------------------------------------
 */

void
connection_deadline(struct connection *c, uint64_t ms)
{
	struct loop *loop = &c->router->loop;
	uint64_t now = loop_now_ms(loop);

	c->deadline_ms = now + ms;
	if (c->timer.slot && c->timer.due_ms <= c->deadline_ms)
		return;
	if (loop_timer_set(loop, &c->timer, ms, on_timer) < 0)
		c->deadline_ms = UINT64_MAX; /* out of memory: it may wait for ever */
}

static void
watch(struct connection *c, bool want_in)
{
	uint32_t events = (want_in ? EPOLLIN : 0) | (c->out.len ? EPOLLOUT : 0);

	/* Nothing can be waited for without memory in the kernel: give up soon. */
	if (loop_change(&c->router->loop, &c->io, events) < 0)
		connection_deadline(c, 0);
}

void
connection_watch(struct connection *c, bool want_in)
{
	watch(c, want_in);
}

bool
connection_is_full(const struct connection *c)
{
	return c->out.len > 0;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

void
connection_abort(struct connection *c)
{
	struct router *router = c->router;

	if (c->state == CONNECTION_DEAD)
		return;
	if (c->state == CONNECTION_BUSY)
		forward_drop(c);
	c->state = CONNECTION_DEAD;
	loop_close(&router->loop, &c->io);
	loop_timer_cancel(&router->loop, &c->timer);
	block_release(&router->blocks, &c->in);
	block_release(&router->blocks, &c->out);
	if (c->prev)
		c->prev->next = c->next;
	else
		router->connections = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->next = router->dead;
	router->dead = c;
	router->n_connections--;
}

void
connection_reset(struct connection *c)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	if (c->state == CONNECTION_DEAD)
		return;
	(void)setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	connection_abort(c);
}

void
connection_reap(struct router *router)
{
	while (router->dead) {
		struct connection *c = router->dead;

		router->dead = c->next;
		slab_give(&router->slab, c);
	}
}

/* Has a request arrived that this turn of the loop did not come to? */
static bool
has_unread(const struct connection *c)
{
	char byte;

	return recv(c->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void
connection_close_idle(struct router *router)
{
	struct connection *next;

	for (struct connection *c = router->connections; c; c = next) {
		next = c->next;
		if (c->state != CONNECTION_HEAD || c->in.len > 0 || has_unread(c))
			continue;
		if (c->has_served)
			connection_abort(c);
		else
			connection_deadline(c, FIRST_REQUEST_MS);
	}
}

/*
 * All was said. A close with unread input makes the kernel send RST, which can overtake what we
 * said; so while the client may be sending we only shut our side and read on for a while.
 */
static void
say_goodbye(struct connection *c)
{
	if (!c->must_linger || shutdown(c->io.fd, SHUT_WR) < 0) {
		connection_abort(c);
		return;
	}
	c->state = CONNECTION_LINGER;
	watch(c, true);
	connection_deadline(c, c->router->timeouts.linger_ms);
}

static void
on_linger(struct connection *c)
{
	/* MSG_TRUNC throws away without copying (tcp(7)). */
	ssize_t n = recv(c->io.fd, c->router->in, ROUTER_READ_MAX, MSG_TRUNC);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		connection_abort(c);
}

/* ---- output -----------------------------------------------------------------------------------
 */

int
connection_write(struct connection *c, const struct iovec *iov, int n_iov)
{
	ssize_t sent = c->out.len ? 0 : router_send(c->io.fd, iov, n_iov);
	int ret;

	if (sent < 0)
		return (int)sent;
	ret = block_add_iov(&c->router->blocks, &c->out, iov, n_iov, (size_t)sent);
	if (ret < 0)
		return ret;
	if (c->out.len)
		watch(c, c->io.events & EPOLLIN);
	return 0;
}

/* Writes what is queued. 0; 1: there is still some; negative errno. */
static int
flush(struct connection *c)
{
	struct iovec iov = {c->out.data + c->out.at, block_bytes(&c->out)};
	ssize_t n = router_send(c->io.fd, &iov, 1);

	if (n < 0)
		return (int)n;
	c->out.at += (uint32_t)n;
	if (c->out.at < c->out.len)
		return 1;
	block_release(&c->router->blocks, &c->out);
	watch(c, c->io.events & EPOLLIN);
	return 0;
}

/* ---- requests ---------------------------------------------------------------------------------
 */

int
connection_keep(struct connection *c, const char *p, size_t n)
{
	return block_add(&c->router->blocks, &c->in, p, n);
}

void
connection_next(struct connection *c, bool keep_alive)
{
	if (c->router->is_stopping)
		keep_alive = false;
	if (c->out.len) {
		c->state = keep_alive ? CONNECTION_FLUSH : CONNECTION_CLOSING;
		watch(c, false);
		connection_deadline(c, c->router->timeouts.idle_ms);
		return;
	}
	if (!keep_alive) {
		say_goodbye(c);
		return;
	}
	c->state = CONNECTION_HEAD;
	c->has_served = true;
	watch(c, true);
	connection_deadline(c, c->router->timeouts.keep_alive_ms);
	if (c->in.len)
		connection_run(c);
}

/* Hands a complete head, with what followed it, to the exchange; or refuses it. */
static void
start(struct connection *c, int head_bytes, char *in, size_t len)
{
	if (head_bytes > 0) {
		forward_start(c, in, len);
		return;
	}
	forward_refuse(c, error_of_status(-head_bytes));
}

/* The rest of a head is awaited, from the first of its bytes on for a limited time. */
static void
await_head(struct connection *c, bool is_first_part)
{
	c->n_parsed = c->in.len;
	if (is_first_part)
		connection_deadline(c, c->router->timeouts.head_ms);
}

/* Requests that lie in `in`, one after the other as long as each is answered at once. */
static void
connection_run(struct connection *c)
{
	struct router *router = c->router;

	if (c->is_running)
		return;
	c->is_running = true;
	while (c->state == CONNECTION_HEAD && c->in.len) {
		int ret = http_parse_request(&router->head, c->in.data + c->in.at,
					     block_bytes(&c->in));
		struct block in = c->in;

		if (ret == 0) {
			await_head(c, c->n_parsed == 0);
			break;
		}
		/* What is left over comes back by connection_keep. */
		c->in = (struct block){0};
		c->n_parsed = 0;
		start(c, ret, in.data + in.at, block_bytes(&in));
		block_release(&router->blocks, &in);
	}
	c->is_running = false;
}

/* More of a head that came in parts. */
static void
on_more_head(struct connection *c)
{
	struct router *router = c->router;
	ssize_t n;

	if (block_reserve(&router->blocks, &c->in, 2048) < 0) {
		forward_refuse(c, ERROR_PLATFORM);
		return;
	}
	n = recv(c->io.fd, c->in.data + c->in.len, c->in.cap - c->in.len, 0);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			connection_abort(c);
		return;
	}
	c->in.len += (uint32_t)n;
	if (http_is_worth_parsing(c->in.data, c->in.len, (size_t)n, c->n_parsed))
		connection_run(c);
}

static void
on_head(struct connection *c)
{
	struct router *router = c->router;
	ssize_t n;
	int ret;

	if (c->in.len) {
		on_more_head(c);
		return;
	}
	n = recv(c->io.fd, router->in, ROUTER_READ_FIRST, 0);
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			connection_abort(c);
		return;
	}
	ret = http_parse_request(&router->head, router->in, (size_t)n);
	if (ret == 0 && connection_keep(c, router->in, (size_t)n) == 0) {
		await_head(c, true);
		return;
	}
	c->is_running = true;
	if (ret == 0)
		forward_refuse(c, ERROR_PLATFORM);
	else
		start(c, ret, router->in, (size_t)n);
	c->is_running = false;
	if (c->state == CONNECTION_HEAD && c->in.len)
		connection_run(c);
}

/* ---- events -----------------------------------------------------------------------------------
 */

static void
on_flushed(struct connection *c)
{
	switch (c->state) {
	case CONNECTION_BUSY:
		forward_on_flushed(c);
		break;
	case CONNECTION_FLUSH:
		connection_next(c, true);
		break;
	case CONNECTION_CLOSING:
		connection_next(c, false);
		break;
	case CONNECTION_HEAD:
	case CONNECTION_LINGER:
	case CONNECTION_DEAD:
		break;
	}
}

static void
on_event(struct loop_io *io, uint32_t events)
{
	struct connection *c = container_of(io, struct connection, io);

	if (c->out.len && events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) {
		int ret = flush(c);

		if (ret < 0) {
			connection_abort(c);
			return;
		}
		if (ret == 0)
			on_flushed(c);
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	switch (c->state) {
	case CONNECTION_HEAD:
		on_head(c);
		break;
	case CONNECTION_BUSY:
		forward_on_client(c);
		break;
	case CONNECTION_LINGER:
		on_linger(c);
		break;
	case CONNECTION_FLUSH:
	case CONNECTION_CLOSING:
	case CONNECTION_DEAD:
		break;
	}
}

static void
on_timer(struct loop_timer *timer)
{
	struct connection *c = container_of(timer, struct connection, timer);
	uint64_t now = loop_now_ms(&c->router->loop);

	if (c->deadline_ms > now) {
		connection_deadline(c, c->deadline_ms - now);
		return;
	}
	switch (c->state) {
	case CONNECTION_BUSY:
		forward_on_timeout(c);
		break;
	case CONNECTION_HEAD:
		if (c->in.len) {
			forward_refuse(c, ERROR_HEAD_TIMEOUT);
			break;
		}
		connection_abort(c);
		break;
	case CONNECTION_FLUSH:
	case CONNECTION_CLOSING:
	case CONNECTION_LINGER:
	case CONNECTION_DEAD:
		connection_abort(c);
		break;
	}
	/* Whoever is left waits for something. */
	if (c->state != CONNECTION_DEAD && !c->timer.slot)
		connection_deadline(c, c->deadline_ms > now ? c->deadline_ms - now
							    : c->router->timeouts.idle_ms);
}

/* ---- accepting --------------------------------------------------------------------------------
 */

/* One sentence for those we have no room for. */
static void
turn_away(struct router *router, int fd)
{
	size_t n_body, n = error_response(router->out, ERROR_CONNECTION_LIMIT, false, false, false,
					  &n_body);

	(void)send(fd, router->out, n, MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	(void)recv(fd, router->in, ROUTER_READ_MAX, 0);
	(void)close(fd);
}

static void
address_text(const struct sockaddr_storage *sa, char *out, socklen_t cap)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	const void *address = sa->ss_family == AF_INET6 ? (const void *)&in6->sin6_addr
							: (const void *)&in->sin_addr;

	if (!inet_ntop(sa->ss_family, address, out, cap))
		(void)snprintf(out, cap, "unknown");
}

static void
connection_open(struct listener *listener, int fd, const struct sockaddr_storage *sa)
{
	struct router *router = listener->router;
	struct connection *c = NULL;

	if (router->n_connections < router->max_connections)
		c = slab_take(&router->slab);
	if (!c || loop_add(&router->loop, &c->io, fd, EPOLLIN, on_event) < 0) {
		if (c)
			slab_give(&router->slab, c);
		turn_away(router, fd);
		return;
	}
	c->router = router;
	c->listener = listener;
	c->state = CONNECTION_HEAD;
	c->read_size = ROUTER_READ_FIRST;
	address_text(sa, c->address, sizeof(c->address));
	c->next = router->connections;
	if (c->next)
		c->next->prev = c;
	router->connections = c;
	router->n_connections++;
	connection_deadline(c, router->timeouts.head_ms);
}

static void on_listener(struct loop_io *io, uint32_t events);

static int
listener_watch(struct listener *listener)
{
	return loop_add(&listener->router->loop, &listener->io, listener->io.fd,
			EPOLLIN | EPOLLEXCLUSIVE, on_listener);
}

static void
on_retry(struct loop_timer *timer)
{
	struct listener *listener = container_of(timer, struct listener, retry);

	if (listener_watch(listener) < 0)
		(void)loop_timer_set(&listener->router->loop, timer, ACCEPT_RETRY_MS, on_retry);
}

/* Out of fds or memory: level-triggered readiness would only make us spin. */
static void
pause_accepting(struct listener *listener)
{
	struct loop *loop = &listener->router->loop;

	if (loop_timer_set(loop, &listener->retry, ACCEPT_RETRY_MS, on_retry) == 0)
		loop_remove(loop, &listener->io);
}

static void
on_listener(struct loop_io *io, uint32_t events)
{
	struct listener *listener = container_of(io, struct listener, io);

	(void)events;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
		socklen_t len = sizeof(sa);
		int fd =
			accept4(io->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM)
				pause_accepting(listener);
			return;
		}
		connection_open(listener, fd, &sa);
		listener->n_accepted++;
	}
	if (listener->n_accepted < ACCEPT_ROTATE)
		return;
	listener->n_accepted = 0;
	loop_remove(&listener->router->loop, io);
	if (listener_watch(listener) < 0)
		(void)loop_timer_set(&listener->router->loop, &listener->retry, ACCEPT_RETRY_MS,
				     on_retry);
}

int
listener_open(struct listener *listener, struct router *router, int fd, const char *proto)
{
	struct addr addr;
	int one = 1, ret = addr_of_socket(fd, &addr);

	if (ret < 0)
		return ret;
	/* Accepted sockets inherit it. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		return -errno;
	*listener = (struct listener){.io.fd = fd, .router = router, .proto = proto};
	(void)snprintf(listener->port, sizeof(listener->port), "%u", addr_port(&addr));
	return listener_watch(listener);
}

void
listener_close(struct listener *listener)
{
	loop_timer_cancel(&listener->router->loop, &listener->retry);
	loop_remove(&listener->router->loop, &listener->io);
}

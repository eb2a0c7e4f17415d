/*
 * Bytes that the server does not take wait in the exchange's backlog, those that the client does
 * not take in the connection's queue; while a side has something waiting, the other is not read.
 * The end of one side is passed on once what came before it is gone.
 */
#include <errno.h>
#include <sys/socket.h>

#include "router/connection.h"
#include "router/router.h"
#include "router/tunnel.h"

/* What each side may say now. Ends the tunnel when both have ended. */
static void
settle(struct connection *c)
{
	struct router *router = c->router;
	struct exchange *x = &c->exchange;
	bool server_waits = x->backlog.len > 0, client_waits = connection_is_full(c);
	uint32_t events =
		(server_waits ? EPOLLOUT : 0) | (client_waits || x->server_ended ? 0 : EPOLLIN);

	if (x->client_ended && x->server_ended && !server_waits && !client_waits) {
		forward_end_tunnel(c, ERROR_NONE);
		return;
	}
	connection_watch(c, !server_waits && !x->client_ended);
	connection_deadline(c, router->timeouts.idle_ms);
	if (loop_change(&router->loop, &x->server->io, events) < 0)
		forward_end_tunnel(c, ERROR_PLATFORM);
}

/* 0 or negative errno. */
static int
to_server(struct connection *c, char *p, size_t n)
{
	struct exchange *x = &c->exchange;
	struct iovec iov = {p, n};
	ssize_t sent = x->backlog.len ? 0 : router_send(x->server->io.fd, &iov, 1);

	if (sent < 0)
		return (int)sent;
	return block_add_iov(&c->router->blocks, &x->backlog, &iov, 1, (size_t)sent);
}

static int
to_client(struct connection *c, char *p, size_t n)
{
	struct iovec iov = {p, n};

	c->exchange.bytes += n;
	return connection_write(c, &iov, 1);
}

/* Writes what waits for the server. 0 or negative errno. */
static int
flush_backlog(struct connection *c)
{
	struct exchange *x = &c->exchange;
	struct iovec iov = {x->backlog.data + x->backlog.at, block_bytes(&x->backlog)};
	ssize_t n = router_send(x->server->io.fd, &iov, 1);

	if (n < 0)
		return (int)n;
	x->backlog.at += (uint32_t)n;
	if (x->backlog.at == x->backlog.len)
		block_release(&c->router->blocks, &x->backlog);
	if (x->backlog.len == 0 && x->client_ended && shutdown(x->server->io.fd, SHUT_WR) < 0)
		return -errno;
	return 0;
}

void
tunnel_start(struct connection *c, char *from_server, size_t n)
{
	struct exchange *x = &c->exchange;
	struct block early = c->in;
	int ret = 0;

	c->in = (struct block){0};
	if (block_bytes(&early))
		ret = to_server(c, early.data + early.at, block_bytes(&early));
	block_release(&c->router->blocks, &early);
	if (ret == 0 && n > 0)
		ret = to_client(c, from_server, n);
	block_release(&c->router->blocks, &x->server->head);
	if (ret < 0)
		forward_end_tunnel(c, ERROR_NONE);
	else
		settle(c);
}

void
tunnel_on_client(struct connection *c)
{
	struct router *router = c->router;
	struct exchange *x = &c->exchange;
	ssize_t n;
	int ret = 0;

	if (x->backlog.len || x->client_ended) {
		settle(c);
		return;
	}
	n = recv(c->io.fd, router->in, ROUTER_READ_FIRST, 0);
	if (n > 0) {
		ret = to_server(c, router->in, (size_t)n);
	} else if (n == 0) {
		x->client_ended = true;
		ret = shutdown(x->server->io.fd, SHUT_WR) < 0 ? -errno : 0;
	} else if (errno != EAGAIN && errno != EINTR) {
		ret = -errno;
	}
	if (ret < 0)
		forward_end_tunnel(c, ERROR_NONE);
	else
		settle(c);
}

/* The server's end is the client's, once it has all. 0 or negative errno. */
static int
end_client(struct connection *c)
{
	if (connection_is_full(c))
		return 0;
	return shutdown(c->io.fd, SHUT_WR) < 0 ? -errno : 0;
}

void
tunnel_on_server(struct connection *c, uint32_t events)
{
	struct router *router = c->router;
	struct exchange *x = &c->exchange;
	int ret = 0;

	if (x->backlog.len && events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		ret = flush_backlog(c);
	if (ret == 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !connection_is_full(c) &&
	    !x->server_ended) {
		ssize_t n = recv(x->server->io.fd, router->in, ROUTER_READ_FIRST, 0);

		if (n > 0) {
			ret = to_client(c, router->in, (size_t)n);
		} else if (n == 0) {
			x->server_ended = true;
			ret = end_client(c);
		} else if (errno != EAGAIN && errno != EINTR) {
			ret = -errno;
		}
	}
	if (ret < 0)
		forward_end_tunnel(c, ERROR_NONE);
	else
		settle(c);
}

void
tunnel_on_flushed(struct connection *c)
{
	if (c->exchange.server_ended && end_client(c) < 0)
		forward_end_tunnel(c, ERROR_NONE);
	else
		settle(c);
}

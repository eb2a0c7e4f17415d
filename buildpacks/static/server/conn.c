/*
 * Three states: reading a head, sending an answer, lingering. Lingering is for a client that is not
 * done sending when we are done answering: closing at once would reset the connection and take the
 * answer with it (RFC 9112 section 9.6).
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/http.h"

#include "buildpacks/static/server/conn.h"

#define IN_BYTES 16384
#define TURN_BYTES (512 * 1024) /* at most, before others have a turn */
#define IDLE_MS 75000		/* between requests: longer than a router keeps a connection */
#define HEAD_MS 15000		/* for a head that has begun */
#define SEND_MS 60000		/* without progress */
#define LINGER_MS 2000

enum conn_state {
	READING,
	SENDING,
	LINGERING,
};

struct conn {
	struct server *server;
	struct conn *next, **link; /* in server->first */
	struct loop_io io;
	struct loop_timer timer;
	int fd;
	enum conn_state state;
	bool is_eof;
	size_t n_in, sent; /* of the head */
	struct answer answer;
	char in[IN_BYTES];
};

static void
conn_close(struct conn *c)
{
	struct server *server = c->server;

	loop_timer_cancel(server->loop, &c->timer);
	loop_remove(server->loop, &c->io);
	(void)close(c->fd);
	if (c->answer.fd >= 0)
		(void)close(c->answer.fd);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	server->n--;
	free(c);
	server->on_closed(server);
}

static void
on_timer(struct loop_timer *timer)
{
	conn_close(container_of(timer, struct conn, timer));
}

/* False: the connection is gone. */
static bool
wait_for(struct conn *c, uint32_t events, uint64_t ms)
{
	if (loop_change(c->server->loop, &c->io, events) == 0 &&
	    loop_timer_set(c->server->loop, &c->timer, ms, on_timer) == 0)
		return true;
	conn_close(c);
	return false;
}

/* ---- sending ------------------------------------------------------------------------------- */

/* 1 all sent, 0 the socket is full or it is the others' turn, negative: broken. */
static int
send_answer(struct conn *c)
{
	struct answer *a = &c->answer;
	size_t turn = TURN_BYTES;

	while (c->sent < a->n_head) {
		ssize_t n = send(c->fd, a->head + c->sent, a->n_head - c->sent,
				 MSG_NOSIGNAL | (a->left ? MSG_MORE : 0));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		c->sent += (size_t)n;
	}
	while (a->left > 0 && turn > 0) {
		off_t at = (off_t)a->at;
		size_t want = a->left < turn ? (size_t)a->left : turn;
		ssize_t n = sendfile(c->fd, a->fd, &at, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return -EIO; /* the file got shorter: the length we promised cannot be kept
				      */
		a->at += (uint64_t)n;
		a->left -= (uint64_t)n;
		turn -= (size_t)n;
	}
	return a->left == 0;
}

static void
linger(struct conn *c)
{
	if (c->is_eof) {
		conn_close(c);
		return;
	}
	c->state = LINGERING;
	(void)shutdown(c->fd, SHUT_WR);
	(void)wait_for(c, EPOLLIN, LINGER_MS);
}

/* The answer is out. True: look for the next request. */
static bool
finish_answer(struct conn *c)
{
	if (c->answer.fd >= 0)
		(void)close(c->answer.fd);
	c->answer.fd = -1;
	if (!c->answer.keep_alive || c->server->is_ending) {
		linger(c);
		return false;
	}
	c->state = READING;
	return true;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Answers what is in the buffer. True: an answer is to be sent. */
static bool
take_request(struct conn *c)
{
	struct http_head head;
	int n = http_parse_request(&head, c->in, c->n_in);

	if (n == 0 && c->n_in == sizeof(c->in))
		n = -431;
	if (n == 0)
		return false;
	c->sent = 0;
	c->state = SENDING;
	if (n < 0) {
		answer_refuse(&c->answer, -n, time(NULL));
		return true;
	}
	answer_make(&c->answer, c->server->site, &head, time(NULL));
	memmove(c->in, c->in + n, c->n_in - (size_t)n);
	c->n_in -= (size_t)n;
	return true;
}

/* Goes on until the socket has nothing more to give or take. */
static void
advance(struct conn *c)
{
	for (;;) {
		int sent;

		if (c->state == READING && !take_request(c)) {
			if (c->is_eof)
				conn_close(c);
			else
				(void)wait_for(c, EPOLLIN, c->n_in ? HEAD_MS : IDLE_MS);
			return;
		}
		sent = send_answer(c);
		if (sent < 0) {
			conn_close(c);
			return;
		}
		if (sent == 0) {
			(void)wait_for(c, EPOLLOUT, SEND_MS);
			return;
		}
		if (!finish_answer(c))
			return;
	}
}

/* False: the connection is gone. */
static bool
read_some(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->n_in, sizeof(c->in) - c->n_in, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0) {
		conn_close(c);
		return false;
	}
	c->is_eof = n == 0;
	c->n_in += (size_t)n;
	return true;
}

static void
on_io(struct loop_io *io, uint32_t events)
{
	struct conn *c = container_of(io, struct conn, io);

	(void)events;
	switch (c->state) {
	case READING:
		if (read_some(c))
			advance(c);
		break;
	case SENDING:
		advance(c);
		break;
	case LINGERING:
		c->n_in = 0;
		if (read_some(c) && c->is_eof)
			conn_close(c);
		break;
	}
}

/* ---- life ---------------------------------------------------------------------------------- */

int
conn_open(struct server *server, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	int ret;

	if (!c) {
		(void)close(fd);
		return -ENOMEM;
	}
	c->server = server;
	c->fd = fd;
	c->answer.fd = -1;
	ret = loop_add(server->loop, &c->io, fd, EPOLLIN, on_io);
	if (ret == 0)
		ret = loop_timer_set(server->loop, &c->timer, HEAD_MS, on_timer);
	if (ret < 0) {
		loop_remove(server->loop, &c->io);
		(void)close(fd);
		free(c);
		return ret;
	}
	c->next = server->first;
	c->link = &server->first;
	if (c->next)
		c->next->link = &c->next;
	server->first = c;
	server->n++;
	return 0;
}

void
conn_end_idle(struct server *server)
{
	struct conn *c = server->first;

	while (c) {
		struct conn *next = c->next;

		if (c->state == READING && c->n_in == 0)
			conn_close(c);
		c = next;
	}
}

void
conn_end_all(struct server *server)
{
	while (server->first)
		conn_close(server->first);
}

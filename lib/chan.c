/*
 * What always holds: an open channel is watched for EPOLLIN, and for EPOLLOUT exactly while
 * something is queued. A channel ends in one place, end(), and only from the loop, so that no
 * caller of chan_send finds its own objects gone when the call returns.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/chan.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

/* Messages taken per readiness: one busy peer must not starve the others. */
#define CHAN_BATCH 32

struct chan_packet {
	struct chan_packet *next;
	enum msg_type type;
	uint32_t peer;
	size_t n_fds, len;
	int fds[MSG_MAX_FDS]; /* our own duplicates */
	uint8_t body[];
};

static void on_ready(struct loop_io *io, uint32_t events);

static void
packet_free(struct chan_packet *p)
{
	for (size_t i = 0; i < p->n_fds; i++)
		(void)close(p->fds[i]);
	free(p);
}

static void
drop_queue(struct chan *chan)
{
	while (chan->out_head) {
		struct chan_packet *p = chan->out_head;

		chan->out_head = p->next;
		packet_free(p);
	}
	chan->out_tail = NULL;
	chan->n_queued = 0;
}

int
chan_open(struct chan *chan, struct loop *loop, int fd, enum role self, enum role other,
	  size_t max_queued, chan_message_fn *on_message, chan_closed_fn *on_closed, void *user)
{
	int ret;

	*chan = (struct chan){.loop = loop,
			      .io.fd = -1,
			      .self = self,
			      .other = other,
			      .max_queued = max_queued,
			      .on_message = on_message,
			      .on_closed = on_closed,
			      .user = user};
	ret = file_set_nonblocking(fd, true);
	if (ret == 0)
		ret = loop_add(loop, &chan->io, fd, EPOLLIN, on_ready);
	if (ret < 0)
		(void)close(fd);
	return ret;
}

void
chan_close(struct chan *chan)
{
	int fd = chan->io.fd;

	if (!chan->io.events)
		return;
	if (chan->gone) {
		*chan->gone = true;
		chan->gone = NULL;
	}
	loop_timer_cancel(chan->loop, &chan->end_timer);
	loop_remove(chan->loop, &chan->io);
	chan->io.fd = -1;
	(void)close(fd);
	drop_queue(chan);
}

bool
chan_is_open(const struct chan *chan)
{
	return chan->io.events != 0 && chan->failed == 0;
}

static void
end(struct chan *chan, const struct err *why)
{
	chan_close(chan);
	chan->on_closed(chan, why);
}

/* ---- in ---------------------------------------------------------------------------------- */

/* Checks and delivers one message. False: the channel is gone, touch nothing. */
static bool
deliver(struct chan *chan, struct msg *m)
{
	bool gone = false, *outer = chan->gone;
	struct err why = {0};
	int ret;

	ret = msg_check(m->type, chan->other, chan->self, chan->phase, m->n_fds, &why);
	if (ret == 0 && msg_to(m->type) != chan->self && !chan->is_hub)
		ret = err_say(&why, -EPROTO, "%s sent %s, which is not for it to pass on",
			      role_name(chan->other), msg_name(m->type));
	if (ret < 0) {
		msg_done(m);
		end(chan, &why);
		return false;
	}
	/* cppcheck-suppress autoVariables ; taken back below, or the channel is gone */
	chan->gone = &gone;
	chan->on_message(chan, m);
	msg_done(m);
	if (gone) {
		if (outer)
			*outer = true;
		return false;
	}
	chan->gone = outer;
	return true;
}

/* Delivers what is there, up to the batch. False: the channel is gone. */
static bool
read_messages(struct chan *chan)
{
	for (int i = 0; i < CHAN_BATCH; i++) {
		struct err why = {0};
		struct msg m;
		int ret = msg_receive(chan->io.fd, &m);

		if (ret == -EAGAIN)
			return true;
		if (ret == 0) {
			end(chan, NULL);
			return false;
		}
		if (ret < 0) {
			(void)err_set(&why, ret, "read from %s", role_name(chan->other));
			end(chan, &why);
			return false;
		}
		if (!deliver(chan, &m))
			return false;
	}
	return true;
}

/* ---- out --------------------------------------------------------------------------------- */

/*
 * The channel failed while somebody was sending. A peer that hung up may have said something
 * before it did, which still counts; after that, or for any other reason, this is the end.
 */
static void
on_end(struct loop_timer *timer)
{
	struct chan *chan = container_of(timer, struct chan, end_timer);
	struct err why = {0};
	int failed = chan->failed;

	if (failed == -EPIPE && !read_messages(chan))
		return;
	if (failed == -EPIPE) {
		end(chan, NULL);
		return;
	}
	if (failed == -ENOBUFS)
		(void)err_say(&why, failed, "%s does not read its messages",
			      role_name(chan->other));
	else
		(void)err_set(&why, failed, "write to %s", role_name(chan->other));
	end(chan, &why);
}

static int
break_off(struct chan *chan, int ret)
{
	chan->failed = ret == -ECONNRESET || ret == -ENOTCONN ? -EPIPE : ret;
	drop_queue(chan);
	/* Without memory for the timer the hang-up tells the loop. */
	if (loop_timer_set(chan->loop, &chan->end_timer, 0, on_end) < 0)
		(void)shutdown(chan->io.fd, SHUT_RDWR);
	return ret;
}

static int
enqueue(struct chan *chan, const struct msg *m)
{
	struct chan_packet *p;

	if (chan->n_queued >= chan->max_queued)
		return -ENOBUFS;
	p = malloc(sizeof(*p) + m->out.len);
	if (!p)
		return -ENOMEM;
	*p = (struct chan_packet){.type = m->type, .peer = m->peer, .len = m->out.len};
	memcpy(p->body, m->bytes + MSG_HEAD_BYTES, m->out.len);
	for (size_t i = 0; i < m->n_fds; i++) {
		int fd = fcntl(m->fds[i], F_DUPFD_CLOEXEC, 3);

		if (fd < 0) {
			int ret = -errno;

			packet_free(p);
			return ret;
		}
		p->fds[p->n_fds++] = fd;
	}
	if (chan->out_tail)
		chan->out_tail->next = p;
	else
		chan->out_head = p;
	chan->out_tail = p;
	chan->n_queued++;
	return 0;
}

/* Sends what is queued until the socket is full. 0 or -errno. */
static int
flush(struct chan *chan)
{
	while (chan->out_head) {
		struct chan_packet *p = chan->out_head;
		struct msg m;
		int ret;

		msg_begin(&m, p->type, p->peer);
		memcpy(m.bytes + MSG_HEAD_BYTES, p->body, p->len);
		m.out.len = p->len;
		for (size_t i = 0; i < p->n_fds; i++)
			msg_add_fd(&m, p->fds[i]);
		ret = msg_send(chan->io.fd, &m);
		if (ret == -EAGAIN)
			break;
		if (ret < 0)
			return ret;
		chan->out_head = p->next;
		if (!p->next)
			chan->out_tail = NULL;
		chan->n_queued--;
		packet_free(p);
	}
	return loop_change(chan->loop, &chan->io, chan->out_head ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int
send_or_queue(struct chan *chan, struct msg *m)
{
	int ret = -EAGAIN;

	if (!chan->out_head)
		ret = msg_send(chan->io.fd, m);
	if (ret == -EAGAIN) {
		ret = enqueue(chan, m);
		if (ret == 0)
			ret = loop_change(chan->loop, &chan->io, EPOLLIN | EPOLLOUT);
	}
	return ret < 0 ? break_off(chan, ret) : 0;
}

int
chan_send(struct chan *chan, struct msg *m)
{
	if (!chan_is_open(chan))
		return -EPIPE;
	if (m->out.failed)
		return -EMSGSIZE;
	assert(msg_check(m->type, chan->self, chan->other, PHASE_LOGIN, m->n_fds, NULL) == 0);
	return send_or_queue(chan, m);
}

int
chan_forward(struct chan *chan, struct msg *m, uint32_t peer)
{
	if (!chan_is_open(chan))
		return -EPIPE;
	if (msg_check(m->type, chan->self, chan->other, PHASE_LOGIN, m->n_fds, NULL) < 0)
		return -EPROTO;
	/* The body is still where it was received, whatever was read of it. */
	m->out.failed = false;
	m->out.len = (size_t)(m->in.end - (m->bytes + MSG_HEAD_BYTES));
	m->peer = peer;
	return send_or_queue(chan, m);
}

static void
on_ready(struct loop_io *io, uint32_t events)
{
	struct chan *chan = container_of(io, struct chan, io);
	int ret;

	if (chan->failed) {
		on_end(&chan->end_timer);
		return;
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !read_messages(chan))
		return;
	if ((events & EPOLLOUT) && chan_is_open(chan)) {
		ret = flush(chan);
		if (ret < 0)
			(void)break_off(chan, ret);
	}
}

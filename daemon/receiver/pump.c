#include <errno.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"

#include "daemon/receiver/pump.h"

/* What we may say ourselves on top of what is read ahead. */
#define SAY_MAX (16 * 1024 * 1024)

/* ---- to the program ---------------------------------------------------------------------- */

void
inlet_init(struct inlet *in)
{
	*in = (struct inlet){.fd = -1};
	buf_init(&in->waiting, INLET_MAX);
}

void
inlet_close(struct inlet *in)
{
	if (in->fd < 0)
		return;
	loop_remove(in->loop, &in->io);
	(void)close(take_fd(&in->fd));
	buf_done(&in->waiting);
}

/* Writes from `p`; what a program does not want (EPIPE) counts as written. */
static size_t
write_some(struct inlet *in, const char *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t part = write(in->fd, p + done, n - done);

		if (part < 0 && errno == EINTR)
			continue;
		if (part < 0 && errno == EAGAIN)
			break;
		if (part < 0) {
			inlet_close(in);
			return n;
		}
		done += (size_t)part;
	}
	return done;
}

static void
on_writable(struct loop_io *io, uint32_t events)
{
	struct inlet *in = container_of(io, struct inlet, io);
	size_t done = write_some(in, buf_text(&in->waiting), in->waiting.len);

	(void)events;
	if (in->fd < 0)
		return;
	buf_consume(&in->waiting, done);
	if (in->waiting.len > 0)
		return;
	if (in->is_ending)
		inlet_close(in);
	else
		(void)loop_change(in->loop, &in->io, 0);
}

int
inlet_open(struct inlet *in, struct loop *loop, int fd)
{
	int ret = file_set_nonblocking(fd, true);

	if (ret < 0) {
		(void)close(fd);
		return ret;
	}
	in->loop = loop;
	in->fd = fd;
	return 0;
}

size_t
inlet_write(struct inlet *in, const void *p, size_t n)
{
	const char *at = p;
	size_t done = 0, room;

	if (in->fd < 0 || in->is_ending)
		return n;
	if (in->waiting.len == 0)
		done = write_some(in, at, n);
	if (in->fd < 0 || done == n)
		return n;
	room = INLET_MAX - in->waiting.len;
	if (room > n - done)
		room = n - done;
	if (buf_add(&in->waiting, at + done, room) < 0 ||
	    (in->io.events == 0 &&
	     loop_add(in->loop, &in->io, in->fd, EPOLLOUT, on_writable) < 0)) {
		/* Out of memory: a gap must not look like the client's bytes. */
		inlet_close(in);
		return n;
	}
	return done + room;
}

void
inlet_end(struct inlet *in)
{
	in->is_ending = true;
	if (in->waiting.len == 0)
		inlet_close(in);
}

/* ---- from the program -------------------------------------------------------------------- */

void
outlet_init(struct outlet *out)
{
	*out = (struct outlet){.fd = -1};
	buf_init(&out->pending, SAY_MAX);
}

void
outlet_close(struct outlet *out)
{
	if (out->fd < 0)
		return;
	loop_remove(out->loop, &out->io);
	(void)close(take_fd(&out->fd));
}

static void
on_readable(struct loop_io *io, uint32_t events)
{
	static char nowhere[64 * 1024];
	struct outlet *out = container_of(io, struct outlet, io);
	size_t want = OUTLET_AHEAD > out->pending.len ? OUTLET_AHEAD - out->pending.len : 0;
	char *to = nowhere;
	ssize_t n;

	(void)events;
	if (out->is_dropping)
		want = sizeof(nowhere);
	else if (want == 0 || buf_reserve(&out->pending, want) < 0)
		return;
	else
		to = out->pending.data + out->pending.len;
	n = read(out->fd, to, want);
	if (n < 0 && (errno == EINTR || (errno == EAGAIN && !out->is_last)))
		return;
	/* A terminal's master says EIO when nobody has the other side open any more. */
	if (n <= 0) {
		outlet_close(out);
		return;
	}
	out->n_read += (size_t)n;
	if (!out->is_dropping) {
		out->pending.len += (size_t)n;
		out->pending.data[out->pending.len] = '\0';
	}
}

int
outlet_open(struct outlet *out, struct loop *loop, int fd)
{
	int ret = file_set_nonblocking(fd, true);

	if (ret < 0) {
		(void)close(fd);
		return ret;
	}
	out->loop = loop;
	out->fd = fd;
	return 0;
}

int
outlet_watch(struct outlet *out, bool wanted)
{
	if (out->fd < 0)
		return 0;
	if (!wanted && !out->is_dropping) {
		loop_remove(out->loop, &out->io);
		return 0;
	}
	/* An empty fd nobody will fill says nothing by itself. */
	if (out->is_last) {
		on_readable(&out->io, EPOLLIN);
		if (out->fd < 0)
			return 0;
	}
	if (out->io.events)
		return 0;
	return loop_add(out->loop, &out->io, out->fd, EPOLLIN, on_readable);
}

void
outlet_drop(struct outlet *out)
{
	out->is_dropping = true;
	buf_done(&out->pending);
	(void)outlet_watch(out, true);
}

void
outlet_last(struct outlet *out)
{
	out->is_last = true;
	if (out->is_dropping)
		(void)outlet_watch(out, true);
}

bool
outlet_is_done(const struct outlet *out)
{
	return (out->fd < 0 || out->is_dropping) && out->pending.len == 0;
}

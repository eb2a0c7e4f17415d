/*
 * A reader is in one of two states: it has something to write and waits for EPOLLOUT, or it has
 * seen everything and waits for lines, and for the peer to hang up. Its position is always at
 * the start of a line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/loop.h"

#include "daemon/logs/line.h"
#include "daemon/logs/ring.h"
#include "daemon/logs/store.h"
#include "daemon/logs/tail.h"

/* What one reader may be given in one turn of the loop. */
#define TAIL_BLOCKS 8
#define TAIL_BLOCK (2 * LINE_MAX_BYTES)

/* EPOLLHUP and EPOLLERR are always reported; once is enough, and nothing else is asked for. */
#define HANG_UP ((uint32_t)EPOLLET)

struct reader {
	struct loop_io io;
	struct loop *loop;
	struct app_log *app;
	struct reader *next;
	struct line_filter filter;
	bool follow;
	uint64_t at, end; /* positions; end matters when it does not follow */
	uint64_t n_lost;
	size_t sent, len; /* of `block` */
	char *block;	  /* NULL while there is nothing to send */
};

static size_t n_readers;

static void
reader_close(struct reader *r)
{
	struct reader **link = &r->app->readers;

	while (*link != r)
		link = &(*link)->next;
	*link = r->next;
	loop_remove(r->loop, &r->io);
	(void)close(r->io.fd);
	free(r->block);
	free(r);
	n_readers--;
}

static bool
matches(void *user, const char *line, size_t n)
{
	const struct reader *r = user;

	return line_matches(&r->filter, line, n);
}

/* ---- from the ring to the peer ----------------------------------------------------------- */

/* Keeps the lines that pass, of the `n` bytes behind the report of lost ones. Returns how many
 * bytes of the ring are done with. */
static size_t
keep_matching(struct reader *r, size_t n)
{
	char *start = r->block + r->len, *line = start, *end = start + n, *eol;

	while ((eol = memchr(line, '\n', (size_t)(end - line)))) {
		size_t len = (size_t)(eol - line) + 1;

		if (line_matches(&r->filter, line, len - 1)) {
			memmove(r->block + r->len, line, len);
			r->len += len;
		}
		line = eol + 1;
	}
	/* A line longer than a block is none of ours: step over it. */
	return line == start ? n : (size_t)(line - start);
}

/* Fills the block with the next lines. False: nothing more for now, or no memory for it. */
static bool
fill(struct reader *r)
{
	uint64_t end = r->follow ? ring_end(r->app->ring) : r->end;

	r->sent = r->len = 0;
	while (r->len == 0 && (r->at < end || r->n_lost > 0)) {
		ssize_t got = 0;

		if (!r->block)
			r->block = malloc(TAIL_BLOCK + LINE_MAX_BYTES);
		if (!r->block)
			return false;
		if (r->n_lost > 0) {
			r->len = line_write_dropped(r->block, store_now_us(), r->n_lost);
			r->n_lost = 0;
		}
		if (r->at < end) {
			size_t want = end - r->at < TAIL_BLOCK ? (size_t)(end - r->at) : TAIL_BLOCK;

			got = ring_read(r->app->ring, r->at, r->block + r->len, want);
		}
		if (got < 0)
			r->at = end; /* the disk has lost it */
		else if (got > 0)
			r->at += keep_matching(r, (size_t)got);
	}
	if (r->len > 0)
		return true;
	free(r->block);
	r->block = NULL;
	return false;
}

/* 1: all of the block was sent; 0: the peer takes no more now; -errno. */
static int
send_block(struct reader *r)
{
	while (r->sent < r->len) {
		ssize_t n = write(r->io.fd, r->block + r->sent, r->len - r->sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		r->sent += (size_t)n;
	}
	return 1;
}

/* Gives the reader what it takes, and watches for what it then waits for. May free it. */
static void
pump(struct reader *r)
{
	bool more = true;

	for (int i = 0; i < TAIL_BLOCKS && more; i++) {
		int ret = send_block(r);

		if (ret < 0) {
			reader_close(r);
			return;
		}
		if (ret == 0)
			break;
		more = fill(r);
	}
	if (!more && !r->follow) {
		reader_close(r);
		return;
	}
	if (loop_change(r->loop, &r->io, more ? EPOLLOUT : HANG_UP) < 0)
		reader_close(r);
}

static void
on_ready(struct loop_io *io, uint32_t events)
{
	struct reader *r = container_of(io, struct reader, io);

	if (events & (EPOLLHUP | EPOLLERR))
		reader_close(r);
	else
		pump(r);
}

/* ---- opening and closing ----------------------------------------------------------------- */

int
tail_open(struct app_log *app, struct loop *loop, int fd, uint64_t n, bool follow,
	  const struct line_filter *filter)
{
	struct reader *r = n_readers < TAIL_MAX_READERS ? calloc(1, sizeof(*r)) : NULL;
	int ret = n_readers < TAIL_MAX_READERS ? 0 : -EMFILE;

	if (ret == 0 && !r)
		ret = -ENOMEM;
	if (ret == 0)
		ret = file_set_nonblocking(fd, true);
	if (ret == 0) {
		r->loop = loop;
		r->app = app;
		r->filter = *filter;
		r->follow = follow;
		r->end = ring_end(app->ring);
		ret = ring_find_last(app->ring, n, matches, r, &r->at);
	}
	if (ret == 0)
		ret = loop_add(loop, &r->io, fd, EPOLLOUT, on_ready);
	if (ret < 0) {
		free(r);
		(void)close(fd);
		return ret;
	}
	r->next = app->readers;
	app->readers = r;
	n_readers++;
	return 0;
}

void
tail_close(struct app_log *app)
{
	while (app->readers)
		reader_close(app->readers);
}

void
tail_on_lines(struct app_log *app)
{
	for (struct reader *r = app->readers, *next; r; r = next) {
		next = r->next;
		/* One that waits for the peer to read needs no reminder. */
		if (r->follow && r->io.events == HANG_UP)
			pump(r);
	}
}

void
tail_on_rotate(struct app_log *app)
{
	uint64_t middle = ring_middle(app->ring);

	for (struct reader *r = app->readers; r; r = r->next) {
		if (r->at >= middle)
			continue;
		r->n_lost += ring_count(app->ring, r->at, middle, matches, r);
		r->at = middle;
		if (!r->follow && r->end < middle)
			r->end = middle;
	}
}

/*
 * Always: both files end with \n (or are empty), older.base + older.size == newer.base. The file
 * names say which is which and rename is atomic, so there is no state to repair but a torn line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"

#include "daemon/logs/line.h"
#include "daemon/logs/ring.h"

#define NEWER "current.log"
#define OLDER "previous.log"

struct segment {
	int fd;	       /* -1: there is no file */
	uint64_t base; /* position of its first byte */
	uint64_t size;
};

struct ring {
	int dir_fd;
	uint64_t segment_bytes;
	struct segment older, newer;
	struct buf pending;
	uint64_t n_pending, n_lost; /* lines */
	ring_rotate_fn *on_rotate;
	void *user;
};

/* ---- opening ----------------------------------------------------------------------------- */

/* Where the last line ends that has an end: what is behind it was torn by a crash. */
static int
whole_size(int fd, uint64_t *size)
{
	char block[4096];

	while (*size > 0) {
		size_t n = *size % sizeof(block) ? *size % sizeof(block) : sizeof(block);
		ssize_t got = pread(fd, block, n, (off_t)(*size - n));
		const char *eol;

		if (got < 0)
			return -errno;
		if ((size_t)got < n)
			return -EIO;
		eol = memrchr(block, '\n', n);
		if (eol) {
			*size = *size - n + (size_t)(eol - block) + 1;
			return 0;
		}
		*size -= n;
	}
	return 0;
}

/* 0; a missing file is none. */
static int
open_segment(int dir_fd, const char *name, int flags, struct segment *s)
{
	struct stat st;
	int ret;

	s->size = 0;
	s->fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(s->fd, &st) < 0)
		return -errno;
	s->size = (uint64_t)st.st_size;
	ret = whole_size(s->fd, &s->size);
	if (ret < 0)
		return ret;
	if (s->size != (uint64_t)st.st_size && ftruncate(s->fd, (off_t)s->size) < 0)
		return -errno;
	return 0;
}

static int
open_files(struct ring *r, int dir_fd, const char *name, bool create)
{
	int ret;

	if (create && mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	r->dir_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->dir_fd < 0)
		return -errno;
	ret = open_segment(r->dir_fd, OLDER, O_RDWR, &r->older);
	if (ret < 0)
		return ret;
	r->newer.base = r->older.size;
	return open_segment(r->dir_fd, NEWER, O_RDWR | O_CREAT, &r->newer);
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void
ring_free(struct ring *r)
{
	close_fd(r->older.fd);
	close_fd(r->newer.fd);
	close_fd(r->dir_fd);
	buf_done(&r->pending);
	free(r);
}

int
ring_open(int dir_fd, const char *name, bool create, uint64_t segment_bytes,
	  ring_rotate_fn *on_rotate, void *user, struct ring **out)
{
	struct ring *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return -ENOMEM;
	r->dir_fd = r->older.fd = r->newer.fd = -1;
	r->segment_bytes = segment_bytes < RING_SEGMENT_MIN ? RING_SEGMENT_MIN : segment_bytes;
	r->on_rotate = on_rotate;
	r->user = user;
	buf_init(&r->pending, RING_PENDING_MAX);
	ret = open_files(r, dir_fd, name, create);
	if (ret < 0) {
		ring_free(r);
		return ret;
	}
	*out = r;
	return 0;
}

void
ring_close(struct ring *ring)
{
	if (!ring)
		return;
	(void)ring_flush(ring);
	ring_free(ring);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* The newer file becomes the older one. A crash in the middle leaves no newer file, which the
 * next writer makes. */
static int
rotate(struct ring *r)
{
	if (r->on_rotate)
		r->on_rotate(r->user);
	if (renameat(r->dir_fd, NEWER, r->dir_fd, OLDER) < 0)
		return -errno;
	close_fd(r->older.fd);
	r->older = r->newer;
	r->newer = (struct segment){.fd = -1, .base = r->older.base + r->older.size};
	return 0;
}

/* Appends everything or nothing: a line never ends up half in the file. */
static int
append_whole(struct segment *s, const char *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pwrite(s->fd, p + done, n - done, (off_t)(s->size + done));
		int ret = -errno;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ftruncate(s->fd, (off_t)s->size) < 0 ? -errno : ret;
		done += (size_t)got;
	}
	s->size += n;
	return 0;
}

static int
write_pending(struct ring *r)
{
	int ret = 0;

	if (r->newer.size > 0 && r->newer.size + r->pending.len > r->segment_bytes)
		ret = rotate(r);
	if (ret == 0 && r->newer.fd < 0) {
		ret = open_segment(r->dir_fd, NEWER, O_RDWR | O_CREAT | O_TRUNC, &r->newer);
		if (ret == 0 && r->newer.fd < 0)
			ret = -ENOENT;
	}
	return ret < 0 ? ret : append_whole(&r->newer, r->pending.data, r->pending.len);
}

int
ring_flush(struct ring *ring)
{
	int ret;

	if (ring->pending.len == 0)
		return 0;
	ret = write_pending(ring);
	if (ret < 0)
		ring->n_lost += ring->n_pending;
	ring->n_pending = 0;
	/* An app that fell silent keeps no memory. */
	if (ring->pending.cap > 4096)
		buf_done(&ring->pending);
	else
		buf_consume(&ring->pending, ring->pending.len);
	return ret;
}

int
ring_append(struct ring *ring, const char *line, size_t n)
{
	int ret = 0;

	if (ring->pending.len + n > RING_PENDING_MAX)
		ret = ring_flush(ring);
	if (buf_add(&ring->pending, line, n) < 0) {
		ring->n_lost++;
		return -ENOMEM;
	}
	ring->n_pending++;
	return ret;
}

bool
ring_is_dirty(const struct ring *ring)
{
	return ring->pending.len > 0;
}

uint64_t
ring_take_lost(struct ring *ring)
{
	uint64_t n = ring->n_lost;

	ring->n_lost = 0;
	return n;
}

/* ---- reading ----------------------------------------------------------------------------- */

uint64_t
ring_start(const struct ring *ring)
{
	return ring->older.base;
}

uint64_t
ring_middle(const struct ring *ring)
{
	return ring->newer.base;
}

uint64_t
ring_end(const struct ring *ring)
{
	return ring->newer.base + ring->newer.size;
}

ssize_t
ring_read(struct ring *ring, uint64_t at, void *out, size_t n)
{
	const struct segment *s = at < ring->newer.base ? &ring->older : &ring->newer;
	uint64_t left = s->base + s->size - at;
	ssize_t got;

	if (at < s->base)
		return -ERANGE;
	if (n > left)
		n = (size_t)left;
	if (n == 0)
		return 0;
	do {
		got = pread(s->fd, out, n, (off_t)(at - s->base));
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	return got == 0 ? -EIO : got;
}

/*
 * Goes backwards through one segment, block by block; a line that began in an earlier block is
 * completed there. Takes at most *n matching lines off; *at is where the last one taken begins.
 */
static int
find_in_segment(struct ring *r, const struct segment *s, uint64_t *n, ring_line_fn *match,
		void *user, uint64_t *at)
{
	const size_t block = 4 * LINE_MAX_BYTES;
	AUTO_FREE char *bytes = NULL;
	uint64_t end = s->base + s->size; /* of the lines not looked at yet */

	if (s->size == 0 || *n == 0)
		return 0;
	bytes = malloc(block);
	if (!bytes)
		return -ENOMEM;
	while (end > s->base && *n > 0) {
		size_t want = end - s->base < block ? (size_t)(end - s->base) : block;
		uint64_t from = end - want;
		ssize_t got = ring_read(r, from, bytes, want);
		const char *line_end = bytes + want - 1; /* its \n */

		if (got < 0)
			return (int)got;
		if ((size_t)got < want)
			return -EIO;
		for (;;) {
			const char *eol = line_end > bytes
						  ? memrchr(bytes, '\n', (size_t)(line_end - bytes))
						  : NULL;
			const char *line = eol ? eol + 1 : bytes;

			/* The first line of a block may have begun before it, unless it is longer
			 * than any line of ours. */
			if (!eol && from > s->base && line_end != bytes + want - 1)
				break;
			end = from + (uint64_t)(line - bytes);
			if (!match || match(user, line, (size_t)(line_end - line))) {
				*at = end;
				if (--*n == 0)
					return 0;
			}
			if (!eol)
				break;
			line_end = eol;
		}
	}
	return 0;
}

int
ring_find_last(struct ring *ring, uint64_t n, ring_line_fn *match, void *user, uint64_t *at)
{
	int ret;

	*at = ring_end(ring);
	ret = find_in_segment(ring, &ring->newer, &n, match, user, at);
	if (ret == 0)
		ret = find_in_segment(ring, &ring->older, &n, match, user, at);
	return ret;
}

uint64_t
ring_count(struct ring *ring, uint64_t from, uint64_t to, ring_line_fn *match, void *user)
{
	const size_t block = 4 * LINE_MAX_BYTES;
	AUTO_FREE char *bytes = malloc(block);
	uint64_t n = 0;

	while (bytes && from < to) {
		ssize_t got = ring_read(ring, from, bytes,
					to - from < block ? (size_t)(to - from) : block);
		const char *line = bytes, *eol;

		if (got <= 0)
			break;
		while ((eol = memchr(line, '\n', (size_t)(bytes + got - line)))) {
			n += !match || match(user, line, (size_t)(eol - line));
			line = eol + 1;
		}
		if (line == bytes)
			break;
		from += (uint64_t)(line - bytes);
	}
	return n;
}

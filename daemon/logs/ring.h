/*
 * The log of one app on disk, of bounded size: two files, of which the newer one is appended to
 * until it has the size of a segment; then it takes the place of the older one. Positions count
 * bytes from the oldest line there was when the ring was opened, so they only grow.
 */
#ifndef DAEMON_LOGS_RING_H
#define DAEMON_LOGS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ring;

#define RING_PENDING_MAX (64 * 1024)
#define RING_SEGMENT_MIN (64 * 1024)

/* The oldest lines, up to ring_middle(), are about to go. */
typedef void ring_rotate_fn(void *user);
/* Shall the line (without \n) be counted? */
typedef bool ring_line_fn(void *user, const char *line, size_t n);

/* Opens dir_fd/name, a directory; makes it only when `create`. A line that was torn by a crash
 * is cut off. 0; -ENOENT; -errno. */
int ring_open(int dir_fd, const char *name, bool create, uint64_t segment_bytes,
	      ring_rotate_fn *on_rotate, void *user, struct ring **out);
/* Writes what is pending and frees. NULL is fine. */
void ring_close(struct ring *ring);

/* Adds one whole line with its \n (at most RING_PENDING_MAX bytes), in memory for now. 0, or the
 * -errno of a write it made necessary: then the pending lines are lost, and counted. */
int ring_append(struct ring *ring, const char *line, size_t n);
/* Writes all pending lines, so that they survive us. 0 or -errno; as above. */
int ring_flush(struct ring *ring);
bool ring_is_dirty(const struct ring *ring);
/* Lines that could not be written since the last call. */
uint64_t ring_take_lost(struct ring *ring);

/* Positions of the oldest byte, of the newer segment's first, and behind the last one. Only what
 * was flushed can be read. */
uint64_t ring_start(const struct ring *ring);
uint64_t ring_middle(const struct ring *ring);
uint64_t ring_end(const struct ring *ring);
/* Reads at most `n` bytes at `at` (start <= at <= end). The number, 0 only at the end; -errno. */
ssize_t ring_read(struct ring *ring, uint64_t at, void *out, size_t n);

/* The position where the last `n` lines begin that `match` accepts (NULL: any). 0 or -errno. */
int ring_find_last(struct ring *ring, uint64_t n, ring_line_fn *match, void *user, uint64_t *at);
/* How many lines in [from, to), both at line starts, `match` accepts. Unreadable ones: none. */
uint64_t ring_count(struct ring *ring, uint64_t from, uint64_t to, ring_line_fn *match, void *user);

#endif

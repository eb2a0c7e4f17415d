/*
 * One flat buffer: [start, end) is unsent, its first n_whole bytes are lines. It is compacted
 * when its end is reached and its pages are given back when it runs empty after a burst.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/msg.h"
#include "daemon/supervisor/init/relay.h"

#define HEAD_BYTES (MSG_HEAD_BYTES + 8 + 4 + 4)
#define TEXT_MAX (MSG_MAX_BYTES - HEAD_BYTES - 1)
#define PAGE_BYTES ((size_t)4096)
/* How much makes room when paas-logs does not read: rarely and much rather than line by line. */
#define DROP_BYTES (RELAY_MAX / 4)
#define READS_AT_ONCE 16

int
relay_init(struct relay *r, int in_fd, int log_fd)
{
	*r = (struct relay){.in_fd = in_fd, .log_fd = log_fd};
	if (in_fd < 0)
		return 0;
	r->data = mmap(NULL, RELAY_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->data == MAP_FAILED) {
		r->data = NULL;
		return -ENOMEM;
	}
	return 0;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

void
relay_done(struct relay *r)
{
	close_fd(&r->in_fd);
	close_fd(&r->log_fd);
	if (r->data)
		(void)munmap(r->data, RELAY_MAX);
	r->data = NULL;
}

bool
relay_is_empty(const struct relay *r)
{
	return r->start == r->end;
}

bool
relay_has_partial(const struct relay *r)
{
	return r->end - r->start > r->n_whole;
}

static uint64_t
unix_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000U + (uint64_t)ts.tv_nsec / 1000U;
}

/* One packet; `newline` ends a text that does not end in one. 0 or -errno. */
static int
send_lines(const struct relay *r, size_t n, bool newline)
{
	uint8_t head[HEAD_BYTES];
	struct wire_writer w;
	char end = '\n';
	struct iovec iov[3] = {
		{.iov_base = head, .iov_len = sizeof(head)},
		{.iov_base = r->data + r->start, .iov_len = n},
		{.iov_base = &end, .iov_len = newline},
	};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 3};
	ssize_t ret;

	/* As msg_send would write it, without a copy of the text. */
	wire_write_init(&w, head, sizeof(head));
	wire_put_u16(&w, MSG_LOG_LINES);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, 0);
	wire_put_u64(&w, unix_us());
	wire_put_u32(&w, r->n_dropped);
	wire_put_u32(&w, (uint32_t)(n + newline));
	do {
		ret = sendmsg(r->log_fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

static void
consume(struct relay *r, size_t n)
{
	r->start += n;
	r->n_whole = n < r->n_whole ? r->n_whole - n : 0;
	if (r->scanned < r->start)
		r->scanned = r->start;
	if (r->start < r->end)
		return;
	if (r->end > PAGE_BYTES)
		(void)madvise(r->data + PAGE_BYTES, RELAY_MAX - PAGE_BYTES, MADV_DONTNEED);
	r->start = r->end = r->scanned = r->n_whole = 0;
}

/* Keeps n_whole true after something was added. */
static void
scan(struct relay *r)
{
	while (r->scanned < r->end) {
		const char *at = r->data + r->scanned;
		const char *newline = memrchr(at, '\n', r->end - r->scanned);

		if (newline)
			r->n_whole = (size_t)(newline + 1 - (r->data + r->start));
		r->scanned = r->end;
	}
}

/* How many bytes of whole lines, none of them too long, fit in a packet. */
static size_t
count_lines(const struct relay *r)
{
	const char *start = r->data + r->start;
	size_t n = 0;

	while (n < r->n_whole) {
		const char *newline = memchr(start + n, '\n', r->n_whole - n);
		size_t line = (size_t)(newline + 1 - (start + n));

		if (line > RELAY_LINE_MAX + 1 || n + line > TEXT_MAX)
			break;
		n += line;
	}
	return n;
}

/* The next packet's length: whole lines, a piece of one too long, or what is due without an
 * end. `newline` is then to be added. 0: nothing yet. */
static size_t
next_packet(const struct relay *r, bool *newline)
{
	size_t n = count_lines(r);

	*newline = n == 0;
	if (n > 0)
		return n;
	n = r->end - r->start;
	if (n >= RELAY_LINE_MAX)
		return RELAY_LINE_MAX;
	return r->is_partial_due ? n : 0;
}

void
relay_send(struct relay *r)
{
	r->is_blocked = false;
	while (r->log_fd >= 0 && r->start < r->end) {
		bool newline;
		size_t n = next_packet(r, &newline);
		int ret;

		if (n == 0)
			break;
		ret = send_lines(r, n, newline);
		if (ret == -EAGAIN || ret == -ENOBUFS) {
			r->is_blocked = true;
			return;
		}
		if (ret < 0) {
			/* paas-logs is gone; paasd will pass on another stream. */
			close_fd(&r->log_fd);
			return;
		}
		r->n_dropped = 0;
		consume(r, n);
	}
	r->is_partial_due = r->is_partial_due && r->start < r->end;
}

void
relay_flush(struct relay *r)
{
	r->is_partial_due = true;
	relay_send(r);
}

/* The oldest lines go. */
static void
drop(struct relay *r)
{
	const char *start = r->data + r->start;
	const char *newline = memchr(start + DROP_BYTES, '\n', r->end - r->start - DROP_BYTES);
	size_t n = newline ? (size_t)(newline + 1 - start) : r->end - r->start;

	for (const char *at = start; at < start + n; r->n_dropped++) {
		const char *end = memchr(at, '\n', (size_t)(start + n - at));

		at = end ? end + 1 : start + n;
	}
	consume(r, n);
}

static void
make_room(struct relay *r)
{
	if (r->end < RELAY_MAX)
		return;
	if (r->start < DROP_BYTES)
		drop(r);
	if (r->start > 0) {
		memmove(r->data, r->data + r->start, r->end - r->start);
		r->end -= r->start;
		r->scanned -= r->start;
		r->start = 0;
	}
}

void
relay_read(struct relay *r)
{
	/* Bounded: a program that never stops printing must not keep init from its messages. */
	for (int i = 0; i < READS_AT_ONCE && r->in_fd >= 0; i++) {
		ssize_t n;

		make_room(r);
		n = read(r->in_fd, r->data + r->end, RELAY_MAX - r->end);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			close_fd(&r->in_fd);
			r->is_partial_due = true;
			break;
		}
		r->end += (size_t)n;
		scan(r);
		if (!r->is_blocked)
			relay_send(r);
	}
	if (!r->is_blocked)
		relay_send(r);
}

void
relay_set_log(struct relay *r, int log_fd)
{
	close_fd(&r->log_fd);
	r->log_fd = log_fd;
	relay_send(r);
}

/*
 * io is in the loop exactly while something waits in the queue; fd is -1 once nobody can be told
 * anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/control/transcript.h"

#define QUEUE_BYTES 65536
#define LINE_BYTES 8192
#define LAST_MS 5000

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void
stop_writing(struct transcript *transcript)
{
	loop_remove(transcript->loop, &transcript->io);
	close_fd(&transcript->fd);
	close_fd(&transcript->queue_r);
	close_fd(&transcript->queue_w);
}

static bool
is_empty(const struct transcript *transcript)
{
	int n = 0;

	return transcript->queue_r < 0 || ioctl(transcript->queue_r, FIONREAD, &n) < 0 || n == 0;
}

static void
on_end(struct loop_timer *timer)
{
	struct transcript *transcript = container_of(timer, struct transcript, timer);

	stop_writing(transcript);
	transcript->ended(transcript);
}

static void
end_soon(struct transcript *transcript, uint64_t ms)
{
	(void)loop_timer_set(transcript->loop, &transcript->timer, ms, on_end);
}

static void on_room(struct loop_io *io, uint32_t events);

/* Moves what waits. SPLICE_F_NONBLOCK does for one call what O_NONBLOCK, which would reach
 * everybody who holds the pipe, may not do here. */
static void
flush(struct transcript *transcript)
{
	ssize_t n;

	do {
		n = splice(transcript->queue_r, NULL, transcript->fd, NULL, QUEUE_BYTES,
			   SPLICE_F_NONBLOCK);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (is_empty(transcript)) {
		loop_remove(transcript->loop, &transcript->io);
		if (transcript->ended != NULL)
			end_soon(transcript, 0);
		return;
	}
	if (n < 0 && errno == EAGAIN && transcript->io.events != 0)
		return;
	if (n < 0 && errno == EAGAIN &&
	    loop_add(transcript->loop, &transcript->io, transcript->fd, EPOLLOUT, on_room) == 0)
		return;
	stop_writing(transcript);
	if (transcript->ended != NULL)
		end_soon(transcript, 0);
}

static void
on_room(struct loop_io *io, uint32_t events)
{
	(void)events;
	flush(container_of(io, struct transcript, io));
}

int
transcript_open(struct transcript *transcript, struct loop *loop, int fd)
{
	int ends[2];
	struct stat st;

	*transcript = (struct transcript){.loop = loop, .fd = fd, .queue_r = -1, .queue_w = -1};
	int ret = 0;

	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		ret = -EBADF;
	else if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		ret = -errno;
	if (ret < 0) {
		close_fd(&transcript->fd);
		return ret;
	}
	transcript->queue_r = ends[0];
	transcript->queue_w = ends[1];
	return 0;
}

void
transcript_say(struct transcript *transcript, const char *fmt, ...)
{
	char text[LINE_BYTES];
	va_list ap;

	if (transcript->fd < 0)
		return;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n <= 0)
		return;
	if ((size_t)n >= sizeof(text))
		n = (int)sizeof(text) - 1;
	/* Up to PIPE_BUF this is all or nothing; a full queue drops the line. */
	(void)!write(transcript->queue_w, text, (size_t)n);
	if (transcript->io.events == 0)
		flush(transcript);
}

void
transcript_end(struct transcript *transcript, transcript_fn *ended)
{
	transcript->ended = ended;
	end_soon(transcript, is_empty(transcript) ? 0 : LAST_MS);
}

void
transcript_close(struct transcript *transcript)
{
	if (transcript->loop == NULL)
		return;
	loop_timer_cancel(transcript->loop, &transcript->timer);
	stop_writing(transcript);
	transcript->loop = NULL;
}

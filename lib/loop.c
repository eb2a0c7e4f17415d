/*
 * epoll, a binary heap of timers and one signalfd. loop_remove also takes the handle out of
 * what epoll_wait already reported, which is what lets callbacks free anything.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/loop.h"

static void
read_clock(struct loop *loop)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	loop->now_ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int
loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof(*loop));
	sigemptyset(&loop->signals);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	read_clock(loop);
	return 0;
}

void
loop_done(struct loop *loop)
{
	if (loop->signal_io.events) {
		int fd = loop->signal_io.fd;

		loop_remove(loop, &loop->signal_io);
		(void)close(fd);
	}
	for (size_t i = 0; i < loop->n_timers; i++)
		loop->heap[i]->slot = 0;
	free(loop->heap);
	loop->heap = NULL;
	loop->n_timers = loop->heap_cap = 0;
	if (loop->epoll_fd >= 0)
		(void)close(loop->epoll_fd);
	loop->epoll_fd = -1;
}

/* ---- fds --------------------------------------------------------------------------------- */

int
loop_add(struct loop *loop, struct loop_io *io, int fd, uint32_t events, loop_io_fn *fn)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};

	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	io->fd = fd;
	io->events = events;
	io->fn = fn;
	return 0;
}

int
loop_change(struct loop *loop, struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};

	if (io->events == events)
		return 0;
	if (events == 0) {
		loop_remove(loop, io);
		return 0;
	}
	if (io->events == 0)
		return loop_add(loop, io, io->fd, events, io->fn);
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &ev) < 0)
		return -errno;
	io->events = events;
	return 0;
}

/* Also takes it out of what epoll_wait has reported already. */
static void
forget(struct loop *loop, struct loop_io *io)
{
	io->events = 0;
	for (int i = loop->next_ready; i < loop->n_ready; i++) {
		if (loop->ready[i].data.ptr == io)
			loop->ready[i].data.ptr = NULL;
	}
}

void
loop_remove(struct loop *loop, struct loop_io *io)
{
	if (io->events == 0)
		return;
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	forget(loop, io);
}

void
loop_close(struct loop *loop, struct loop_io *io)
{
	if (io->events)
		forget(loop, io);
	(void)close(io->fd);
	io->fd = -1;
}

/* ---- timers ------------------------------------------------------------------------------ */

static void
heap_place(struct loop *loop, size_t i, struct loop_timer *timer)
{
	loop->heap[i] = timer;
	timer->slot = i + 1;
}

static void
heap_up(struct loop *loop, size_t i, struct loop_timer *timer)
{
	while (i > 0 && loop->heap[(i - 1) / 2]->due_ms > timer->due_ms) {
		heap_place(loop, i, loop->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_place(loop, i, timer);
}

static void
heap_down(struct loop *loop, size_t i, struct loop_timer *timer)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < loop->n_timers &&
		    loop->heap[child + 1]->due_ms < loop->heap[child]->due_ms)
			child++;
		if (child >= loop->n_timers || loop->heap[child]->due_ms >= timer->due_ms)
			break;
		heap_place(loop, i, loop->heap[child]);
		i = child;
	}
	heap_place(loop, i, timer);
}

int
loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t ms, loop_timer_fn *fn)
{
	loop_timer_cancel(loop, timer);
	if (loop->n_timers == loop->heap_cap) {
		size_t cap = loop->heap_cap ? loop->heap_cap * 2 : 16;
		struct loop_timer **heap = reallocarray(loop->heap, cap, sizeof(*heap));

		if (!heap)
			return -ENOMEM;
		loop->heap = heap;
		loop->heap_cap = cap;
	}
	timer->due_ms = loop->now_ms + ms;
	if (timer->due_ms < ms)
		timer->due_ms = UINT64_MAX;
	timer->fn = fn;
	heap_up(loop, loop->n_timers++, timer);
	return 0;
}

void
loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	size_t i = timer->slot - 1;
	struct loop_timer *last;

	if (timer->slot == 0)
		return;
	timer->slot = 0;
	last = loop->heap[--loop->n_timers];
	if (last == timer)
		return;
	if (i > 0 && loop->heap[(i - 1) / 2]->due_ms > last->due_ms)
		heap_up(loop, i, last);
	else
		heap_down(loop, i, last);
}

/* Each timer armed now fires at most once, so that one re-arming itself at 0 ms starves nobody. */
static void
run_timers(struct loop *loop)
{
	for (size_t left = loop->n_timers; left > 0 && loop->n_timers > 0; left--) {
		struct loop_timer *timer = loop->heap[0];

		if (timer->due_ms > loop->now_ms)
			break;
		loop_timer_cancel(loop, timer);
		timer->fn(timer);
	}
}

/* ---- signals ----------------------------------------------------------------------------- */

static void
on_signal_fd(struct loop_io *io, uint32_t events)
{
	struct loop *loop = container_of(io, struct loop, signal_io);
	struct signalfd_siginfo si;

	(void)events;
	while (io->events && read(io->fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		loop->on_signal(loop->signal_user, &si);
}

int
loop_signals(struct loop *loop, const sigset_t *set, loop_signal_fn *fn, void *user)
{
	int fd, ret;

	if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	loop->signals = *set;
	loop->on_signal = fn;
	loop->signal_user = user;
	ret = loop_add(loop, &loop->signal_io, fd, EPOLLIN, on_signal_fd);
	if (ret < 0)
		(void)close(fd);
	return ret;
}

/* ---- turning ----------------------------------------------------------------------------- */

uint64_t
loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

static int
wait_ms(struct loop *loop, int ms)
{
	uint64_t left;

	if (loop->n_timers == 0)
		return ms;
	read_clock(loop);
	if (loop->heap[0]->due_ms <= loop->now_ms)
		return 0;
	left = loop->heap[0]->due_ms - loop->now_ms;
	if (ms >= 0 && (uint64_t)ms < left)
		return ms;
	return left < INT_MAX ? (int)left : INT_MAX;
}

int
loop_turn(struct loop *loop, int ms)
{
	int n = epoll_wait(loop->epoll_fd, loop->ready, LOOP_EVENTS, wait_ms(loop, ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	read_clock(loop);
	loop->n_ready = n < 0 ? 0 : n;
	loop->next_ready = 0;
	while (loop->next_ready < loop->n_ready) {
		struct epoll_event *ev = &loop->ready[loop->next_ready++];
		struct loop_io *io = ev->data.ptr;

		if (io)
			io->fn(io, ev->events);
	}
	loop->n_ready = loop->next_ready = 0;
	run_timers(loop);
	return 0;
}

int
loop_run(struct loop *loop)
{
	while (!loop->stopped) {
		int ret = loop_turn(loop, -1);

		if (ret < 0)
			return ret;
	}
	loop->stopped = false;
	return 0;
}

void
loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

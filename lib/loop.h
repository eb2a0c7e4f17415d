/*
 * One epoll loop with embedded handles: fds, one-shot timers and signals. A handle may be
 * removed, and its memory freed, from inside any callback; what epoll had already reported
 * for it is then not delivered. Level-triggered.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

struct loop_io;
struct loop_timer;
typedef void loop_io_fn(struct loop_io *io, uint32_t events);
typedef void loop_timer_fn(struct loop_timer *timer);
typedef void loop_signal_fn(void *user, const struct signalfd_siginfo *si);

struct loop_io {
	int fd;
	uint32_t events; /* EPOLLIN | EPOLLOUT ...; 0: not in the loop */
	loop_io_fn *fn;
};

struct loop_timer {
	uint64_t due_ms; /* CLOCK_MONOTONIC */
	size_t slot;	 /* place in the heap + 1; 0: not armed */
	loop_timer_fn *fn;
};

#define LOOP_EVENTS 64

struct loop {
	int epoll_fd;
	bool stopped;
	uint64_t now_ms;
	struct loop_timer **heap;
	size_t n_timers, heap_cap;
	struct epoll_event ready[LOOP_EVENTS];
	int n_ready, next_ready;
	struct loop_io signal_io;
	sigset_t signals;
	loop_signal_fn *on_signal;
	void *signal_user;
};

/* The struct holding an embedded handle. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

int loop_init(struct loop *loop);
void loop_done(struct loop *loop);

/* Watches `fd` (not owned) for `events`. 0 or -errno. */
int loop_add(struct loop *loop, struct loop_io *io, int fd, uint32_t events, loop_io_fn *fn);
/* Changes what is watched; the same events cost no system call. 0 events takes the handle out of
 * the loop, others put it back. 0 or -errno. */
int loop_change(struct loop *loop, struct loop_io *io, uint32_t events);
/* Stops watching; does not close. A handle that is not watched is left alone. */
void loop_remove(struct loop *loop, struct loop_io *io);
/* Stops watching and closes the fd, in one system call. No duplicate of the fd may exist, or the
 * kernel goes on watching that. */
void loop_close(struct loop *loop, struct loop_io *io);

/* Calls `fn` once, `ms` milliseconds from now; re-arms an armed timer. 0 or -ENOMEM. */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t ms, loop_timer_fn *fn);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);

/* Blocks the signals in `set` and delivers them through a signalfd. Call once. 0 or -errno. */
int loop_signals(struct loop *loop, const sigset_t *set, loop_signal_fn *fn, void *user);

/* CLOCK_MONOTONIC in ms, read once per turn of the loop. */
uint64_t loop_now_ms(const struct loop *loop);
/* Runs until loop_stop. 0 or -errno of epoll_wait. */
int loop_run(struct loop *loop);
/* One turn, waiting at most `ms` (-1: as long as it takes). For tests and the router. */
int loop_turn(struct loop *loop, int ms);
void loop_stop(struct loop *loop);

#endif

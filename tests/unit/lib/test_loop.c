/* lib/loop: order of timers, freeing from inside callbacks, signals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/lib/alloc.h"
#include "lib/loop.c"

static struct loop loop;

static int
setup(void **state)
{
	(void)state;
	return loop_init(&loop);
}

static int
teardown(void **state)
{
	(void)state;
	loop_done(&loop);
	return 0;
}

/* ---- timers ------------------------------------------------------------------------------ */

#define N_TIMERS 300

static struct loop_timer timers[N_TIMERS];
static uint64_t last_due;
static size_t n_fired;

static void
on_timer(struct loop_timer *timer)
{
	assert_true(timer->due_ms >= last_due);
	assert_int_equal(timer->slot, 0);
	last_due = timer->due_ms;
	n_fired++;
}

/* Moves the clock without waiting. */
static void
run_until(uint64_t now_ms)
{
	loop.now_ms = now_ms;
	while (loop.n_timers > 0 && loop.heap[0]->due_ms <= now_ms)
		run_timers(&loop);
}

static void
check_heap(void)
{
	for (size_t i = 0; i < loop.n_timers; i++) {
		assert_int_equal(loop.heap[i]->slot, i + 1);
		if (i > 0)
			assert_true(loop.heap[(i - 1) / 2]->due_ms <= loop.heap[i]->due_ms);
	}
}

static void
test_timer_order(void **state)
{
	unsigned seed = 1;
	size_t n_cancelled = 0;
	uint64_t start = loop.now_ms;

	(void)state;
	memset(timers, 0, sizeof(timers));
	last_due = n_fired = 0;
	for (size_t i = 0; i < N_TIMERS; i++) {
		seed = seed * 1103515245 + 12345;
		assert_int_equal(loop_timer_set(&loop, &timers[i], (seed >> 8) % 1000, on_timer),
				 0);
		check_heap();
	}
	/* Some are armed again, some cancelled, from anywhere in the heap. */
	for (size_t i = 0; i < N_TIMERS; i += 3) {
		seed = seed * 1103515245 + 12345;
		assert_int_equal(loop_timer_set(&loop, &timers[i], (seed >> 8) % 1000, on_timer),
				 0);
		check_heap();
	}
	for (size_t i = 1; i < N_TIMERS; i += 5) {
		loop_timer_cancel(&loop, &timers[i]);
		loop_timer_cancel(&loop, &timers[i]);
		n_cancelled++;
		check_heap();
	}
	run_until(start + 500);
	assert_true(n_fired > 0 && n_fired < N_TIMERS - n_cancelled);
	run_until(start + 1000);
	assert_int_equal(n_fired, N_TIMERS - n_cancelled);
	assert_int_equal(loop.n_timers, 0);
	/* Never is far away, not long ago. */
	assert_int_equal(loop_timer_set(&loop, &timers[0], UINT64_MAX, on_timer), 0);
	assert_int_equal(timers[0].due_ms, UINT64_MAX);
}

static unsigned n_again;
static struct loop_timer other;

static void
on_again(struct loop_timer *timer)
{
	n_again++;
	assert_int_equal(loop_timer_set(&loop, timer, 0, on_again), 0);
}

static void
on_other(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(&loop);
}

/* One that is always due neither starves the others nor the fds. */
static void
test_timer_zero(void **state)
{
	static struct loop_timer again;

	(void)state;
	n_again = 0;
	assert_int_equal(loop_timer_set(&loop, &again, 0, on_again), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(n_again, 1);
	assert_int_equal(loop_timer_set(&loop, &other, 5, on_other), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_true(n_again > 1);
	loop_timer_cancel(&loop, &again);
}

/* A callback may free its own timer and others that are due. */
static struct loop_timer *heap_timers[2];

static void
on_free_both(struct loop_timer *timer)
{
	(void)timer;
	for (int i = 0; i < 2; i++) {
		loop_timer_cancel(&loop, heap_timers[i]);
		free(heap_timers[i]);
	}
	n_fired++;
}

static void
test_timer_free(void **state)
{
	(void)state;
	n_fired = 0;
	for (int i = 0; i < 2; i++) {
		heap_timers[i] = calloc(1, sizeof(*heap_timers[i]));
		assert_non_null(heap_timers[i]);
		assert_int_equal(loop_timer_set(&loop, heap_timers[i], 0, on_free_both), 0);
	}
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(n_fired, 1);
	assert_int_equal(loop.n_timers, 0);
}

static void
test_timer_no_memory(void **state)
{
	(void)state;
	memset(timers, 0, sizeof(timers));
	ALLOC_LOOP(i)
	{
		size_t n = 0;

		for (; n < 100; n++) {
			int ret = loop_timer_set(&loop, &timers[n], 5, on_timer);

			if (ret < 0) {
				assert_int_equal(ret, -ENOMEM);
				assert_int_equal(timers[n].slot, 0);
				break;
			}
		}
		assert_int_equal(loop.n_timers, n);
		check_heap();
		for (size_t k = 0; k < n; k++)
			loop_timer_cancel(&loop, &timers[k]);
	}
}

/* ---- fds --------------------------------------------------------------------------------- */

#define N_PIPES 5

static struct pipe_io {
	struct loop_io io;
	int write_fd;
} * pipes[N_PIPES];
static unsigned n_calls;

static void
close_pipe(int i)
{
	if (i % 2 == 0) {
		loop_remove(&loop, &pipes[i]->io);
		loop_remove(&loop, &pipes[i]->io);
		close(pipes[i]->io.fd);
	} else {
		loop_close(&loop, &pipes[i]->io);
		assert_int_equal(pipes[i]->io.fd, -1);
	}
	close(pipes[i]->write_fd);
	free(pipes[i]);
	pipes[i] = NULL;
}

static void
on_close_all(struct loop_io *io, uint32_t events)
{
	(void)io;
	assert_true(events & EPOLLIN);
	n_calls++;
	for (int i = 0; i < N_PIPES; i++)
		close_pipe(i);
}

static void
test_free_in_callback(void **state)
{
	(void)state;
	n_calls = 0;
	for (int i = 0; i < N_PIPES; i++) {
		int ends[2];

		pipes[i] = calloc(1, sizeof(*pipes[i]));
		assert_non_null(pipes[i]);
		assert_int_equal(pipe(ends), 0);
		pipes[i]->write_fd = ends[1];
		assert_int_equal(loop_add(&loop, &pipes[i]->io, ends[0], EPOLLIN, on_close_all), 0);
		assert_int_equal(write(ends[1], "x", 1), 1);
	}
	/* All are ready; the first one called frees all. A sanitizer sees any other call. */
	assert_int_equal(loop_turn(&loop, 1000), 0);
	assert_int_equal(n_calls, 1);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(n_calls, 1);
}

static void
on_count(struct loop_io *io, uint32_t events)
{
	(void)io;
	(void)events;
	n_calls++;
}

static void
test_change(void **state)
{
	struct loop_io io = {0}, none = {0};
	int ends[2];

	(void)state;
	n_calls = 0;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(loop_add(&loop, &io, ends[1], EPOLLIN, on_count), 0);
	assert_int_equal(loop_add(&loop, &none, ends[1], EPOLLIN, on_count), -EEXIST);
	assert_int_equal(none.events, 0);
	loop_remove(&loop, &none);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(n_calls, 0);
	assert_int_equal(loop_change(&loop, &io, EPOLLOUT), 0);
	assert_int_equal(loop_change(&loop, &io, EPOLLOUT), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(n_calls, 1);
	/* Out of the loop and back. */
	assert_int_equal(loop_change(&loop, &io, 0), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(n_calls, 1);
	assert_int_equal(loop_change(&loop, &io, EPOLLOUT), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(n_calls, 2);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(loop_change(&loop, &io, EPOLLIN), -EBADF);
	loop_remove(&loop, &io);
	assert_int_equal(loop_add(&loop, &io, ends[1], EPOLLIN, on_count), -EBADF);
}

/* ---- signals ----------------------------------------------------------------------------- */

static int n_signals;

static void
on_test_signal(void *user, const struct signalfd_siginfo *si)
{
	assert_ptr_equal(user, &n_signals);
	assert_int_equal(si->ssi_signo, SIGUSR1 + 2 * (n_signals == 1));
	if (++n_signals == 2)
		loop_stop(&loop);
}

static void
test_signals(void **state)
{
	sigset_t set;

	(void)state;
	n_signals = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	assert_int_equal(loop_signals(&loop, &set, on_test_signal, &n_signals), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(loop_turn(&loop, 1000), 0);
	assert_int_equal(kill(getpid(), SIGUSR2), 0);
	assert_int_equal(loop_run(&loop), 0);
	assert_int_equal(n_signals, 2);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
test_stopped_before_run(void **state)
{
	(void)state;
	loop_stop(&loop);
	assert_int_equal(loop_run(&loop), 0);
	assert_true(loop_now_ms(&loop) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_timer_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_free, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timer_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_free_in_callback, setup, teardown),
		cmocka_unit_test_setup_teardown(test_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped_before_run, setup, teardown),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}

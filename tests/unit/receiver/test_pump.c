/* receiver/pump: bounded both ways, and neither side's silence or death blocks or loses a byte. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/loop.h"

#include "daemon/receiver/pump.h"

static struct loop loop;
static struct inlet in;
static struct outlet out;
static int other_fd; /* the program's end */
static char bytes[1 << 20];

static int
set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 31 + i / 251);
	inlet_init(&in);
	outlet_init(&out);
	return loop_init(&loop);
}

static int
tear_down(void **state)
{
	(void)state;
	inlet_close(&in);
	outlet_close(&out);
	buf_done(&in.waiting);
	buf_done(&out.pending);
	if (other_fd >= 0)
		(void)close(other_fd);
	other_fd = -1;
	loop_done(&loop);
	return 0;
}

static void
open_inlet(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	other_fd = ends[0];
	assert_int_equal(inlet_open(&in, &loop, ends[1]), 0);
}

static void
open_outlet(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	other_fd = ends[1];
	assert_int_equal(outlet_open(&out, &loop, ends[0]), 0);
}

static void
inlet_waits_for_a_slow_program(void **state)
{
	static char got[sizeof(bytes)];
	size_t sent, read_bytes = 0;

	(void)state;
	open_inlet();
	sent = inlet_write(&in, bytes, sizeof(bytes));
	/* A pipe of 64 KiB and what may wait; then nothing more is taken. */
	assert_int_equal(sent, 65536 + INLET_MAX);
	assert_int_equal(inlet_write(&in, bytes + sent, 1), 0);
	inlet_end(&in);
	for (;;) {
		ssize_t n = read(other_fd, got + read_bytes, 5000);

		assert_true(n >= 0);
		if (n == 0)
			break;
		read_bytes += (size_t)n;
		assert_int_equal(loop_turn(&loop, 0), 0);
	}
	assert_int_equal(read_bytes, sent);
	assert_memory_equal(got, bytes, sent);
	assert_int_equal(in.fd, -1);
}

static void
inlet_ends_at_once_when_nothing_waits(void **state)
{
	char c;

	(void)state;
	open_inlet();
	assert_int_equal(inlet_write(&in, "abc", 3), 3);
	inlet_end(&in);
	assert_int_equal(in.fd, -1);
	assert_int_equal(read(other_fd, bytes, 10), 3);
	assert_int_equal(read(other_fd, &c, 1), 0);
	/* What comes later is dropped. */
	assert_int_equal(inlet_write(&in, bytes, sizeof(bytes)), sizeof(bytes));
}

static void
inlet_outlives_its_program(void **state)
{
	(void)state;
	open_inlet();
	(void)close(other_fd);
	other_fd = -1;
	assert_int_equal(inlet_write(&in, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(in.fd, -1);
	/* Also when it goes while something waits. */
	inlet_init(&in);
	open_inlet();
	assert_true(inlet_write(&in, bytes, sizeof(bytes)) < sizeof(bytes));
	(void)close(other_fd);
	other_fd = -1;
	assert_int_equal(loop_turn(&loop, 1000), 0);
	assert_int_equal(in.fd, -1);
}

static void
outlet_reads_ahead_a_little(void **state)
{
	(void)state;
	open_outlet();
	assert_int_equal(write(other_fd, "abc", 3), 3);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(out.pending.len, 0);
	assert_int_equal(outlet_watch(&out, true), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_string_equal(buf_text(&out.pending), "abc");
	for (int i = 0; i < 10; i++) {
		(void)fcntl(other_fd, F_SETFL, O_NONBLOCK);
		(void)!write(other_fd, bytes, 65536);
		assert_int_equal(loop_turn(&loop, 0), 0);
	}
	assert_int_equal(out.pending.len, OUTLET_AHEAD);
	assert_int_equal(outlet_watch(&out, false), 0);
	assert_false(outlet_is_done(&out));
}

static void
outlet_sees_the_end(void **state)
{
	(void)state;
	open_outlet();
	assert_int_equal(write(other_fd, "abc", 3), 3);
	(void)close(other_fd);
	other_fd = -1;
	assert_int_equal(outlet_watch(&out, true), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(out.fd, -1);
	assert_false(outlet_is_done(&out));
	buf_consume(&out.pending, 3);
	assert_true(outlet_is_done(&out));
}

static void
outlet_ends_with_its_program(void **state)
{
	(void)state;
	/* Somebody else still holds the other end. */
	open_outlet();
	assert_int_equal(write(other_fd, "abc", 3), 3);
	outlet_last(&out);
	assert_int_equal(outlet_watch(&out, true), 0);
	assert_string_equal(buf_text(&out.pending), "abc");
	buf_consume(&out.pending, 3);
	assert_int_equal(outlet_watch(&out, true), 0);
	assert_int_equal(out.fd, -1);
	assert_true(outlet_is_done(&out));
}

static void
outlet_drops_without_blocking_its_program(void **state)
{
	(void)state;
	open_outlet();
	assert_int_equal(buf_add_string(&out.pending, "said"), 0);
	outlet_drop(&out);
	assert_true(outlet_is_done(&out));
	for (int i = 0; i < 40; i++) {
		assert_int_equal(write(other_fd, bytes, 60000), 60000);
		assert_int_equal(loop_turn(&loop, 0), 0);
	}
	assert_int_equal(out.n_read, 40 * 60000);
	assert_int_equal(out.pending.len, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(inlet_waits_for_a_slow_program),
		T(inlet_ends_at_once_when_nothing_waits),
		T(inlet_outlives_its_program),
		T(outlet_reads_ahead_a_little),
		T(outlet_sees_the_end),
		T(outlet_ends_with_its_program),
		T(outlet_drops_without_blocking_its_program),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

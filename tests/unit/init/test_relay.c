/* Lines from a pipe to packets: splitting, dropping, counting, never waiting. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/msg.h"
#include "daemon/supervisor/init/relay.h"

struct fixture {
	struct relay relay;
	int write_fd, log_fd;
	char text[256 * 1024];
	uint32_t n_dropped;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int pipe_ends[2], log_ends[2];

	assert_non_null(f);
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(msg_pair(log_ends, true), 0);
	f->write_fd = pipe_ends[1];
	f->log_fd = log_ends[1];
	assert_int_equal(relay_init(&f->relay, pipe_ends[0], log_ends[0]), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	relay_done(&f->relay);
	if (f->write_fd >= 0)
		(void)close(f->write_fd);
	(void)close(f->log_fd);
	free(f);
	return 0;
}

static void
print(struct fixture *f, const char *text, size_t n)
{
	assert_int_equal(write(f->write_fd, text, n), (ssize_t)n);
	relay_read(&f->relay);
}

/* All packets that have arrived, in one text; each must consist of whole lines. */
static const char *
collect(struct fixture *f)
{
	size_t len = 0;
	struct msg m;

	f->n_dropped = 0;
	while (msg_receive(f->log_fd, &m) > 0) {
		const char *p;
		size_t n;

		assert_int_equal(m.type, MSG_LOG_LINES);
		assert_int_equal(msg_check(m.type, ROLE_INIT, ROLE_LOGS, PHASE_ANY, m.n_fds, NULL),
				 0);
		assert_true(wire_get_u64(&m.in) > 1600000000000000U);
		f->n_dropped += wire_get_u32(&m.in);
		p = wire_get_bytes(&m.in, &n);
		assert_int_equal(wire_end(&m.in), 0);
		assert_true(n > 0 && p[n - 1] == '\n');
		assert_true(len + n < sizeof(f->text));
		memcpy(f->text + len, p, n);
		len += n;
	}
	f->text[len] = '\0';
	return f->text;
}

static void
lines_are_passed_on_at_once(void **state)
{
	struct fixture *f = *state;

	print(f, "one\ntwo\n", 8);
	assert_string_equal(collect(f), "one\ntwo\n");
	print(f, "thr", 3);
	assert_string_equal(collect(f), "");
	assert_true(relay_has_partial(&f->relay));
	print(f, "ee\nfo", 5);
	assert_string_equal(collect(f), "three\n");
	/* Silence makes a line of what there is. */
	relay_flush(&f->relay);
	assert_string_equal(collect(f), "fo\n");
	assert_false(relay_has_partial(&f->relay));
	assert_true(relay_is_empty(&f->relay));
}

static void
the_end_flushes(void **state)
{
	struct fixture *f = *state;

	print(f, "a\nlast words", 12);
	(void)close(f->write_fd);
	f->write_fd = -1;
	relay_read(&f->relay);
	assert_string_equal(collect(f), "a\nlast words\n");
	assert_int_equal(f->relay.in_fd, -1);
	assert_true(relay_is_empty(&f->relay));
}

static void
long_lines_are_cut(void **state)
{
	struct fixture *f = *state;
	char *line = malloc(25001);
	const char *text;

	assert_non_null(line);
	memset(line, 'x', 25000);
	line[25000] = '\n';
	print(f, line, 25001);
	text = collect(f);
	assert_int_equal(strlen(text), 25003);
	assert_int_equal(text[10000], '\n');
	assert_int_equal(text[20001], '\n');
	free(line);
}

/* Packets hold what fits in one message, ended at a line. */
static void
many_lines_are_batched(void **state)
{
	struct fixture *f = *state;
	char line[32], *all = malloc(65536);
	size_t len = 0;

	assert_non_null(all);
	for (int i = 0; len < 60000; i++) {
		int n = snprintf(line, sizeof(line), "line number %d\n", i);

		memcpy(all + len, line, (size_t)n);
		len += (size_t)n;
	}
	all[len] = '\0';
	print(f, all, len);
	assert_string_equal(collect(f), all);
	assert_int_equal(f->n_dropped, 0);
	free(all);
}

static void
a_reader_that_sleeps_costs_the_oldest_lines(void **state)
{
	struct fixture *f = *state;
	unsigned first = 0, n_printed = 0, n_read = 0;
	char line[100];
	const char *at;

	/* Ten times what buffer and socket hold; the program is never kept waiting. */
	for (; n_printed < 60000; n_printed++) {
		int n = snprintf(line, sizeof(line), "%08u %s\n", n_printed,
				 "and some text to make the line longer");

		print(f, line, (size_t)n);
	}
	assert_true(f->relay.is_blocked);
	n_read = 0;
	f->n_dropped = 0;
	/* What the socket held, then what the buffer still has. */
	for (int round = 0; round < 2; round++) {
		at = collect(f);
		for (; *at; at = strchr(at, '\n') + 1) {
			unsigned number = (unsigned)strtoul(at, NULL, 10);

			assert_true(n_read == 0 || number > first);
			first = number;
			n_read++;
		}
		if (round == 0)
			relay_send(&f->relay);
	}
	assert_int_equal(first, n_printed - 1);
	assert_int_equal(n_read + f->n_dropped, n_printed);
	assert_true(f->n_dropped > 50000);
	assert_true(relay_is_empty(&f->relay));
}

static void
a_reader_that_dies_is_replaced(void **state)
{
	struct fixture *f = *state;
	int ends[2];

	(void)close(f->log_fd);
	print(f, "kept\n", 5);
	assert_int_equal(f->relay.log_fd, -1);
	print(f, "too\n", 4);
	assert_int_equal(msg_pair(ends, true), 0);
	f->log_fd = ends[1];
	relay_set_log(&f->relay, ends[0]);
	assert_string_equal(collect(f), "kept\ntoo\n");
	assert_int_equal(f->n_dropped, 0);
}

static void
without_any_reader_the_newest_stay(void **state)
{
	struct fixture *f = *state;
	char line[1000];
	int ends[2];
	size_t n;

	relay_set_log(&f->relay, -1);
	memset(line, 'y', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 500; i++)
		print(f, line, sizeof(line));
	print(f, "the end\n", 8);
	assert_int_equal(msg_pair(ends, true), 0);
	(void)close(f->log_fd);
	f->log_fd = ends[1];
	relay_set_log(&f->relay, ends[0]);
	n = strlen(collect(f));
	assert_string_equal(f->text + n - 8, "the end\n");
	assert_in_range(n, RELAY_MAX / 2, RELAY_MAX);
	assert_int_equal(f->n_dropped + (n - 8) / sizeof(line), 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_are_passed_on_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_end_flushes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_lines_are_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_lines_are_batched, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reader_that_sleeps_costs_the_oldest_lines, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_reader_that_dies_is_replaced, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_any_reader_the_newest_stay, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

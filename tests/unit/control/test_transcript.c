/* The transcript: never blocks on a shared pipe, keeps the order, drops what does not fit. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon/control/transcript.h"
#include "lib/file.h"

static struct loop loop;
static struct transcript transcript;
static int reader_fd;
static unsigned n_ended;

static void
on_ended(struct transcript *t)
{
	assert_ptr_equal(t, &transcript);
	assert_int_equal(t->fd, -1);
	n_ended++;
}

static int
set_up(void **state)
{
	int ends[2];

	(void)state;
	n_ended = 0;
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	reader_fd = ends[0];
	assert_int_equal(file_set_nonblocking(reader_fd, true), 0);
	assert_int_equal(transcript_open(&transcript, &loop, ends[1]), 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	transcript_close(&transcript);
	transcript_close(&transcript);
	if (reader_fd >= 0)
		(void)close(reader_fd);
	loop_done(&loop);
	return 0;
}

static ssize_t
read_some(char *out, size_t cap)
{
	ssize_t n = read(reader_fd, out, cap - 1);

	out[n > 0 ? n : 0] = '\0';
	return n;
}

static void
turn_until_ended(void)
{
	for (int i = 0; i < 1000 && n_ended == 0; i++)
		assert_int_equal(loop_turn(&loop, 10), 0);
	assert_int_equal(n_ended, 1);
}

static void
what_is_said_arrives(void **state)
{
	char text[256];

	(void)state;
	transcript_say(&transcript, "-----> %s\n", "Launching...");
	transcript_say(&transcript, "       v%d\n", 3);
	(void)read_some(text, sizeof(text));
	assert_string_equal(text, "-----> Launching...\n       v3\n");
	transcript_say(&transcript, "%s", "");
	transcript_end(&transcript, on_ended);
	assert_int_equal(n_ended, 0);
	turn_until_ended();
	assert_int_equal(read_some(text, sizeof(text)), 0);
	transcript_say(&transcript, "too late\n");
}

/* The pipe is full and in blocking mode, as a builder needs it. */
static void
a_full_pipe_does_not_block(void **state)
{
	static char junk[4096], text[1 << 20];
	size_t total = 0, n_junk = 0;

	(void)state;
	memset(junk, '.', sizeof(junk));
	assert_int_equal(fcntl(transcript.fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(file_set_nonblocking(transcript.fd, true), 0);
	while (write(transcript.fd, junk, sizeof(junk)) > 0)
		n_junk += sizeof(junk);
	assert_int_equal(file_set_nonblocking(transcript.fd, false), 0);
	(void)alarm(10); /* a block would last for ever */
	for (int i = 0; i < 100; i++)
		transcript_say(&transcript, "line %d\n", i);
	transcript_end(&transcript, on_ended);
	while (n_ended == 0) {
		assert_int_equal(loop_turn(&loop, 0), 0);
		ssize_t n = read(reader_fd, text + total, sizeof(text) - total - 1);

		if (n > 0)
			total += (size_t)n;
	}
	(void)alarm(0);
	for (ssize_t n; (n = read(reader_fd, text + total, sizeof(text) - total - 1)) > 0;)
		total += (size_t)n;
	text[total] = '\0';
	assert_memory_equal(text + n_junk, "line 0\nline 1\n", 14);
	assert_string_equal(text + total - 8, "line 99\n");
}

static void
nobody_reads_for_ever_and_lines_are_dropped(void **state)
{
	(void)state;
	(void)alarm(20);
	for (int i = 0; i < 50000; i++)
		transcript_say(&transcript, "a line of a transcript that nobody reads\n");
	(void)alarm(0);
	assert_true(transcript.fd >= 0);
}

static void
a_reader_that_goes_ends_it(void **state)
{
	(void)state;
	(void)close(reader_fd);
	reader_fd = -1;
	transcript_say(&transcript, "anybody?\n");
	assert_int_equal(transcript.fd, -1);
	transcript_end(&transcript, on_ended);
	turn_until_ended();
}

static void
a_reader_that_goes_while_it_waits_ends_it(void **state)
{
	(void)state;
	for (int i = 0; i < 10000; i++)
		transcript_say(&transcript, "fill the pipe and the queue\n");
	transcript_end(&transcript, on_ended);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(n_ended, 0);
	(void)close(reader_fd);
	reader_fd = -1;
	turn_until_ended();
}

/* Only a pipe can be written to without fear. */
static void
what_is_no_pipe_is_refused(void **state)
{
	struct transcript other;
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(transcript_open(&other, &loop, fd), -EBADF);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	transcript_say(&other, "nothing happens\n");
	assert_int_equal(transcript_open(&other, &loop, -1), -EBADF);
	transcript_close(&other);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_said_arrives),
		TEST(a_full_pipe_does_not_block),
		TEST(nobody_reads_for_ever_and_lines_are_dropped),
		TEST(a_reader_that_goes_ends_it),
		TEST(a_reader_that_goes_while_it_waits_ends_it),
		TEST(what_is_no_pipe_is_refused),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

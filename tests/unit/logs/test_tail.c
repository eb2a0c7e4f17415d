/* daemon/logs/tail: history and following, slow readers, readers that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/file.h"

#include "tests/unit/lib/alloc.h"
#include "daemon/logs/tail.c"

static char top[64];
static int top_fd;
static struct loop loop;
static struct store store;
static struct app_log *app;
static const struct line_filter all;

static int
setup(void **state)
{
	int ret;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	strcpy(top, "/tmp/paas-tail-XXXXXX");
	if (!mkdtemp(top) || loop_init(&loop) < 0)
		return -1;
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store_init(&store, &loop, top_fd, RING_SEGMENT_MIN, tail_on_lines, tail_on_rotate);
	app = store_find(&store, "hello", true, &ret);
	return app ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	tail_close(app);
	assert_int_equal(n_readers, 0);
	store_done(&store);
	loop_done(&loop);
	close(top_fd);
	return file_remove_tree(AT_FDCWD, top);
}

static void
say(const char *source, const char *text)
{
	store_text(app, UINT64_C(1795168800000000), source, text, strlen(text));
}

static void
turn(void)
{
	assert_int_equal(loop_turn(&loop, 0), 0);
}

static int
open_reader(uint64_t n, bool follow, const struct line_filter *filter)
{
	int ends[2];

	store_flush(&store);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(tail_open(app, &loop, ends[1], n, follow, filter), 0);
	return ends[0];
}

/* What is there now, without time stamps; *ended: and then the end of file. */
static const char *
seen(int fd, bool *ended)
{
	static char text[1 << 18];
	size_t len = 0;
	ssize_t n;
	char *out = text;

	*ended = false;
	for (int i = 0; i < 1000; i++) {
		n = recv(fd, text + len, sizeof(text) - 1 - len, MSG_DONTWAIT);
		if (n == 0) {
			*ended = true;
			break;
		}
		if (n > 0) {
			len += (size_t)n;
			continue;
		}
		if (i % 2 == 1)
			break;
		turn();
	}
	text[len] = '\0';
	for (char *line = text, *eol; (eol = strchr(line, '\n')); line = eol + 1) {
		size_t size = (size_t)(eol + 1 - line) - 33;

		memmove(out, line + 33, size);
		out += size;
	}
	*out = '\0';
	return text;
}

static void
test_history(void **state)
{
	struct line_filter heroku = {.source = "heroku"};
	bool ended;
	int fd;

	(void)state;
	say("app[web.1]", "one\ntwo\n");
	say("heroku[web.1]", "up\n");
	say("app[web.1]", "three\n");
	fd = open_reader(2, false, &all);
	assert_string_equal(seen(fd, &ended), "heroku[web.1]: up\napp[web.1]: three\n");
	assert_true(ended);
	close(fd);
	fd = open_reader(2, false, &heroku);
	assert_string_equal(seen(fd, &ended), "heroku[web.1]: up\n");
	assert_true(ended);
	close(fd);
	/* What comes after the question is no answer to it. */
	fd = open_reader(10, false, &all);
	say("app[web.1]", "late\n");
	store_flush(&store);
	assert_null(strstr(seen(fd, &ended), "late"));
	assert_true(ended);
	close(fd);
	assert_int_equal(n_readers, 0);
}

static void
test_follow(void **state)
{
	struct line_filter web2 = {.source = "app", .instance = "web.2"};
	int one, two;
	bool ended;

	(void)state;
	say("app[web.1]", "old\n");
	one = open_reader(1, true, &all);
	two = open_reader(0, true, &web2);
	assert_string_equal(seen(one, &ended), "app[web.1]: old\n");
	assert_string_equal(seen(two, &ended), "");
	say("app[web.1]", "a\n");
	say("app[web.2]", "b\n");
	turn();
	assert_string_equal(seen(one, &ended), "app[web.1]: a\napp[web.2]: b\n");
	assert_string_equal(seen(two, &ended), "app[web.2]: b\n");
	assert_false(ended);
	assert_int_equal(n_readers, 2);
	/* The one that leaves is noticed without a line. */
	close(one);
	turn();
	assert_int_equal(n_readers, 1);
	tail_close(app);
	assert_string_equal(seen(two, &ended), "");
	assert_true(ended);
	close(two);
}

/* One that sends urgent bytes or ends its own side must not make the loop spin. */
static void
test_odd_readers(void **state)
{
	int fd = open_reader(0, true, &all), n = 0;
	bool ended;

	(void)state;
	turn();
	(void)send(fd, "!", 1, MSG_OOB);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(write(fd, "x", 1), -1);
	turn();
	for (; n < 3; n++) {
		uint64_t before = loop_now_ms(&loop);

		assert_int_equal(loop_turn(&loop, 30), 0);
		if (loop_now_ms(&loop) - before >= 29)
			break;
	}
	assert_true(n < 3);
	say("app[web.1]", "still\n");
	turn();
	assert_string_equal(seen(fd, &ended), "app[web.1]: still\n");
	close(fd);
}

static unsigned
count_lines(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void
shout(unsigned n)
{
	static char text[9000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 2] = '\n';
	for (unsigned i = 0; i < n; i++) {
		say(i % 2 ? "app[web.1]" : "app[web.2]", text);
		turn();
	}
}

/* The count of a filtered reader is about its own lines. */
static void
test_slow(void **state)
{
	struct line_filter web1 = {.instance = "web.1"};
	unsigned n_lines = 0, n_lost = 0;
	int fd = open_reader(0, true, &web1);
	bool ended;

	(void)state;
	shout(200);
	for (int i = 0; i < 50 && n_lines + n_lost < 100; i++) {
		const char *text = seen(fd, &ended), *lost = text;

		n_lines += count_lines(text, "app[web.1]: ");
		assert_int_equal(count_lines(text, "app[web.2]: "), 0);
		while ((lost = strstr(lost, "overflow): ")))
			n_lost += (unsigned)strtoul(lost += 11, NULL, 10);
	}
	assert_true(n_lost > 0);
	assert_int_equal(n_lines + n_lost, 100);
	/* It is in step again. */
	say("app[web.1]", "now\n");
	turn();
	assert_string_equal(seen(fd, &ended), "app[web.1]: now\n");
	close(fd);
}

/* One that only wanted history, and was too slow for it, is told and let go. */
static void
test_slow_history(void **state)
{
	const char *text;
	bool ended = false;
	int fd;

	(void)state;
	shout(14);
	fd = open_reader(1000, false, &all);
	shout(60);
	for (int i = 0; i < 50 && !ended; i++) {
		text = seen(fd, &ended);
		if (ended)
			assert_int_equal(count_lines(text, "Error L10"), 1);
	}
	assert_true(ended);
	close(fd);
}

static void
test_limits(void **state)
{
	int fds[TAIL_MAX_READERS], ends[2], file;
	char byte;

	(void)state;
	for (int i = 0; i < TAIL_MAX_READERS; i++)
		fds[i] = open_reader(0, true, &all);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(tail_open(app, &loop, ends[1], 1, true, &all), -EMFILE);
	assert_int_equal(recv(ends[0], &byte, 1, 0), 0);
	close(ends[0]);
	for (int i = 0; i < TAIL_MAX_READERS; i++)
		close(fds[i]);
	for (int i = 0; i < TAIL_MAX_READERS && n_readers > 0; i++)
		turn();
	assert_int_equal(n_readers, 0);
	/* A file cannot be waited for. */
	file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	assert_int_equal(tail_open(app, &loop, file, 1, true, &all), -EPERM);
	assert_int_equal(fcntl(file, F_GETFD), -1);
}

static void
test_no_memory(void **state)
{
	bool ended;

	(void)state;
	say("app[web.1]", "old\n");
	store_flush(&store);
	ALLOC_LOOP(i)
	{
		int ends[2], ret;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		ret = tail_open(app, &loop, ends[1], 1, false, &all);
		assert_true(ret == 0 || ret == -ENOMEM);
		(void)seen(ends[0], &ended);
		assert_true(ended);
		assert_int_equal(n_readers, 0);
		close(ends[0]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_history, setup, teardown),
		cmocka_unit_test_setup_teardown(test_follow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_readers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_history, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}

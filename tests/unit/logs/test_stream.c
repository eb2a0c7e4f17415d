/* daemon/logs/stream and store: what untrusted senders can and cannot do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/file.h"
#include "lib/loop.h"
#include "lib/msg.h"

#include "daemon/logs/ring.h"
#include "daemon/logs/store.h"
#include "daemon/logs/stream.h"

static char top[64];
static int top_fd;
static struct loop loop;
static struct store store;
static struct streams streams;
static struct msg m;
static unsigned n_told;

static void
on_lines(struct app_log *app)
{
	assert_non_null(app);
	n_told++;
}

static void
on_rotate(struct app_log *app)
{
	assert_non_null(app);
}

static int
setup(void **state)
{
	(void)state;
	n_told = 0;
	strcpy(top, "/tmp/paas-stream-XXXXXX");
	if (!mkdtemp(top) || loop_init(&loop) < 0)
		return -1;
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store_init(&store, &loop, top_fd, RING_SEGMENT_MIN, on_lines, on_rotate);
	streams_init(&streams, &loop, &store);
	return top_fd < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	streams_done(&streams);
	store_done(&store);
	loop_done(&loop);
	close(top_fd);
	return file_remove_tree(AT_FDCWD, top);
}

static void
begin_lines(uint32_t n_dropped, const char *text)
{
	msg_begin(&m, MSG_LOG_LINES, 0);
	wire_put_u64(&m.out, 0);
	wire_put_u32(&m.out, n_dropped);
	wire_put_str(&m.out, text);
}

static void
begin_request(const char *app, const char *text)
{
	msg_begin(&m, MSG_LOG_ROUTER, 0);
	wire_put_str(&m.out, app);
	wire_put_u64(&m.out, 0);
	wire_put_str(&m.out, text);
}

/* As if it had been received. */
static int
feed(const char *app, const char *source)
{
	wire_read_init(&m.in, m.out.data, m.out.len);
	return stream_message(&store, app, source, &m);
}

/* All of an app's log without time stamps. */
static const char *
log_of(const char *name)
{
	static char text[4 * RING_SEGMENT_MIN], plain[4 * RING_SEGMENT_MIN];
	struct app_log *app;
	size_t out = 0, len = 0;
	ssize_t n;
	int ret;

	store_flush(&store);
	app = store_find(&store, name, false, &ret);
	if (!app)
		return NULL;
	while ((n = ring_read(app->ring, ring_start(app->ring) + len, text + len,
			      sizeof(text) - len)) > 0)
		len += (size_t)n;
	for (size_t i = 0; i < len;) {
		size_t stop = (size_t)((char *)memchr(text + i, '\n', len - i) - text) + 1;

		assert_true(stop - i > 33);
		memcpy(plain + out, text + i + 33, stop - i - 33);
		out += stop - i - 33;
		i = stop;
	}
	plain[out] = '\0';
	return plain;
}

static void
test_lines(void **state)
{
	(void)state;
	begin_lines(0, "one\n\ntwo\nno end");
	assert_int_equal(feed("hello", "app[web.1]"), 0);
	begin_lines(3, "");
	assert_int_equal(feed("hello", "app[web.1]"), 0);
	begin_lines(0, "");
	assert_int_equal(feed("hello", "app[web.1]"), 0);
	assert_string_equal(
		log_of("hello"),
		"app[web.1]: one\napp[web.1]: \napp[web.1]: two\napp[web.1]: no end\n"
		"heroku[logs]: Error L10 (output buffer overflow): 3 messages dropped\n");
	assert_int_equal(n_told, 1);
}

static void
test_requests(void **state)
{
	(void)state;
	/* An app that nobody trusted has named is not made. */
	begin_request("hello", "at=info");
	assert_int_equal(feed("", ""), 0);
	assert_null(log_of("hello"));
	begin_lines(0, "x\n");
	assert_int_equal(feed("hello", "app[web.1]"), 0);
	begin_request("hello", "at=info path=\"/\n2026 forged\"");
	assert_int_equal(feed("", ""), 0);
	assert_string_equal(log_of("hello"),
			    "app[web.1]: x\n"
			    "heroku[router]: at=info path=\"/\\x0a2026 forged\"\n");
	begin_request("../hello", "x");
	assert_int_equal(feed("", ""), -EBADMSG);
	begin_request("", "x");
	assert_int_equal(feed("", ""), -EBADMSG);
}

static void
test_refused(void **state)
{
	(void)state;
	/* The other kind's message, somebody else's, one with fds, cut and padded ones. */
	begin_lines(0, "x\n");
	assert_int_equal(feed("", ""), -EBADMSG);
	begin_request("hello", "x");
	assert_int_equal(feed("hello", "app[web.1]"), -EBADMSG);
	msg_begin(&m, MSG_LOGS_REMOVE, 0);
	wire_put_str(&m.out, "hello");
	assert_int_equal(feed("hello", "app[web.1]"), -EBADMSG);
	begin_lines(0, "x\n");
	msg_add_fd(&m, top_fd);
	assert_int_equal(feed("hello", "app[web.1]"), -EBADMSG);
	begin_lines(0, "x\n");
	wire_put_u8(&m.out, 0);
	assert_int_equal(feed("hello", "app[web.1]"), -EBADMSG);
	begin_lines(0, "x\n");
	m.out.len--;
	assert_int_equal(feed("hello", "app[web.1]"), -EBADMSG);
	begin_request("hello", "x");
	m.out.len--;
	assert_int_equal(feed("", ""), -EBADMSG);
	assert_null(log_of("hello"));
}

static int
open_one(const char *app, const char *source)
{
	int ends[2];

	assert_int_equal(msg_pair(ends, true), 0);
	assert_int_equal(stream_open(&streams, ends[1], app, source), 0);
	return ends[0];
}

/* One that shouts is paused and meets a full socket; the others go on; it resumes by itself. */
static void
test_budget(void **state)
{
	static char text[15000];
	int loud = open_one("loud", "app[web.1]"), calm = open_one("calm", "app[web.1]");
	unsigned n_sent = 0, n_full = 0;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 200 && n_full < 3; i++) {
		while (begin_lines(0, text), msg_send(loud, &m) == 0)
			n_sent++;
		assert_int_equal(loop_turn(&loop, 0), 0);
		/* A turn that took nothing away: it is paused. */
		begin_lines(0, text);
		if (msg_send(loud, &m) == -EAGAIN)
			n_full++;
		else
			n_sent++;
	}
	assert_int_equal(n_full, 3);
	assert_true(n_sent * sizeof(text) >= 512 * 1024);
	assert_true(n_sent * sizeof(text) < 4 * 1024 * 1024);
	begin_lines(0, "still heard\n");
	assert_int_equal(msg_send(calm, &m), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_string_equal(log_of("calm"), "app[web.1]: still heard\n");
	/* The loop's own timer opens it again. */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(loop_turn(&loop, 1000), 0);
		begin_lines(0, "again\n");
		if (msg_send(loud, &m) == 0)
			break;
		assert_true(i < 99);
	}
	close(loud);
	close(calm);
	for (int i = 0; i < 100 && streams.n > 0; i++)
		assert_int_equal(loop_turn(&loop, 1000), 0);
	assert_int_equal(streams.n, 0);
}

static void
test_ends(void **state)
{
	int a = open_one("hello", "app[web.1]"), b = open_one("hello", "app[web.2]");
	int c = open_one("other", "app[web.1]"), router = open_one("", "");
	int ends[2];
	char byte;

	(void)state;
	assert_int_equal(streams.n, 4);
	/* One breaks a rule: only it ends. */
	assert_int_equal(send(a, "nonsense that is no message", 27, 0), 27);
	begin_lines(0, "fine\n");
	assert_int_equal(msg_send(b, &m), 0);
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(streams.n, 3);
	assert_int_equal(recv(a, &byte, 1, 0), 0);
	assert_string_equal(log_of("hello"), "app[web.2]: fine\n");
	/* An app is removed. */
	stream_close_app(&streams, "hello");
	assert_int_equal(streams.n, 2);
	assert_int_equal(recv(b, &byte, 1, 0), 0);
	assert_int_equal(store_remove(&store, "hello"), 0);
	assert_int_equal(faccessat(top_fd, "hello", F_OK, 0), -1);
	/* What is in the sockets at the end is still stored. */
	begin_lines(0, "last\n");
	assert_int_equal(msg_send(c, &m), 0);
	streams_done(&streams);
	assert_string_equal(log_of("other"), "app[web.1]: last\n");
	/* Names that are too long never get in, and the fd is closed. */
	assert_int_equal(msg_pair(ends, true), 0);
	assert_int_equal(stream_open(&streams, ends[1], "a234567890123456789012345678901", "x"),
			 -EINVAL);
	assert_int_equal(recv(ends[0], &byte, 1, 0), 0);
	close(ends[0]);
	close(a);
	close(b);
	close(c);
	close(router);
}

/* However many apps there are, few are open, and all keep their lines. */
static void
test_many_apps(void **state)
{
	char name[16];
	int ret;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3 * STORE_MAX_OPEN; i++) {
			(void)snprintf(name, sizeof(name), "app%d", i);
			begin_lines(0, round ? "two\n" : "one\n");
			assert_int_equal(feed(name, "app[web.1]"), 0);
			assert_true(store.apps.n <= STORE_MAX_OPEN);
		}
	}
	for (int i = 0; i < 3 * STORE_MAX_OPEN; i++) {
		(void)snprintf(name, sizeof(name), "app%d", i);
		assert_string_equal(log_of(name), "app[web.1]: one\napp[web.1]: two\n");
	}
	assert_null(store_find(&store, "none", false, &ret));
	assert_int_equal(ret, -ENOENT);
	assert_null(store_find(&store, "../x", true, &ret));
	assert_int_equal(ret, -EINVAL);
	assert_int_equal(store_remove(&store, ".."), -EINVAL);
	assert_int_equal(store_remove(&store, "none"), 0);
}

/* The log says itself what the disk did not take. */
static void
test_full_disk(void **state)
{
	char path[128];
	int ret;

	(void)state;
	assert_non_null(store_find(&store, "hello", true, &ret));
	assert_int_equal(store_remove(&store, "hello"), 0);
	(void)snprintf(path, sizeof(path), "%s/hello", top);
	assert_int_equal(mkdir(path, 0700), 0);
	if (mount("none", path, "tmpfs", 0, "size=4k,nr_inodes=10") < 0)
		skip();
	begin_lines(0, "first\n");
	assert_int_equal(feed("hello", "app[web.1]"), 0);
	store_flush(&store);
	for (int i = 0; i < 100; i++) {
		begin_lines(0, "0123456789012345678901234567890123456789\n");
		assert_int_equal(feed("hello", "app[web.1]"), 0);
	}
	store_flush(&store);
	assert_int_equal(mount("none", path, "tmpfs", MS_REMOUNT, "size=1m"), 0);
	begin_lines(0, "last\n");
	assert_int_equal(feed("hello", "app[web.1]"), 0);
	assert_string_equal(
		log_of("hello"),
		"app[web.1]: first\napp[web.1]: last\n"
		"heroku[logs]: Error L10 (output buffer overflow): 100 messages dropped\n");
	assert_int_equal(umount2(path, MNT_DETACH), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_apps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}

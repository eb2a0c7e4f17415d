/* lib/msg: the rules of the table, and messages over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/err.h"
#include "lib/msg.h"

static struct msg m;
static int ends[2];

static int
setup(void **state)
{
	(void)state;
	return msg_pair(ends, true);
}

static int
teardown(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static size_t
count_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Each row: its own sender and receiver may, everybody else may not. */
static void
test_rules(void **state)
{
	(void)state;
	for (int t = MSG_NONE + 1; t < MSG_COUNT; t++) {
		enum msg_type type = (enum msg_type)t;
		size_t n = 0;

		while (msg_check(type, msg_from(type), msg_to(type), PHASE_LOGIN, n, NULL) < 0)
			assert_true(++n <= MSG_MAX_FDS);
		assert_int_equal(
			msg_check(type, msg_from(type), msg_to(type), PHASE_LOGIN, 7, NULL),
			-EPROTO);
		if (n > 0)
			assert_int_equal(msg_check(type, msg_from(type), msg_to(type), PHASE_LOGIN,
						   n - 1, NULL),
					 -EPROTO);
		for (int from = 0; from < ROLE_COUNT; from++) {
			for (int to = 0; to < ROLE_COUNT; to++) {
				bool want = ((enum role)from == msg_from(type) ||
					     from == ROLE_PARENT) &&
					    ((enum role)to == msg_to(type) || to == ROLE_PARENT) &&
					    !(from == ROLE_PARENT && to == ROLE_PARENT);
				int ret = msg_check(type, (enum role)from, (enum role)to,
						    PHASE_LOGIN, n, NULL);

				assert_int_equal(ret, want ? 0 : -EPROTO);
			}
		}
		assert_non_null(msg_name(type));
		assert_string_not_equal(msg_name(type), "UNKNOWN");
	}
}

static void
test_phase(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(msg_check(MSG_GIT_OPEN, ROLE_SESSION, ROLE_CONTROL, PHASE_ANY, 3, &err),
			 -EPROTO);
	assert_string_equal(err.text, "paas-session sent GIT_OPEN before the login");
	assert_int_equal(msg_check(MSG_GIT_OPEN, ROLE_SESSION, ROLE_CONTROL, PHASE_LOGIN, 3, &err),
			 0);
	assert_int_equal(msg_check(MSG_LOGIN_KEY, ROLE_SESSION, ROLE_CONTROL, PHASE_ANY, 0, &err),
			 0);
	/* Only the two messages of a login may come before it. */
	for (int t = MSG_NONE + 1; t < MSG_COUNT; t++) {
		if (msg_from((enum msg_type)t) == ROLE_SESSION && t != MSG_LOGIN_KEY &&
		    t != MSG_LOGIN_PROVED) {
			for (size_t n = 0; n <= MSG_MAX_FDS; n++)
				assert_int_equal(msg_check((enum msg_type)t, ROLE_SESSION,
							   ROLE_CONTROL, PHASE_ANY, n, NULL),
						 -EPROTO);
		}
	}
	assert_int_equal(msg_check(MSG_NONE, ROLE_INIT, ROLE_PARENT, PHASE_ANY, 0, &err), -EPROTO);
	assert_int_equal(msg_check(MSG_COUNT, ROLE_INIT, ROLE_PARENT, PHASE_ANY, 0, &err), -EPROTO);
	assert_string_equal(msg_name(MSG_COUNT), "UNKNOWN");
	assert_string_equal(role_name(ROLE_COUNT), "unknown");
	assert_string_equal(role_name(ROLE_HOOK), "paas-hook");
}

static void
test_round(void **state)
{
	char text[8];
	int fd;

	(void)state;
	msg_begin(&m, MSG_SANDBOX_PTY, 77);
	wire_put_u64(&m.out, 5);
	wire_put_str(&m.out, "hello");
	msg_add_fd(&m, ends[0]);
	assert_int_equal(msg_send(ends[0], &m), 0);
	assert_int_equal(msg_receive(ends[1], &m), 1);
	assert_int_equal(m.type, MSG_SANDBOX_PTY);
	assert_int_equal(m.peer, 77);
	assert_int_equal(wire_get_u64(&m.in), 5);
	wire_get_str(&m.in, text, sizeof(text));
	assert_string_equal(text, "hello");
	assert_int_equal(wire_end(&m.in), 0);
	assert_int_equal(m.n_fds, 1);
	assert_int_equal(fcntl(m.fds[0], F_GETFD), FD_CLOEXEC);
	fd = msg_take_fd(&m, 0);
	msg_done(&m);
	assert_int_equal(close(fd), 0);
	assert_int_equal(msg_receive(ends[1], &m), -EAGAIN);
}

static void
test_sizes(void **state)
{
	static char big[MSG_MAX_BYTES];

	(void)state;
	memset(big, 'x', sizeof(big));
	/* The largest there can be. */
	msg_begin(&m, MSG_LOG_LINES, 0);
	wire_put_bytes(&m.out, big, MSG_MAX_BYTES - MSG_HEAD_BYTES - 4);
	assert_int_equal(msg_send(ends[0], &m), 0);
	assert_int_equal(msg_receive(ends[1], &m), 1);
	assert_int_equal(m.in.end - m.in.at, MSG_MAX_BYTES - MSG_HEAD_BYTES);
	msg_begin(&m, MSG_LOG_LINES, 0);
	wire_put_bytes(&m.out, big, MSG_MAX_BYTES - MSG_HEAD_BYTES - 3);
	assert_int_equal(msg_send(ends[0], &m), -EMSGSIZE);
	/* Too many fds. */
	msg_begin(&m, MSG_LOG_LINES, 0);
	for (int i = 0; i < MSG_MAX_FDS + 1; i++)
		msg_add_fd(&m, ends[0]);
	assert_int_equal(msg_send(ends[0], &m), -EMSGSIZE);
	/* A full socket. */
	do {
		msg_begin(&m, MSG_INIT_BYE, 0);
	} while (msg_send(ends[0], &m) == 0);
	assert_int_equal(msg_send(ends[0], &m), -EAGAIN);
}

static void
send_raw(const void *p, size_t n, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(16 * sizeof(int))];
	} control = {0};
	union {
		const void *in;
		void *out;
	} u = {.in = p};
	struct iovec iov = {.iov_base = u.out, .iov_len = n};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds > 0) {
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (size_t i = 0; i < n_fds; i++)
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &ends[0], sizeof(int));
	}
	assert_int_equal(sendmsg(ends[0], &mh, 0), n);
}

/* Whatever is wrong with it, no fd stays behind. */
static void
test_bad(void **state)
{
	static uint8_t bytes[MSG_MAX_BYTES + 1] = {MSG_INIT_BYE};
	size_t before;

	(void)state;
	before = count_fds();
	for (size_t n = 1; n < MSG_HEAD_BYTES; n++) {
		send_raw(bytes, n, 1);
		assert_int_equal(msg_receive(ends[1], &m), -EBADMSG);
	}
	send_raw(bytes, sizeof(bytes), 2);
	assert_int_equal(msg_receive(ends[1], &m), -EBADMSG);
	send_raw(bytes, MSG_HEAD_BYTES, MSG_MAX_FDS + 1);
	assert_int_equal(msg_receive(ends[1], &m), -EBADMSG);
	send_raw(bytes, MSG_HEAD_BYTES, 16);
	assert_int_equal(msg_receive(ends[1], &m), -EBADMSG);
	/* Types that there are not, and a reserved field in use. */
	send_raw("\0\0\0\0\0\0\0\0", 8, 1);
	assert_int_equal(msg_receive(ends[1], &m), -EBADMSG);
	send_raw("\xff\xff\0\0\0\0\0\0", 8, 1);
	assert_int_equal(msg_receive(ends[1], &m), -EBADMSG);
	send_raw("\1\0\1\0\0\0\0\0", 8, 1);
	assert_int_equal(msg_receive(ends[1], &m), -EBADMSG);
	assert_int_equal(count_fds(), before);
	/* The largest legal number of fds is taken. */
	send_raw(bytes, MSG_HEAD_BYTES, MSG_MAX_FDS);
	assert_int_equal(msg_receive(ends[1], &m), 1);
	assert_int_equal(m.n_fds, MSG_MAX_FDS);
	msg_done(&m);
	assert_int_equal(count_fds(), before);
}

/* A peer that dies with messages of ours unread is an error first, then what it said, then EOF. */
static void
test_peer_gone(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(msg_pair(pair, true), 0);
	msg_begin(&m, MSG_INIT_BYE, 0);
	assert_int_equal(msg_send(pair[0], &m), 0);
	msg_begin(&m, MSG_INIT_EXIT, 0);
	wire_put_u32(&m.out, 256);
	assert_int_equal(msg_send(pair[1], &m), 0);
	close(pair[1]);
	assert_int_equal(msg_receive(pair[0], &m), 1);
	assert_int_equal(m.type, MSG_INIT_EXIT);
	assert_int_equal(wire_get_u32(&m.in), 256);
	assert_int_equal(msg_receive(pair[0], &m), 0);
	msg_begin(&m, MSG_INIT_BYE, 0);
	assert_int_equal(msg_send(pair[0], &m), -EPIPE);
	close(pair[0]);
	assert_int_equal(msg_receive(-1, &m), -EBADF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_phase),
		cmocka_unit_test_setup_teardown(test_round, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad, setup, teardown),
		cmocka_unit_test(test_peer_gone),
	};

	return cmocka_run_group_tests_name("msg", tests, NULL, NULL);
}

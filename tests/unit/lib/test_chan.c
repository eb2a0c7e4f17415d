/* lib/chan: rules, queueing, and every way a channel may end, also under a callback's feet. */
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

#include "tests/unit/lib/alloc.h"
#include "lib/loop.c"
#include "lib/chan.c"

static struct loop loop;
static struct chan *chan;
static int peer_fd;
static struct msg m;

/* What the callbacks saw. */
static unsigned n_messages, n_closed;
static char why_text[480];
static enum msg_type last_type;
static uint32_t last_peer;

static void
on_message(struct chan *c, struct msg *got)
{
	assert_ptr_equal(c, chan);
	n_messages++;
	last_type = got->type;
	last_peer = got->peer;
}

static void
on_closed(struct chan *c, const struct err *why)
{
	assert_ptr_equal(c, chan);
	assert_false(chan_is_open(c));
	n_closed++;
	strcpy(why_text, why ? why->text : "");
	free(chan);
	chan = NULL;
}

static void
open_chan(enum role self, enum role other, size_t max_queued, chan_message_fn *fn)
{
	int ends[2];

	assert_int_equal(msg_pair(ends, true), 0);
	peer_fd = ends[1];
	chan = alloc_zeroed(sizeof(*chan));
	assert_false(chan_is_open(chan));
	chan_close(chan);
	assert_int_equal(
		chan_open(chan, &loop, ends[0], self, other, max_queued, fn, on_closed, &loop), 0);
	assert_true(chan_is_open(chan));
}

static int
setup(void **state)
{
	(void)state;
	n_messages = n_closed = 0;
	why_text[0] = '\0';
	return loop_init(&loop);
}

static int
teardown(void **state)
{
	(void)state;
	if (chan)
		chan_close(chan);
	free(chan);
	chan = NULL;
	if (peer_fd >= 0)
		close(peer_fd);
	peer_fd = -1;
	loop_done(&loop);
	return 0;
}

static void
turn(void)
{
	assert_int_equal(loop_turn(&loop, 0), 0);
}

static int
peer_send(enum msg_type type)
{
	msg_begin(&m, type, 9);
	return msg_send(peer_fd, &m);
}

static int
send_numbered(uint32_t number)
{
	struct msg out;

	msg_begin(&out, MSG_ROUTE_APP_GONE, 0);
	wire_put_u32(&out.out, number);
	return chan_send(chan, &out);
}

/* ---- receiving --------------------------------------------------------------------------- */

static void
test_receive(void **state)
{
	(void)state;
	open_chan(ROLE_CONTROL, ROLE_PARENT, 4, on_message);
	/* More than one batch; other handles get their turn in between. */
	for (int i = 0; i < 2 * CHAN_BATCH; i++) {
		if (peer_send(MSG_ROUTER_UP) < 0) {
			turn();
			assert_int_equal(peer_send(MSG_ROUTER_UP), 0);
		}
	}
	for (int i = 0; i < 20 && n_messages < 2 * CHAN_BATCH; i++) {
		unsigned before = n_messages;

		turn();
		assert_true(n_messages - before <= CHAN_BATCH);
	}
	assert_int_equal(n_messages, 2 * CHAN_BATCH);
	assert_int_equal(last_type, MSG_ROUTER_UP);
	assert_int_equal(last_peer, 9);
	/* Forwarded by paasd from a router. */
	assert_int_equal(peer_send(MSG_ROUTE_ACK), 0);
	turn();
	assert_int_equal(last_type, MSG_ROUTE_ACK);
	close(peer_fd);
	peer_fd = -1;
	turn();
	assert_int_equal(n_closed, 1);
	assert_string_equal(why_text, "");
}

static void
test_rules(void **state)
{
	(void)state;
	/* An init says what only a session may. */
	open_chan(ROLE_PARENT, ROLE_INIT, 4, on_message);
	assert_int_equal(peer_send(MSG_GIT_STALLED), 0);
	turn();
	assert_int_equal(n_closed, 1);
	assert_string_equal(why_text, "paas-init may not send GIT_STALLED");
	close(peer_fd);

	/* An init says something that is for somebody else, on a channel that passes nothing on. */
	open_chan(ROLE_PARENT, ROLE_INIT, 4, on_message);
	assert_int_equal(peer_send(MSG_LOG_LINES), 0);
	turn();
	assert_int_equal(n_closed, 2);
	assert_int_equal(n_messages, 0);
	close(peer_fd);

	/* A router may do that, on one that does. */
	open_chan(ROLE_PARENT, ROLE_ROUTER, 4, on_message);
	chan->is_hub = true;
	assert_int_equal(peer_send(MSG_ROUTE_ACK), 0);
	turn();
	assert_int_equal(n_messages, 1);
	chan_close(chan);
	free(chan);
	close(peer_fd);

	/* Before the login; after it. */
	open_chan(ROLE_CONTROL, ROLE_SESSION, 4, on_message);
	assert_int_equal(peer_send(MSG_LOGIN_KEY), 0);
	turn();
	assert_int_equal(n_messages, 2);
	chan->phase = PHASE_LOGIN;
	assert_int_equal(peer_send(MSG_GIT_STALLED), 0);
	turn();
	assert_int_equal(n_messages, 3);
	chan->phase = PHASE_ANY;
	assert_int_equal(peer_send(MSG_GIT_STALLED), 0);
	turn();
	assert_int_equal(n_closed, 3);
	close(peer_fd);

	/* No message at all. */
	open_chan(ROLE_PARENT, ROLE_INIT, 4, on_message);
	assert_int_equal(send(peer_fd, "x", 1, 0), 1);
	turn();
	assert_int_equal(n_closed, 4);
	assert_string_equal(why_text, "read from paas-init: Bad message");
}

/* ---- callbacks that pull the rug away ---------------------------------------------------- */

static void
on_message_free(struct chan *c, struct msg *got)
{
	(void)got;
	n_messages++;
	chan_close(c);
	free(c);
	chan = NULL;
}

static void
test_free_in_message(void **state)
{
	(void)state;
	open_chan(ROLE_CONTROL, ROLE_PARENT, 4, on_message_free);
	assert_int_equal(peer_send(MSG_ROUTER_UP), 0);
	assert_int_equal(peer_send(MSG_ROUTER_UP), 0);
	turn();
	assert_int_equal(n_messages, 1);
	assert_int_equal(n_closed, 0);
	assert_null(chan);
}

/* A message that makes us send to a peer which is gone: the rest of what it said still counts. */
static void
on_message_answer(struct chan *c, struct msg *got)
{
	struct msg out;

	(void)got;
	n_messages++;
	msg_begin(&out, MSG_INIT_BYE, 0);
	assert_int_equal(chan_send(c, &out), -EPIPE);
	assert_false(chan_is_open(c));
	assert_int_equal(n_closed, 0);
}

static void
test_answer_to_the_dead(void **state)
{
	(void)state;
	open_chan(ROLE_PARENT, ROLE_INIT, 4, on_message_answer);
	assert_int_equal(peer_send(MSG_INIT_STARTED), 0);
	assert_int_equal(peer_send(MSG_INIT_EXIT), 0);
	close(peer_fd);
	peer_fd = -1;
	turn();
	turn();
	assert_int_equal(n_messages, 2);
	assert_int_equal(n_closed, 1);
	assert_string_equal(why_text, "");
}

/* Sending to a dead peer from outside: nothing is freed under the sender, and what the peer said
 * before it died is delivered first. */
static void
test_send_to_the_dead(void **state)
{
	struct msg out;

	(void)state;
	open_chan(ROLE_PARENT, ROLE_INIT, 4, on_message);
	assert_int_equal(peer_send(MSG_INIT_EXIT), 0);
	close(peer_fd);
	peer_fd = -1;
	msg_begin(&out, MSG_INIT_BYE, 0);
	assert_int_equal(chan_send(chan, &out), -EPIPE);
	assert_int_equal(chan_send(chan, &out), -EPIPE);
	assert_int_equal(n_closed, 0);
	assert_false(chan_is_open(chan));
	turn();
	assert_int_equal(n_messages, 1);
	assert_int_equal(n_closed, 1);
	assert_string_equal(why_text, "");
}

/* The same when there is not even memory for the timer. */
static void
test_send_no_timer(void **state)
{
	struct msg out;

	(void)state;
	open_chan(ROLE_PARENT, ROLE_INIT, 0, on_message);
	do {
		msg_begin(&out, MSG_INIT_BYE, 0);
	} while (msg_send(chan->io.fd, &out) == 0);
	loop.heap_cap = loop.n_timers = 0;
	alloc_left = 0;
	assert_int_equal(chan_send(chan, &out), -ENOBUFS);
	alloc_left = -1;
	turn();
	assert_int_equal(n_closed, 1);
	assert_string_equal(why_text, "paas-init does not read its messages");
}

/* Closing after the failure: the timer must not come back to freed memory. */
static void
test_close_after_failure(void **state)
{
	(void)state;
	open_chan(ROLE_CONTROL, ROLE_PARENT, 4, on_message);
	close(peer_fd);
	peer_fd = -1;
	assert_int_equal(send_numbered(1), -EPIPE);
	chan_close(chan);
	free(chan);
	chan = NULL;
	turn();
	assert_int_equal(n_closed, 0);
}

/* ---- sending ----------------------------------------------------------------------------- */

static void
test_queue(void **state)
{
	uint32_t sent = 0, seen = 0;

	(void)state;
	open_chan(ROLE_CONTROL, ROLE_PARENT, 50, on_message);
	while (chan->n_queued < 50)
		assert_int_equal(send_numbered(sent++), 0);
	/* In order, none lost, whatever the socket takes at a time. */
	while (seen < sent) {
		int ret = msg_receive(peer_fd, &m);

		if (ret == -EAGAIN) {
			turn();
			continue;
		}
		assert_int_equal(ret, 1);
		assert_int_equal(wire_get_u32(&m.in), seen++);
		assert_int_equal(wire_end(&m.in), 0);
	}
	turn();
	assert_int_equal(chan->n_queued, 0);
	assert_null(chan->out_tail);
	assert_int_equal(chan->io.events, EPOLLIN);
	/* And one too many. */
	while (chan->n_queued < 50)
		assert_int_equal(send_numbered(0), 0);
	assert_int_equal(send_numbered(0), -ENOBUFS);
	assert_int_equal(send_numbered(0), -EPIPE);
	assert_int_equal(n_closed, 0);
	turn();
	assert_int_equal(n_closed, 1);
	assert_string_equal(why_text, "paasd does not read its messages");
}

static size_t
count_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Fds in the queue are our own copies: the caller may close its own, and a dead channel's go. */
static void
test_queue_fds(void **state)
{
	int pipe_ends[2], fd;
	char byte;
	size_t before;

	(void)state;
	open_chan(ROLE_PARENT, ROLE_LOGS, 4, on_message);
	assert_int_equal(pipe(pipe_ends), 0);
	assert_int_equal(write(pipe_ends[1], "!", 1), 1);
	before = count_fds();
	while (chan->n_queued == 0) {
		msg_begin(&m, MSG_LOGS_STREAM, 0);
		msg_add_fd(&m, pipe_ends[0]);
		assert_int_equal(chan_send(chan, &m), 0);
	}
	assert_int_equal(count_fds(), before + 1);
	close(pipe_ends[0]);
	do {
		while (msg_receive(peer_fd, &m) == 1) {
			assert_int_equal(m.n_fds, 1);
			fd = msg_take_fd(&m, 0);
			if (chan->n_queued > 0 || count_fds() > before)
				close(fd);
		}
		turn();
	} while (chan->n_queued > 0);
	assert_int_equal(msg_receive(peer_fd, &m), 1);
	assert_int_equal(read(m.fds[0], &byte, 1), 1);
	msg_done(&m);
	while (chan->n_queued < 3) {
		msg_begin(&m, MSG_LOGS_STREAM, 0);
		msg_add_fd(&m, pipe_ends[1]);
		assert_int_equal(chan_send(chan, &m), 0);
	}
	chan_close(chan);
	assert_int_equal(count_fds(), before - 2);
	close(pipe_ends[1]);
}

static void
test_refused(void **state)
{
	static char big[MSG_MAX_BYTES];

	(void)state;
	open_chan(ROLE_CONTROL, ROLE_PARENT, 4, on_message);
	/* Too big is the caller's affair; the channel lives on. */
	msg_begin(&m, MSG_ROUTE_RESET, 0);
	wire_put_bytes(&m.out, big, sizeof(big));
	assert_int_equal(chan_send(chan, &m), -EMSGSIZE);
	assert_true(chan_is_open(chan));
	/* A bad fd ends it: nobody knows what the other end would make of the rest. */
	msg_begin(&m, MSG_SANDBOX_START, 0);
	msg_add_fd(&m, 9999);
	assert_int_equal(chan_send(chan, &m), -EBADF);
	turn();
	assert_int_equal(n_closed, 1);
	assert_string_equal(why_text, "write to paasd: Bad file descriptor");
}

static void
test_forward(void **state)
{
	int pair[2];
	char app[16];
	struct msg got;

	(void)state;
	/* control says it, paasd passes it to a router, after looking at the first field. */
	assert_int_equal(msg_pair(pair, true), 0);
	msg_begin(&m, MSG_LOGS_WRITE, 3);
	wire_put_str(&m.out, "hello");
	wire_put_str(&m.out, "heroku[api]");
	assert_int_equal(msg_send(pair[0], &m), 0);
	assert_int_equal(msg_receive(pair[1], &got), 1);
	wire_get_str(&got.in, app, sizeof(app));
	open_chan(ROLE_PARENT, ROLE_LOGS, 4, on_message);
	assert_int_equal(chan_forward(chan, &got, 8), 0);
	assert_int_equal(msg_receive(peer_fd, &m), 1);
	assert_int_equal(m.type, MSG_LOGS_WRITE);
	assert_int_equal(m.peer, 8);
	wire_get_str(&m.in, app, sizeof(app));
	assert_string_equal(app, "hello");
	wire_get_str(&m.in, app, sizeof(app));
	assert_string_equal(app, "heroku[api]");
	assert_int_equal(wire_end(&m.in), 0);
	/* Not for this one. */
	got.type = MSG_ROUTE_ACK;
	assert_int_equal(chan_forward(chan, &got, 0), -EPROTO);
	assert_true(chan_is_open(chan));
	chan_close(chan);
	assert_int_equal(chan_forward(chan, &got, 0), -EPIPE);
	close(pair[0]);
	close(pair[1]);
}

static void
test_open_fails(void **state)
{
	struct chan c;
	int ends[2];

	(void)state;
	assert_int_equal(
		chan_open(&c, &loop, -1, ROLE_CONTROL, ROLE_PARENT, 1, on_message, on_closed, NULL),
		-EBADF);
	assert_false(chan_is_open(&c));
	/* A regular file cannot be watched; it is closed all the same. */
	ends[0] = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	assert_true(ends[0] >= 0);
	assert_int_equal(chan_open(&c, &loop, ends[0], ROLE_CONTROL, ROLE_PARENT, 1, on_message,
				   on_closed, NULL),
			 -EPERM);
	assert_int_equal(fcntl(ends[0], F_GETFD), -1);
}

static void
test_no_memory(void **state)
{
	(void)state;
	ALLOC_LOOP(i)
	{
		int ret = 0;

		n_closed = 0;
		open_chan(ROLE_CONTROL, ROLE_PARENT, 50, on_message);
		while (ret == 0 && chan->n_queued < 3)
			ret = send_numbered(1);
		if (ret < 0) {
			assert_int_equal(ret, -ENOMEM);
			turn();
			assert_int_equal(n_closed, 1);
			assert_null(chan);
		} else {
			chan_close(chan);
			free(chan);
			chan = NULL;
		}
		close(peer_fd);
		peer_fd = -1;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_receive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_free_in_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answer_to_the_dead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_to_the_dead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_no_timer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_after_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue_fds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forward, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests_name("chan", tests, NULL, NULL);
}

/* Sandboxes: orders and reports on the wire, ids, addresses and who still holds them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon/control/sandboxes.h"
#include "lib/err.h"

static struct sandboxes all;
static struct addresses addresses;
static struct err err;
static struct msg last; /* what was sent last; its fds are only borrowed */
static unsigned n_sent;
static int send_result;
static uint64_t held;
static struct sandbox_news heard;
static char heard_text[128];
static unsigned n_heard;

static int
send_message(void *user, struct msg *m)
{
	assert_ptr_equal(user, &all);
	last.type = m->type;
	last.n_fds = m->n_fds;
	memcpy(last.bytes, m->out.data, m->out.len);
	wire_read_init(&last.in, last.bytes, m->out.len);
	n_sent++;
	return send_result;
}

static bool
is_held(void *user, uint64_t id)
{
	assert_ptr_equal(user, &all);
	return id == held;
}

static void
no_save(void *user, uint32_t next)
{
	(void)user;
	(void)next;
}

static void
on_news(struct sandbox *sandbox, struct sandbox_news *news)
{
	(void)sandbox;
	heard = *news;
	(void)snprintf(heard_text, sizeof(heard_text), "%s", news->text);
	n_heard++;
}

static int
set_up(void **state)
{
	(void)state;
	n_sent = n_heard = 0;
	send_result = 0;
	held = 0;
	assert_int_equal(addresses_init(&addresses, 4, 0, no_save, NULL), 0);
	sandboxes_init(&all, &addresses, send_message, is_held, &all);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	sandboxes_done(&all);
	addresses_done(&addresses);
	return 0;
}

static struct sandbox_order
order_of(enum sandbox_kind kind, uint8_t flags)
{
	struct sandbox_order order = {
		.kind = kind,
		.app = "hello",
		.label = "v1.web.1",
		.source = "app[web.1]",
		.uid = 5000,
		.memory_bytes = 1 << 20,
		.pids = 10,
		.cpu_weight = 100,
		.flags = flags,
	};

	return order;
}

static int
start(struct sandbox *sandbox, struct sandbox_order *order)
{
	static const int stdio[3] = {0, 1, 2};

	return sandbox_start(&all, sandbox, order, 0, stdio, 1, on_news, &err);
}

/* A report of paasd with that id in front. */
static void
report(enum msg_type type, uint64_t id, const char *text)
{
	static struct msg m;
	struct wire_writer w;
	static uint8_t bytes[1024];

	wire_write_init(&w, bytes, sizeof(bytes));
	wire_put_u64(&w, id);
	if (type == MSG_SANDBOX_EXITED) {
		wire_put_u32(&w, 0x300);
		wire_put_u8(&w, 1);
		wire_put_u64(&w, 70);
		wire_put_u64(&w, 80);
	} else if (text != NULL) {
		wire_put_str(&w, text);
	}
	m.type = type;
	m.n_fds = 0;
	if (type == MSG_SANDBOX_PTY) {
		m.fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		m.n_fds = 1;
	}
	wire_read_init(&m.in, bytes, w.len);
	assert_true(sandboxes_hear(&all, &m));
	msg_done(&m);
}

static void
an_order_is_sent_whole(void **state)
{
	struct sandbox sandbox;
	struct sandbox_order order = order_of(SANDBOX_APP, 0), seen;

	(void)state;
	assert_int_equal(start(&sandbox, &order), 0);
	assert_int_equal(last.type, MSG_SANDBOX_START);
	assert_int_equal(last.n_fds, 1);
	assert_int_equal(sandbox_order_read(&last.in, &seen, &err), 0);
	assert_int_equal(seen.id, sandbox.id);
	assert_int_equal(seen.address, 2);
	assert_int_equal(sandbox.address, 2);
	assert_string_equal(seen.label, "v1.web.1");
	order = order_of(SANDBOX_BUILD, SANDBOX_STDIO | SANDBOX_JOB);
	assert_int_equal(start(&sandbox, &order), 0);
	assert_int_equal(last.n_fds, 5);
	assert_int_equal(order.address, 3);
}

static void
only_what_has_a_network_gets_an_address(void **state)
{
	struct sandbox sandboxes[5];
	struct sandbox_order order = order_of(SANDBOX_GIT, SANDBOX_STDIO);

	(void)state;
	assert_int_equal(start(&sandboxes[0], &order), 0);
	assert_int_equal(order.address, 0);
	order = order_of(SANDBOX_APP, SANDBOX_NO_NET);
	assert_int_equal(start(&sandboxes[0], &order), 0);
	assert_int_equal(order.address, 0);
	order = order_of(SANDBOX_APP, 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(start(&sandboxes[i], &order), 0);
	assert_int_equal(start(&sandboxes[4], &order), -ENOSPC);
	assert_non_null(strstr(err.text, "subnet"));
}

static void
ids_are_never_used_twice(void **state)
{
	uint64_t before = sandboxes_new_id(&all);

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t id = sandboxes_new_id(&all);

		assert_true(id > before);
		before = id;
	}
	/* Nor when the clock went back: an adopted one has a later id. */
	assert_int_equal(sandboxes_adopt(&all, before + ((uint64_t)1 << 40), 0, NULL, NULL), 0);
	assert_int_equal(sandboxes_new_id(&all), before + ((uint64_t)1 << 40) + 1);
}

static void
an_order_that_cannot_be_sent_leaves_nothing(void **state)
{
	struct sandbox sandbox;
	struct sandbox_order order = order_of(SANDBOX_APP, 0);

	(void)state;
	send_result = -EPIPE;
	assert_int_equal(start(&sandbox, &order), -EPIPE);
	assert_int_equal(sandbox.id, 0);
	assert_int_equal(addresses.n_used, 0);
}

static void
reports_reach_the_owner(void **state)
{
	struct sandbox sandbox;
	struct sandbox_order order = order_of(SANDBOX_APP, 0);

	(void)state;
	assert_int_equal(start(&sandbox, &order), 0);
	uint64_t id = sandbox.id;

	report(MSG_SANDBOX_STARTED, id, NULL);
	assert_int_equal(heard.report, SANDBOX_RAN);
	report(MSG_SANDBOX_LISTENS, id, "127.0.0.1:3000");
	assert_int_equal(heard.report, SANDBOX_HEARS);
	assert_string_equal(heard_text, "127.0.0.1:3000");
	report(MSG_SANDBOX_PTY, id, NULL);
	assert_int_equal(heard.report, SANDBOX_TTY);
	assert_true(heard.fd >= 0);
	assert_int_equal(fcntl(heard.fd, F_GETFD), -1); /* nobody took it */
	report(MSG_SANDBOX_STARTED, id + 1, NULL);
	report(MSG_SANDBOX_LISTENS, id, NULL); /* malformed */
	assert_int_equal(n_heard, 3);
	report(MSG_SANDBOX_EXITED, id, NULL);
	assert_int_equal(heard.report, SANDBOX_ENDED);
	assert_int_equal(heard.status, 0x300);
	assert_true(heard.is_oom);
	assert_int_equal(heard.peak_bytes, 70);
	assert_int_equal(heard.limit_bytes, 80);
	assert_int_equal(sandbox.id, 0);
	assert_int_equal(addresses.n_used, 0);
	report(MSG_SANDBOX_EXITED, id, NULL);
	assert_int_equal(n_heard, 4);
	/* Orders about what is gone are not sent. */
	n_sent = 0;
	sandbox_signal(&sandbox, 15);
	sandbox_kill(&sandbox);
	sandbox_ask_ports(&sandbox);
	sandbox_abandon(&sandbox);
	assert_int_equal(n_sent, 0);
}

static void
one_that_could_not_be_made_is_gone(void **state)
{
	struct sandbox sandbox;
	struct sandbox_order order = order_of(SANDBOX_APP, 0);

	(void)state;
	assert_int_equal(start(&sandbox, &order), 0);
	report(MSG_SANDBOX_FAILED, sandbox.id, "mount /app: no space");
	assert_int_equal(heard.report, SANDBOX_BROKEN);
	assert_string_equal(heard_text, "mount /app: no space");
	assert_int_equal(sandbox.id, 0);
	assert_int_equal(addresses.n_used, 0);
}

static void
an_address_waits_for_the_routers(void **state)
{
	struct sandbox sandbox;
	struct sandbox_order order = order_of(SANDBOX_APP, 0);

	(void)state;
	assert_int_equal(start(&sandbox, &order), 0);
	held = order.id;
	report(MSG_SANDBOX_EXITED, order.id, NULL);
	assert_true(addresses_is_used(&addresses, order.address));
	report(MSG_SANDBOX_STARTED, order.id, NULL);
	assert_int_equal(n_heard, 1);
	sandboxes_released(&all, order.id + 1);
	assert_true(addresses_is_used(&addresses, order.address));
	sandboxes_released(&all, order.id);
	assert_false(addresses_is_used(&addresses, order.address));
	/* While it lives, no router can free it. */
	assert_int_equal(start(&sandbox, &order), 0);
	sandboxes_released(&all, order.id);
	assert_true(addresses_is_used(&addresses, order.address));
}

static void
an_abandoned_one_is_killed_and_keeps_its_address_until_it_ended(void **state)
{
	struct sandbox sandbox;
	struct sandbox_order order = order_of(SANDBOX_APP, 0);

	(void)state;
	assert_int_equal(start(&sandbox, &order), 0);
	sandbox_abandon(&sandbox);
	assert_int_equal(last.type, MSG_SANDBOX_KILL);
	assert_int_equal(wire_get_u64(&last.in), order.id);
	assert_int_equal(sandbox.id, 0);
	assert_true(addresses_is_used(&addresses, order.address));
	report(MSG_SANDBOX_EXITED, order.id, NULL);
	assert_int_equal(n_heard, 0);
	assert_false(addresses_is_used(&addresses, order.address));
}

static void
what_outlived_control_is_adopted_or_killed(void **state)
{
	struct sandbox sandbox;

	(void)state;
	assert_int_equal(sandboxes_adopt(&all, 77, 3, &sandbox, on_news), 0);
	assert_int_equal(n_sent, 0);
	assert_true(addresses_is_used(&addresses, 3));
	sandbox_signal(&sandbox, 15);
	assert_int_equal(last.type, MSG_SANDBOX_SIGNAL);
	assert_int_equal(wire_get_u64(&last.in), 77);
	assert_int_equal(wire_get_u8(&last.in), 15);
	report(MSG_SANDBOX_STARTED, 77, NULL);
	assert_int_equal(n_heard, 1);
	assert_int_equal(sandboxes_adopt(&all, 78, 4, NULL, NULL), 0);
	assert_int_equal(last.type, MSG_SANDBOX_KILL);
	assert_int_equal(wire_get_u64(&last.in), 78);
	report(MSG_SANDBOX_EXITED, 78, NULL);
	assert_false(addresses_is_used(&addresses, 4));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_order_is_sent_whole),
		TEST(only_what_has_a_network_gets_an_address),
		TEST(ids_are_never_used_twice),
		TEST(an_order_that_cannot_be_sent_leaves_nothing),
		TEST(reports_reach_the_owner),
		TEST(one_that_could_not_be_made_is_gone),
		TEST(an_address_waits_for_the_routers),
		TEST(an_abandoned_one_is_killed_and_keeps_its_address_until_it_ended),
		TEST(what_outlived_control_is_adopted_or_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The real router as its routes change: hosts, draining, starting over, stopping. */
#include "tests/unit/router/rig.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void
send_get(int client, const char *host)
{
	char text[400];

	(void)snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host);
	rig_send(client, text);
}

static void
answer(int server, int client)
{
	rig_send(server, OK);
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 200 ", 13);
	rig_expect(client, "ok");
}

/* Which app answers for a host, by its name in the log; "" for none. */
static const char *
app_of(int client, const char *host)
{
	const char *app;
	char *head;

	send_get(client, host);
	head = rig_read_head(client);
	if (strncmp(head, "HTTP/1.1 404 ", 13) == 0) {
		(void)rig_read_to(client, "host name.\n");
		return "";
	}
	(void)rig_read_to(client, "web processes.\n");
	(void)rig_line(&app);
	return app;
}

static void
test_hosts(void **state)
{
	int client = rig_connect();
	struct msg m;
	(void)state;

	for (uint32_t id = 1; id <= 4; id++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "app%u", id);
		rig_route_app(id, name, ROUTE_NO_WEB, NULL, 0);
	}
	rig_route_host("a.example.com", 1);
	rig_route_host("*.example.com", 2);
	rig_route_host("*.b.example.com", 3);
	rig_route_host("nosuchapp.example.com", 99);
	rig_route_done();
	rig_route_ack();
	assert_string_equal(app_of(client, "a.example.com"), "app1");
	assert_string_equal(app_of(client, "A.Example.COM.:8080"), "app1");
	assert_string_equal(app_of(client, "c.example.com"), "app2");
	assert_string_equal(app_of(client, "x.a.example.com"), "app2");
	assert_string_equal(app_of(client, "c.b.example.com"), "app3");
	assert_string_equal(app_of(client, "b.example.com"), "app2");
	assert_string_equal(app_of(client, "example.com"), "");
	assert_string_equal(app_of(client, "localhost"), "");
	assert_string_equal(app_of(client, "[::1]:80"), "");
	/* a host moves, another goes, an app goes with its hosts */
	rig_route_host("a.example.com", 4);
	msg_begin(&m, MSG_ROUTE_HOST_GONE, 0);
	wire_put_str(&m.out, "*.b.example.com");
	rig_say(&m);
	msg_begin(&m, MSG_ROUTE_APP_GONE, 0);
	wire_put_u32(&m.out, 2);
	rig_say(&m);
	rig_route_done();
	rig_route_ack();
	assert_string_equal(app_of(client, "a.example.com"), "app4");
	assert_string_equal(app_of(client, "c.b.example.com"), "");
	assert_string_equal(app_of(client, "c.example.com"), "");
	close(client);
}

/* Requests go where the fewest are. */
static void
test_least_loaded(void **state)
{
	struct rig_backend backends[3] = {{1, 0, "web.1"}, {2, 0, "web.2"}, {3, 0, "web.3"}};
	int apps[3], clients[6], servers[6], n[3] = {0};
	(void)state;

	for (int i = 0; i < 3; i++)
		apps[i] = rig_listen(&backends[i].port);
	rig_route(backends, 3);
	for (int i = 0; i < 6; i++) {
		struct pollfd p[3] = {
			{apps[0], POLLIN, 0}, {apps[1], POLLIN, 0}, {apps[2], POLLIN, 0}};

		clients[i] = rig_connect();
		send_get(clients[i], "hello.localhost");
		assert_true(poll(p, 3, RIG_WAIT_MS) > 0);
		for (int j = 0; j < 3; j++) {
			if (!p[j].revents)
				continue;
			servers[i] = rig_accept(apps[j]);
			n[j]++;
		}
		(void)rig_read_head(servers[i]);
		/* never more than one apart */
		for (int j = 0; j < 3; j++)
			assert_true(n[j] <= i / 3 + 1);
	}
	for (int i = 0; i < 6; i++) {
		answer(servers[i], clients[i]);
		close(clients[i]);
		close(servers[i]);
	}
	for (int i = 0; i < 3; i++)
		close(apps[i]);
}

/* A new release: new requests go to it at once, old ones finish, and then it is said. */
static void
test_switch(void **state)
{
	struct rig_backend old = {10, 0, "web.1"}, new = {11, 0, "web.1"};
	int old_app = rig_listen(&old.port), new_app = rig_listen(&new.port);
	int busy, idle, busy_server, idle_server, client, server;
	(void)state;

	rig_route(&old, 1);
	/* one connection in use, one kept */
	busy = rig_connect();
	send_get(busy, "hello.localhost");
	busy_server = rig_accept(old_app);
	(void)rig_read_head(busy_server);
	idle = rig_connect();
	send_get(idle, "hello.localhost");
	idle_server = rig_accept(old_app);
	(void)rig_read_head(idle_server);
	answer(idle_server, idle);

	rig_route(&new, 1);
	rig_expect_end(idle_server);
	send_get(idle, "hello.localhost");
	server = rig_accept(new_app);
	(void)rig_read_head(server);
	answer(server, idle);
	assert_false(rig_readable(rig.channel, 0));
	answer(busy_server, busy);
	rig_expect_end(busy_server);
	assert_int_equal(rig_hear(MSG_BACKEND_DRAINED), 10);
	/* its client goes on with the new one */
	send_get(busy, "hello.localhost");
	(void)rig_read_head(server);
	answer(server, busy);

	/* without anything in flight it is said at once */
	rig_route_app(1, "hello", ROUTE_NO_WEB, NULL, 0);
	assert_int_equal(rig_hear(MSG_BACKEND_DRAINED), 11);
	rig_expect_end(server);
	/* put back while the last request is still on it: nothing happened */
	rig_route(&new, 1);
	client = rig_connect();
	send_get(client, "hello.localhost");
	close(server);
	server = rig_accept(new_app);
	(void)rig_read_head(server);
	rig_route_app(1, "hello", ROUTE_NO_WEB, NULL, 0);
	rig_route(&new, 1);
	answer(server, client);
	assert_false(rig_readable(rig.channel, 0));
	send_get(client, "hello.localhost");
	(void)rig_read_head(server);
	answer(server, client);
	close(client);
	close(server);
	close(busy);
	close(idle);
	close(busy_server);
	close(idle_server);
	close(old_app);
	close(new_app);
}

/* Everything anew, while requests are under way; what was not repeated is gone at the end. */
static void
test_reset(void **state)
{
	struct rig_backend kept = {20, 0, "web.1"}, gone = {21, 0, "web.1"}, new = {22, 0, "web.2"};
	struct rig_backend both[2];
	int kept_app = rig_listen(&kept.port), gone_app = rig_listen(&gone.port);
	int a = rig_connect(), b = rig_connect(), a_server, b_server;
	(void)state;

	new.port = kept.port;
	rig_route_app(1, "hello", ROUTE_UP, &kept, 1);
	rig_route_host("hello.localhost", 1);
	rig_route_app(2, "bye", ROUTE_UP, &gone, 1);
	rig_route_host("bye.localhost", 2);
	rig_route_host("also.localhost", 1);
	rig_route_done();
	rig_route_ack();
	send_get(a, "hello.localhost");
	a_server = rig_accept(kept_app);
	(void)rig_read_head(a_server);
	send_get(b, "bye.localhost");
	b_server = rig_accept(gone_app);
	(void)rig_read_head(b_server);

	rig_route_reset();
	both[0] = kept;
	both[1] = new;
	rig_route_app(1, "hello", ROUTE_UP, both, 2);
	/* until the end, the old routes are in force */
	answer(b_server, b);
	send_get(b, "bye.localhost");
	(void)rig_read_head(b_server);
	rig_route_host("hello.localhost", 1);
	rig_route_done();
	assert_int_equal(rig_hear(MSG_BACKEND_DRAINING), 21);
	rig_route_ack();
	answer(a_server, a);
	assert_string_equal(app_of(a, "also.localhost"), "");
	assert_string_equal(app_of(a, "bye.localhost"), "");
	answer(b_server, b);
	assert_int_equal(rig_hear(MSG_BACKEND_DRAINED), 21);
	close(a);
	close(b);
	close(a_server);
	close(b_server);
	close(kept_app);
	close(gone_app);
}

/* Messages that are wrong change nothing; messages nobody reads stop nothing. */
static void
test_channel(void **state)
{
	struct rig_backend backend = {30, 0, "web.1"};
	int app = rig_listen(&backend.port), client = rig_connect(), server;
	struct msg m;
	(void)state;

	rig_route(&backend, 1);
	rig_send_n(rig.channel, "xy", 2);
	msg_begin(&m, MSG_ROUTE_APP, 0);
	wire_put_u32(&m.out, 1);
	rig_say(&m);
	msg_begin(&m, MSG_ROUTE_APP, 0);
	wire_put_u32(&m.out, 1);
	wire_put_str(&m.out, "hello");
	wire_put_u8(&m.out, 99);
	wire_put_u16(&m.out, 0);
	rig_say(&m);
	msg_begin(&m, MSG_SANDBOX_KILL, 0);
	wire_put_u64(&m.out, 1);
	rig_say(&m);
	rig_route_host("not a host", 1);
	rig_route_done();
	rig_route_ack();
	send_get(client, "hello.localhost");
	server = rig_accept(app);
	(void)rig_read_head(server);
	answer(server, client);
	/*
	 * Nobody reads for a long time. Acknowledgements wait in order, requests are served. (Each
	 * DONE is put in by turns with a request, so that the worker has read it.)
	 */
	for (int i = 0; i < 3000; i++) {
		rig_route_done();
		if (i % 16 != 15)
			continue;
		send_get(client, "hello.localhost");
		(void)rig_read_head(server);
		answer(server, client);
	}
	for (uint64_t i = rig.generation - 2999; i <= rig.generation; i++)
		assert_true(rig_hear(MSG_ROUTE_ACK) == i);
	close(client);
	close(server);
	close(app);
}

/* A log that does not keep up costs lines, never requests; a new stream gets new lines. */
static void
test_logs_stuck(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	(void)state;

	send_get(client, "hello.localhost");
	server = rig_accept(app);
	(void)rig_read_head(server);
	answer(server, client);
	for (int i = 0; i < 5000; i++) {
		send_get(client, "hello.localhost");
		(void)rig_read_head(server);
		answer(server, client);
	}
	close(rig.logs);
	send_get(client, "hello.localhost");
	(void)rig_read_head(server);
	answer(server, client);
	rig_open_logs();
	rig_route_done();
	rig_route_ack();
	send_get(client, "hello.localhost");
	(void)rig_read_head(server);
	answer(server, client);
	rig_expect_line("at=info");
	close(client);
	close(server);
	close(app);
}

/* SIGTERM: no new connections, what is in flight ends well, idle ones are closed. */
static void
test_stop(void **state)
{
	int app = rig_route_one(), busy = rig_connect(), idle = rig_connect(), server;
	char *head;
	(void)state;

	send_get(busy, "hello.localhost");
	server = rig_accept(app);
	(void)rig_read_head(server);
	assert_string_equal(app_of(idle, "nosuch"), "");
	assert_int_equal(kill(rig.pid, SIGTERM), 0);
	rig_expect_end(idle);
	rig_send(server, OK);
	head = rig_read_head(busy);
	rig_expect_header(head, "Connection", "close");
	rig_expect(busy, "ok");
	rig_expect_end(busy);
	rig_expect_line("at=info");
	assert_int_equal(rig_wait(), 0);
	close(idle);
	close(busy);
	close(server);
	close(app);
}

/* A connection that has asked nothing yet gets its answer too: its client cannot know. */
static void
test_stop_before_the_first_request(void **state)
{
	int app = rig_route_one(), fresh = rig_connect(), served = rig_connect(), server;
	char *head;
	(void)state;

	/* Accepted in order, so what was answered on the later one says both are. */
	assert_string_equal(app_of(served, "nosuch"), "");
	assert_int_equal(kill(rig.pid, SIGTERM), 0);
	rig_expect_end(served);
	send_get(fresh, "hello.localhost");
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, OK);
	head = rig_read_head(fresh);
	rig_expect_header(head, "Connection", "close");
	rig_expect(fresh, "ok");
	rig_expect_end(fresh);
	assert_int_equal(rig_wait(), 0);
	close(fresh);
	close(served);
	close(server);
	close(app);
}

static void
test_stop_late(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	(void)state;

	send_get(client, "hello.localhost");
	server = rig_accept(app);
	(void)rig_read_head(server);
	assert_int_equal(kill(rig.pid, SIGTERM), 0);
	rig_expect_gone(client);
	assert_int_equal(rig_wait(), 0);
	close(client);
	close(server);
	close(app);
}

/* Lines in one message of a log stream. */
static int
count_lines(int logs)
{
	struct msg m;
	int n_lines = 0;

	assert_int_equal(msg_receive(logs, &m), 1);
	for (; m.in.at < m.in.end; n_lines++) {
		char app[32];
		size_t n;

		wire_get_str(&m.in, app, sizeof(app));
		(void)wire_get_u64(&m.in);
		assert_non_null(wire_get_bytes(&m.in, &n));
	}
	return n_lines;
}

/*
 * Two workers on one listener: connections are shared (on a busy machine a single burst may well
 * meet only one of them awake), and none is lost when one worker ends.
 */
static void
test_two_workers(void **state)
{
	enum { BURST = 100, MAX_BURSTS = 100 };
	static struct rig first;
	int n[2] = {0}, n_all = 0;
	struct addr any;
	(void)state;

	assert_int_equal(addr_parse("127.0.0.1:0", &any, NULL), 0);
	rig_shared = addr_listen(&any, 1024, NULL);
	assert_true(rig_shared >= 0);
	rig_start(NULL);
	rig_route(NULL, 0);
	first = rig;
	rig_start(NULL);
	(void)close(rig_shared);
	rig_shared = -1;
	rig_route(NULL, 0);
	do {
		int clients[BURST];

		for (int i = 0; i < BURST; i++) {
			clients[i] = rig_connect();
			send_get(clients[i], "hello.localhost");
		}
		for (int i = 0; i < BURST; i++) {
			(void)rig_read_head(clients[i]);
			(void)rig_read_to(clients[i], "web processes.\n");
			close(clients[i]);
		}
		/* each logs what it answered */
		for (n_all += BURST; n[0] + n[1] < n_all;) {
			struct pollfd p[2] = {{first.logs, POLLIN, 0}, {rig.logs, POLLIN, 0}};

			assert_true(poll(p, 2, RIG_WAIT_MS) > 0);
			for (int i = 0; i < 2; i++)
				if (p[i].revents)
					n[i] += count_lines(p[i].fd);
		}
	} while ((n[0] < n_all / 10 || n[1] < n_all / 10) && n_all < MAX_BURSTS * BURST);
	if (n[0] < n_all / 10 || n[1] < n_all / 10)
		fail_msg("%d and %d", n[0], n[1]);
	/* one stops; the other has all of what comes */
	rig_stop();
	rig = first;
	for (int i = 0; i < 20; i++) {
		int client = rig_connect();

		assert_string_equal(app_of(client, "hello.localhost"), "hello");
		close(client);
	}
}

static const char *const quick_drain[] = {"--drain=200ms", NULL};

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hosts, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_least_loaded, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_switch, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_reset, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_channel, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_logs_stuck, rig_setup, rig_teardown),
		cmocka_unit_test_teardown(test_two_workers, rig_teardown),
		cmocka_unit_test_setup_teardown(test_stop, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_stop_before_the_first_request, rig_setup,
						rig_teardown),
		cmocka_unit_test_prestate_setup_teardown(test_stop_late, rig_setup, rig_teardown,
							 (void *)(uintptr_t)quick_drain),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("routing", tests, NULL, NULL);
}

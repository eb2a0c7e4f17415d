/* The real router when sides are slow, early, or hang up at the worst moment. */
#include "tests/unit/router/rig.h"

#define GET "GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n"
#define GET_CLOSE "GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* Closes with RST instead of FIN. */
static void
reset(int fd)
{
	struct linger linger = {.l_onoff = 1};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

/* A client whose socket holds little. */
static int
connect_tight(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(rig.port),
				 .sin_addr.s_addr = htonl(LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	rig_bound(fd);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/*
 * The client reads so slowly that the app is done long before: its connection is free for others,
 * the next request waits until all was read, and an end comes after everything.
 */
static void
test_slow_reader(void **state)
{
	enum { N = 24 * 1024 * 1024, STEP = 8192 };
	static char piece[1 << 20], got[STEP];
	int app = rig_route_one(), client = connect_tight(), server;
	(void)state;

	rig_send(client, GET GET_CLOSE);
	server = rig_accept(app);
	for (int round = 0; round < 2; round++) {
		char text[100];
		pid_t pid;

		(void)rig_read_head(server);
		pid = fork();
		if (pid == 0) {
			(void)snprintf(text, sizeof(text),
				       "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", N);
			rig_send(server, text);
			for (int i = 0; i < N / (int)sizeof(piece); i++)
				rig_send_n(server, piece, sizeof(piece));
			_exit(0);
		}
		(void)rig_read_head(client);
		for (size_t n = 0; n < N;) {
			size_t want = N - n < STEP ? N - n : STEP;
			ssize_t r = recv(client, got, want, 0);

			assert_true(r > 0);
			n += (size_t)r;
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	rig_expect_end(client);
	close(client);
	close(server);
	close(app);
}

/* A listener whose connections hold little, so that responses wait inside the worker. */
static void
start_tight(const char *const *options)
{
	struct addr any;
	int small = 4096;

	assert_int_equal(addr_parse("127.0.0.1:0", &any, NULL), 0);
	rig_shared = addr_listen(&any, 1024, NULL);
	assert_true(rig_shared >= 0);
	assert_int_equal(setsockopt(rig_shared, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	assert_int_equal(setsockopt(rig_shared, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	rig_start(options);
	(void)close(rig_shared);
	rig_shared = -1;
}

/* One answer of 60000 bytes, whole before the client has read a byte of it. */
static void
answer_at_once(int server)
{
	static char text[60000 + 100];
	int n = sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n");

	memset(text + n, 'x', 60000);
	rig_send_n(server, text, (size_t)n + 60000);
}

static void
read_answer(int client)
{
	static char got[60000];
	size_t n = 0;

	(void)rig_read_head(client);
	while (n < sizeof(got)) {
		ssize_t r = recv(client, got + n, sizeof(got) - n, 0);

		assert_true(r > 0);
		n += (size_t)r;
	}
	for (size_t i = 0; i < sizeof(got); i++)
		assert_int_equal(got[i], 'x');
}

/* The exchange is over long before the client has its response; then comes the next, or the end. */
static void
test_waiting_responses(void **state)
{
	int app, client, server, other;
	(void)state;

	start_tight(NULL);
	app = rig_route_one();
	client = connect_tight();
	rig_send(client, GET GET_CLOSE);
	server = rig_accept(app);
	(void)rig_read_head(server);
	answer_at_once(server);
	rig_expect_line("bytes=60000 ");
	/* the app's connection serves others meanwhile */
	other = rig_connect();
	rig_send(other, GET);
	(void)rig_read_head(server);
	rig_send(server, OK);
	(void)rig_read_head(other);
	rig_expect(other, "ok");
	rig_expect_line("bytes=2 ");
	read_answer(client);
	(void)rig_read_head(server);
	answer_at_once(server);
	rig_expect_line("bytes=60000 ");
	read_answer(client);
	rig_expect_end(client);
	/* one that hangs up instead of reading */
	close(client);
	client = connect_tight();
	rig_send(client, GET);
	(void)rig_read_head(server);
	answer_at_once(server);
	rig_expect_line("bytes=60000 ");
	reset(client);
	close(other);
	close(server);
	close(app);
	rig_stop();
}

/* A client that never reads its response does not keep it for ever. */
static void
test_never_read(void **state)
{
	static const char *const quick[] = {"--idle=300ms", NULL};
	int app, client, server;
	char c;
	(void)state;

	start_tight(quick);
	app = rig_route_one();
	client = connect_tight();
	/* whole: what was said is all it gets to read, then an end that is none */
	rig_send(client, GET);
	server = rig_accept(app);
	(void)rig_read_head(server);
	answer_at_once(server);
	rig_expect_line("bytes=60000 ");
	while (recv(client, &c, 1, 0) == 1)
		;
	close(client);
	close(server);
	/* half: H28 names the client */
	client = connect_tight();
	rig_send(client, GET);
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	rig_send_n(server, (const char[60000]){0}, 60000);
	rig_expect_line("code=H28 desc=\"Client Connection Idle\"");
	close(client);
	close(server);
	close(app);
	rig_stop();
}

/* A request that comes while the one before is being answered, with the rest of its body before. */
static void
test_early_requests(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	(void)state;

	rig_send(client,
		 "POST /1 HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 6\r\n\r\nabc");
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_expect(server, "abc");
	rig_send(client, "def" GET);
	rig_expect(server, "def");
	rig_send(server, OK);
	(void)rig_read_head(client);
	rig_expect(client, "ok");
	(void)rig_read_head(server);
	rig_send(client, GET);
	rig_send(client, "GET /last HTTP/1.1\r\nHost: hello");
	rig_send(server, OK);
	(void)rig_read_head(client);
	rig_expect(client, "ok");
	(void)rig_read_head(server);
	rig_send(server, OK);
	(void)rig_read_head(client);
	rig_expect(client, "ok");
	rig_send(client, ".localhost\r\n\r\n");
	assert_memory_equal(rig_read_head(server), "GET /last ", 10);
	rig_send(server, OK);
	(void)rig_read_head(client);
	rig_expect(client, "ok");
	close(client);
	close(server);
	close(app);
}

/* The app hangs up while a long body is on its way to it. */
static void
test_upload_cut(void **state)
{
	static char piece[1 << 20];
	int app = rig_route_one();
	(void)state;

	for (int i = 0; i < 20; i++) {
		int client = rig_connect(), server;
		pid_t pid;
		char *head;

		rig_send(client, "POST / HTTP/1.1\r\nHost: hello.localhost\r\n"
				 "Content-Length: 1000000000\r\n\r\n");
		pid = fork();
		if (pid == 0) {
			while (send(client, piece, sizeof(piece), MSG_NOSIGNAL) > 0)
				;
			_exit(0);
		}
		server = rig_accept(app);
		(void)rig_read_head(server);
		if (i % 2)
			rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
		reset(server);
		head = rig_read_head(client);
		if (strncmp(head, "HTTP/1.1 503 ", 13) == 0)
			rig_expect_line("code=H13");
		else
			rig_expect_line("code=H18");
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		close(client);
	}
	close(app);
}

static void
test_head_cut(void **state)
{
	int app = rig_route_one(), client = rig_connect();
	(void)state;

	rig_send(client, "GET / HT");
	rig_send(client, "TP/1.1\r\n");
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	rig_expect_end(client);
	close(client);
	client = rig_connect();
	rig_send(client, "GET / HT");
	reset(client);
	/* a worker that minded would not answer this */
	client = rig_connect();
	rig_send(client, "GET / HTTP/1.1\r\nHost: nosuch\r\n\r\n");
	(void)rig_read_head(client);
	close(client);
	close(app);
}

static void
test_unreachable(void **state)
{
	struct rig_backend backend = {1, 80, "web.1"};
	int client = rig_connect();
	(void)state;

	rig_ipv4 = 0xffffffff; /* connect(2) itself fails */
	rig_route(&backend, 1);
	rig_ipv4 = LOOPBACK;
	rig_send(client, GET);
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 503 ", 13);
	rig_expect_line("code=H21");
	close(client);
}

/* No more idle connections are kept than agreed; whichever ends, the others stay usable. */
static void
test_pool_cap(void **state)
{
	enum { N = 20 };
	int app = rig_route_one(), clients[N], servers[N], n_open = 0;
	(void)state;

	for (int i = 0; i < N; i++) {
		clients[i] = rig_connect();
		rig_send(clients[i], GET);
		servers[i] = rig_accept(app);
		(void)rig_read_head(servers[i]);
	}
	for (int i = 0; i < N; i++) {
		rig_send(servers[i], OK);
		(void)rig_read_head(clients[i]);
		rig_expect(clients[i], "ok");
	}
	/* 160 fds: (160 - 64) / 8 = 12 are kept, the last used */
	for (int i = 0; i < N - 12; i++)
		rig_expect_end(servers[i]);
	for (int i = N - 12; i < N; i++)
		n_open += !rig_readable(servers[i], 0);
	assert_int_equal(n_open, 12);
	/* one from the middle, the newest and the oldest go; the second newest is taken */
	close(servers[N - 6]);
	close(servers[N - 1]);
	close(servers[N - 12]);
	for (int i = 0; i < 3; i++) {
		rig_route_done();
		rig_route_ack();
	}
	rig_send(clients[0], GET);
	(void)rig_read_head(servers[N - 2]);
	rig_send(servers[N - 2], OK);
	(void)rig_read_head(clients[0]);
	rig_expect(clients[0], "ok");
	for (int i = 0; i < N; i++) {
		close(clients[i]);
		if (i != N - 6 && i != N - 1 && i != N - 12)
			close(servers[i]);
	}
	close(app);
}

static void
test_tunnel_reset(void **state)
{
	int app = rig_route_one();
	(void)state;

	for (int i = 0; i < 2; i++) {
		int client = rig_connect(), server;

		rig_send(client,
			 "GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: upgrade\r\n"
			 "Upgrade: x\r\n\r\n");
		server = rig_accept(app);
		(void)rig_read_head(server);
		rig_send(server, "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
		(void)rig_read_head(client);
		if (i == 0) {
			reset(client);
			rig_expect_gone(server);
			close(server);
		} else {
			reset(server);
			rig_expect_gone(client);
			close(client);
		}
		rig_expect_line("status=101");
	}
	close(app);
}

static int
setup_few_fds(void **state)
{
	(void)state;
	rig_max_fds = 160;
	rig_start(NULL);
	rig_max_fds = 0;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_slow_reader, rig_setup, rig_teardown),
		cmocka_unit_test(test_waiting_responses),
		cmocka_unit_test(test_never_read),
		cmocka_unit_test_setup_teardown(test_early_requests, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_upload_cut, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_head_cut, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_unreachable, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_pool_cap, setup_few_fds, rig_teardown),
		cmocka_unit_test_setup_teardown(test_tunnel_reset, rig_setup, rig_teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}

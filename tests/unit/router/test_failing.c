/* The real router when apps, routes or clients do not do what they should. */
#include "tests/unit/router/rig.h"

#define GET "GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* One request on a connection of its own gets this status and this text in its page. */
static void
expect_page(const char *request, const char *status, const char *text)
{
	int client = rig_connect();
	char *head, *body;

	rig_send(client, request);
	head = rig_read_head(client);
	if (strncmp(head + 9, status, strlen(status)) != 0)
		fail_msg("not %s: %s", status, head);
	body = rig_read_to(client, text);
	(void)body;
	close(client);
}

static uint16_t
dead_port(void)
{
	uint16_t port;

	close(rig_listen(&port));
	return port;
}

static void
test_states(void **state)
{
	static const struct {
		enum route_state state;
		const char *status, *text, *line;
	} cases[] = {
		{ROUTE_NO_WEB, "503", "H14", "code=H14 desc=\"No web processes running\""},
		{ROUTE_CRASHED, "503", "H10", "code=H10 desc=\"App crashed\""},
		{ROUTE_BOOTING, "503", "H20", "code=H20 desc=\"App boot timeout\""},
		{ROUTE_BLANK, "502", "H81", "code=H81 desc=\"Blank app\""},
		{ROUTE_UP, "503", "H14", "code=H14"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *line;

		rig_route_app(1, "hello", cases[i].state, NULL, 0);
		rig_route_host("hello.localhost", 1);
		rig_route_done();
		rig_route_ack();
		expect_page(GET, cases[i].status, cases[i].text);
		line = rig_expect_line(cases[i].line);
		assert_non_null(strstr(line, "at=error code="));
		assert_non_null(strstr(line, " dyno= connect= service= status=50"));
	}
	expect_page("GET / HTTP/1.1\r\nHost: nosuch\r\n\r\n", "404", "No such app");
	expect_page("GET / HTTP/1.0\r\n\r\n", "404", "No such app");
}

static void
test_pages(void **state)
{
	int client = rig_connect();
	char *head;
	(void)state;

	rig_route(NULL, 0);
	/* HTML for those who ask for it; the connection goes on */
	rig_send(client, "GET / HTTP/1.1\r\nHost: hello.localhost\r\n"
			 "Accept: text/html;q=0.9, */*\r\n\r\n");
	head = rig_read_head(client);
	rig_expect_header(head, "Content-Type", "text/html; charset=utf-8");
	rig_expect_header(head, "Connection", NULL);
	(void)rig_read_to(client, "</html>\n");
	rig_send(client, "HEAD / HTTP/1.1\r\nHost: hello.localhost\r\nAccept: text/html\r\n\r\n");
	head = rig_read_head(client);
	assert_memory_equal(head, "HTTP/1.1 503 ", 13);
	assert_true(atoi(rig_header(head, "Content-Length")) > 500);
	/* a body that is not all there is not worth waiting for */
	rig_send(client, "POST / HTTP/1.1\r\nHost: hello.localhost\r\n"
			 "Content-Length: 10\r\n\r\nabc");
	head = rig_read_head(client);
	rig_expect_header(head, "Content-Type", "text/plain; charset=utf-8");
	rig_expect_header(head, "Connection", "close");
	(void)rig_read_to(client, "web processes.\n");
	rig_expect_end(client);
	close(client);
}

static void
test_limits(void **state)
{
	static char text[80000];
	size_t n;
	int client;
	(void)state;

	/* a line without end */
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	client = rig_connect();
	rig_send_n(client, text, 9000);
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 414 ", 13);
	close(client);
	/* a header line, and too many of them */
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	text[n] = 'a';
	client = rig_connect();
	rig_send_n(client, text, 9000);
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 431 ", 13);
	close(client);
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < 101; i++)
		n += (size_t)sprintf(text + n, "X-%d: y\r\n", i);
	client = rig_connect();
	rig_send_n(client, text, n);
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 431 ", 13);
	close(client);
	expect_page("GET / HTTP/3.0\r\n\r\n", "505", "HTTP/1.1");
	/* a large head that is allowed arrives */
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: hello.localhost\r\n");
	for (int i = 0; i < 8; i++) {
		n += (size_t)sprintf(text + n, "X-%d: ", i);
		memset(text + n, 'v', 8000);
		n += 8000;
		n += (size_t)sprintf(text + n, "\r\n");
	}
	n += (size_t)sprintf(text + n, "\r\n");
	int app = rig_route_one(), server;

	client = rig_connect();
	rig_send_n(client, text, n);
	server = rig_accept(app);
	assert_int_equal(strlen(rig_header(rig_read_head(server), "X-7")), 8000);
	/* and so does one of a response, in two parts */
	memcpy(text, "HTTP/1.1 200 OK\r\nX-Host: hello.localhos", 39);
	rig_send_n(server, text, 30000);
	rig_send_n(server, text + 30000, n - 30000);
	(void)rig_read_head(client);
	close(client);
	close(server);
	close(app);
}

static void
test_refused(void **state)
{
	struct rig_backend backends[3] = {
		{1, dead_port(), "web.1"}, {2, dead_port(), "web.2"}, {3, 0, "web.3"}};
	int app, client, server;
	(void)state;

	rig_route(backends, 2);
	expect_page(GET, "503", "H21");
	rig_expect_line("code=H21 desc=\"Backend connection refused\"");
	/* with a third that lives, nobody notices, bodies included */
	app = rig_listen(&backends[2].port);
	rig_route(backends, 3);
	client = rig_connect();
	for (int i = 0; i < 6; i++) {
		rig_send(client, "POST / HTTP/1.1\r\nHost: hello.localhost\r\n"
				 "Content-Length: 3\r\n\r\nabc");
		if (i == 0)
			server = rig_accept(app);
		(void)rig_read_head(server);
		rig_expect(server, "abc");
		rig_send(server, OK);
		(void)rig_read_head(client);
		rig_expect(client, "ok");
		rig_expect_line("dyno=web.3");
	}
	close(client);
	close(server);
	close(app);
}

/* The app closes a kept connection just when the next request is on its way. */
static void
test_kept_connection_dies(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server, second;
	(void)state;

	rig_send(client, GET);
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, OK);
	(void)rig_read_head(client);
	rig_expect(client, "ok");
	/* It has read a GET and closes: doing it again does no harm. */
	rig_send(client, GET);
	(void)rig_read_head(server);
	close(server);
	second = rig_accept(app);
	(void)rig_read_head(second);
	rig_send(second, OK);
	(void)rig_read_head(client);
	rig_expect(client, "ok");
	/* It has read a POST and closes: nobody knows whether it was done. */
	rig_send(client, "POST / HTTP/1.1\r\nHost: hello.localhost\r\n"
			 "Content-Length: 3\r\n\r\nabc");
	(void)rig_read_head(second);
	rig_expect(second, "abc");
	close(second);
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 503 ", 13);
	(void)rig_read_to(client, "answer.\n");
	assert_false(rig_readable(app, 0));
	for (int i = 0; i < 2; i++)
		rig_expect_line("at=info");
	rig_expect_line("code=H13 desc=\"Connection closed without response\" method=POST");
	close(client);
	close(app);
}

/*
 * The connection was closed before the request came, but the router had not seen it yet: stopped
 * meanwhile, it finds the client's request and the end together. Even a POST is then safe.
 */
static void
test_kept_connection_was_dead(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	(void)state;

	rig_send(client, GET);
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, OK);
	(void)rig_read_head(client);
	rig_expect(client, "ok");
	for (int i = 0; i < 10; i++) {
		int status;

		assert_int_equal(kill(rig.pid, SIGSTOP), 0);
		assert_int_equal(waitpid(rig.pid, &status, WUNTRACED), rig.pid);
		rig_send(client, "POST / HTTP/1.1\r\nHost: hello.localhost\r\n"
				 "Content-Length: 3\r\n\r\nabc");
		close(server);
		assert_int_equal(kill(rig.pid, SIGCONT), 0);
		server = rig_accept(app);
		(void)rig_read_head(server);
		rig_expect(server, "abc");
		rig_send(server, OK);
		assert_memory_equal(rig_read_head(client), "HTTP/1.1 200 ", 13);
		rig_expect(client, "ok");
	}
	close(client);
	close(server);
	close(app);
}

static void
test_bad_responses(void **state)
{
	static const struct {
		const char *answer, *status, *line;
	} cases[] = {
		{"hello\r\n\r\n", "502", "code=H17 desc=\"Poorly formatted HTTP response\""},
		{"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "502", "code=H17"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "502",
		 "code=H17"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz", "502", "code=H17"},
		{"HTTP/1.1 101 Switching Protocols\r\n\r\n", "502", "code=H17"},
		{"HTTP/1.1 200 OK\r\nContent-Le", "502", "code=H17"},
		{"", "503", "code=H13"},
		{"HTTP/1.1 103 Early Hints\r\n\r\n", "103", "code=H13"},
	};
	int app = rig_route_one();
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int client = rig_connect(), server;

		rig_send(client, GET);
		server = rig_accept(app);
		(void)rig_read_head(server);
		rig_send(server, cases[i].answer);
		close(server);
		assert_memory_equal(rig_read_head(client) + 9, cases[i].status, 3);
		rig_expect_line(cases[i].line);
		close(client);
	}
	close(app);
}

/* The head is out already: the client must be able to tell that the body is not whole. */
static void
test_cut_responses(void **state)
{
	static const struct {
		const char *answer, *end;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "abc"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		 "3\r\nabc\r\n"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz",
		 "3\r\nabc\r\n"},
	};
	int app = rig_route_one();
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int client = rig_connect(), server;
		size_t n = strlen(cases[i].answer) - (i == 2 ? 2 : 0);

		rig_send(client, GET);
		server = rig_accept(app);
		(void)rig_read_head(server);
		rig_send_n(server, cases[i].answer, n);
		(void)rig_read_head(client);
		rig_expect(client, cases[i].end);
		rig_send(server, cases[i].answer + n);
		close(server);
		rig_expect_end(client);
		rig_expect_line(i == 2 ? "code=H17"
				       : "code=H18 desc=\"Server Request Interrupted\"");
		close(client);
	}
	/* HTTP/1.0 has no other way than RST */
	int client = rig_connect(), server;
	char c;

	rig_send(client, "GET / HTTP/1.0\r\nHost: hello.localhost\r\n\r\n");
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, cases[1].answer);
	(void)rig_read_head(client);
	rig_expect(client, "abc");
	close(server);
	assert_int_equal(recv(client, &c, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(client);
	close(app);
}

/* More bytes than the response has: the client gets what belongs to it, the connection goes. */
static void
test_extra_bytes(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	(void)state;

	for (int i = 0; i < 2; i++) {
		rig_send(client, GET);
		server = rig_accept(app);
		(void)rig_read_head(server);
		rig_send(server, OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong");
		(void)rig_read_head(client);
		rig_expect(client, "ok");
		rig_expect_gone(server);
		close(server);
	}
	/* also when they come later */
	rig_send(client, GET);
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, OK);
	(void)rig_read_head(client);
	rig_expect(client, "ok");
	rig_send(server, "HTTP/1.1 200 OK\r\n");
	rig_expect_gone(server);
	close(server);
	close(client);
	close(app);
}

static void
test_timeouts(void **state)
{
	int app = rig_route_one(), client, server;
	(void)state;

	/* no answer: H12 */
	client = rig_connect();
	rig_send(client, GET);
	server = rig_accept(app);
	(void)rig_read_head(server);
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 503 ", 13);
	(void)rig_read_to(client, "in time.\n");
	rig_expect_line("code=H12 desc=\"Request timeout\"");
	rig_expect_end(server);
	close(server);
	/* the client's connection lived on; half an answer: H15 */
	rig_send(client, GET);
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
	(void)rig_read_head(client);
	rig_expect(client, "abc");
	rig_expect_end(client);
	rig_expect_line("code=H15 desc=\"Idle connection\"");
	close(server);
	close(client);
	/* half a request: H28 */
	client = rig_connect();
	rig_send(client,
		 "POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 9\r\n\r\nabc");
	server = rig_accept(app);
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 408 ", 13);
	rig_expect_line("code=H28 desc=\"Client Connection Idle\"");
	close(server);
	close(client);
	/* half a head: 408 at a fixed time, however often another byte comes */
	client = rig_connect();
	rig_send(client, "GET / HTTP/1.1\r\nX: ");
	for (int i = 0; i < 1000 && !rig_readable(client, 5); i++)
		(void)send(client, "x", 1, MSG_NOSIGNAL);
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 408 ", 13);
	close(client);
	/* nothing at all, from the start and between requests */
	client = rig_connect();
	rig_expect_end(client);
	close(client);
	client = rig_connect();
	rig_send(client, "GET / HTTP/1.1\r\nHost: nosuch\r\n\r\n");
	(void)rig_read_head(client);
	(void)rig_read_to(client, "host name.\n");
	rig_expect_end(client);
	close(client);
	close(app);
}

/* A backend that does not take the connection: H19, unless there is another one. */
static void
test_connect_timeout(void **state)
{
	struct rig_backend backends[2] = {{1, 0, "web.1"}, {2, 0, "web.2"}};
	int full = rig_listen(&backends[0].port), fillers[8], app, client, server;
	(void)state;

	/* A queue of one, filled: further SYNs are dropped. */
	assert_int_equal(listen(full, 0), 0);
	for (int i = 0; i < 8; i++) {
		struct sockaddr_in sa = {.sin_family = AF_INET,
					 .sin_port = htons(backends[0].port),
					 .sin_addr.s_addr = htonl(LOOPBACK)};

		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fillers[i], (struct sockaddr *)&sa, sizeof(sa));
	}
	rig_route(backends, 1);
	expect_page(GET, "503", "H19");
	rig_expect_line("code=H19 desc=\"Backend connection timeout\"");
	app = rig_listen(&backends[1].port);
	rig_route(backends, 2);
	for (int i = 0; i < 4; i++) {
		client = rig_connect();
		rig_send(client, GET);
		if (i == 0)
			server = rig_accept(app);
		(void)rig_read_head(server);
		rig_send(server, OK);
		(void)rig_read_head(client);
		rig_expect(client, "ok");
		rig_expect_line("dyno=web.2");
		close(client);
	}
	for (int i = 0; i < 8; i++)
		close(fillers[i]);
	close(server);
	close(full);
	close(app);
}

/* Kept connections to apps end by themselves after a while. */
static void
test_pool_idle(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	(void)state;

	rig_send(client, GET);
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, OK);
	(void)rig_read_head(client);
	rig_expect(client, "ok");
	rig_expect_end(server);
	close(server);
	close(client);
	close(app);
}

static void
test_too_many(void **state)
{
	int clients[200], n = 0, app = rig_route_one();
	bool was_refused = false;
	(void)state;

	/* The worker was started with few fds: at some point it says so. */
	while (n < 200 && !was_refused) {
		clients[n] = rig_connect();
		was_refused = rig_readable(clients[n], n > 20 ? 20 : 0);
		n++;
	}
	assert_true(was_refused);
	assert_memory_equal(rig_read_head(clients[n - 1]), "HTTP/1.1 503 ", 13);
	(void)rig_read_to(clients[n - 1], "a moment.\n");
	rig_expect_end(clients[n - 1]);
	/* and those inside are served; room that becomes free is used */
	for (int i = 0; i < 2; i++) {
		int server;

		rig_send(clients[0], GET);
		server = rig_accept(app);
		(void)rig_read_head(server);
		rig_send(server,
			 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
		(void)rig_read_head(clients[0]);
		rig_expect(clients[0], "ok");
		close(server);
		close(clients[0]);
		clients[0] = rig_connect();
	}
	for (int i = 0; i < n; i++)
		close(clients[i]);
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

static const char *const short_times[] = {
	"--first-byte=500ms", "--idle=500ms",	"--head=500ms", "--keep-alive=1s",
	"--connect=300ms",    "--linger=100ms", "--pool=100ms", NULL};
static const char *const quick_connect[] = {"--connect=300ms", NULL};
static const char *const quick_pool[] = {"--pool=100ms", NULL};

#define RIG_TEST(f, options)                                                                       \
	cmocka_unit_test_prestate_setup_teardown(f, rig_setup, rig_teardown,                       \
						 (void *)(uintptr_t)(options))

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_states, NULL),
		RIG_TEST(test_pages, NULL),
		RIG_TEST(test_limits, NULL),
		RIG_TEST(test_refused, NULL),
		RIG_TEST(test_kept_connection_dies, NULL),
		RIG_TEST(test_kept_connection_was_dead, NULL),
		RIG_TEST(test_bad_responses, NULL),
		RIG_TEST(test_cut_responses, NULL),
		RIG_TEST(test_extra_bytes, NULL),
		RIG_TEST(test_timeouts, short_times),
		RIG_TEST(test_connect_timeout, quick_connect),
		RIG_TEST(test_pool_idle, quick_pool),
		cmocka_unit_test_setup_teardown(test_too_many, setup_few_fds, rig_teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("failing", tests, NULL, NULL);
}

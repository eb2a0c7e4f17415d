/* The real router between real sockets: requests and responses as they should be. */
#include "tests/unit/router/rig.h"

#define GET "GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n"

static void
test_plain(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	char *head, port[8];
	(void)state;

	rig_send(client, "GET /a?b HTTP/1.1\r\nHost: Hello.localhost:80\r\nX-One: 1\r\n\r\n");
	server = rig_accept(app);
	head = rig_read_head(server);
	assert_memory_equal(head, "GET /a?b HTTP/1.1\r\nHost: Hello.localhost:80\r\n", 44);
	(void)snprintf(port, sizeof(port), "%u", rig.port);
	rig_expect_header(head, "X-One", "1");
	rig_expect_header(head, "X-Forwarded-For", "127.0.0.1");
	rig_expect_header(head, "X-Forwarded-Proto", "http");
	rig_expect_header(head, "X-Forwarded-Port", port);
	rig_expect_header(head, "Via", "1.1 paas");
	rig_expect_header(head, "Connection", NULL);
	assert_int_equal(strlen(rig_header(head, "X-Request-Id")), 36);
	assert_int_equal(strlen(rig_header(head, "X-Request-Start")), 13);
	rig_send(server, "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-Two: 2\r\n\r\nhello");
	head = rig_read_head(client);
	assert_memory_equal(head, "HTTP/1.1 200 Fine\r\n", 19);
	rig_expect_header(head, "X-Two", "2");
	rig_expect_header(head, "Content-Length", "5");
	rig_expect_header(head, "Via", "1.1 paas");
	rig_expect_header(head, "Connection", NULL);
	rig_expect(client, "hello");
	rig_expect_line("at=info method=GET path=\"/a?b\" host=Hello.localhost:80 request_id=");
	close(client);
	close(server);
	close(app);
}

/* Both sides keep their connection; every request in one piece and in pieces of one byte. */
static void
test_kept(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server = -1;
	(void)state;

	for (int i = 0; i < 4; i++) {
		const char *answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

		if (i % 2 == 0)
			rig_send(client, GET);
		else
			for (const char *p = GET; *p; p++)
				rig_send_n(client, p, 1);
		if (server < 0)
			server = rig_accept(app);
		(void)rig_read_head(server);
		if (i < 2)
			rig_send(server, answer);
		else
			for (const char *p = answer; *p; p++)
				rig_send_n(server, p, 1);
		assert_memory_equal(rig_read_head(client), "HTTP/1.1 200 OK\r\n", 17);
		rig_expect(client, "ok");
		rig_expect_line("dyno=web.1 connect=");
	}
	assert_false(rig_readable(app, 0));
	close(client);
	close(server);
	close(app);
}

static void
test_pipelined(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	(void)state;

	rig_send(client, "POST /1 HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 3\r\n\r\nabc"
			 "GET /nosuch HTTP/1.1\r\nHost: nosuch.localhost\r\n\r\n"
			 "GET /2 HTTP/1.1\r\nHost: hello.localhost\r\n\r\n"
			 "GET /3 HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n");
	server = rig_accept(app);
	assert_memory_equal(rig_read_head(server), "POST /1 ", 8);
	rig_expect(server, "abc");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	(void)rig_read_head(client);
	rig_expect(client, "1");
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 404 ", 13);
	(void)rig_read_to(client, "host name.\n");
	for (int i = 2; i <= 3; i++) {
		char text[100];

		(void)snprintf(text, sizeof(text), "GET /%d ", i);
		assert_memory_equal(rig_read_head(server), text, 7);
		(void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d",
			       i);
		rig_send(server, text);
		(void)rig_read_head(client);
		rig_expect(client, text + strlen(text) - 1);
	}
	rig_expect_end(client);
	close(client);
	close(server);
	close(app);
}

static void
test_chunked_both_ways(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	char *head;
	(void)state;

	rig_send(client, "POST / HTTP/1.1\r\nHost: hello.localhost\r\n"
			 "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3;e=1\r\nabc\r\n");
	server = rig_accept(app);
	head = rig_read_head(server);
	rig_expect_header(head, "Transfer-Encoding", "chunked");
	rig_expect_header(head, "Content-Length", NULL);
	rig_expect_header(head, "Trailer", NULL);
	rig_expect(server, "3\r\nabc\r\n");
	rig_send(client, "1\r\nd\r\n1\r\ne\r\n0\r\nX: y\r\n\r\n");
	rig_expect(server, "2\r\nde\r\n0\r\n\r\n");
	rig_send(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	head = rig_read_head(client);
	rig_expect_header(head, "Transfer-Encoding", "chunked");
	rig_send(server, "1\r\nx\r\n1\r\ny\r\n");
	rig_expect(client, "2\r\nxy\r\n");
	rig_send(server, "0\r\n\r\n");
	rig_expect(client, "0\r\n\r\n");
	rig_expect_line("status=200 bytes=2 protocol=http");
	/* the same connections again */
	rig_send(client, GET);
	(void)rig_read_head(server);
	rig_send(server, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
	head = rig_read_head(client);
	rig_expect_header(head, "Content-Length", NULL);
	close(client);
	close(server);
	close(app);
}

/* A body that ends with its connection becomes chunks, or stays so for HTTP/1.0. */
static void
test_body_until_end(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	char *head;
	(void)state;

	rig_send(client, GET);
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, "HTTP/1.0 200 OK\r\n\r\nabc");
	head = rig_read_head(client);
	rig_expect_header(head, "Transfer-Encoding", "chunked");
	rig_expect(client, "3\r\nabc\r\n");
	close(server);
	rig_expect(client, "0\r\n\r\n");
	close(client);

	client = rig_connect();
	rig_send(client, "GET / HTTP/1.0\r\nHost: hello.localhost\r\n\r\n");
	server = rig_accept(app);
	head = rig_read_head(server);
	assert_memory_equal(head, "GET / HTTP/1.1\r\n", 16);
	rig_expect_header(head, "Via", "1.0 paas");
	rig_send(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	head = rig_read_head(client);
	rig_expect_header(head, "Transfer-Encoding", NULL);
	rig_expect_header(head, "Connection", "close");
	rig_expect(client, "abc");
	rig_send(server, "0\r\n\r\n");
	rig_expect_end(client);
	close(client);

	/* the connection to the app was kept; HTTP/1.0 may ask for it too */
	client = rig_connect();
	for (int i = 0; i < 2; i++) {
		rig_send(client, "GET / HTTP/1.0\r\nHost: hello.localhost\r\n"
				 "Connection: keep-alive\r\n\r\n");
		(void)rig_read_head(server);
		rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
		rig_expect_header(rig_read_head(client), "Connection", "keep-alive");
		rig_expect(client, "x");
	}
	close(client);
	close(server);
	close(app);
}

static void
test_no_body(void **state)
{
	static const struct {
		const char *method, *answer, *length;
	} cases[] = {
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "5"},
		{"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", NULL},
		{"HEAD", "HTTP/1.1 200 OK\r\n\r\n", NULL},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "7"},
		{"GET", "HTTP/1.1 204 No Content\r\n\r\n", NULL},
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "0"},
	};
	int app = rig_route_one(), client = rig_connect(), server = -1;
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[200], *head;

		(void)snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
			       cases[i].method);
		rig_send(client, text);
		if (server < 0)
			server = rig_accept(app);
		(void)rig_read_head(server);
		rig_send(server, cases[i].answer);
		head = rig_read_head(client);
		rig_expect_header(head, "Content-Length", cases[i].length);
		rig_expect_header(head, "Transfer-Encoding", NULL);
		rig_expect_header(head, "Connection", NULL);
		rig_expect_line("bytes=0 ");
	}
	close(client);
	close(server);
	close(app);
}

static void
test_continue(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	char *head;
	(void)state;

	rig_send(client, "PUT / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 3\r\n"
			 "Expect: 100-continue\r\n\r\n");
	server = rig_accept(app);
	head = rig_read_head(server);
	rig_expect_header(head, "Expect", "100-continue");
	rig_send(server, "HTTP/1.1 100 Continue\r\n\r\n");
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 100 Continue\r\n", 23);
	rig_send(client, "abc");
	rig_expect(server, "abc");
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	head = rig_read_head(client);
	assert_memory_equal(head, "HTTP/1.1 200 OK\r\n", 17);
	rig_expect_header(head, "Connection", NULL);

	/* refused before the body: the answer passes, the connections end */
	rig_send(client, "PUT / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 3\r\n"
			 "Expect: 100-continue\r\n\r\n");
	(void)rig_read_head(server);
	rig_send(server, "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno");
	head = rig_read_head(client);
	rig_expect_header(head, "Connection", "close");
	rig_expect(client, "no");
	rig_expect_end(client);
	rig_expect_end(server);
	close(server);
	close(client);

	/* early hints pass, an unasked 100 does not; HTTP/1.0 knows neither */
	client = rig_connect();
	rig_send(client, GET);
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, "HTTP/1.1 100 Continue\r\n\r\n"
			 "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
			 "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
	head = rig_read_head(client);
	assert_memory_equal(head, "HTTP/1.1 103 Early Hints\r\n", 26);
	rig_expect_header(head, "Link", "</a>");
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 200 OK\r\n", 17);
	rig_expect(client, "x");
	close(client);
	client = rig_connect();
	rig_send(client, "GET / HTTP/1.0\r\nHost: hello.localhost\r\n\r\n");
	(void)rig_read_head(server);
	rig_send(server, "HTTP/1.1 103 Early Hints\r\n\r\n"
			 "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 200 OK\r\n", 17);
	rig_expect(client, "x");
	rig_expect_end(client);
	close(client);
	close(server);
	close(app);
}

/* The app answers before the request is whole; the client still gets to read the answer. */
static void
test_early_response(void **state)
{
	static char body[100000];
	int app = rig_route_one(), client = rig_connect(), server;
	char *head;
	(void)state;

	memset(body, 'x', sizeof(body));
	rig_send(client, "POST / HTTP/1.1\r\nHost: hello.localhost\r\n"
			 "Content-Length: 100000000\r\n\r\n");
	rig_send_n(client, body, sizeof(body));
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
	head = rig_read_head(client);
	assert_memory_equal(head, "HTTP/1.1 413 Too Large\r\n", 24);
	rig_expect_header(head, "Connection", "close");
	rig_expect(client, "big");
	rig_expect_end(client);
	/* what the client still sends is swallowed, not answered with RST */
	for (int i = 0; i < 20; i++)
		rig_send_n(client, body, sizeof(body));
	close(client);
	close(server);

	/* an answer, then the end of the connection while the request is being sent */
	client = rig_connect();
	rig_send(client, "POST / HTTP/1.1\r\nHost: hello.localhost\r\n"
			 "Content-Length: 100000000\r\n\r\n");
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
	close(server);
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 403 No\r\n", 17);
	rig_expect(client, "no");
	rig_expect_end(client);
	close(client);
	close(app);
}

static void
test_headers(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	char *head;
	(void)state;

	rig_send(client, "GET / HTTP/1.1\r\nHost: hello.localhost\r\n"
			 "Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\n"
			 "Proxy-Connection: x\r\nTE: trailers\r\nProxy: evil\r\n"
			 "Upgrade: websocket\r\nX_Forwarded_Proto: https\r\nX_Other: 1\r\n"
			 "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\n"
			 "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n"
			 "X-Request-Id: 0123456789-abcdef-XYZ\r\nX-Request-Start: 1\r\n"
			 "Via: 1.1 other\r\n\r\n");
	server = rig_accept(app);
	head = rig_read_head(server);
	rig_expect_header(head, "Connection", NULL);
	rig_expect_header(head, "X-Secret", NULL);
	rig_expect_header(head, "Keep-Alive", NULL);
	rig_expect_header(head, "Proxy-Connection", NULL);
	rig_expect_header(head, "TE", NULL);
	rig_expect_header(head, "Proxy", NULL);
	rig_expect_header(head, "Upgrade", NULL);
	rig_expect_header(head, "X_Forwarded_Proto", NULL);
	rig_expect_header(head, "X_Other", "1");
	rig_expect_header(head, "X-Forwarded-For", "1.2.3.4, 5.6.7.8, 127.0.0.1");
	rig_expect_header(head, "X-Forwarded-Proto", "http");
	rig_expect_header(head, "X-Request-Id", "0123456789-abcdef-XYZ");
	assert_int_equal(strlen(rig_header(head, "X-Request-Start")), 13);
	assert_non_null(strstr(head, "Via: 1.1 other\r\n"));
	assert_non_null(strstr(head, "Via: 1.1 paas\r\n"));
	rig_send(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-Mine\r\n"
			 "X-Mine: 1\r\nKeep-Alive: timeout=5\r\nTrailer: X\r\nUpgrade: h2c\r\n"
			 "Set-Cookie: a\r\nSet-Cookie: b\r\n\r\n");
	head = rig_read_head(client);
	rig_expect_header(head, "X-Mine", NULL);
	rig_expect_header(head, "Keep-Alive", NULL);
	rig_expect_header(head, "Trailer", NULL);
	rig_expect_header(head, "Upgrade", NULL);
	assert_non_null(strstr(head, "Set-Cookie: a\r\nSet-Cookie: b\r\n"));
	rig_expect_line("request_id=0123456789-abcdef-XYZ "
			"fwd=\"1.2.3.4, 5.6.7.8, 127.0.0.1\" dyno=web.1");
	close(client);
	close(server);
	close(app);
}

/* What two readers could understand differently never reaches an app. */
static void
test_smuggling(void **state)
{
	static const char *const cases[] = {
		"POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 4\r\n"
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 4\r\n"
		"Content-Length: 5\r\n\r\nabcde",
		"POST / HTTP/1.1\r\nHost: hello.localhost\r\nTransfer-Encoding : chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: hello.localhost\r\nTransfer-Encoding: xchunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: hello.localhost\r\nTransfer-Encoding:\x0b"
		"chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: hello.localhost\r\nX: y\nTransfer-Encoding: "
		"chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: +4\r\n\r\nabcd",
		"GET / HTTP/1.1\r\nHost: hello.localhost\r\nHost: other.localhost\r\n\r\n",
		"GET http://other.localhost/ HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: hello.localhost\r\nX: a\r\n b\r\n\r\n",
		"CONNECT hello.localhost:80 HTTP/1.1\r\nHost: hello.localhost\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: hello.localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3 \r\nabc\r\n0\r\n\r\n",
		"\x16\x03\x01\x02",
	};
	int app = rig_route_one();
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int client = rig_connect();
		char *head;

		rig_send(client, cases[i]);
		head = rig_read_head(client);
		if (strncmp(head, "HTTP/1.1 400 ", 13) != 0 &&
		    strncmp(head, "HTTP/1.1 501 ", 13) != 0)
			fail_msg("%s for %s", head, cases[i]);
		rig_expect_header(head, "Connection", "close");
		(void)rig_read_to(client, ".\n");
		rig_expect_end(client);
		close(client);
	}
	assert_false(rig_readable(app, 0));
	close(app);
}

/* A chunk that is none, in the middle of a body: the app's connection ends, the client hears 400.
 */
static void
test_bad_chunk_later(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	(void)state;

	rig_send(client, "POST / HTTP/1.1\r\nHost: hello.localhost\r\n"
			 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_expect(server, "3\r\nabc\r\n");
	rig_send(client, "zz\r\n");
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 400 ", 13);
	rig_expect_end(server);
	rig_expect_line("at=error desc=\"Bad request\" method=POST");
	close(client);
	close(server);
	close(app);
}

/* Bodies far larger than any buffer, both at once, and a client that reads nothing for long. */
static void
test_large_bodies(void **state)
{
	enum { N = 64, PIECE = 1 << 20 };
	static char piece[PIECE], got[PIECE];
	int app = rig_route_one(), client = rig_connect(), server;
	char text[200];
	pid_t pid;
	(void)state;

	for (int i = 0; i < PIECE; i++)
		piece[i] = (char)(i * 31 + i / 255);
	(void)snprintf(text, sizeof(text),
		       "POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: %d\r\n\r\n",
		       N * PIECE);
	pid = fork();
	if (pid == 0) {
		/* the client's sending half */
		rig_send(client, text);
		for (int i = 0; i < N; i++)
			rig_send_n(client, piece, PIECE);
		_exit(0);
	}
	server = rig_accept(app);
	(void)rig_read_head(server);
	for (int i = 0; i < N; i++) {
		for (size_t n = 0; n < PIECE;) {
			ssize_t r = recv(server, got + n, PIECE - n, 0);

			assert_true(r > 0);
			n += (size_t)r;
		}
		assert_memory_equal(got, piece, PIECE);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	pid = fork();
	if (pid == 0) {
		rig_send(server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		for (int i = 0; i < N; i++) {
			rig_send(server, "100000\r\n");
			rig_send_n(server, piece, PIECE);
			rig_send(server, "\r\n");
		}
		rig_send(server, "0\r\n\r\n");
		_exit(0);
	}
	(void)rig_read_head(client);
	for (size_t n = 0, left = 0; n < (size_t)N * PIECE;) {
		ssize_t r;

		if (left == 0)
			left = strtoul(rig_read_to(client, "\r\n"), NULL, 16);
		r = recv(client, got, left < PIECE ? left : PIECE, 0);
		assert_true(r > 0);
		for (ssize_t i = 0; i < r; i++)
			if (got[i] != piece[(n + (size_t)i) % PIECE])
				fail_msg("byte %zu is wrong", n + (size_t)i);
		n += (size_t)r;
		left -= (size_t)r;
		if (left == 0)
			rig_expect(client, "\r\n");
	}
	rig_expect(client, "0\r\n\r\n");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	rig_expect_line("status=200 bytes=67108864 ");
	close(client);
	close(server);
	close(app);
}

static void
test_client_gone(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	(void)state;

	/* while the app thinks */
	rig_send(client, GET);
	server = rig_accept(app);
	(void)rig_read_head(server);
	close(client);
	rig_expect_end(server);
	close(server);
	rig_expect_line(
		"at=error code=H27 desc=\"Client Request Interrupted\" method=GET path=\"/\"");

	/* in the middle of its body */
	client = rig_connect();
	rig_send(client,
		 "POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 9\r\n\r\nabc");
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_expect(server, "abc");
	close(client);
	rig_expect_end(server);
	close(server);
	rig_expect_line("code=H27");
	close(app);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_kept, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_pipelined, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_chunked_both_ways, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_body_until_end, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_no_body, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_continue, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_early_response, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_headers, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_smuggling, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_bad_chunk_later, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_large_bodies, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_client_gone, rig_setup, rig_teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("proxying", tests, NULL, NULL);
}

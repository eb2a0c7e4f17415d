/* The real router after an upgrade: bytes both ways, each side with its own end. */
#include "tests/unit/router/rig.h"

#define UPGRADE                                                                                    \
	"GET /chat HTTP/1.1\r\nHost: hello.localhost\r\nConnection: keep-alive, Upgrade\r\n"       \
	"Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n"
#define SWITCH                                                                                     \
	"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"        \
	"Sec-WebSocket-Accept: y\r\n\r\n"

/* An open tunnel; *server is the app's end. */
static int
open_tunnel(int app, int *server)
{
	int client = rig_connect();
	char *head;

	rig_send(client, UPGRADE);
	*server = rig_accept(app);
	head = rig_read_head(*server);
	rig_expect_header(head, "Connection", "Upgrade");
	rig_expect_header(head, "Upgrade", "websocket");
	rig_expect_header(head, "Sec-WebSocket-Key", "x");
	rig_send(*server, SWITCH);
	head = rig_read_head(client);
	assert_memory_equal(head, "HTTP/1.1 101 ", 13);
	rig_expect_header(head, "Connection", "Upgrade");
	rig_expect_header(head, "Upgrade", "websocket");
	rig_expect_header(head, "Sec-WebSocket-Accept", "y");
	return client;
}

static void
test_both_ways(void **state)
{
	int app = rig_route_one(), server, client = open_tunnel(app, &server);
	(void)state;

	rig_send(client, "hello\0"
			 "");
	rig_expect(server, "hello");
	rig_send(server, "GET / HTTP/1.1\r\n\r\n");
	rig_expect(client, "GET / HTTP/1.1\r\n\r\n");
	close(client);
	rig_expect_end(server);
	close(server);
	rig_expect_line("path=\"/chat\" host=hello.localhost");
	/* the app hangs up first */
	client = open_tunnel(app, &server);
	rig_send(server, "bye");
	close(server);
	rig_expect(client, "bye");
	rig_expect_end(client);
	close(client);
	assert_non_null(strstr(rig_expect_line("status=101 bytes=3 "), "at=info"));
	close(app);
}

static void
test_half_closed(void **state)
{
	int app = rig_route_one(), server, client = open_tunnel(app, &server);
	(void)state;

	rig_send(client, "question");
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	rig_expect(server, "question");
	rig_expect_end(server);
	rig_send(server, "answer");
	rig_expect(client, "answer");
	assert_int_equal(shutdown(server, SHUT_WR), 0);
	rig_expect_end(client);
	rig_expect_line("status=101 bytes=6 ");
	close(client);
	close(server);

	client = open_tunnel(app, &server);
	assert_int_equal(shutdown(server, SHUT_WR), 0);
	rig_expect_end(client);
	rig_send(client, "still here");
	rig_expect(server, "still here");
	close(client);
	rig_expect_end(server);
	close(server);
	close(app);
}

/* Bytes before the 101, and behind it in the same segment, are not lost. */
static void
test_early_bytes(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	(void)state;

	rig_send(client, UPGRADE "early");
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(client, " bird");
	rig_send(server, SWITCH "worm");
	(void)rig_read_head(client);
	rig_expect(client, "worm");
	rig_expect(server, "early bird");
	close(client);
	close(server);
	close(app);
}

/* The app declines: an ordinary response, and the connection goes on as HTTP. */
static void
test_declined(void **state)
{
	int app = rig_route_one(), client = rig_connect(), server;
	(void)state;

	rig_send(client, UPGRADE);
	server = rig_accept(app);
	(void)rig_read_head(server);
	rig_send(server, "HTTP/1.1 426 No\r\nUpgrade: h3\r\nContent-Length: 2\r\n\r\nno");
	assert_memory_equal(rig_read_head(client), "HTTP/1.1 426 ", 13);
	rig_expect(client, "no");
	rig_send(client, "GET /after HTTP/1.1\r\nHost: hello.localhost\r\n\r\n");
	assert_memory_equal(rig_read_head(server), "GET /after ", 11);
	close(client);
	close(server);

	/* HTTP/2 in the clear is not passed on: its requests would go unseen */
	client = rig_connect();
	rig_send(client, "GET / HTTP/1.1\r\nHost: hello.localhost\r\nUpgrade: h2c\r\n"
			 "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n\r\n");
	server = rig_accept(app);
	char *head = rig_read_head(server);

	rig_expect_header(head, "Upgrade", NULL);
	rig_expect_header(head, "HTTP2-Settings", NULL);
	close(client);
	close(server);
	close(app);
}

/* One side reads nothing for long: the other is held back, nothing is lost, memory is bounded. */
static void
test_back_pressure(void **state)
{
	enum { N = 32, PIECE = 1 << 20 };
	static char piece[PIECE], got[PIECE];
	int app = rig_route_one(), ends[2], client = open_tunnel(app, &ends[1]);
	(void)state;

	ends[0] = client;
	for (int i = 0; i < PIECE; i++)
		piece[i] = (char)(i * 7 + i / 251);
	for (int direction = 0; direction < 2; direction++) {
		int from = ends[direction], to = ends[!direction];
		size_t n_before = 0, n_read = 0;
		pid_t pid;

		/* as much as everything between can hold, and not more */
		assert_int_equal(fcntl(from, F_SETFL, O_NONBLOCK), 0);
		for (struct pollfd p = {from, POLLOUT, 0}; poll(&p, 1, 200) == 1;) {
			ssize_t n = send(from, piece + n_before % PIECE, PIECE - n_before % PIECE,
					 MSG_NOSIGNAL);

			if (n > 0)
				n_before += (size_t)n;
			assert_true(n_before < (size_t)N * PIECE);
		}
		assert_int_equal(fcntl(from, F_SETFL, 0), 0);
		pid = fork();
		if (pid == 0) {
			while (n_before < (size_t)N * PIECE) {
				size_t n = PIECE - n_before % PIECE;

				rig_send_n(from, piece + n_before % PIECE, n);
				n_before += n;
			}
			_exit(0);
		}
		while (n_read < (size_t)N * PIECE) {
			ssize_t n = recv(to, got, PIECE, 0);

			assert_true(n > 0);
			for (ssize_t i = 0; i < n; i++)
				if (got[i] != piece[(n_read + (size_t)i) % PIECE])
					fail_msg("byte %zu is wrong", n_read + (size_t)i);
			n_read += (size_t)n;
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	close(client);
	close(ends[1]);
	close(app);
}

static void
test_idle_tunnel(void **state)
{
	int app = rig_route_one(), server, client = open_tunnel(app, &server);
	(void)state;

	rig_expect_end(client);
	rig_expect_end(server);
	rig_expect_line("at=error code=H15 desc=\"Idle connection\" method=GET path=\"/chat\"");
	close(client);
	close(server);
	close(app);
}

/* A tunnel is something in flight. */
static void
test_drain(void **state)
{
	int app = rig_route_one(), server, client = open_tunnel(app, &server);
	(void)state;

	rig_route_app(1, "hello", ROUTE_NO_WEB, NULL, 0);
	rig_route_done();
	rig_route_ack();
	rig_send(client, "x");
	rig_expect(server, "x");
	close(client);
	rig_expect_end(server);
	close(server);
	assert_int_equal(rig_hear(MSG_BACKEND_DRAINED), 100);
	close(app);
}

static const char *const quick_idle[] = {"--idle=500ms", NULL};

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_half_closed, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_early_bytes, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_declined, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_back_pressure, rig_setup, rig_teardown),
		cmocka_unit_test_prestate_setup_teardown(test_idle_tunnel, rig_setup, rig_teardown,
							 (void *)(uintptr_t)quick_idle),
		cmocka_unit_test_setup_teardown(test_drain, rig_setup, rig_teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("tunnels", tests, NULL, NULL);
}

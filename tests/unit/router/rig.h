/*
 * The real paas-router with this test as everybody around it: paasd at the other end of fd 3,
 * paas-logs at the end of the log stream, the clients, and the apps. All sockets of the test
 * block, with a bound, so every step is an event that is waited for.
 */
#ifndef TESTS_UNIT_ROUTER_RIG_H
#define TESTS_UNIT_ROUTER_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/addr.h"
#include "lib/err.h"
#include "lib/msg.h"
#include "lib/wire.h"

#include "router/access.h"

#define RIG_WAIT_MS 10000
#define LOOPBACK 0x7f000001u

struct rig {
	pid_t pid;
	int channel, logs;
	uint16_t port;
	uint64_t generation;
	char lines[64][ACCESS_LINE_MAX]; /* access lines that came but were not asked for yet */
	char apps[64][32];
	size_t n_lines, next_line;
};

static struct rig rig;
static uint32_t rig_ipv4 = LOOPBACK; /* where all backends are */
static int rig_shared = -1;	     /* a listener for the next workers; -1: each makes its own */
static rlim_t rig_max_fds;	     /* RLIMIT_NOFILE of the next worker; 0: as ours */

struct rig_backend {
	uint64_t instance;
	uint16_t port;
	const char *name;
};

/* ---- sockets ----------------------------------------------------------------------------- */

static inline void
rig_bound(int fd)
{
	struct timeval tv = {.tv_sec = RIG_WAIT_MS / 1000};
	int one = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* A listening socket on a free port of 127.0.0.1. */
static inline int
rig_listen(uint16_t *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(LOOPBACK)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

static inline int
rig_accept(int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	int fd;

	if (poll(&p, 1, RIG_WAIT_MS) != 1)
		fail_msg("nobody connected");
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	rig_bound(fd);
	return fd;
}

/* Is somebody connecting, or something readable, within `ms`? */
static inline bool
rig_readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static inline int
rig_connect(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(rig.port),
				 .sin_addr.s_addr = htonl(LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	rig_bound(fd);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static inline void
rig_send_n(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			fail_msg("send: %s", strerror(errno));
		p += sent;
		n -= (size_t)sent;
	}
}

static inline void
rig_send(int fd, const char *text)
{
	rig_send_n(fd, text, strlen(text));
}

/* Reads up to and including `end`. The text lives until the next call but three. */
static inline char *
rig_read_to(int fd, const char *end)
{
	static char texts[4][300000];
	static unsigned next;
	char *text = texts[next++ % 4];
	size_t n = 0;

	text[0] = '\0';
	while (!strstr(text, end)) {
		ssize_t got = recv(fd, text + n, 1, 0);

		if (got != 1)
			fail_msg("%s before \"%s\", after \"%s\"",
				 got == 0 ? "end of file" : strerror(errno), end, text);
		text[++n] = '\0';
		assert_true(n + 1 < sizeof(texts[0]));
	}
	return text;
}

static inline char *
rig_read_head(int fd)
{
	return rig_read_to(fd, "\r\n\r\n");
}

static inline void
rig_expect(int fd, const char *text)
{
	static char got[300000];
	size_t len = strlen(text), n = 0;

	assert_true(len < sizeof(got));
	while (n < len) {
		ssize_t r = recv(fd, got + n, len - n, 0);

		if (r <= 0)
			fail_msg("%s instead of \"%s\", after \"%.*s\"",
				 r == 0 ? "end of file" : strerror(errno), text, (int)n, got);
		n += (size_t)r;
	}
	got[n] = '\0';
	assert_string_equal(got, text);
}

static inline void
rig_expect_end(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);

	if (n != 0)
		fail_msg("%s instead of end of file", n < 0 ? strerror(errno) : "a byte");
}

/* The end, orderly or by RST. */
static inline void
rig_expect_gone(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);

	if (n > 0 || (n < 0 && errno != ECONNRESET))
		fail_msg("%s instead of the end", n < 0 ? strerror(errno) : "a byte");
}

/* The value of a header in a head, or NULL. */
static inline const char *
rig_header(const char *head, const char *name)
{
	static char values[4][8200];
	static unsigned next;
	char *value = values[next++ % 4];
	size_t len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1 + (line[len + 1] == ' ');
		len = strcspn(line, "\r");
		memcpy(value, line, len);
		value[len] = '\0';
		return value;
	}
	return NULL;
}

static inline void
rig_expect_header(const char *head, const char *name, const char *expected)
{
	const char *value = rig_header(head, name);

	if (!value && !expected)
		return;
	if (!value || !expected || strcmp(value, expected) != 0)
		fail_msg("%s: %s instead of %s in\n%s", name, value ? value : "(none)",
			 expected ? expected : "(none)", head);
}

/* ---- as paasd ----------------------------------------------------------------------------- */

static inline void
rig_say(struct msg *m)
{
	assert_int_equal(msg_send(rig.channel, m), 0);
}

/* Waits for the next message, which must be of that type. */
static inline uint64_t
rig_hear(enum msg_type type)
{
	struct pollfd p = {.fd = rig.channel, .events = POLLIN};
	uint64_t number = 0;
	struct msg m;

	if (poll(&p, 1, RIG_WAIT_MS) != 1)
		fail_msg("no %s", msg_name(type));
	assert_int_equal(msg_receive(rig.channel, &m), 1);
	if (m.type != type)
		fail_msg("%s instead of %s", msg_name(m.type), msg_name(type));
	if (type != MSG_ROUTER_READY)
		number = wire_get_u64(&m.in);
	assert_int_equal(wire_end(&m.in), 0);
	return number;
}

static inline void
rig_route_app(uint32_t id, const char *name, enum route_state state,
	      const struct rig_backend *backends, size_t n)
{
	struct msg m;

	msg_begin(&m, MSG_ROUTE_APP, 0);
	wire_put_u32(&m.out, id);
	wire_put_str(&m.out, name);
	wire_put_u8(&m.out, (uint8_t)state);
	wire_put_u16(&m.out, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		wire_put_u64(&m.out, backends[i].instance);
		wire_put_u32(&m.out, rig_ipv4);
		wire_put_u16(&m.out, backends[i].port);
		wire_put_str(&m.out, backends[i].name);
	}
	rig_say(&m);
}

static inline void
rig_route_host(const char *host, uint32_t app)
{
	struct msg m;

	msg_begin(&m, MSG_ROUTE_HOST, 0);
	wire_put_str(&m.out, host);
	wire_put_u32(&m.out, app);
	rig_say(&m);
}

static inline void
rig_route_reset(void)
{
	struct msg m;

	msg_begin(&m, MSG_ROUTE_RESET, 0);
	rig_say(&m);
}

static inline void
rig_route_done(void)
{
	struct msg m;

	msg_begin(&m, MSG_ROUTE_DONE, 0);
	wire_put_u64(&m.out, ++rig.generation);
	rig_say(&m);
}

static inline void
rig_route_ack(void)
{
	assert_int_equal(rig_hear(MSG_ROUTE_ACK), rig.generation);
}

/* One app "hello" at hello.localhost with these backends, in force when this returns. */
static inline void
rig_route(const struct rig_backend *backends, size_t n)
{
	rig_route_app(1, "hello", n ? ROUTE_UP : ROUTE_NO_WEB, backends, n);
	rig_route_host("hello.localhost", 1);
	rig_route_done();
	rig_route_ack();
}

/* The usual: one backend web.1, listening where this returns. */
static inline int
rig_route_one(void)
{
	struct rig_backend backend = {.instance = 100, .name = "web.1"};
	int listener = rig_listen(&backend.port);

	rig_route(&backend, 1);
	return listener;
}

/* ---- as paas-logs ------------------------------------------------------------------------- */

/* The next access line; *app is whose it is, if asked for. */
static inline const char *
rig_line(const char **app)
{
	while (rig.next_line == rig.n_lines) {
		struct pollfd p = {.fd = rig.logs, .events = POLLIN};
		struct msg m;

		if (poll(&p, 1, RIG_WAIT_MS) != 1)
			fail_msg("no access line");
		assert_int_equal(msg_receive(rig.logs, &m), 1);
		assert_int_equal(m.type, MSG_LOG_ROUTER);
		rig.n_lines = rig.next_line = 0;
		while (m.in.at < m.in.end) {
			const void *text;
			size_t n;

			assert_true(rig.n_lines < 64);
			wire_get_str(&m.in, rig.apps[rig.n_lines], sizeof(rig.apps[0]));
			assert_true(wire_get_u64(&m.in) > 1600000000000000);
			text = wire_get_bytes(&m.in, &n);
			assert_non_null(text);
			memcpy(rig.lines[rig.n_lines], text, n);
			rig.lines[rig.n_lines++][n] = '\0';
		}
		assert_int_equal(wire_end(&m.in), 0);
	}
	if (app)
		*app = rig.apps[rig.next_line];
	return rig.lines[rig.next_line++];
}

/* The next access line has this in it. */
static inline const char *
rig_expect_line(const char *part)
{
	const char *line = rig_line(NULL);

	if (!strstr(line, part))
		fail_msg("no \"%s\" in\n%s", part, line);
	return line;
}

/* ---- starting and stopping ------------------------------------------------------------------ */

/* In the child: fds to their places, which may be in each other's way. */
static inline void
rig_exec(const char *const *options, int channel, int other, int listener)
{
	char path[512];
	const char *argv[20] = {path, "--worker=1"};
	int fds[3], places[3] = {3, 4, 10};

	/* A failed assertion must not leave a worker behind. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	fds[0] = fcntl(channel, F_DUPFD, 100);
	fds[1] = fcntl(other, F_DUPFD, 100);
	fds[2] = fcntl(listener, F_DUPFD, 100);
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], places[i]) < 0)
			_exit(126);
	for (int i = 0; i < 3; i++)
		(void)close(fds[i]);
	for (int i = 0; options && options[i]; i++)
		argv[i + 2] = options[i];
	if (rig_max_fds && setrlimit(RLIMIT_NOFILE, &(struct rlimit){rig_max_fds, rig_max_fds}) < 0)
		_exit(125);
	(void)snprintf(path, sizeof(path), "%s/libexec/paas/paas-router",
		       getenv("B") ? getenv("B") : "build");
	(void)execv(path, (char *const *)(uintptr_t)argv);
	perror(path);
	_exit(127);
}

static inline void
rig_open_logs(void)
{
	struct msg m;
	int ends[2];

	assert_int_equal(msg_pair(ends, false), 0);
	rig.logs = ends[0];
	msg_begin(&m, MSG_ROUTER_LOGS, 0);
	msg_add_fd(&m, ends[1]);
	rig_say(&m);
	(void)close(ends[1]);
}

/* Starts a worker; `options` as in main.c, NULL at the end, or NULL. */
static inline void
rig_start(const char *const *options)
{
	struct addr any, bound;
	int ends[2], listener;

	memset(&rig, 0, offsetof(struct rig, lines));
	rig.n_lines = rig.next_line = 0;
	assert_int_equal(msg_pair(ends, false), 0);
	assert_int_equal(addr_parse("127.0.0.1:0", &any, NULL), 0);
	listener = rig_shared >= 0 ? dup(rig_shared) : addr_listen(&any, 1024, NULL);
	assert_true(listener >= 0);
	assert_int_equal(addr_of_socket(listener, &bound), 0);
	rig.port = addr_port(&bound);
	rig.pid = fork();
	assert_true(rig.pid >= 0);
	if (rig.pid == 0)
		rig_exec(options, ends[1], ends[0], listener);
	(void)close(listener);
	(void)close(ends[1]);
	rig.channel = ends[0];
	(void)rig_hear(MSG_ROUTER_READY);
	rig_open_logs();
}

/* The exit status after SIGTERM. */
static inline int
rig_wait(void)
{
	int status = 0;

	assert_int_equal(waitpid(rig.pid, &status, 0), rig.pid);
	rig.pid = 0;
	(void)close(rig.channel);
	(void)close(rig.logs);
	if (!WIFEXITED(status))
		fail_msg("the router died of signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static inline void
rig_stop(void)
{
	assert_int_equal(kill(rig.pid, SIGTERM), 0);
	assert_int_equal(rig_wait(), 0);
}

/* For cmocka's setup and teardown of each test. */
static inline int
rig_setup(void **state)
{
	rig_start(*state);
	return 0;
}

static inline int
rig_teardown(void **state)
{
	(void)state;
	if (rig.pid > 0)
		rig_stop();
	return 0;
}

#endif

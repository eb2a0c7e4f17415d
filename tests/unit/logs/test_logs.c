/* paas-logs as a program: commands on fd 3, lines from streams, what is left after kill -9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/spawn.h"

#define WAIT_MS 10000

static struct {
	char dir[64], program[512];
	int dir_fd, parent_fd, pid_fd;
	pid_t pid;
} run;

static struct msg m;

static void
must_receive(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(msg_receive(fd, &m), 1);
}

static void
start(const char *option)
{
	const char *argv[] = {"paas-logs", option, NULL}, *envp[] = {NULL};
	struct spawn_fd fds[1];
	struct spawn s = {.exe_fd = -1,
			  .path = run.program,
			  .argv = argv,
			  .envp = envp,
			  .fds = fds,
			  .n_fds = 1,
			  .cwd_fd = run.dir_fd,
			  .uid = (uid_t)-1};
	struct err err = {0};
	int ends[2];

	assert_int_equal(msg_pair(ends, false), 0);
	run.parent_fd = ends[0];
	fds[0] = (struct spawn_fd){.from = ends[1], .to = 3};
	if (spawn_start(&s, &run.pid, &run.pid_fd, &err) < 0)
		fail_msg("%s", err.text);
	close(ends[1]);
	must_receive(run.parent_fd);
	assert_int_equal(m.type, MSG_LOGS_READY);
}

/* Closes the channel or kills; the wait status. */
static int
stop(int signal)
{
	struct pollfd p = {.fd = run.pid_fd, .events = POLLIN};
	int status;

	if (signal)
		assert_int_equal(kill(run.pid, signal), 0);
	else
		close(run.parent_fd);
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(waitpid(run.pid, &status, 0), run.pid);
	close(run.pid_fd);
	if (signal)
		close(run.parent_fd);
	return status;
}

static int
open_stream(const char *app, const char *source)
{
	int ends[2];

	assert_int_equal(msg_pair(ends, false), 0);
	msg_begin(&m, MSG_LOGS_STREAM, 0);
	wire_put_str(&m.out, app);
	wire_put_str(&m.out, source);
	msg_add_fd(&m, ends[1]);
	assert_int_equal(msg_send(run.parent_fd, &m), 0);
	close(ends[1]);
	return ends[0];
}

static void
send_lines(int fd, uint32_t n_dropped, const char *text)
{
	msg_begin(&m, MSG_LOG_LINES, 0);
	wire_put_u64(&m.out, UINT64_C(1763625600000000));
	wire_put_u32(&m.out, n_dropped);
	wire_put_str(&m.out, text);
	assert_int_equal(msg_send(fd, &m), 0);
}

static void
send_write(const char *app, const char *source, const char *text)
{
	msg_begin(&m, MSG_LOGS_WRITE, 0);
	wire_put_str(&m.out, app);
	wire_put_str(&m.out, source);
	wire_put_str(&m.out, text);
	assert_int_equal(msg_send(run.parent_fd, &m), 0);
}

static int
open_read(const char *app, uint32_t n, bool tail, const char *source, const char *instance)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	msg_begin(&m, MSG_LOGS_READ, 0);
	wire_put_str(&m.out, app);
	wire_put_u32(&m.out, n);
	wire_put_u8(&m.out, tail);
	wire_put_str(&m.out, source);
	wire_put_str(&m.out, instance);
	msg_add_fd(&m, ends[1]);
	assert_int_equal(msg_send(run.parent_fd, &m), 0);
	close(ends[1]);
	return ends[0];
}

/* Reads until the text has `n` lines (0: end of file), and takes the time stamps off. */
static char *
read_lines(int fd, int n)
{
	static char text[1 << 20], plain[1 << 20];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t len = 0, out = 0;
	int have = 0;

	while (n == 0 || have < n) {
		ssize_t got;

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		got = read(fd, text + len, sizeof(text) - 1 - len);
		assert_true(got >= 0);
		if (got == 0)
			break;
		for (ssize_t i = 0; i < got; i++)
			have += text[len + (size_t)i] == '\n';
		len += (size_t)got;
	}
	text[len] = '\0';
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		char *end = strchr(line, '\n');

		assert_non_null(end);
		assert_true(end - line > 33);
		assert_int_equal(line[32], ' ');
		memcpy(plain + out, line + 33, (size_t)(end + 1 - line - 33));
		out += (size_t)(end + 1 - line - 33);
	}
	plain[out] = '\0';
	return plain;
}

static char *
read_all(const char *app, uint32_t n)
{
	int fd = open_read(app, n, false, "", "");
	char *text = read_lines(fd, 0);

	close(fd);
	return text;
}

/* Reads a stream of lines until one holds `wanted`. The number of lines; *n_lost is what L10 lines
 * among them, which are not counted, add up to. */
static unsigned long
read_until(int fd, const char *wanted, unsigned long *n_lost)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	static char text[1 << 16];
	unsigned long n_lines = 0;
	size_t len = 0;
	bool found = false;

	*n_lost = 0;
	while (!found) {
		char *line = text, *eol, *lost;
		ssize_t n;

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		n = read(fd, text + len, sizeof(text) - 1 - len);
		assert_true(n > 0);
		len += (size_t)n;
		text[len] = '\0';
		while ((eol = strchr(line, '\n'))) {
			*eol = '\0';
			found = found || strstr(line, wanted);
			lost = strstr(line, "(output buffer overflow): ");
			if (lost)
				*n_lost += strtoul(strchr(lost, ':') + 1, NULL, 10);
			else
				n_lines++;
			line = eol + 1;
		}
		len -= (size_t)(line - text);
		memmove(text, line, len);
	}
	return n_lines;
}

/* Waits until the ring has the line: lines on a stream and commands take different ways. */
static void
await_line(const char *app, const char *line)
{
	int fd = open_read(app, 1000, true, "", "");
	unsigned long n_lost;

	(void)read_until(fd, line, &n_lost);
	close(fd);
}

static int
setup(void **state)
{
	const char *b = getenv("B");
	char cwd[256];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	(void)snprintf(run.program, sizeof(run.program), "%s/%s/libexec/paas/paas-logs", cwd,
		       b ? b : "build");
	strcpy(run.dir, "/tmp/paas-logs-XXXXXX");
	assert_non_null(mkdtemp(run.dir));
	run.dir_fd = open(run.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(run.dir_fd >= 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(run.dir_fd);
	return file_remove_tree(AT_FDCWD, run.dir);
}

static void
test_lines(void **state)
{
	int stream, fd;

	(void)state;
	start(NULL);
	stream = open_stream("hello", "app[web.1]");
	send_lines(stream, 0, "one\ntwo\r\n\033[32mgreen\033[0m \033]0;title\007\n");
	await_line("hello", "title");
	send_write("hello", "heroku[web.1]", "State changed from starting to up");
	await_line("hello", "State changed");
	send_lines(stream, 7, "after\n");
	await_line("hello", "after");
	assert_string_equal(
		read_all("hello", 100),
		"app[web.1]: one\napp[web.1]: two\napp[web.1]: green \\x1b]0;title\\x07\n"
		"heroku[web.1]: State changed from starting to up\n"
		"heroku[logs]: Error L10 (output buffer overflow): 7 messages dropped\n"
		"app[web.1]: after\n");
	assert_string_equal(read_all("hello", 1), "app[web.1]: after\n");
	assert_string_equal(read_all("hello", 0), "");
	assert_string_equal(read_all("silent", 10), "");

	fd = open_read("hello", 100, false, "heroku", "web");
	assert_string_equal(read_lines(fd, 0),
			    "heroku[web.1]: State changed from starting to up\n");
	close(fd);
	close(stream);
	assert_int_equal(stop(0), 0);
}

static void
test_follow(void **state)
{
	int stream, fd;

	(void)state;
	start(NULL);
	stream = open_stream("hello", "app[web.1]");
	send_lines(stream, 0, "old\n");
	await_line("hello", "old");
	fd = open_read("hello", 1, true, "app", "");
	assert_string_equal(read_lines(fd, 1), "app[web.1]: old\n");
	send_write("hello", "heroku[web.1]", "not for this reader");
	send_lines(stream, 0, "new\n");
	assert_string_equal(read_lines(fd, 1), "app[web.1]: new\n");

	/* A reader that goes away is noticed without a line. */
	close(fd);
	fd = open_read("hello", 0, true, "", "");
	msg_begin(&m, MSG_LOGS_REMOVE, 0);
	wire_put_str(&m.out, "hello");
	assert_int_equal(msg_send(run.parent_fd, &m), 0);
	assert_string_equal(read_lines(fd, 0), "");
	close(fd);
	assert_string_equal(read_all("hello", 10), "");
	/* And the stream of a removed app ends. */
	assert_int_equal(recv(stream, &m, 1, 0), 0);
	close(stream);
	assert_int_equal(stop(0), 0);
}

static void
test_kill(void **state)
{
	int stream;

	(void)state;
	start(NULL);
	stream = open_stream("hello", "app[web.1]");
	send_lines(stream, 0, "kept\n");
	await_line("hello", "kept");
	assert_true(WIFSIGNALED(stop(SIGKILL)));
	close(stream);

	start(NULL);
	stream = open_stream("hello", "app[web.1]");
	send_lines(stream, 0, "second life\n");
	await_line("hello", "second life");
	assert_string_equal(read_all("hello", 10), "app[web.1]: kept\napp[web.1]: second life\n");
	/* What a stream holds when we are told to end is still stored. */
	send_lines(stream, 0, "last words\n");
	assert_int_equal(stop(0), 0);
	close(stream);
	start(NULL);
	assert_string_equal(read_all("hello", 1), "app[web.1]: last words\n");
	assert_int_equal(stop(SIGTERM), 0);
}

static void
test_router(void **state)
{
	int router;

	(void)state;
	start(NULL);
	send_write("hello", "heroku[api]", "Release v1 created");
	router = open_stream("", "");
	/* One batch. */
	msg_begin(&m, MSG_LOG_ROUTER, 0);
	for (int i = 0; i < 2; i++) {
		wire_put_str(&m.out, i == 0 ? "stranger" : "hello");
		wire_put_u64(&m.out, 0);
		wire_put_str(&m.out, "at=info method=GET path=\"/\033[2J\"");
	}
	assert_int_equal(msg_send(router, &m), 0);
	await_line("hello", "at=info");
	assert_string_equal(read_all("hello", 10),
			    "heroku[api]: Release v1 created\n"
			    "heroku[router]: at=info method=GET path=\"/\\x1b[2J\"\n");
	assert_int_equal(faccessat(run.dir_fd, "stranger", F_OK, 0), -1);

	/* An instance's message on a router's stream ends the stream, nothing else. */
	send_lines(router, 0, "forged\n");
	assert_int_equal(recv(router, &m, 1, 0), 0);
	close(router);
	assert_int_equal(strstr(read_all("hello", 10), "forged") != NULL, 0);
	assert_int_equal(stop(0), 0);
}

static void
test_slow_reader(void **state)
{
	unsigned long n_lines, n_lost;
	char text[9001];
	int stream, slow;

	(void)state;
	start("--ring-bytes=64K");
	stream = open_stream("hello", "app[web.1]");
	slow = open_read("hello", 0, true, "", "");
	/* The answer to a later question says that the reader is there. */
	(void)read_all("hello", 1);
	/* 4 MB that nobody reads: far more than the socket and the ring hold. */
	memset(text, 'x', sizeof(text));
	text[8999] = '\n';
	text[9000] = '\0';
	for (int i = 0; i < 500; i++)
		send_lines(stream, 0, text);
	send_lines(stream, 0, "the end\n");
	await_line("hello", "the end");
	/* Every line either comes or is counted. */
	n_lines = read_until(slow, "the end", &n_lost);
	assert_true(n_lost > 0);
	assert_true(n_lines > 1);
	assert_int_equal(n_lines + n_lost, 501);
	close(slow);
	close(stream);
	assert_int_equal(stop(0), 0);
}

static void
test_wrong_commands(void **state)
{
	(void)state;
	start(NULL);
	/* A name that is none is refused, and that is all. */
	send_write("../escape", "heroku[api]", "x");
	send_write("hello", "heroku[api]", "still there");
	assert_string_equal(read_all("hello", 1), "heroku[api]: still there\n");
	assert_int_equal(access("/tmp/escape", F_OK), -1);
	/* A message that paasd cannot have meant ends the program: it is started anew. */
	msg_begin(&m, MSG_LOGS_WRITE, 0);
	wire_put_str(&m.out, "hello");
	assert_int_equal(msg_send(run.parent_fd, &m), 0);
	{
		struct pollfd p = {.fd = run.pid_fd, .events = POLLIN};
		int status;

		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		assert_int_equal(waitpid(run.pid, &status, 0), run.pid);
		assert_int_equal(WEXITSTATUS(status), 1);
	}
	close(run.pid_fd);
	close(run.parent_fd);
}

static void
test_options(void **state)
{
	static const char *const bad[] = {"--ring-bytes=1K", "--ring-bytes=x", "--ring-bytes=2000T",
					  "--unknown", "word"};
	char command[700];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		int status;

		(void)snprintf(command, sizeof(command), "'%s' %s 2>/dev/null", run.program,
			       bad[i]);
		status = system(command);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 2);
	}
	/* Without a channel there is nothing to serve. */
	(void)snprintf(command, sizeof(command), "'%s' 3</dev/null 2>/dev/null", run.program);
	assert_int_equal(WEXITSTATUS(system(command)), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_follow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_router, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options, setup, teardown),
	};

	return cmocka_run_group_tests_name("paas-logs", tests, NULL, NULL);
}

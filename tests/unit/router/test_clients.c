/* The real router between programs that are not ours: curl, wrk, node and Python. */
#include "tests/unit/router/rig.h"

static char output[65536];

/* Runs a command line; its standard output is in `output`. The exit status. */
static int run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int
run(const char *fmt, ...)
{
	char command[1000];
	va_list ap;
	FILE *pipe;
	size_t n;
	int status;

	va_start(ap, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	n = fread(output, 1, sizeof(output) - 1, pipe);
	output[n] = '\0';
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct origin {
	pid_t pid;
	uint16_t port;
};

/* Starts a program that prints its port. */
static struct origin
origin_start(const char *const argv[])
{
	struct origin origin;
	char text[32] = "";
	int ends[2];
	size_t n = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	origin.pid = fork();
	if (origin.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(ends[1], 1);
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(ends[1]);
	while (n + 1 < sizeof(text) && read(ends[0], text + n, 1) == 1 && text[n] != '\n')
		n++;
	(void)close(ends[0]);
	origin.port = (uint16_t)atoi(text);
	assert_true(origin.port > 0);
	return origin;
}

static void
origin_stop(struct origin origin)
{
	assert_int_equal(kill(origin.pid, SIGKILL), 0);
	assert_int_equal(waitpid(origin.pid, NULL, 0), origin.pid);
}

static struct origin
node_start(const char *name)
{
	const char *const argv[] = {"node", "tests/unit/router/origin.js", name, NULL};

	return origin_start(argv);
}

static void
route_to(const struct origin *origin, uint64_t instance)
{
	struct rig_backend backend = {instance, origin->port, "web.1"};

	rig_route(&backend, 1);
}

/* The most memory the worker ever had, in KiB. */
static long
peak_kib(void)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)rig.pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "VmHWM: %ld", &kib);
	(void)fclose(f);
	return kib;
}

#define CURL "curl -sS --max-time 60 -H 'Host: hello.localhost' "

static void
test_curl(void **state)
{
	struct origin node = node_start("one");
	(void)state;

	route_to(&node, 1);
	assert_int_equal(run(CURL "http://127.0.0.1:%u/", rig.port), 0);
	assert_string_equal(output, "one\n");
	assert_int_equal(run(CURL "--http1.0 http://127.0.0.1:%u/", rig.port), 0);
	assert_string_equal(output, "one\n");
	assert_int_equal(run(CURL "-I http://127.0.0.1:%u/", rig.port), 0);
	assert_memory_equal(output, "HTTP/1.1 200 OK\r\n", 17);
	/* a body large enough for curl to ask first (Expect: 100-continue) */
	assert_int_equal(run("head -c 3000000 /dev/zero | " CURL
			     "--data-binary @- http://127.0.0.1:%u/count",
			     rig.port),
			 0);
	assert_string_equal(output, "3000000\n");
	/* two requests on one connection, one of them chunked */
	assert_int_equal(run("head -c 300000 /dev/zero | " CURL
			     "-T - http://127.0.0.1:%u/count http://127.0.0.1:%u/",
			     rig.port, rig.port),
			 0);
	assert_string_equal(output, "300000\none\n");
	origin_stop(node);
}

/* 1 GiB each way through a worker that stays small, also when the client reads slowly. */
static void
test_huge(void **state)
{
	struct origin node = node_start("one");
	long before, limit;
	(void)state;

	route_to(&node, 1);
	assert_int_equal(run(CURL "http://127.0.0.1:%u/", rig.port), 0);
	before = peak_kib();
	assert_int_equal(run("head -c 1073741824 /dev/zero | " CURL
			     "-T - http://127.0.0.1:%u/count",
			     rig.port),
			 0);
	assert_string_equal(output, "1073741824\n");
	assert_int_equal(run(CURL "'http://127.0.0.1:%u/send?mib=1024' | wc -c", rig.port), 0);
	assert_int_equal(atol(output), 1073741824);
	assert_int_equal(
		run(CURL "--limit-rate 20M 'http://127.0.0.1:%u/send?mib=30' | wc -c", rig.port),
		0);
	assert_int_equal(atol(output), 31457280);
	limit = before + 3000;
	if (getenv("B") && strstr(getenv("B"), "san"))
		limit += 100000; /* sanitizers keep what was freed */
	if (peak_kib() > limit)
		fail_msg("grew from %ld to %ld KiB", before, peak_kib());
	origin_stop(node);
}

static void
test_websocket(void **state)
{
	struct origin node = node_start("one");
	(void)state;

	route_to(&node, 1);
	assert_int_equal(run("node tests/unit/router/websocket.js %u", rig.port), 0);
	rig_expect_line("status=101 ");
	origin_stop(node);
}

/* Python's server closes after each response and says so with HTTP/1.0. */
static void
test_python(void **state)
{
	static const char program[] = "import http.server\n"
				      "s = http.server.HTTPServer(('127.0.0.1', 0), "
				      "http.server.SimpleHTTPRequestHandler)\n"
				      "print(s.server_port, flush=True)\n"
				      "s.serve_forever()\n";
	const char *const argv[] = {"/usr/bin/python3", "-c", program, NULL};
	struct origin python = origin_start(argv);
	(void)state;

	route_to(&python, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(run(CURL "http://127.0.0.1:%u/COPYING | cmp - COPYING", rig.port),
				 0);
	origin_stop(python);
}

/*
 * Releases change many times a second under load. No request fails, whether it meets the old
 * instance or the new one, and each old instance is reported once nothing is left on it.
 */
static void
test_switch_under_load(void **state)
{
	struct origin nodes[2] = {node_start("one"), node_start("two")};
	uint64_t instance = 1;
	pid_t wrk;
	int ends[2], status;
	ssize_t n;
	(void)state;

	route_to(&nodes[0], instance);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	wrk = fork();
	if (wrk == 0) {
		char url[64];

		(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/slow", rig.port);
		(void)dup2(ends[1], 1);
		(void)execlp("wrk", "wrk", "-t1", "-c50", "-d3s", "-H", "Host: hello.localhost",
			     url, (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	while (waitpid(wrk, &status, WNOHANG) == 0) {
		struct rig_backend backend = {instance + 1, nodes[instance % 2].port, "web.1"};

		rig_route_app(1, "hello", ROUTE_UP, &backend, 1);
		rig_route_host("hello.localhost", 1);
		rig_route_done();
		/* ACK and DRAINED come in either order */
		for (int left = 2; left > 0; left--) {
			struct pollfd p = {rig.channel, POLLIN, 0};
			struct msg m;
			uint64_t number;

			assert_int_equal(poll(&p, 1, RIG_WAIT_MS), 1);
			assert_int_equal(msg_receive(rig.channel, &m), 1);
			number = wire_get_u64(&m.in);
			if (m.type == MSG_ROUTE_ACK)
				assert_int_equal(number, rig.generation);
			else if (m.type == MSG_BACKEND_DRAINED)
				assert_int_equal(number, instance);
			else
				fail_msg("%s", msg_name(m.type));
		}
		instance++;
	}
	n = read(ends[0], output, sizeof(output) - 1);
	assert_true(n > 0);
	output[n] = '\0';
	(void)close(ends[0]);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	if (strstr(output, "Non-2xx") || strstr(output, "Socket errors"))
		fail_msg("%s", output);
	assert_true(instance > 20);
	origin_stop(nodes[0]);
	origin_stop(nodes[1]);
}

/* An app that is killed under load costs the requests it had, and no others once it is gone. */
static void
test_kill_under_load(void **state)
{
	struct origin nodes[2] = {node_start("one"), node_start("two")};
	struct rig_backend backends[2] = {{1, nodes[0].port, "web.1"}, {2, nodes[1].port, "web.2"}};
	(void)state;

	rig_route(backends, 2);
	assert_int_equal(
		run("wrk -t1 -c20 -d1s -H 'Host: hello.localhost' http://127.0.0.1:%u/", rig.port),
		0);
	origin_stop(nodes[0]);
	assert_int_equal(
		run("wrk -t1 -c20 -d1s -H 'Host: hello.localhost' http://127.0.0.1:%u/", rig.port),
		0);
	if (strstr(output, "Non-2xx") || strstr(output, "Socket errors"))
		fail_msg("%s", output);
	origin_stop(nodes[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_curl, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_huge, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_websocket, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_python, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_switch_under_load, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_kill_under_load, rig_setup, rig_teardown),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}

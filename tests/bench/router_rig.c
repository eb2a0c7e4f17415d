/*
 * Stands in for paasd and paas-logs around one paas-router, for measuring it alone:
 * router_rig ROUTER CPU ORIGIN_PORT N_BACKENDS N_HOSTS. Prints "PORT PID" when routes are in
 * force, swallows access lines, ends when its stdin does.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/err.h"
#include "lib/msg.h"

static void
check(int ret, const char *what)
{
	if (ret >= 0)
		return;
	(void)fprintf(stderr, "router_rig: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static pid_t
start(const char *program, int cpu, int channel, int other, int listener)
{
	int fds[3] = {fcntl(channel, F_DUPFD, 100), fcntl(other, F_DUPFD, 100),
		      fcntl(listener, F_DUPFD, 100)};
	int places[3] = {3, 4, 10};
	pid_t pid = fork();
	cpu_set_t set;

	check(pid < 0 ? -errno : 0, "fork");
	if (pid > 0) {
		for (int i = 0; i < 3; i++)
			(void)close(fds[i]);
		return pid;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
	for (int i = 0; i < 3; i++) {
		(void)dup2(fds[i], places[i]);
		(void)close(fds[i]);
	}
	(void)execl(program, program, "--worker=1", (char *)NULL);
	_exit(127);
}

static void
send_routes(int channel, uint16_t origin, unsigned n_backends, unsigned n_hosts)
{
	struct msg m;

	for (unsigned app = 1; app <= n_hosts; app++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "app%u", app);
		msg_begin(&m, MSG_ROUTE_APP, 0);
		wire_put_u32(&m.out, app);
		wire_put_str(&m.out, text);
		wire_put_u8(&m.out, ROUTE_UP);
		wire_put_u16(&m.out, (uint16_t)n_backends);
		for (unsigned i = 0; i < n_backends; i++) {
			char name[16];

			(void)snprintf(name, sizeof(name), "web.%u", i + 1);
			wire_put_u64(&m.out, (uint64_t)app << 16 | i);
			wire_put_u32(&m.out, 0x7f000001);
			wire_put_u16(&m.out, origin);
			wire_put_str(&m.out, name);
		}
		check(msg_send(channel, &m), "ROUTE_APP");
		(void)snprintf(text, sizeof(text), "app%u.localhost", app);
		msg_begin(&m, MSG_ROUTE_HOST, 0);
		wire_put_str(&m.out, text);
		wire_put_u32(&m.out, app);
		check(msg_send(channel, &m), "ROUTE_HOST");
	}
	msg_begin(&m, MSG_ROUTE_DONE, 0);
	wire_put_u64(&m.out, 1);
	check(msg_send(channel, &m), "ROUTE_DONE");
}

static void
await(int channel, enum msg_type type)
{
	struct msg m;

	check(msg_receive(channel, &m) == 1 && m.type == type ? 0 : -EPROTO, msg_name(type));
}

/* Until our stdin ends. */
static void
swallow(int logs)
{
	struct pollfd p[2] = {{.fd = logs, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
	char bytes[MSG_MAX_BYTES];

	while (poll(p, 2, -1) >= 0 && !p[1].revents)
		(void)!read(logs, bytes, sizeof(bytes));
}

int
main(int argc, char **argv)
{
	int ends[2], logs[2], listener;
	struct addr addr;
	struct msg m;
	pid_t pid;

	if (argc != 6)
		return 2;
	check(addr_parse("127.0.0.1:0", &addr, NULL), "address");
	listener = addr_listen(&addr, 4096, NULL);
	check(listener, "listen");
	check(addr_of_socket(listener, &addr), "port");
	check(msg_pair(ends, false), "channel");
	check(msg_pair(logs, false), "log stream");
	pid = start(argv[1], atoi(argv[2]), ends[1], ends[0], listener);
	(void)close(ends[1]);
	await(ends[0], MSG_ROUTER_READY);
	msg_begin(&m, MSG_ROUTER_LOGS, 0);
	msg_add_fd(&m, logs[1]);
	check(msg_send(ends[0], &m), "ROUTER_LOGS");
	(void)close(logs[1]);
	send_routes(ends[0], (uint16_t)atoi(argv[3]), (unsigned)atoi(argv[4]),
		    (unsigned)atoi(argv[5]));
	await(ends[0], MSG_ROUTE_ACK);
	(void)printf("%u %d\n", addr_port(&addr), (int)pid);
	(void)fflush(stdout);
	swallow(logs[0]);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return 0;
}

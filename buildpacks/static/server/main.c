/*
 * paas-static: serves the files of a static app on $PORT. One process, one loop, no privileges
 * needed, nothing written. `paas-static --check DIR` reads the configuration and says what is
 * wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"
#include "lib/loop.h"

#include "buildpacks/static/server/conn.h"
#include "buildpacks/static/server/site.h"

#define DEFAULT_PORT 5000
#define MAX_CONNECTIONS 1000
#define BACKLOG 511
#define ACCEPTS_PER_TURN 16
#define END_MS 25000 /* after SIGTERM; the platform kills after 30 s */

static struct {
	struct loop loop;
	struct site site;
	struct server server;
	struct loop_io listener;
	struct loop_timer end;
	int fd;
} self;

static void
on_connection(struct loop_io *io, uint32_t events)
{
	static const int on = 1;

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN && self.server.n < self.server.max; i++) {
		int fd = accept4(self.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		(void)conn_open(&self.server, fd);
	}
	if (self.server.n >= self.server.max)
		(void)loop_change(&self.loop, io, 0);
}

static void
on_closed(struct server *server)
{
	if (server->is_ending) {
		if (server->n == 0)
			loop_stop(&self.loop);
	} else if (self.listener.events == 0) {
		(void)loop_change(&self.loop, &self.listener, EPOLLIN);
	}
}

static void
on_end(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(&self.loop);
}

static void
on_signal(void *user, const struct signalfd_siginfo *si)
{
	(void)user;
	(void)si;
	if (self.server.is_ending)
		return;
	self.server.is_ending = true;
	loop_remove(&self.loop, &self.listener);
	(void)close(take_fd(&self.fd));
	conn_end_idle(&self.server);
	if (self.server.n == 0 || loop_timer_set(&self.loop, &self.end, END_MS, on_end) < 0)
		loop_stop(&self.loop);
}

static int
listen_on_port(struct err *err)
{
	struct addr addr = {.len = sizeof(struct sockaddr_in)};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	const char *text = getenv("PORT");
	long long port = DEFAULT_PORT;

	if (text && conf_number(text, 0, 65535, &port) < 0)
		return err_say(err, -EINVAL, "PORT=%s is no port.", text);
	in.sin_port = htons((uint16_t)port);
	memcpy(&addr.sa, &in, sizeof(in));
	self.fd = addr_listen(&addr, BACKLOG, err);
	return self.fd < 0 ? self.fd : 0;
}

static int
start(struct err *err)
{
	sigset_t set;
	int ret = listen_on_port(err);

	if (ret < 0)
		return ret;
	ret = loop_init(&self.loop);
	if (ret < 0)
		return err_set(err, ret, "make an event loop");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	self.server = (struct server){
		.loop = &self.loop,
		.site = &self.site,
		.max = MAX_CONNECTIONS,
		.on_closed = on_closed,
	};
	ret = loop_signals(&self.loop, &set, on_signal, NULL);
	if (ret == 0)
		ret = loop_add(&self.loop, &self.listener, self.fd, EPOLLIN, on_connection);
	return ret < 0 ? err_set(err, ret, "watch the port") : 0;
}

static int
check(const char *dir)
{
	struct err err;
	int ret = site_open(&self.site, dir, &err);

	if (ret < 0)
		printf(" !     %s\n", err.text);
	else if (self.site.config.ignored[0])
		printf(" !     static.json: \"%s\" is not supported and is ignored.\n",
		       self.site.config.ignored);
	site_close(&self.site);
	return ret < 0;
}

static int
serve(const char *dir)
{
	struct addr addr;
	struct err err;

	self.fd = -1;
	if (site_open(&self.site, dir, &err) < 0 || start(&err) < 0) {
		log_line("%s", err.text);
		return 1;
	}
	if (addr_of_socket(self.fd, &addr) == 0)
		log_line("serving on port %u", addr_port(&addr));
	(void)loop_run(&self.loop);
	self.server.is_ending = true;
	conn_end_all(&self.server);
	loop_done(&self.loop);
	site_close(&self.site);
	if (self.fd >= 0)
		(void)close(self.fd);
	return 0;
}

int
main(int argc, char **argv)
{
	bool is_check = argc > 1 && strcmp(argv[1], "--check") == 0;
	const char *dir = argc > 1 + is_check ? argv[1 + is_check] : ".";

	log_name("paas-static");
	if (argc > 2 + is_check || (!is_check && dir[0] == '-')) {
		log_line("usage: paas-static [--check] [DIR]");
		return 2;
	}
	return is_check ? check(dir) : serve(dir);
}

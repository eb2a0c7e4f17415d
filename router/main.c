/*
 * paas-router: one worker. Everything comes by inheritance: fd 3 is the channel to paasd, fd 4
 * paasd's end of it (kept so that the next paasd can take it), fds 10 to 19 listening sockets
 * shared with the other workers. It never ends by itself; SIGTERM lets it finish what it began.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/conf.h"
#include "lib/err.h"

#include "router/channel.h"
#include "router/connection.h"
#include "router/forward.h"
#include "router/router.h"

#define CHANNEL_FD 3
#define HTTP_FD 10
#define MAX_LISTENERS 10

#define MAX_CONNECTIONS 32768
#define MAX_IDLE 1024
#define OTHER_FDS 64
#define MAX_BLOCK_BYTES ((size_t)512 * 1024 * 1024)

static struct {
	struct router router;
	struct channel channel;
	struct listener listeners[MAX_LISTENERS];
	size_t n_listeners;
	struct loop_timer drain;
	bool is_done;
} worker = {
	.router.timeouts =
		{
			.head_ms = 30000,
			.keep_alive_ms = 60000,
			.connect_ms = 5000,
			.first_byte_ms = 30000,
			.idle_ms = 55000,
			.linger_ms = 10000,
			.drain_ms = 30000,
			.pool_ms = 60000,
		},
};

/* ---- options ----------------------------------------------------------------------------------
 */

static const char usage[] =
	"usage: paas-router --worker=N [--OPTION=DURATION]...\n"
	"  started by paasd, with its sockets in place; durations are like 30s or 500ms:\n"
	"  --head --keep-alive --connect --first-byte --idle --linger --drain --pool\n";

static int
set_timeout(uint64_t *ms, const char *name, const char *value)
{
	unsigned long long n;

	if (conf_duration(value, &n) < 0 || n == 0) {
		log_line("--%s=%s is not a duration like 30s or 500ms", name, value);
		return -EINVAL;
	}
	*ms = n;
	return 0;
}

static int
read_options(int argc, char **argv)
{
	struct router_timeouts *t = &worker.router.timeouts;
	const struct {
		const char *name;
		uint64_t *ms;
	} timeouts[] = {
		{"head", &t->head_ms},	     {"keep-alive", &t->keep_alive_ms},
		{"connect", &t->connect_ms}, {"first-byte", &t->first_byte_ms},
		{"idle", &t->idle_ms},	     {"linger", &t->linger_ms},
		{"drain", &t->drain_ms},     {"pool", &t->pool_ms},
	};
	enum { N_TIMEOUTS = sizeof(timeouts) / sizeof(timeouts[0]) };
	struct option options[N_TIMEOUTS + 2] = {{"worker", required_argument, NULL, 'w'}};
	long long number;
	int c;

	for (int i = 0; i < N_TIMEOUTS; i++)
		options[i + 1] =
			(struct option){timeouts[i].name, required_argument, NULL, 256 + i};
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'w' && conf_number(optarg, 0, 100000, &number) == 0)
			continue;
		if (c < 256 ||
		    set_timeout(timeouts[c - 256].ms, timeouts[c - 256].name, optarg) < 0)
			return -EINVAL;
	}
	return optind == argc ? 0 : -EINVAL;
}

/* ---- starting ---------------------------------------------------------------------------------
 */

static bool
is_listening(int fd)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 && value;
}

static int
open_listeners(struct err *err)
{
	for (int i = 0; i < MAX_LISTENERS; i++) {
		int ret;

		if (!is_listening(HTTP_FD + i))
			continue;
		ret = listener_open(&worker.listeners[worker.n_listeners], &worker.router,
				    HTTP_FD + i, "http");
		if (ret < 0)
			return err_set(err, ret, "accept on fd %d", HTTP_FD + i);
		worker.n_listeners++;
	}
	return 0;
}

/* A client and a backend need an fd each, and kept connections come on top. */
static void
size_by_fds(size_t *max_connections, size_t *max_idle)
{
	struct rlimit limit;
	size_t n = 1024;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) == 0 || getrlimit(RLIMIT_NOFILE, &limit) == 0)
			n = limit.rlim_cur > 1 << 20 ? 1 << 20 : (size_t)limit.rlim_cur;
	}
	n = n > 2 * OTHER_FDS ? n - OTHER_FDS : OTHER_FDS;
	*max_idle = n / 8 < MAX_IDLE ? n / 8 : MAX_IDLE;
	*max_connections = (n - *max_idle) / 2;
	if (*max_connections > MAX_CONNECTIONS)
		*max_connections = MAX_CONNECTIONS;
}

static void
on_detached(void *user, struct backend *backend)
{
	struct router *router = user;

	pool_close_idle(&router->pool, backend);
}

static void
on_drained(void *user, uint64_t instance)
{
	(void)user;
	channel_say_drained(&worker.channel, instance);
}

static const struct table_calls table_calls = {.detached = on_detached, .drained = on_drained};

static int
router_open(struct router *router, struct err *err)
{
	size_t max_idle;
	int ret = loop_init(&router->loop);

	if (ret < 0)
		return err_set(err, ret, "epoll");
	size_by_fds(&router->max_connections, &max_idle);
	router->in = malloc(ROUTER_READ_MAX);
	router->out = malloc(BLOCK_MAX);
	if (!router->in || !router->out)
		return err_set(err, -ENOMEM, "buffers");
	table_init(&router->table, &table_calls, router);
	blocks_init(&router->blocks, MAX_BLOCK_BYTES);
	slab_init(&router->slab, sizeof(struct connection));
	pool_init(&router->pool, &router->loop, &router->blocks, max_idle, router->timeouts.pool_ms,
		  forward_on_server);
	access_init(&router->access, &router->loop);
	router->balance.random = ident_seed(&router->ident);
	return 0;
}

static void
router_close(struct router *router)
{
	while (router->connections)
		connection_abort(router->connections);
	connection_reap(router);
	pool_done(&router->pool);
	table_done(&router->table);
	access_done(&router->access);
	slab_done(&router->slab);
	blocks_done(&router->blocks);
	free(router->in);
	free(router->out);
	loop_done(&router->loop);
}

/* ---- stopping ---------------------------------------------------------------------------------
 */

static void
on_drain_over(struct loop_timer *timer)
{
	(void)timer;
	log_line("%zu connections did not end in time and are closed", worker.router.n_connections);
	worker.is_done = true;
}

static void
on_signal(void *user, const struct signalfd_siginfo *si)
{
	struct router *router = user;

	(void)si;
	if (router->is_stopping)
		return;
	router->is_stopping = true;
	for (size_t i = 0; i < worker.n_listeners; i++)
		listener_close(&worker.listeners[i]);
	connection_close_idle(router);
	if (loop_timer_set(&router->loop, &worker.drain, router->timeouts.drain_ms, on_drain_over) <
	    0)
		worker.is_done = true;
}

static int
run(struct router *router)
{
	while (!worker.is_done && !(router->is_stopping && router->n_connections == 0)) {
		int ret = loop_turn(&router->loop, -1);

		if (ret < 0)
			return ret;
		connection_reap(router);
		pool_reap(&router->pool);
	}
	return 0;
}

static int
start(struct err *err)
{
	struct router *router = &worker.router;
	sigset_t signals;
	int ret = router_open(router, err);

	if (ret < 0)
		return ret;
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	ret = loop_signals(&router->loop, &signals, on_signal, router);
	if (ret < 0)
		return err_set(err, ret, "signals");
	ret = channel_open(&worker.channel, router, CHANNEL_FD);
	if (ret < 0)
		return err_set(err, ret, "the channel on fd %d", CHANNEL_FD);
	return open_listeners(err);
}

int
main(int argc, char **argv)
{
	struct err err;
	int ret;

	log_name("paas-router");
	if (read_options(argc, argv) < 0) {
		(void)fputs(usage, stderr);
		return 2;
	}
	ret = start(&err);
	if (ret < 0) {
		log_line("%s", err.text);
		return 1;
	}
	channel_say_ready(&worker.channel);
	ret = run(&worker.router);
	if (ret < 0)
		log_line("epoll: %s", strerror(-ret));
	router_close(&worker.router);
	channel_close(&worker.channel);
	return ret < 0 ? 1 : 0;
}

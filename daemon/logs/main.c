/*
 * paas-logs keeps what apps print and what the platform says about them. Commands come from paasd
 * and, through it, from control on fd 3; lines come on streams, from processes that are not
 * trusted. It has no rights but to its own directory, in which it runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/chan.h"
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "lib/sandbox.h"

#include "daemon/logs/line.h"
#include "daemon/logs/ring.h"
#include "daemon/logs/store.h"
#include "daemon/logs/stream.h"
#include "daemon/logs/tail.h"

#define PARENT_FD 3
#define MAX_QUEUED 16

static struct {
	struct loop loop;
	struct chan parent;
	struct store store;
	struct streams streams;
	int status;
} logs;

/* ---- commands ---------------------------------------------------------------------------- */

/* 0, -EBADMSG when the message is not what it should be, or another -errno worth a line. */

static int
do_stream(struct msg *m)
{
	char app[APP_NAME_MAX + 1], source[LABEL_MAX + 1];
	int ret = 0;

	wire_get_str(&m->in, app, sizeof(app));
	wire_get_str(&m->in, source, sizeof(source));
	if (wire_end(&m->in) < 0 || !app[0] != !source[0])
		return -EBADMSG;
	/* A router can write about an app from its first instance on, though that may be silent. A
	 * disk that is full now may have room when there is something to say. */
	if (app[0] && !store_find(&logs.store, app, true, &ret) && ret == -EINVAL)
		return ret;
	return stream_open(&logs.streams, msg_take_fd(m, 0), app, source);
}

static int
do_write(struct msg *m)
{
	char app[APP_NAME_MAX + 1], source[LABEL_MAX + 1];
	struct app_log *log;
	const char *text;
	size_t n;
	int ret;

	wire_get_str(&m->in, app, sizeof(app));
	wire_get_str(&m->in, source, sizeof(source));
	text = wire_get_bytes(&m->in, &n);
	if (wire_end(&m->in) < 0)
		return -EBADMSG;
	log = store_find(&logs.store, app, true, &ret);
	if (!log)
		return ret;
	store_text(log, store_now_us(), source, text, n);
	return 0;
}

static int
do_read(struct msg *m)
{
	char app[APP_NAME_MAX + 1];
	struct line_filter filter = {0};
	struct app_log *log;
	uint32_t n_lines;
	bool follow;
	int ret;

	wire_get_str(&m->in, app, sizeof(app));
	n_lines = wire_get_u32(&m->in);
	follow = wire_get_u8(&m->in) != 0;
	wire_get_str(&m->in, filter.source, sizeof(filter.source));
	wire_get_str(&m->in, filter.instance, sizeof(filter.instance));
	if (wire_end(&m->in) < 0)
		return -EBADMSG;
	/* What was said before the question belongs to the answer. */
	store_flush(&logs.store);
	log = store_find(&logs.store, app, true, &ret);
	if (!log)
		return ret;
	return tail_open(log, &logs.loop, msg_take_fd(m, 0), n_lines, follow, &filter);
}

static int
do_remove(struct msg *m)
{
	char app[APP_NAME_MAX + 1];
	struct app_log *log;

	wire_get_str(&m->in, app, sizeof(app));
	if (wire_end(&m->in) < 0)
		return -EBADMSG;
	stream_close_app(&logs.streams, app);
	log = map_find(&logs.store.apps, app);
	if (log)
		tail_close(log);
	return store_remove(&logs.store, app);
}

static void
on_message(struct chan *chan, struct msg *m)
{
	struct err err;
	int ret;

	switch ((int)m->type) {
	case MSG_LOGS_STREAM:
		ret = do_stream(m);
		break;
	case MSG_LOGS_WRITE:
		ret = do_write(m);
		break;
	case MSG_LOGS_READ:
		ret = do_read(m);
		break;
	case MSG_LOGS_REMOVE:
		ret = do_remove(m);
		break;
	default:
		ret = -EBADMSG;
	}
	if (ret < 0) {
		(void)err_set(&err, ret, "%s", msg_name(m->type));
		log_line("%s", err.text);
	}
	/* paasd and control are ours: if they cannot be understood, a fresh start is the way. */
	if (ret == -EBADMSG) {
		logs.status = 1;
		chan_close(chan);
		loop_stop(&logs.loop);
	}
}

static void
on_closed(struct chan *chan, const struct err *why)
{
	(void)chan;
	if (why) {
		log_line("%s", why->text);
		logs.status = 1;
	}
	loop_stop(&logs.loop);
}

static void
on_signal(void *user, const struct signalfd_siginfo *si)
{
	(void)user;
	(void)si;
	loop_stop(&logs.loop);
}

/* ---- start and end ----------------------------------------------------------------------- */

static int
parse_options(int argc, char **argv, unsigned long long *ring_bytes)
{
	static const struct option options[] = {
		{"ring-bytes", required_argument, NULL, 'r'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'r')
			return -EINVAL;
		if (conf_bytes(optarg, ring_bytes) < 0 || *ring_bytes < RING_SEGMENT_MIN ||
		    *ring_bytes > (1ULL << 40)) {
			log_line("--ring-bytes is a size from 64K, like 1M");
			return -EINVAL;
		}
	}
	return optind == argc ? 0 : -EINVAL;
}

/* Every app takes a few fds, every instance one. */
static void
raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int
start(int dir_fd, unsigned long long ring_bytes)
{
	struct msg ready;
	sigset_t signals;
	int ret;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	ret = loop_init(&logs.loop);
	if (ret == 0)
		ret = loop_signals(&logs.loop, &signals, on_signal, NULL);
	if (ret < 0)
		return ret;
	store_init(&logs.store, &logs.loop, dir_fd, ring_bytes, tail_on_lines, tail_on_rotate);
	streams_init(&logs.streams, &logs.loop, &logs.store);
	ret = chan_open(&logs.parent, &logs.loop, PARENT_FD, ROLE_LOGS, ROLE_PARENT, MAX_QUEUED,
			on_message, on_closed, NULL);
	if (ret < 0)
		return ret;
	msg_begin(&ready, MSG_LOGS_READY, 0);
	return chan_send(&logs.parent, &ready);
}

static void
finish(void)
{
	struct app_log *app;
	size_t at = 0;

	streams_done(&logs.streams);
	store_flush(&logs.store);
	while ((app = map_next(&logs.store.apps, &at)))
		tail_close(app);
	store_done(&logs.store);
	chan_close(&logs.parent);
	loop_done(&logs.loop);
}

int
main(int argc, char **argv)
{
	unsigned long long ring_bytes = 1024 * 1024;
	AUTO_FD int dir_fd = -1;
	struct err err;
	int ret;

	log_name("paas-logs");
	if (parse_options(argc, argv, &ring_bytes) < 0)
		return 2;
	(void)signal(SIGPIPE, SIG_IGN);
	raise_fd_limit();
	dir_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = dir_fd < 0 ? -errno : start(dir_fd, ring_bytes);
	if (ret == 0)
		ret = loop_run(&logs.loop);
	if (ret < 0) {
		(void)err_set(&err, ret, "start");
		log_line("%s", err.text);
		return 1;
	}
	finish();
	return logs.status;
}

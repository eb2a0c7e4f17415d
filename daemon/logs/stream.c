#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/file.h"
#include "lib/loop.h"
#include "lib/msg.h"

#include "daemon/logs/line.h"
#include "daemon/logs/store.h"
#include "daemon/logs/stream.h"

/* Messages read per readiness, and bytes per window before a stream has to pause. */
#define STREAM_BATCH 32
#define STREAM_WINDOW_MS 100
#define STREAM_BUDGET (512 * 1024)	   /* of an instance: 5 MiB/s */
#define STREAM_ROUTER_BUDGET (4096 * 1024) /* of a worker: about 150 000 requests/s */

struct stream {
	struct loop_io io;
	struct loop_timer resume;
	struct streams *streams;
	struct stream *next, **link;
	uint64_t window_ms; /* when the current window began */
	size_t n_bytes;	    /* in it */
	char app[APP_NAME_MAX + 1];
	char source[LABEL_MAX + 1];
};

/* ---- messages ---------------------------------------------------------------------------- */

/* The lines of one instance. */
static int
store_lines(struct store *store, const char *app, const char *source, struct msg *m)
{
	uint64_t now_us = store_now_us(), time_us = line_time(wire_get_u64(&m->in), now_us);
	uint32_t n_dropped = wire_get_u32(&m->in);
	char line[LINE_MAX_BYTES];
	const char *text;
	struct app_log *log;
	size_t n;
	int ret;

	text = wire_get_bytes(&m->in, &n);
	ret = wire_end(&m->in);
	if (ret < 0)
		return ret;
	/* The name came from paasd. When the disk fails, store_find has no log to say it in. */
	log = store_find(store, app, true, &ret);
	if (!log)
		return 0;
	if (n_dropped > 0)
		store_add(log, line, line_write_dropped(line, time_us, n_dropped));
	store_text(log, time_us, source, text, n);
	return 0;
}

/* One line of a router, about an app it names: never a reason to make a directory. */
static int
store_request(struct store *store, struct msg *m)
{
	char app[APP_NAME_MAX + 1], line[LINE_MAX_BYTES];
	uint64_t time_us;
	const char *text;
	struct app_log *log;
	size_t n;
	int ret;

	wire_get_str(&m->in, app, sizeof(app));
	time_us = line_time(wire_get_u64(&m->in), store_now_us());
	text = wire_get_bytes(&m->in, &n);
	if (m->in.failed)
		return -EBADMSG;
	log = store_find(store, app, false, &ret);
	if (log)
		store_add(log, line, line_write(line, time_us, "heroku[router]", text, n));
	return ret == -EINVAL ? -EBADMSG : 0;
}

/* A router sends its lines in batches: what comes before a bad one is kept. */
static int
store_requests(struct store *store, struct msg *m)
{
	int ret = 0;

	do
		ret = store_request(store, m);
	while (ret == 0 && m->in.at < m->in.end);
	return ret;
}

int
stream_message(struct store *store, const char *app, const char *source, struct msg *m)
{
	bool is_router = !app[0];
	enum role from = is_router ? ROLE_ROUTER : ROLE_INIT;

	/* PARENT may send anything, but is not who sends here. */
	if (msg_from(m->type) != from || msg_to(m->type) != ROLE_LOGS || m->n_fds > 0)
		return -EBADMSG;
	return is_router ? store_requests(store, m) : store_lines(store, app, source, m);
}

/* ---- streams ----------------------------------------------------------------------------- */

static void
stream_close(struct stream *s)
{
	loop_timer_cancel(s->streams->loop, &s->resume);
	loop_remove(s->streams->loop, &s->io);
	(void)close(s->io.fd);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->streams->n--;
	free(s);
}

static const char *
who(const struct stream *s)
{
	return s->app[0] ? s->app : "the router";
}

/* Reads up to `n` messages. 1: there may be more; 0: none for now; -1: the stream was closed. */
static int
read_messages(struct stream *s, int n)
{
	for (; n > 0; n--) {
		struct msg m;
		int ret = msg_receive(s->io.fd, &m);

		if (ret == -EAGAIN)
			return 0;
		if (ret == 1) {
			s->n_bytes += (size_t)(m.in.end - m.bytes);
			ret = stream_message(s->streams->store, s->app, s->source, &m);
			msg_done(&m);
			if (ret == 0)
				continue;
		}
		if (ret < 0)
			log_line("a log stream of %s ends: it broke a rule", who(s));
		stream_close(s);
		return -1;
	}
	return 1;
}

static void
on_resume(struct loop_timer *timer)
{
	struct stream *s = container_of(timer, struct stream, resume);

	if (loop_change(s->streams->loop, &s->io, EPOLLIN) < 0)
		stream_close(s);
}

static void
on_ready(struct loop_io *io, uint32_t events)
{
	struct stream *s = container_of(io, struct stream, io);
	struct loop *loop = s->streams->loop;
	size_t budget = s->app[0] ? STREAM_BUDGET : STREAM_ROUTER_BUDGET;

	(void)events;
	if (loop_now_ms(loop) - s->window_ms >= STREAM_WINDOW_MS) {
		s->window_ms = loop_now_ms(loop);
		s->n_bytes = 0;
	}
	if (read_messages(s, STREAM_BATCH) < 0 || s->n_bytes < budget)
		return;
	if (loop_timer_set(loop, &s->resume, STREAM_WINDOW_MS, on_resume) == 0)
		loop_remove(loop, io);
}

void
streams_init(struct streams *streams, struct loop *loop, struct store *store)
{
	*streams = (struct streams){.loop = loop, .store = store};
}

void
streams_done(struct streams *streams)
{
	while (streams->head) {
		if (read_messages(streams->head, 2 * STREAM_BATCH) >= 0)
			stream_close(streams->head);
	}
}

int
stream_open(struct streams *streams, int fd, const char *app, const char *source)
{
	struct stream *s = streams->n < STREAM_MAX ? calloc(1, sizeof(*s)) : NULL;
	int ret = streams->n < STREAM_MAX ? 0 : -EMFILE;

	if (ret == 0 &&
	    (!s || strlen(app) >= sizeof(s->app) || strlen(source) >= sizeof(s->source)))
		ret = s ? -EINVAL : -ENOMEM;
	if (ret == 0)
		ret = file_set_nonblocking(fd, true);
	if (ret == 0)
		ret = loop_add(streams->loop, &s->io, fd, EPOLLIN, on_ready);
	if (ret < 0) {
		free(s);
		(void)close(fd);
		return ret;
	}
	s->streams = streams;
	strcpy(s->app, app);
	strcpy(s->source, source);
	s->next = streams->head;
	s->link = &streams->head;
	if (s->next)
		s->next->link = &s->next;
	streams->head = s;
	streams->n++;
	return 0;
}

void
stream_close_app(struct streams *streams, const char *app)
{
	for (struct stream *s = streams->head, *next; s; s = next) {
		next = s->next;
		if (s->app[0] && strcmp(s->app, app) == 0)
			stream_close(s);
	}
}

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/err.h"
#include "lib/file.h"
#include "lib/name.h"

#include "daemon/logs/line.h"
#include "daemon/logs/ring.h"
#include "daemon/logs/store.h"

uint64_t
store_now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void
store_init(struct store *store, struct loop *loop, int dir_fd, uint64_t segment_bytes,
	   store_app_fn *on_lines, store_app_fn *on_rotate)
{
	*store = (struct store){.loop = loop,
				.dir_fd = dir_fd,
				.segment_bytes = segment_bytes,
				.on_lines = on_lines,
				.on_rotate = on_rotate};
	map_init(&store->apps);
}

static void
close_app(struct app_log *app)
{
	(void)map_remove(&app->store->apps, app->name);
	ring_close(app->ring);
	free(app);
}

void
store_done(struct store *store)
{
	struct app_log *app;
	size_t at = 0;

	store_flush(store);
	loop_timer_cancel(store->loop, &store->flush_timer);
	while ((app = map_next(&store->apps, &at)))
		close_app(app);
	map_done(&store->apps);
}

/* ---- opening ----------------------------------------------------------------------------- */

static void
on_ring_rotate(void *user)
{
	struct app_log *app = user;

	app->store->on_rotate(app);
}

/* Closes the app that was used least recently, when there are too many. */
static void
make_room(struct store *store)
{
	struct app_log *app, *oldest = NULL;
	size_t at = 0;

	if (store->apps.n < STORE_MAX_OPEN)
		return;
	while ((app = map_next(&store->apps, &at))) {
		if (!app->readers && (!oldest || app->used < oldest->used))
			oldest = app;
	}
	if (oldest)
		close_app(oldest);
}

static int
open_app(struct store *store, const char *name, bool create, struct app_log **out)
{
	struct app_log *app;
	int ret;

	if (name_check_app(name))
		return -EINVAL;
	make_room(store);
	app = calloc(1, sizeof(*app));
	if (!app)
		return -ENOMEM;
	app->store = store;
	(void)snprintf(app->name, sizeof(app->name), "%s", name);
	ret = ring_open(store->dir_fd, name, create, store->segment_bytes, on_ring_rotate, app,
			&app->ring);
	if (ret == 0) {
		ret = map_set(&store->apps, name, app);
		if (ret < 0)
			ring_close(app->ring);
	}
	if (ret < 0) {
		free(app);
		return ret;
	}
	*out = app;
	return 0;
}

struct app_log *
store_find(struct store *store, const char *name, bool create, int *ret)
{
	struct app_log *app = map_find(&store->apps, name);

	*ret = app ? 0 : open_app(store, name, create, &app);
	if (*ret < 0)
		return NULL;
	app->used = ++store->clock;
	return app;
}

int
store_remove(struct store *store, const char *name)
{
	struct app_log *app = map_find(&store->apps, name);

	if (name_check_app(name))
		return -EINVAL;
	if (app) {
		assert(!app->readers);
		close_app(app);
	}
	return file_remove_tree(store->dir_fd, name);
}

/* ---- writing ----------------------------------------------------------------------------- */

static void
report(struct app_log *app, int ret)
{
	struct err err;

	if (ret < 0 && !app->failing) {
		(void)err_set(&err, ret, "log of %s", app->name);
		log_line("%s; its lines are dropped until the disk takes them again", err.text);
	}
	app->failing = ret < 0;
}

static void
flush_app(struct app_log *app)
{
	char line[LINE_MAX_BYTES];
	uint64_t n_lost;
	int ret = ring_flush(app->ring);

	report(app, ret);
	n_lost = ret == 0 ? ring_take_lost(app->ring) : 0;
	if (n_lost > 0) {
		size_t n = line_write_dropped(line, store_now_us(), n_lost);

		report(app, ring_append(app->ring, line, n));
		report(app, ring_flush(app->ring));
	}
	app->store->on_lines(app);
}

void
store_flush(struct store *store)
{
	struct app_log *app;
	size_t at = 0;

	while ((app = map_next(&store->apps, &at))) {
		if (ring_is_dirty(app->ring))
			flush_app(app);
	}
}

static void
on_flush(struct loop_timer *timer)
{
	store_flush(container_of(timer, struct store, flush_timer));
}

void
store_add(struct app_log *app, const char *line, size_t n)
{
	struct store *store = app->store;
	int ret = ring_append(app->ring, line, n);

	if (ret < 0)
		report(app, ret);
	/* At 0 ms it fires at the end of this turn, when all that was ready has been read. */
	if (store->flush_timer.slot == 0 &&
	    loop_timer_set(store->loop, &store->flush_timer, 0, on_flush) < 0)
		store_flush(store);
}

void
store_text(struct app_log *app, uint64_t time_us, const char *source, const char *text, size_t n)
{
	const char *end = text + n;
	char line[LINE_MAX_BYTES];

	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		const char *stop = eol ? eol : end;

		store_add(app, line,
			  line_write(line, time_us, source, text, (size_t)(stop - text)));
		text = eol ? eol + 1 : end;
	}
}

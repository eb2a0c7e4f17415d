/*
 * An app that goes keeps its struct until paasd has removed its files; nothing frees one while it
 * is used.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/core.h"
#include "daemon/control/domains.h"
#include "daemon/control/git.h"
#include "daemon/control/instances.h"
#include "daemon/control/live_app.h"
#include "daemon/control/releases.h"
#include "daemon/control/rollout.h"
#include "daemon/control/slots.h"
#include "daemon/control/trees.h"

#define LINE_BYTES 1024
#define WIPES_MAX 60
#define WIPE_AGAIN_MS 1000

int64_t
core_unix_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
core_log(struct live_app *app, const char *source, const char *fmt, ...)
{
	char text[LINE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	live_log(app->live, app->row.name, source, text);
}

struct live_app *
live_app_find(struct live *live, const char *name)
{
	return map_find(&live->apps, name);
}

struct live_app *
live_app_get(struct live *live, const struct app *row)
{
	struct live_app *app = live_app_find(live, row->name);

	if (app != NULL)
		return app;
	app = calloc(1, sizeof(*app));
	if (app == NULL)
		return NULL;
	app->live = live;
	app->row = *row;
	turns_init(&app->pushes, 1);
	turns_init(&app->rollouts, 1);
	if (map_set(&live->apps, row->name, app) < 0) {
		free(app);
		return NULL;
	}
	app->slug = live_app_slug_of(app, row->release);
	slots_sync(app);
	/* The route comes first: routes_put_hosts is for apps that have one. */
	(void)routes_put_app(&live->routes, (uint32_t)row->id, row->name,
			     app->slug == 0 ? ROUTE_BLANK : ROUTE_BOOTING, NULL, 0);
	live_app_route_hosts(app);
	return app;
}

int
live_app_refresh(struct live_app *app)
{
	struct err err = {0};
	struct app row;
	int ret = apps_get(app->live->store, app->row.id, &row, &err);

	if (ret < 0) {
		log_line("%s: read the app: %s", app->row.name, err.text);
		return ret;
	}
	app->row = row;
	app->slug = live_app_slug_of(app, row.release);
	return 0;
}

uint32_t
live_app_slug_of(struct live_app *app, uint32_t version)
{
	struct release release;

	if (version == 0 ||
	    releases_find(app->live->store, app->row.id, version, &release, NULL) < 0)
		return 0;
	return release.slug;
}

void
live_app_route_hosts(struct live_app *app)
{
	struct live *live = app->live;
	AUTO_FREE struct domain *domains = NULL;
	char own[APP_NAME_MAX + 256];
	struct err err = {0};
	size_t n = 0;

	if (domains_list(live->store, app->row.id, &domains, &n, &err) < 0) {
		log_line("%s: read its domains: %s", app->row.name, err.text);
		return;
	}
	AUTO_FREE const char **hosts = calloc(n + 1, sizeof(*hosts));

	if (hosts == NULL) {
		log_line("%s: out of memory for its domains", app->row.name);
		return;
	}
	(void)snprintf(own, sizeof(own), "%s.%s", app->row.name, live->options->domain);
	hosts[0] = own;
	for (size_t i = 0; i < n; i++)
		hosts[i + 1] = domains[i].host;
	if (routes_put_hosts(&live->routes, (uint32_t)app->row.id, hosts, n + 1) < 0)
		log_line("%s: out of memory for its domains", app->row.name);
	(void)routes_commit(&live->routes);
}

void
live_app_open_routes(struct live *live)
{
	struct live_app *app;

	if (live->routes.is_open)
		return;
	routes_open(&live->routes);
	/* Switches and drains have waited for this. */
	for (size_t at = 0; (app = map_next(&live->apps, &at)) != NULL;)
		instances_reconcile(app);
}

static void
on_all_adopted(struct loop_timer *timer)
{
	live_app_open_routes(container_of(timer, struct live, open_timer));
}

void
live_app_adopted(struct live *live)
{
	if (--live->n_adopting == 0 && live->is_ready)
		(void)loop_timer_set(live->loop, &live->open_timer, 0, on_all_adopted);
}

/* ---- removal ------------------------------------------------------------------------------ */

void
live_app_free(struct live_app *app)
{
	struct live *live = app->live;

	loop_timer_cancel(live->loop, &app->timer);
	rollouts_forget(app);
	gits_forget(app);
	runs_forget(app);
	instances_forget(app);
	slots_free(app);
	trees_drop(app);
	(void)map_remove(&live->apps, app->row.name);
	free(app);
}

static void
on_wipe_again(struct loop_timer *timer)
{
	struct live_app *app = container_of(timer, struct live_app, timer);

	app->is_wiping = false;
	live_app_check_gone(app);
}

static void
on_wiped(void *user, int code, const struct err *why)
{
	struct live_app *app = user;
	struct live *live = app->live;
	struct err err = {0};
	struct msg m;

	/* A sandbox that is just being killed may keep a mount for a moment. */
	if (code < 0 && ++app->n_wipes < WIPES_MAX) {
		(void)loop_timer_set(live->loop, &app->timer, WIPE_AGAIN_MS, on_wipe_again);
		return;
	}
	if (code < 0) {
		log_line("remove the files of %s: %s; the name stays taken until the next start",
			 app->row.name, why->text);
		live_app_free(app);
		return;
	}
	msg_begin(&m, MSG_LOGS_REMOVE, 0);
	wire_put_str(&m.out, app->row.name);
	(void)chan_send(&live->parent, &m);
	if (apps_forget(live->store, app->row.name, &err) < 0)
		log_line("forget %s: %s", app->row.name, err.text);
	live_app_free(app);
}

void
live_app_check_gone(struct live_app *app)
{
	struct live *live = app->live;

	if (!app->is_going || app->is_wiping || !instances_are_gone(app) || app->runs != NULL ||
	    app->gits != NULL || trees_are_busy(app))
		return;
	app->is_wiping = true;
	if (chores_remove_app(&live->chores, app->row.name, on_wiped, app) == 0)
		log_line("remove the files of %s: out of memory; the next start will",
			 app->row.name);
}

void
live_app_remove(struct live_app *app)
{
	struct live *live = app->live;
	struct err why;

	if (app->is_going)
		return;
	app->is_going = true;
	(void)err_say(&why, -ECANCELED, "%s was removed", app->row.name);
	routes_drop_app(&live->routes, (uint32_t)app->row.id);
	(void)routes_commit(&live->routes);
	gits_stop_all(app);
	rollouts_fail_all(app, &why);
	runs_stop_all(app);
	instances_stop_all(app);
	live_app_check_gone(app);
}

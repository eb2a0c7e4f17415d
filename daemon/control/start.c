/* Nothing is answered, started or stopped before FOUND_END: what runs is known then. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/archive.h"
#include "daemon/control/builds.h"
#include "daemon/control/core.h"
#include "daemon/control/git.h"
#include "daemon/control/instances.h"
#include "daemon/control/launch.h"
#include "daemon/control/live_app.h"
#include "daemon/control/push_mark.h"
#include "daemon/control/releases.h"
#include "daemon/control/rollout.h"
#include "daemon/control/sessions.h"
#include "daemon/control/slugs.h"
#include "daemon/control/start.h"
#include "daemon/control/store.h"
#include "daemon/control/trees.h"

#define PARENT_QUEUE_MAX 8192
#define PROBES_MAX 64
#define ADOPTION_MS 3000 /* instances that do not accept by then were not serving before either */
#define ADDRESS_KEY "address.next"

#define ASK_MS 1000
#define GOOD_MS 60000

/* ---- what the parts call --------------------------------------------------------------------- */

static int
send_parent(void *user, struct msg *m)
{
	struct live *live = user;

	return chan_send(&live->parent, m);
}

static void
send_routes(void *user, struct msg *m)
{
	/* A channel that fails ends, and we with it; the next control sends all routes anew. */
	(void)send_parent(user, m);
}

static void
on_routes_acked(void *user)
{
	struct live *live = user;
	struct live_app *app;

	for (size_t at = 0; (app = map_next(&live->apps, &at)) != NULL;)
		rollout_check(app);
}

static void
on_route_drained(void *user, uint64_t instance)
{
	struct live *live = user;

	instances_drained(live, instance);
	sandboxes_released(&live->sandboxes, instance);
}

static const struct routes_calls routes_calls = {
	.send = send_routes,
	.acked = on_routes_acked,
	.drained = on_route_drained,
};

static bool
is_held(void *user, uint64_t id)
{
	struct live *live = user;

	return routes_hold(&live->routes, id);
}

/* On a full disk instances must still start; then addresses may come round a little early after
 * the next start of control. */
static void
save_address(void *user, uint32_t next)
{
	struct live *live = user;
	struct err err = {0};

	if (store_put_number(live->store, ADDRESS_KEY, next, &err) < 0)
		log_line("note the next address: %s", err.text);
}

static void
on_unattended(void *user, uint64_t id)
{
	run_unattended(user, id);
}

/* ---- adoption ---------------------------------------------------------------------------------
 */

static void
adopt(struct live *live, struct msg *m)
{
	char name[APP_NAME_MAX + 1], text[LABEL_MAX + 1];
	struct launch_label label;
	uint64_t id = wire_get_u64(&m->in);
	unsigned kind = wire_get_u8(&m->in);
	uint32_t address = wire_get_u32(&m->in);

	wire_get_str(&m->in, name, sizeof(name));
	wire_get_str(&m->in, text, sizeof(text));
	int64_t started_ms = (int64_t)wire_get_u64(&m->in);

	if (wire_end(&m->in) < 0)
		return;
	struct live_app *app = live_app_find(live, name);
	int ret;

	/* Whoever waited for a build, a push or an attached run is gone. */
	if (app == NULL || kind != SANDBOX_APP || launch_label_read(text, &label) < 0 ||
	    label.is_attached)
		ret = sandboxes_adopt(&live->sandboxes, id, address, NULL, NULL);
	else if (strcmp(label.type, "run") == 0)
		ret = run_adopt(app, &label, id, address, started_ms);
	else
		ret = instances_adopt(app, &label, id, address, started_ms);
	if (ret < 0)
		log_line("adopt %s of %s: out of memory", text, name);
}

static void
load_apps(struct live *live)
{
	AUTO_FREE struct app *rows = NULL;
	struct err err = {0};
	size_t n = 0;

	if (apps_list(live->store, &rows, &n, &err) < 0) {
		log_line("read the apps: %s", err.text);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (live_app_get(live, &rows[i]) == NULL)
			log_line("%s: out of memory", rows[i].name);
}

/* Apps whose removal was interrupted. */
static void
go_on_removing(struct live *live)
{
	AUTO_FREE struct app *rows = NULL;
	struct err err = {0};
	size_t n = 0;

	if (apps_list_removed(live->store, &rows, &n, &err) < 0) {
		log_line("read the removed apps: %s", err.text);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct live_app *app = live_app_get(live, &rows[i]);

		if (app != NULL)
			live_app_remove(app);
	}
}

/* Builds that were running when control ended leave a number and perhaps a file. */
static void
clean_builds(struct live *live)
{
	AUTO_FREE struct slug *slugs = NULL;
	struct err err = {0};
	struct app row;
	size_t n = 0;

	if (builds_fail_pending(live->store, "The platform was restarted during this build", &err) <
		    0 ||
	    slugs_list_building(live->store, &slugs, &n, &err) < 0) {
		log_line("clean up after interrupted builds: %s", err.text);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (apps_get(live->store, slugs[i].app_id, &row, NULL) == 0)
			archive_remove(row.name, slugs[i].number);
		(void)slugs_mark_removed(live->store, slugs[i].app_id, slugs[i].number, NULL);
	}
}

/*
 * A pending release of a push was never acknowledged: it has failed. One made by a change of
 * config or a rollback was, so it is rolled out now; such a release has the slug of an earlier one.
 */
static void
settle_pending(struct live_app *app)
{
	struct store *store = app->live->store;
	AUTO_FREE struct release *releases = NULL;
	struct err err = {0};
	size_t n = 0;

	if (releases_list(store, app->row.id, app->row.release + 1, 0, 0, 0, &releases, &n, &err) <
	    0) {
		log_line("%s: read its releases: %s", app->row.name, err.text);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		bool is_push = releases[i].slug != 0 && releases[i].slug > app->slug;

		for (size_t before = 0; before < i; before++)
			if (releases[before].slug == releases[i].slug)
				is_push = false;
		if (releases[i].status != RELEASE_PENDING)
			continue;
		if (is_push)
			(void)releases_settle(store, app->row.id, releases[i].version,
					      RELEASE_FAILED, &err);
		else
			live_release(app->live, app->row.name, releases[i].version);
	}
}

static void
open_routes(struct loop_timer *timer)
{
	live_app_open_routes(container_of(timer, struct live, open_timer));
}

static void
on_all_found(struct live *live)
{
	struct live_app *app;
	struct err err = {0};
	struct msg m;

	clean_builds(live);
	live->is_ready = true;
	go_on_removing(live);
	for (size_t at = 0; (app = map_next(&live->apps, &at)) != NULL;) {
		if (app->is_going)
			continue;
		settle_pending(app);
		if (push_mark_get(live->store, app->row.id) != 0)
			git_repair(app);
		instances_reconcile(app);
	}
	if (live->n_adopting == 0)
		live_app_open_routes(live);
	else
		(void)loop_timer_set(live->loop, &live->open_timer, ADOPTION_MS, open_routes);
	/* Until here requests waited in the listener: no answer is given from half of the truth. */
	if (api_open(live->loop, live->store, live, live->options, live->listen_fd, &live->api,
		     &err) < 0) {
		log_line("serve the API: %s", err.text);
		loop_stop(live->loop);
		return;
	}
	msg_begin(&m, MSG_CONTROL_READY, 0);
	(void)chan_send(&live->parent, &m);
}

/* ---- paasd ------------------------------------------------------------------------------------
 */

static void
hear_router(struct live *live, struct msg *m)
{
	uint64_t number =
		m->type == MSG_ROUTER_UP || m->type == MSG_ROUTER_DOWN ? 0 : wire_get_u64(&m->in);

	if (wire_end(&m->in) < 0)
		return;
	if (m->type == MSG_ROUTER_UP)
		routes_router_up(&live->routes, m->peer);
	else if (m->type == MSG_ROUTER_DOWN)
		routes_router_down(&live->routes, m->peer);
	else if (m->type == MSG_ROUTE_ACK)
		routes_router_acked(&live->routes, m->peer, number);
	else if (m->type == MSG_BACKEND_DRAINING)
		routes_router_draining(&live->routes, m->peer, number);
	else
		routes_router_drained(&live->routes, m->peer, number);
}

static void
on_message(struct chan *chan, struct msg *m)
{
	struct live *live = chan->user;

	if (sandboxes_hear(&live->sandboxes, m))
		return;
	switch ((int)m->type) {
	case MSG_SANDBOX_FOUND:
		adopt(live, m);
		break;
	case MSG_SANDBOX_FOUND_END:
		if (!live->is_ready)
			on_all_found(live);
		break;
	case MSG_CHORE_DONE:
		chores_hear(&live->chores, m);
		break;
	case MSG_ROUTER_UP:
	case MSG_ROUTER_DOWN:
	case MSG_ROUTE_ACK:
	case MSG_BACKEND_DRAINING:
	case MSG_BACKEND_DRAINED:
		hear_router(live, m);
		break;
	case MSG_SESSION_OPEN:
		sessions_open(live, m);
		break;
	default:
		break;
	}
}

static void
on_closed(struct chan *chan, const struct err *why)
{
	struct live *live = chan->user;

	if (why != NULL)
		log_line("the channel to paasd: %s", why->text);
	loop_stop(live->loop);
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static int
init(struct live *live, struct loop *loop, struct store *store, const struct options *options,
     struct err *err)
{
	int64_t next = 0;

	*live = (struct live){.loop = loop, .store = store, .options = options};
	live->times = (struct formation_times){
		.boot_ms = options->boot_time_ms,
		.ask_ms = ASK_MS,
		.drain_ms = options->drain_time_ms,
		.stop_ms = options->stop_time_ms,
		.restart_max_ms = options->restart_max_ms,
		.good_ms = GOOD_MS,
	};
	map_init(&live->apps);
	turns_init(&live->build_slots, options->builds);
	health_init(&live->health, loop, PROBES_MAX);
	tickets_init(&live->tickets, loop, on_unattended, live);
	chores_init(&live->chores, send_parent, live);
	routes_init(&live->routes, &routes_calls, live);
	sandboxes_init(&live->sandboxes, &live->addresses, send_parent, is_held, live);
	int ret = store_get_number(store, ADDRESS_KEY, 0, &next, err);

	if (ret < 0)
		return ret;
	ret = addresses_init(&live->addresses, subnet_size(&options->subnet), (uint32_t)next,
			     save_address, live);
	return ret < 0 ? err_set(err, ret, "note the addresses") : 0;
}

int
live_start(struct live *live, struct loop *loop, struct store *store, const struct options *options,
	   int parent_fd, int listen_fd, struct err *err)
{
	int ret = init(live, loop, store, options, err);

	if (ret < 0)
		return ret;
	ret = chan_open(&live->parent, loop, parent_fd, ROLE_CONTROL, ROLE_PARENT, PARENT_QUEUE_MAX,
			on_message, on_closed, live);
	if (ret < 0)
		return err_set(err, ret, "open the channel to paasd");
	live->listen_fd = listen_fd;
	load_apps(live);
	return 0;
}

void
live_end(struct live *live)
{
	struct live_app *app;

	/* Nothing that is done from here on reaches paasd any more. */
	chan_close(&live->parent);
	loop_timer_cancel(live->loop, &live->open_timer);
	sessions_close_all(live);
	api_close(live->api);
	for (size_t at = 0; (app = map_next(&live->apps, &at)) != NULL; at = 0)
		live_app_free(app);
	tickets_done(&live->tickets);
	chores_done(&live->chores);
	sandboxes_done(&live->sandboxes);
	routes_done(&live->routes);
	addresses_done(&live->addresses);
	map_done(&live->apps);
}

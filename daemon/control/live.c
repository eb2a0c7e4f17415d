/*
 * The API's side of the live parts: each call finds its app and leaves the work to the noun it is
 * about.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#include "daemon/control/core.h"
#include "daemon/control/instances.h"
#include "daemon/control/live.h"
#include "daemon/control/live_app.h"
#include "daemon/control/rollout.h"
#include "daemon/control/slots.h"

const char *
instance_state_name(enum instance_state state)
{
	static const char *const names[] = {
		[INSTANCE_STARTING] = "starting", [INSTANCE_UP] = "up",
		[INSTANCE_STOPPING] = "stopping", [INSTANCE_DOWN] = "down",
		[INSTANCE_CRASHED] = "crashed",
	};

	return names[state];
}

/* ---- listings ---------------------------------------------------------------------------------
 */

/* A place where nothing runs and nothing has. */
static void
empty_view(const struct live_app *app, const struct slot *slot, struct instance_view *view,
	   char name[INSTANCE_NAME_MAX + 1])
{
	(void)snprintf(name, INSTANCE_NAME_MAX + 1, "%s.%u", slot->type, slot->number);
	*view = (struct instance_view){
		.app = app->row.name,
		.name = name,
		.type = slot->type,
		.command = "",
		.state = slot->is_held ? INSTANCE_DOWN : INSTANCE_STARTING,
		.version = slot->version,
		.created_ms = (uint64_t)app->row.updated_ms,
		.updated_ms = (uint64_t)app->row.updated_ms,
	};
}

static void
show_slot(struct live_app *app, const struct slot *slot, live_instance_fn *fn, void *user)
{
	const struct member *member = instances_find(app, slot->type, slot->number);
	char name[INSTANCE_NAME_MAX + 1];
	struct instance_view view;

	if (member != NULL)
		member_view(member, &view, name);
	else
		empty_view(app, slot, &view, name);
	fn(user, &view);
}

/* Those whose place is gone already, but who still run. */
static void
show_leaving(struct live_app *app, live_instance_fn *fn, void *user)
{
	for (const struct member *member = app->members; member != NULL; member = member->next) {
		char name[INSTANCE_NAME_MAX + 1];
		struct instance_view view;

		if (slots_find(app, member->self.type, member->self.number) != NULL ||
		    instances_find(app, member->self.type, member->self.number) != member)
			continue;
		member_view(member, &view, name);
		fn(user, &view);
	}
}

void
live_instances(struct live *live, const char *name, bool ended, live_instance_fn *fn, void *user)
{
	struct live_app *app = live_app_find(live, name);

	if (app == NULL)
		return;
	for (size_t i = 0; i < app->n_slots; i++)
		show_slot(app, &app->slots[i], fn, user);
	show_leaving(app, fn, user);
	runs_show(app, fn, user);
	if (ended)
		runs_show_ended(app, fn, user);
}

struct search {
	const char *name;
	live_instance_fn *fn;
	void *user;
	bool found;
};

static void
show_if_named(void *user, const struct instance_view *view)
{
	struct search *search = user;

	if (search->found || strcmp(view->name, search->name) != 0)
		return;
	search->found = true;
	search->fn(search->user, view);
}

int
live_instance(struct live *live, const char *app, const char *name, live_instance_fn *fn,
	      void *user)
{
	struct search search = {name, fn, user, false};

	live_instances(live, app, true, show_if_named, &search);
	return search.found ? 0 : -ENOENT;
}

/* ---- apps and their formation ------------------------------------------------------------------
 */

static struct live_app *
load_app(struct live *live, const char *name)
{
	struct err err = {0};
	struct app row;
	struct live_app *app = live_app_find(live, name);

	if (app != NULL)
		return app;
	if (apps_find(live->store, name, &row, &err) < 0) {
		log_line("%s: read the app: %s", name, err.text);
		return NULL;
	}
	app = live_app_get(live, &row);
	if (app == NULL)
		log_line("%s: out of memory", name);
	return app;
}

static void
on_files(void *user, int code, const struct err *why)
{
	(void)user;
	if (code < 0)
		log_line("make the files of an app: %s; its first push tries again", why->text);
}

void
live_app_created(struct live *live, const char *name)
{
	struct live_app *app = load_app(live, name);

	if (app == NULL)
		return;
	/* The first push makes sure, so nothing depends on how this ends. */
	(void)chores_create_app(&live->chores, app->row.name, app->row.run_uid, app->row.build_uid,
				on_files, NULL);
	(void)routes_commit(&live->routes);
}

void
live_app_removed(struct live *live, const char *name)
{
	struct live_app *app = live_app_find(live, name);

	if (app != NULL)
		live_app_remove(app);
}

void
live_changed(struct live *live, const char *name)
{
	struct live_app *app = load_app(live, name);

	if (app == NULL || app->is_going)
		return;
	live_app_route_hosts(app);
	slots_sync(app);
	instances_reconcile(app);
}

void
live_release(struct live *live, const char *name, uint32_t version)
{
	struct live_app *app = load_app(live, name);

	if (app == NULL || app->is_going)
		return;
	if (rollout_release(app, version, NULL, -1, 0, NULL, NULL) == NULL)
		log_line("%s: start v%u: out of memory", name, version);
}

static int
no_such_instance(const struct live_app *app, const char *name, const char *which, struct err *err)
{
	if (app == NULL)
		return err_say(err, -ENOENT, "There is no app %s", name);
	if (which[0] == '\0')
		return 0;
	return err_say(err, -ENOENT, "%s has no instance or process type %s that runs", name,
		       which);
}

int
live_restart(struct live *live, const char *name, const char *which, struct err *err)
{
	struct live_app *app = live_app_find(live, name);
	bool any = false, any_web = false;

	for (size_t i = 0; app != NULL && i < app->n_slots; i++) {
		struct slot *slot = &app->slots[i];

		if (slot->batch == 0 || !slot_matches(slot, which))
			continue;
		any = true;
		if (strcmp(slot->type, "web") == 0) {
			any_web = true;
			continue;
		}
		slot->batch = ++app->last_batch;
		slot->is_held = false;
	}
	if (!any)
		return no_such_instance(app, name, which, err);
	if (any_web && rollout_restart(app, which) < 0)
		return err_set(err, -ENOMEM, "restart %s", name);
	instances_reconcile(app);
	return 0;
}

int
live_stop(struct live *live, const char *name, const char *which, struct err *err)
{
	struct live_app *app = live_app_find(live, name);
	bool any = false;

	for (size_t i = 0; app != NULL && i < app->n_slots; i++) {
		if (app->slots[i].batch == 0 || !slot_matches(&app->slots[i], which))
			continue;
		app->slots[i].is_held = true;
		any = true;
	}
	if (app != NULL && runs_stop(app, which) == 0)
		any = true;
	if (!any)
		return no_such_instance(app, name, which, err);
	instances_reconcile(app);
	return 0;
}

/* ---- runs and waiting --------------------------------------------------------------------------
 */

uint64_t
live_run(struct live *live, const struct live_run *run, live_run_fn *done, void *user,
	 struct err *err)
{
	struct live_app *app = live_app_find(live, run->app);

	if (app == NULL || app->is_going) {
		(void)err_say(err, -ENOENT, "There is no app %s", run->app);
		return 0;
	}
	return run_person(app, run, done, user, err);
}

uint64_t
live_wait_exit(struct live *live, const char *app_name, const char *instance, live_exit_fn *done,
	       void *user)
{
	struct live_app *app = live_app_find(live, app_name);
	const struct run *run = app != NULL ? runs_find(app, instance) : NULL;
	const struct run_ended *ended;

	if (app == NULL)
		return 0;
	if (run != NULL)
		return tickets_wait(&live->tickets, run_id(run), done, user);
	for (size_t i = 0; i < app->n_slots; i++) {
		const struct slot *slot = &app->slots[i];
		char own[INSTANCE_NAME_MAX + 1];

		(void)snprintf(own, sizeof(own), "%s.%u", slot->type, slot->number);
		if (strcmp(own, instance) != 0)
			continue;
		const struct member *member = instances_find(app, slot->type, slot->number);

		if (member == NULL)
			return 0;
		if (member->sandbox.id != 0)
			return tickets_wait(&live->tickets, member->last_id, done, user);
		return tickets_answer(&live->tickets, &member->exit, done, user);
	}
	ended = runs_find_ended(app, instance);
	return ended != NULL ? tickets_answer(&live->tickets, &ended->exit, done, user) : 0;
}

void
live_cancel(struct live *live, uint64_t ticket)
{
	tickets_cancel(&live->tickets, ticket);
}

/* ---- logs --------------------------------------------------------------------------------------
 */

int
live_log_session(struct live *live, const char *app, uint32_t lines, bool tail, const char *source,
		 const char *instance, int fd)
{
	struct msg m;

	msg_begin(&m, MSG_LOGS_READ, 0);
	wire_put_str(&m.out, app);
	wire_put_u32(&m.out, lines);
	wire_put_u8(&m.out, tail);
	wire_put_str(&m.out, source);
	wire_put_str(&m.out, instance);
	msg_add_fd(&m, fd);
	return chan_send(&live->parent, &m);
}

void
live_log(struct live *live, const char *app, const char *source, const char *text)
{
	char full[INSTANCE_NAME_MAX + 16];
	struct msg m;

	(void)snprintf(full, sizeof(full), "heroku[%s]", source);
	msg_begin(&m, MSG_LOGS_WRITE, 0);
	wire_put_str(&m.out, app);
	wire_put_str(&m.out, full);
	wire_put_str(&m.out, text);
	/* A line that cannot be sent is a line lost; the channel's end is dealt with elsewhere. */
	(void)chan_send(&live->parent, &m);
}

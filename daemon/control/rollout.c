/*
 * What always holds: until commit() nothing of what is in force was changed, so giving up is always
 * possible and costs only the candidates.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#include "daemon/control/core.h"
#include "daemon/control/instances.h"
#include "daemon/control/live_app.h"
#include "daemon/control/member_start.h"
#include "daemon/control/push_mark.h"
#include "daemon/control/releases.h"
#include "daemon/control/rollout.h"
#include "daemon/control/scale.h"
#include "daemon/control/slots.h"
#include "daemon/control/store.h"
#include "daemon/control/transcript.h"

#define COMMAND_MS (60 * 60 * 1000)
#define ROUTERS_MS 10000 /* a router that takes longer is broken; the others have switched */

/* ---- the end ------------------------------------------------------------------------------ */

static void
settle_failed(struct rollout *rollout)
{
	struct live_app *app = rollout->app;
	struct err err = {0};

	if (!rollout->is_restart && releases_settle(app->live->store, app->row.id, rollout->version,
						    RELEASE_FAILED, &err) < 0)
		log_line("%s: note that v%u failed: %s", app->row.name, rollout->version, err.text);
}

/* Lets go of everything; candidates that were not made the current ones are not wanted any more. */
static void
dissolve(struct rollout *rollout)
{
	struct live_app *app = rollout->app;

	loop_timer_cancel(app->live->loop, &rollout->timer);
	tree_need_cancel(&rollout->need);
	if (rollout->command != NULL)
		run_cancel(rollout->command);
	rollout->command = NULL;
	if (app->rollout == rollout) {
		app->rollout = NULL;
		if (!app->is_going)
			slots_sync(app);
		instances_reconcile(app);
	}
}

static void
finish(struct rollout *rollout, const struct err *why)
{
	rollout_fn *fn = rollout->fn;
	void *user = rollout->user;

	dissolve(rollout);
	turn_give(&rollout->turn);
	free(rollout);
	if (fn != NULL)
		fn(user, why);
}

static void
fail(struct rollout *rollout, const struct err *why)
{
	struct err copy = *why;

	settle_failed(rollout);
	if (rollout->is_restart)
		core_log(rollout->app, "api", "Restart failed: %s", copy.text);
	else
		core_log(rollout->app, "api", "Release v%u failed: %s", rollout->version,
			 copy.text);
	finish(rollout, &copy);
}

void
rollout_cancel(struct rollout *rollout)
{
	if (rollout == NULL)
		return;
	settle_failed(rollout);
	rollout->fn = NULL;
	finish(rollout, NULL);
}

void
rollouts_fail_all(struct live_app *app, const struct err *why)
{
	/* Those who wait first, or each would get its turn before it goes. */
	while (app->rollouts.head != NULL)
		fail(container_of(app->rollouts.head, struct rollout, turn), why);
	if (app->rollout != NULL)
		fail(app->rollout, why);
}

static void
forget(struct rollout *rollout)
{
	loop_timer_cancel(rollout->app->live->loop, &rollout->timer);
	tree_need_cancel(&rollout->need);
	free(rollout);
}

void
rollouts_forget(struct live_app *app)
{
	struct rollout *current = app->rollout;

	while (app->rollouts.head != NULL) {
		struct rollout *waiting = container_of(app->rollouts.head, struct rollout, turn);

		turn_give(&waiting->turn);
		forget(waiting);
	}
	app->rollout = NULL;
	if (current != NULL)
		forget(current);
}

/* ---- the switch --------------------------------------------------------------------------- */

/*
 * What survives a kill -9 at any point: before this transaction the old release is in force. Its
 * instances still run, whatever the routers were told, and the next control sends its routes again
 * and stops the candidates; the pusher is told to push again. After it the new release is in
 * force, its instances run, and the old are stopped as not wanted. So routers first, then the
 * store, then the old instances.
 */
static int
commit_release(struct rollout *rollout, struct err *err)
{
	struct live_app *app = rollout->app;
	struct store *store = app->live->store;
	int ret = store_begin(store, err);

	if (ret < 0)
		return ret;
	ret = releases_settle(store, app->row.id, rollout->version, RELEASE_SUCCEEDED, err);
	if (ret == 0 && rollout->push_mark != 0)
		ret = push_mark_set(store, app->row.id, rollout->push_mark, err);
	if (ret < 0) {
		store_rollback(store);
		return ret;
	}
	return store_commit(store, err);
}

/* The candidates are the current ones from now on. */
static void
promote(struct rollout *rollout)
{
	struct live_app *app = rollout->app;

	for (size_t i = 0; i < app->n_slots; i++) {
		struct slot *slot = &app->slots[i];
		bool is_candidate = slot->next_batch == rollout->batch;

		if (rollout->is_restart && !is_candidate)
			continue;
		slot->batch = rollout->batch;
		slot->version = rollout->is_restart ? slot->next_version : rollout->version;
		slot->next_batch = slot->next_version = 0;
		slot->is_held = false;
	}
}

static void
commit(struct rollout *rollout)
{
	struct live_app *app = rollout->app;
	struct err err = {0};

	if (!rollout->is_restart && commit_release(rollout, &err) < 0) {
		(void)err_prefix(&err, 0, "the release could not be stored");
		fail(rollout, &err);
		return;
	}
	promote(rollout);
	if (!rollout->is_restart) {
		(void)live_app_refresh(app);
		core_log(app, "api", "Release v%u is in force", rollout->version);
	}
	bool prune = !rollout->is_restart;

	finish(rollout, NULL);
	if (prune)
		trees_prune(app);
}

static void
on_routers_late(struct loop_timer *timer)
{
	struct rollout *rollout = container_of(timer, struct rollout, timer);

	log_line("%s: a router did not confirm its routes within %d seconds",
		 rollout->app->row.name, ROUTERS_MS / 1000);
	commit(rollout);
}

static void
begin_switch(struct rollout *rollout)
{
	struct live *live = rollout->app->live;

	rollout->phase = ROLLOUT_SWITCHING;
	rollout->generation = 0;
	(void)loop_timer_set(live->loop, &rollout->timer, ROUTERS_MS, on_routers_late);
	/* The routes follow rollout_serving_batch; rollout_check comes back after they were sent.
	 */
	instances_reconcile(rollout->app);
}

uint32_t
rollout_serving_batch(const struct live_app *app, uint32_t batch, uint32_t next_batch)
{
	bool has_switched = app->rollout != NULL && app->rollout->phase == ROLLOUT_SWITCHING;

	return has_switched && next_batch != 0 ? next_batch : batch;
}

static bool
are_candidates_up(const struct rollout *rollout)
{
	const struct live_app *app = rollout->app;

	for (size_t i = 0; i < app->n_slots; i++) {
		const struct slot *slot = &app->slots[i];
		bool is_up = slot->next_batch != rollout->batch;

		for (const struct member *m = app->members; m != NULL && !is_up; m = m->next)
			is_up = m->self.batch == rollout->batch && m->self.number == slot->number &&
				m->self.state == FORMATION_UP &&
				strcmp(m->self.type, slot->type) == 0;
		if (!is_up)
			return false;
	}
	return true;
}

void
rollout_check(struct live_app *app)
{
	struct rollout *rollout = app->rollout;

	if (rollout == NULL || rollout->phase < ROLLOUT_STARTING)
		return;
	if (rollout->has_failed) {
		fail(rollout, &rollout->why);
	} else if (rollout->phase == ROLLOUT_STARTING) {
		/* A switch before the routers listen to us would be one in name only. */
		if (app->live->routes.is_open && are_candidates_up(rollout))
			begin_switch(rollout);
	} else {
		if (rollout->generation == 0)
			rollout->generation = routes_commit(&app->live->routes);
		if (routes_are_acked(&app->live->routes, rollout->generation))
			commit(rollout);
	}
}

void
rollout_member_failed(struct live_app *app, const struct member *member)
{
	struct rollout *rollout = app->rollout;

	if (rollout == NULL || rollout->phase < ROLLOUT_STARTING || rollout->has_failed ||
	    member->self.batch != rollout->batch)
		return;
	rollout->has_failed = true;
	if (member->has_reason)
		(void)err_say(&rollout->why, 0, "%s.%u %s", member->self.type, member->self.number,
			      member->exit.reason);
	else
		(void)err_say(&rollout->why, 0, "%s.%u did not start: %s", member->self.type,
			      member->self.number, member->exit.reason);
}

/* ---- before the switch --------------------------------------------------------------------- */

/* How many web instances the release will have. */
static int
count_web(struct rollout *rollout, struct err *err)
{
	struct live_app *app = rollout->app;
	AUTO_FREE struct scale *scale = NULL;
	size_t n = 0;
	int ret = scale_preview(app->live->store, app->row.id, rollout->slug, &scale, &n, err);

	rollout->n_web = 0;
	for (size_t i = 0; i < n; i++)
		if (strcmp(scale[i].type, "web") == 0)
			rollout->n_web = scale[i].quantity;
	return ret;
}

/* A restart has one candidate for each instance that serves; what does not serve anyway is
 * replaced at once. */
static void
choose_restarted(struct rollout *rollout)
{
	struct live_app *app = rollout->app;

	for (size_t i = 0; i < app->n_slots; i++) {
		struct slot *slot = &app->slots[i];

		if (strcmp(slot->type, "web") != 0 || !slot_matches(slot, rollout->which))
			continue;
		const struct member *member = instances_find(app, slot->type, slot->number);

		if (member != NULL && member->self.state == FORMATION_UP &&
		    member->self.batch == slot->batch && !slot->is_held) {
			slot->next_batch = rollout->batch;
			slot->next_version = slot->version;
		} else {
			slot->batch = ++app->last_batch;
			slot->is_held = false;
		}
	}
}

static void
start_candidates(struct rollout *rollout)
{
	struct live_app *app = rollout->app;
	struct err err = {0};

	loop_timer_cancel(app->live->loop, &rollout->timer);
	if (!rollout->is_restart && count_web(rollout, &err) < 0) {
		fail(rollout, &err);
		return;
	}
	rollout->batch = ++app->last_batch;
	rollout->phase = ROLLOUT_STARTING;
	if (rollout->is_restart)
		choose_restarted(rollout);
	else
		slots_sync(app);
	if (rollout->transcript != NULL)
		transcript_say(rollout->transcript, "-----> Launching...\n");
	instances_reconcile(app);
}

static void
on_command_end(void *user, const struct instance_exit *exit)
{
	struct rollout *rollout = user;
	struct err err;

	rollout->command = NULL;
	if (exit->code == 0 && exit->signal == 0) {
		start_candidates(rollout);
		return;
	}
	(void)err_say(&err, -EIO, "the release command failed: %s", exit->reason);
	fail(rollout, &err);
}

static void
on_command_late(struct loop_timer *timer)
{
	struct rollout *rollout = container_of(timer, struct rollout, timer);
	struct err err;

	(void)err_say(&err, -ETIMEDOUT, "the release command did not end within %d minutes",
		      COMMAND_MS / 60000);
	fail(rollout, &err);
}

/* 0: it runs; 1: the release has none; negative: it cannot be started. */
static int
run_command(struct rollout *rollout, struct err *err)
{
	struct live_app *app = rollout->app;
	AUTO_FREE char *command = member_command(app, rollout->slug, "release");

	if (command == NULL)
		return 1;
	if (rollout->transcript != NULL)
		transcript_say(rollout->transcript, "-----> Running release command: %s\n",
			       command);
	rollout->phase = ROLLOUT_COMMAND;
	rollout->command = run_release(app, rollout->version, command, rollout->transcript_fd,
				       on_command_end, rollout, err);
	if (rollout->command == NULL)
		return -EIO;
	return loop_timer_set(app->live->loop, &rollout->timer, COMMAND_MS, on_command_late);
}

static void
on_tree(struct tree_need *need, int code, const struct err *why)
{
	struct rollout *rollout = container_of(need, struct rollout, need);
	struct err err = {0};

	if (code < 0) {
		fail(rollout, why);
		return;
	}
	int ret = run_command(rollout, &err);

	if (ret < 0)
		fail(rollout, &err);
	else if (ret == 1)
		start_candidates(rollout);
}

/* A restart has nothing to prepare; a release that was overtaken, or brings no slug, nothing to
 * do. */
static void
begin(struct loop_timer *timer)
{
	struct rollout *rollout = container_of(timer, struct rollout, timer);
	struct live_app *app = rollout->app;
	struct err err = {0};

	if (rollout->is_restart) {
		start_candidates(rollout);
		return;
	}
	rollout->slug = live_app_slug_of(app, rollout->version);
	if (rollout->slug == 0 || rollout->version <= app->row.release) {
		(void)live_app_refresh(app);
		finish(rollout, NULL);
		return;
	}
	rollout->phase = ROLLOUT_UNPACKING;
	int ret = tree_await(app, rollout->slug, &rollout->need, on_tree);

	if (ret < 0) {
		(void)err_set(&err, ret, "unpack the slug");
		fail(rollout, &err);
	}
}

static void
on_turn(struct turn *turn, unsigned place)
{
	struct rollout *rollout = container_of(turn, struct rollout, turn);

	if (place != 0)
		return;
	rollout->app->rollout = rollout;
	/* From the loop, so that nobody hears of the end before rollout_release has returned. */
	(void)loop_timer_set(rollout->app->live->loop, &rollout->timer, 0, begin);
}

static struct rollout *
rollout_new(struct live_app *app)
{
	struct rollout *rollout = calloc(1, sizeof(*rollout));

	if (rollout == NULL)
		return NULL;
	rollout->app = app;
	rollout->transcript_fd = -1;
	return rollout;
}

struct rollout *
rollout_release(struct live_app *app, uint32_t version, struct transcript *transcript,
		int transcript_fd, int64_t push_mark, rollout_fn *fn, void *user)
{
	struct rollout *rollout = rollout_new(app);

	if (rollout == NULL)
		return NULL;
	rollout->version = version;
	rollout->transcript = transcript;
	rollout->transcript_fd = transcript_fd;
	rollout->push_mark = push_mark;
	rollout->fn = fn;
	rollout->user = user;
	turn_take(&app->rollouts, &rollout->turn, on_turn);
	return rollout;
}

int
rollout_restart(struct live_app *app, const char *which)
{
	struct rollout *rollout = rollout_new(app);

	if (rollout == NULL)
		return -ENOMEM;
	rollout->is_restart = true;
	(void)snprintf(rollout->which, sizeof(rollout->which), "%s", which);
	turn_take(&app->rollouts, &rollout->turn, on_turn);
	return 0;
}

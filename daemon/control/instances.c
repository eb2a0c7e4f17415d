/*
 * What always holds between two turns of the loop: the members are what formation_plan wants as far
 * as can be done now, the routes are those of the members that are up, and the timer is armed for
 * the next deadline.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"

#include "daemon/control/core.h"
#include "daemon/control/instances.h"
#include "daemon/control/launch.h"
#include "daemon/control/live_app.h"
#include "daemon/control/member_start.h"
#include "daemon/control/releases.h"
#include "daemon/control/rollout.h"
#include "daemon/control/slots.h"
#include "daemon/control/trees.h"

static void on_news(struct sandbox *sandbox, struct sandbox_news *news);

/* ---- names and words --------------------------------------------------------------------- */

static void
member_name(const struct member *member, char name[INSTANCE_NAME_MAX + 1])
{
	(void)snprintf(name, INSTANCE_NAME_MAX + 1, "%s.%u", member->self.type,
		       member->self.number);
}

#define member_log(member, ...)                                                                    \
	do {                                                                                       \
		char name_[INSTANCE_NAME_MAX + 1];                                                 \
		member_name((member), name_);                                                      \
		core_log((member)->app, name_, __VA_ARGS__);                                       \
	} while (0)

static enum instance_state
shown_state(enum formation_state state)
{
	switch (state) {
	case FORMATION_DOWN:
	case FORMATION_STARTING:
	case FORMATION_ASKING:
	case FORMATION_FAILING:
		return INSTANCE_STARTING;
	case FORMATION_UP:
		return INSTANCE_UP;
	case FORMATION_DRAINING:
	case FORMATION_STOPPING:
	case FORMATION_KILLING:
		return INSTANCE_STOPPING;
	case FORMATION_CRASHED:
		return INSTANCE_CRASHED;
	case FORMATION_GONE:
	case FORMATION_STATES:
		break;
	}
	return INSTANCE_DOWN;
}

void
exit_describe(struct instance_exit *exit, const struct sandbox_news *news)
{
	*exit = (struct instance_exit){0};
	if (news->report == SANDBOX_BROKEN) {
		exit->code = 1;
		(void)snprintf(exit->reason, sizeof(exit->reason),
			       "Process could not be started: %.128s", news->text);
	} else if (news->is_oom) {
		char peak[32], limit[32];

		exit->code = 137;
		exit->signal = SIGKILL;
		(void)snprintf(exit->reason, sizeof(exit->reason),
			       "Error R15 (Memory quota vastly exceeded): used %s of %s",
			       conf_bytes_text(news->peak_bytes, peak, sizeof(peak)),
			       conf_bytes_text(news->limit_bytes, limit, sizeof(limit)));
	} else if (WIFSIGNALED(news->status)) {
		exit->signal = WTERMSIG(news->status);
		exit->code = 128 + exit->signal;
		(void)snprintf(exit->reason, sizeof(exit->reason),
			       "Process exited with status %d (killed by signal %d, %s)",
			       exit->code, exit->signal, strsignal(exit->signal));
	} else {
		exit->code = WEXITSTATUS(news->status);
		(void)snprintf(exit->reason, sizeof(exit->reason), "Process exited with status %d",
			       exit->code);
	}
}

/* ---- what the table orders ---------------------------------------------------------------- */

static void feed(struct member *member, enum formation_event event);

static void
set_updated(struct member *member)
{
	member->updated_ms = core_unix_ms();
}

static void
fail_to_start(struct member *member, const struct err *err)
{
	struct sandbox_news news = {.report = SANDBOX_BROKEN, .text = err->text};

	exit_describe(&member->exit, &news);
	member->has_exit = true;
	member_log(member, "%s", member->exit.reason);
	feed(member, FORMATION_EXITED);
}

static void
do_start(struct member *member)
{
	struct err err = {0};

	if (member->has_exit)
		member_log(member, "State changed from crashed to starting");
	member->has_reason = false;
	member->listens[0] = '\0';
	if (member_start(member, on_news, &err) < 0)
		fail_to_start(member, &err);
	else
		member_log(member, "Starting process with command `%s`", member->command);
}

static void
on_accepts(struct probe *probe)
{
	struct member *member = container_of(probe, struct member, probe);
	struct live_app *app = member->app;

	feed(member, FORMATION_ACCEPTS);
	instances_reconcile(app);
}

static void
do_probe(struct member *member)
{
	struct live *live = member->app->live;
	uint32_t ipv4 = subnet_address(&live->options->subnet, member->sandbox.address);

	probe_stop(&member->probe);
	if (probe_start(&live->health, &member->probe, ipv4, ROUTES_PORT, on_accepts) < 0)
		member_log(member, "Error: out of memory to see whether it accepts connections");
}

static void
settle_adopted(struct member *member)
{
	if (!member->is_adopted)
		return;
	member->is_adopted = false;
	live_app_adopted(member->app->live);
}

static void
do_serve(struct member *member)
{
	probe_stop(&member->probe);
	if (!member->is_adopted)
		member_log(member, "State changed from starting to up");
	settle_adopted(member);
}

static void
do_give_up(struct member *member)
{
	unsigned long long seconds = member->app->live->options->boot_time_ms / 1000;

	probe_stop(&member->probe);
	member->has_reason = true;
	member->exit = (struct instance_exit){.code = 137, .signal = SIGKILL};
	if (member->listens[0] != '\0')
		(void)snprintf(
			member->exit.reason, sizeof(member->exit.reason),
			"did not listen on port $PORT (%d) within %llu seconds; it listens on "
			"%.60s",
			ROUTES_PORT, seconds, member->listens);
	else
		(void)snprintf(
			member->exit.reason, sizeof(member->exit.reason),
			"did not listen on port $PORT (%d) within %llu seconds; it listens on "
			"no port at all",
			ROUTES_PORT, seconds);
	member_log(member,
		   "Error R10 (Boot timeout) -> Web process failed to bind to $PORT within %llu "
		   "seconds of launch",
		   seconds);
	if (member->listens[0] != '\0')
		member_log(member, "It listens on %s, but must listen on 0.0.0.0:%d",
			   member->listens, ROUTES_PORT);
	member_log(member, "Stopping process with SIGKILL");
	sandbox_kill(&member->sandbox);
}

static void
do_term(struct member *member)
{
	probe_stop(&member->probe);
	member_log(member, "State changed from up to down");
	member_log(member, "Stopping all processes with SIGTERM");
	sandbox_signal(&member->sandbox, SIGTERM);
}

static void
do_kill(struct member *member)
{
	member_log(member,
		   "Error R12 (Exit timeout) -> At least one process failed to exit within %llu "
		   "seconds of SIGTERM",
		   (unsigned long long)member->app->live->options->stop_time_ms / 1000);
	member_log(member, "Stopping remaining processes with SIGKILL");
	sandbox_kill(&member->sandbox);
}

static void
do_crash(struct member *member, enum formation_state before)
{
	probe_stop(&member->probe);
	member_log(member, "State changed from %s to crashed",
		   before == FORMATION_UP ? "up" : "starting");
	rollout_member_failed(member->app, member);
}

static void
feed(struct member *member, enum formation_event event)
{
	struct live *live = member->app->live;
	enum formation_state before = member->self.state;
	enum formation_action action =
		formation_apply(&member->self, event, &live->times, loop_now_ms(live->loop));

	if (member->self.state != before)
		set_updated(member);
	switch (action) {
	case FORMATION_NOTHING:
	case FORMATION_DO_DRAIN: /* being out of the routes is what drains it */
	case FORMATION_DO_FORGET:
		break;
	case FORMATION_DO_START:
		do_start(member);
		break;
	case FORMATION_DO_PROBE:
		do_probe(member);
		break;
	case FORMATION_DO_SERVE:
		do_serve(member);
		break;
	case FORMATION_DO_ASK:
		sandbox_ask_ports(&member->sandbox);
		break;
	case FORMATION_DO_GIVE_UP:
		do_give_up(member);
		break;
	case FORMATION_DO_TERM:
		do_term(member);
		break;
	case FORMATION_DO_KILL:
		do_kill(member);
		break;
	case FORMATION_DO_CRASH:
		do_crash(member, before);
		break;
	}
}

/* ---- what paasd reports ------------------------------------------------------------------- */

static void
on_exit_of(struct member *member, const struct sandbox_news *news)
{
	struct live_app *app = member->app;
	struct live *live = app->live;
	uint64_t id = member->last_id;
	struct instance_exit exit;

	probe_stop(&member->probe);
	settle_adopted(member);
	exit_describe(&exit, news);
	if (news->report == SANDBOX_BROKEN || news->is_oom)
		member_log(member, "%s", exit.reason);
	if (news->report == SANDBOX_ENDED)
		member_log(member, "Process exited with status %d", exit.code);
	if (!member->has_reason)
		member->exit = exit;
	member->has_exit = true;
	tickets_ended(&live->tickets, id, &member->exit);
	feed(member, FORMATION_EXITED);
	/* A failed roll-out first: its candidates are not to be started again. */
	rollout_check(app);
	instances_reconcile(app);
	if (!routes_hold(&live->routes, id))
		sandboxes_released(&live->sandboxes, id);
	live_app_check_gone(app);
}

static void
on_news(struct sandbox *sandbox, struct sandbox_news *news)
{
	struct member *member = container_of(sandbox, struct member, sandbox);
	struct live_app *app = member->app;

	switch (news->report) {
	case SANDBOX_RAN:
		feed(member, FORMATION_STARTED);
		break;
	case SANDBOX_HEARS:
		(void)snprintf(member->listens, sizeof(member->listens), "%s", news->text);
		feed(member, FORMATION_ANSWERED);
		break;
	case SANDBOX_TTY:
		return;
	case SANDBOX_BROKEN:
	case SANDBOX_ENDED:
		on_exit_of(member, news);
		return;
	}
	instances_reconcile(app);
}

void
instances_drained(struct live *live, uint64_t id)
{
	struct live_app *app;

	for (size_t at = 0; (app = map_next(&live->apps, &at)) != NULL;)
		for (struct member *member = app->members; member != NULL; member = member->next)
			if (member->sandbox.id == id) {
				feed(member, FORMATION_DRAINED);
				instances_reconcile(app);
				return;
			}
}

/* ---- members ------------------------------------------------------------------------------ */

static struct member *
member_new(struct live_app *app, const char *type, unsigned number, uint32_t batch)
{
	struct member *member = calloc(1, sizeof(*member));

	if (member == NULL)
		return NULL;
	(void)snprintf(member->self.type, sizeof(member->self.type), "%s", type);
	member->self.number = number;
	member->self.batch = batch;
	member->self.is_web = strcmp(type, "web") == 0;
	member->self.since_ms = loop_now_ms(app->live->loop);
	member->created_ms = member->updated_ms = core_unix_ms();
	member->app = app;
	member->next = app->members;
	app->members = member;
	return member;
}

static void
member_free(struct member *member)
{
	probe_stop(&member->probe);
	settle_adopted(member);
	sandbox_abandon(&member->sandbox);
	free(member->command);
	free(member);
}

static void
forget_gone(struct live_app *app)
{
	for (struct member **at = &app->members; *at != NULL;) {
		struct member *member = *at;

		if (member->self.state != FORMATION_GONE) {
			at = &member->next;
			continue;
		}
		*at = member->next;
		member_free(member);
	}
}

int
instances_adopt(struct live_app *app, const struct launch_label *label, uint64_t id,
		uint32_t address, int64_t started_ms)
{
	const struct slot *slot = slots_find(app, label->type, label->number);
	struct release release;
	uint32_t batch = 0;

	if (slot != NULL && slot->version == label->version)
		batch = slot->batch;
	for (struct member *other = app->members; other != NULL; other = other->next)
		if (other->self.batch == batch && other->self.number == label->number &&
		    strcmp(other->self.type, label->type) == 0)
			batch = 0; /* a second one: the first stays */
	struct member *member = member_new(app, label->type, label->number, batch);

	if (member == NULL)
		return -ENOMEM;
	if (releases_find(app->live->store, app->row.id, label->version, &release, NULL) == 0)
		member->slug = release.slug;
	member->version = label->version;
	member->command = member_command(app, member->slug, label->type);
	member->last_id = id;
	member->created_ms = started_ms;
	/* One that is not wanted may have requests; one that is wanted is looked at first. */
	member->self.state = batch == 0 ? FORMATION_UP : FORMATION_STARTING;
	member->self.started_ms = member->self.since_ms;
	if (member->self.is_web && batch != 0) {
		member->is_adopted = true;
		app->live->n_adopting++;
	}
	return sandboxes_adopt(&app->live->sandboxes, id, address, &member->sandbox, on_news);
}

bool
instances_use_slug(const struct live_app *app, uint32_t slug)
{
	for (const struct member *member = app->members; member != NULL; member = member->next)
		if (member->slug == slug && formation_is_alive(member->self.state))
			return true;
	return runs_use_slug(app, slug);
}

/* ---- routes ------------------------------------------------------------------------------- */

static const struct member *
find_batch(const struct live_app *app, const struct slot *slot, uint32_t batch)
{
	for (const struct member *member = app->members; member != NULL; member = member->next)
		if (member->self.batch == batch && member->self.number == slot->number &&
		    strcmp(member->self.type, slot->type) == 0)
			return member;
	return NULL;
}

/* What a request gets when there is nobody to serve it. */
static enum route_state
worse_state(enum route_state state, const struct member *member)
{
	if (member == NULL || state == ROUTE_BOOTING)
		return state;
	switch (shown_state(member->self.state)) {
	case INSTANCE_STARTING:
		return ROUTE_BOOTING;
	case INSTANCE_CRASHED:
		return ROUTE_CRASHED;
	case INSTANCE_UP:
	case INSTANCE_STOPPING:
	case INSTANCE_DOWN:
		break;
	}
	return state;
}

static void
update_routes(struct live_app *app)
{
	struct live *live = app->live;
	struct route_backend backends[ROUTES_MAX_BACKENDS];
	enum route_state state = app->slug == 0 ? ROUTE_BLANK : ROUTE_NO_WEB;
	size_t n = 0;

	if (app->is_going)
		return;
	for (size_t i = 0; i < app->n_slots && n < ROUTES_MAX_BACKENDS; i++) {
		const struct slot *slot = &app->slots[i];

		if (strcmp(slot->type, "web") != 0)
			continue;
		const struct member *member = find_batch(
			app, slot, rollout_serving_batch(app, slot->batch, slot->next_batch));

		if (member == NULL || member->self.state != FORMATION_UP) {
			state = worse_state(state, member);
			continue;
		}
		backends[n].instance = member->sandbox.id;
		backends[n].ipv4 = subnet_address(&live->options->subnet, member->sandbox.address);
		member_name(member, backends[n++].name);
	}
	if (routes_put_app(&live->routes, (uint32_t)app->row.id, app->row.name, state, backends,
			   n) < 0)
		log_line("%s: out of memory for its routes", app->row.name);
	(void)routes_commit(&live->routes);
}

/* Nobody holds it, so there is nothing to wait for. But an adopted one is held by workers that have
 * not told us yet, and before routes are open nobody has been told to let go of anything. */
static bool
drain_unheld(struct live_app *app)
{
	bool any = false;

	if (!app->live->routes.is_open)
		return false;
	for (struct member *member = app->members; member != NULL; member = member->next)
		if (member->self.state == FORMATION_DRAINING && member->self.batch != 0 &&
		    !routes_hold(&app->live->routes, member->sandbox.id)) {
			feed(member, FORMATION_DRAINED);
			any = true;
		}
	return any;
}

/* ---- reconciling -------------------------------------------------------------------------- */

static struct formation_want
want_of(const struct slot *slot, uint32_t batch)
{
	struct formation_want want = {.number = slot->number, .batch = batch};

	(void)snprintf(want.type, sizeof(want.type), "%s", slot->type);
	want.is_web = strcmp(slot->type, "web") == 0;
	return want;
}

static size_t
collect_wants(const struct live_app *app, struct formation_want *wants)
{
	size_t n = 0;

	for (size_t i = 0; i < app->n_slots; i++) {
		const struct slot *slot = &app->slots[i];

		if (slot->batch != 0 && !slot->is_held)
			wants[n++] = want_of(slot, slot->batch);
		if (slot->next_batch != 0)
			wants[n++] = want_of(slot, slot->next_batch);
	}
	return n;
}

static size_t
count_members(const struct live_app *app)
{
	size_t n = 0;

	for (const struct member *member = app->members; member != NULL; member = member->next)
		n++;
	return n;
}

static uint32_t
version_of(struct live_app *app, const struct formation_want *want)
{
	const struct slot *slot = slots_find(app, want->type, want->number);

	if (slot == NULL)
		return 0;
	return slot->next_batch == want->batch ? slot->next_version : slot->version;
}

static bool
add_member(struct live_app *app, const struct formation_want *want)
{
	uint32_t version = version_of(app, want);
	uint32_t slug = live_app_slug_of(app, version);

	if (slug == 0)
		return false;
	if (!tree_is_ready(app, slug)) {
		tree_prepare(app, slug);
		return false;
	}
	struct member *member = member_new(app, want->type, want->number, want->batch);

	if (member == NULL)
		return false;
	member->version = version;
	member->slug = slug;
	feed(member, FORMATION_WANTED);
	return true;
}

/* False: it cannot be done now. */
static bool
carry_out(struct live_app *app, const struct formation_step *step)
{
	if (step->member == NULL)
		return add_member(app, step->want);
	struct member *member = container_of(step->member, struct member, self);

	if (step->event == FORMATION_WANTED && !tree_is_ready(app, member->slug)) {
		tree_prepare(app, member->slug);
		return false;
	}
	feed(member, step->event);
	return true;
}

/* One look and what follows from it. True: something was done, so look again. */
static bool
look(struct live_app *app, uint64_t *next_ms)
{
	size_t n_members = count_members(app), n = 0, max = n_members + 2 * app->n_slots + 1;
	AUTO_FREE struct formation_want *wants = calloc(2 * app->n_slots + 1, sizeof(*wants));
	AUTO_FREE struct formation_member **members =
		calloc(n_members + 1, sizeof(struct member *));
	AUTO_FREE struct formation_step *steps = calloc(max, sizeof(*steps));
	bool done = false;

	if (wants == NULL || members == NULL || steps == NULL) {
		*next_ms = loop_now_ms(app->live->loop) + 1000;
		return false;
	}
	for (struct member *member = app->members; member != NULL; member = member->next)
		members[n++] = &member->self;
	n = formation_plan(&app->live->times, wants, collect_wants(app, wants), members, n_members,
			   loop_now_ms(app->live->loop), steps, max, next_ms);
	for (size_t i = 0; i < n; i++)
		done = carry_out(app, &steps[i]) || done;
	forget_gone(app);
	return done;
}

static void
on_timer(struct loop_timer *timer)
{
	instances_reconcile(container_of(timer, struct live_app, timer));
}

static void
arm(struct live_app *app, uint64_t next_ms)
{
	struct loop *loop = app->live->loop;
	uint64_t now_ms = loop_now_ms(loop);

	if (next_ms == FORMATION_NEVER)
		loop_timer_cancel(loop, &app->timer);
	else
		(void)loop_timer_set(loop, &app->timer, next_ms > now_ms ? next_ms - now_ms : 0,
				     on_timer);
}

void
instances_reconcile(struct live_app *app)
{
	uint64_t next_ms = FORMATION_NEVER;

	if (!app->live->is_ready)
		return;
	if (app->is_reconciling) {
		app->must_repeat = true;
		return;
	}
	app->is_reconciling = true;
	do {
		app->must_repeat = false;
		while (look(app, &next_ms))
			;
		update_routes(app);
		if (drain_unheld(app))
			app->must_repeat = true;
		rollout_check(app);
	} while (app->must_repeat);
	app->is_reconciling = false;
	arm(app, next_ms);
}

void
instances_stop_all(struct live_app *app)
{
	slots_free(app);
	instances_reconcile(app);
}

void
instances_forget(struct live_app *app)
{
	while (app->members != NULL) {
		struct member *member = app->members;

		app->members = member->next;
		member->is_adopted = false;
		member_free(member);
	}
}

bool
instances_are_gone(const struct live_app *app)
{
	return app->members == NULL;
}

/* ---- listings ----------------------------------------------------------------------------- */

struct member *
instances_find(struct live_app *app, const char *type, unsigned number)
{
	const struct slot *slot = slots_find(app, type, number);
	struct member *best = NULL;

	for (struct member *member = app->members; member != NULL; member = member->next) {
		if (member->self.number != number || strcmp(member->self.type, type) != 0)
			continue;
		if (slot != NULL && member->self.batch == slot->batch)
			return member;
		if (best == NULL || member->self.batch > best->self.batch)
			best = member;
	}
	return best;
}

void
member_view(const struct member *member, struct instance_view *view, char name[80])
{
	member_name(member, name);
	*view = (struct instance_view){
		.id = member->last_id,
		.app = member->app->row.name,
		.name = name,
		.type = member->self.type,
		.command = member->command != NULL ? member->command : "",
		.state = shown_state(member->self.state),
		.version = member->version,
		.created_ms = (uint64_t)member->created_ms,
		.updated_ms = (uint64_t)member->updated_ms,
		.exit = member->has_exit ? &member->exit : NULL,
	};
}

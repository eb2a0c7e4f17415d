/*
 * A run is told about at most once when it starts and once when it ends, whichever way it goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/config.h"
#include "daemon/control/core.h"
#include "daemon/control/instances.h"
#include "daemon/control/launch.h"
#include "daemon/control/live_app.h"
#include "daemon/control/member_start.h"
#include "daemon/control/runs.h"
#include "daemon/control/tickets.h"
#include "daemon/control/trees.h"

#define UNATTENDED_MS 10000
#define ENDED_MS (5 * 60 * 1000)
#define N_FDS 3

struct run {
	struct run *next;
	struct live_app *app;
	uint64_t id; /* its own: it may wait long for a sandbox */
	struct sandbox sandbox;
	char name[INSTANCE_NAME_MAX + 1];
	char type[64];
	unsigned number;
	uint32_t version, slug;
	char *command;
	enum instance_state state;
	bool is_attached, is_tty;
	bool has_terminal, is_running;
	int64_t created_ms, updated_ms;
	struct loop_timer timer; /* KILL after TERM, or TERM when nobody attends */
	struct tree_need need;	 /* its slug is being unpacked */
	uint16_t columns, rows;
	char **env;
	int client[N_FDS], inner[N_FDS]; /* what the client gets; what the program gets */
	size_t n_client;
	uint64_t ticket;
	live_run_fn *started;
	run_end_fn *ended;
	void *user;
};

static void on_news(struct sandbox *sandbox, struct sandbox_news *news);

/* ---- birth and end ------------------------------------------------------------------------ */

static void
close_all(int fds[N_FDS])
{
	for (int i = 0; i < N_FDS; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
		fds[i] = -1;
	}
}

static void
free_env(char **env)
{
	for (char **item = env; item != NULL && *item != NULL; item++)
		free(*item);
	free(env);
}

static void
run_free(struct run *run)
{
	struct live_app *app = run->app;

	for (struct run **at = &app->runs; *at != NULL; at = &(*at)->next)
		if (*at == run) {
			*at = run->next;
			break;
		}
	loop_timer_cancel(app->live->loop, &run->timer);
	tree_need_cancel(&run->need);
	sandbox_abandon(&run->sandbox);
	close_all(run->client);
	close_all(run->inner);
	free_env(run->env);
	free(run->command);
	free(run);
}

struct run *
runs_find(struct live_app *app, const char *name)
{
	for (struct run *run = app->runs; run != NULL; run = run->next)
		if (strcmp(run->name, name) == 0)
			return run;
	return NULL;
}

/* Four digits that no other run of the app has. */
static unsigned
choose_number(struct live_app *app, const char *type)
{
	char name[INSTANCE_NAME_MAX + 1];
	unsigned number = 0;

	do {
		uint16_t random = 0;

		(void)!getrandom(&random, sizeof(random), 0);
		number = 1000 + random % 9000;
		(void)snprintf(name, sizeof(name), "%s.%u", type, number);
	} while (runs_find(app, name) != NULL);
	return number;
}

static size_t
count(const struct live_app *app)
{
	size_t n = 0;

	for (const struct run *run = app->runs; run != NULL; run = run->next)
		n++;
	return n;
}

static struct run *
run_new(struct live_app *app, const char *type, unsigned number, uint32_t version, uint32_t slug)
{
	struct run *run = calloc(1, sizeof(*run));

	if (run == NULL)
		return NULL;
	for (int i = 0; i < N_FDS; i++)
		run->client[i] = run->inner[i] = -1;
	run->app = app;
	run->id = sandboxes_new_id(&app->live->sandboxes);
	run->version = version;
	run->slug = slug;
	run->state = INSTANCE_STARTING;
	run->number = number != 0 ? number : choose_number(app, type);
	run->created_ms = run->updated_ms = core_unix_ms();
	(void)snprintf(run->type, sizeof(run->type), "%s", type);
	(void)snprintf(run->name, sizeof(run->name), "%s.%u", type, run->number);
	run->next = app->runs;
	app->runs = run;
	return run;
}

static void
set_state(struct run *run, enum instance_state state)
{
	run->state = state;
	run->updated_ms = core_unix_ms();
}

static void
remember(struct run *run, const struct instance_exit *exit)
{
	struct runs_ended *ended = &run->app->live->ended;
	struct run_ended *entry = &ended->ring[ended->n++ % RUNS_ENDED];

	*entry = (struct run_ended){
		.id = run->id,
		.app_id = run->app->row.id,
		.version = run->version,
		.exit = *exit,
		.created_ms = run->created_ms,
		.ended_ms = core_unix_ms(),
	};
	(void)snprintf(entry->name, sizeof(entry->name), "%s", run->name);
	(void)snprintf(entry->type, sizeof(entry->type), "%s", run->type);
}

/* ---- telling the person ------------------------------------------------------------------- */

static void
tell_started(struct run *run, const struct err *why)
{
	live_run_fn *started = run->started;
	struct instance_view view;

	if (started == NULL)
		return;
	run->started = NULL;
	run_view(run, &view);
	if (why != NULL)
		started(run->user, why, NULL, NULL, 0);
	else
		started(run->user, NULL, &view, run->client, run->n_client);
	close_all(run->client);
}

/* Running, and with a terminal when there is to be one. */
static void
check_started(struct run *run)
{
	if (run->is_running && (!run->is_tty || run->has_terminal))
		tell_started(run, NULL);
}

/* Reports the end to all who wait, and forgets the run. */
static void
finish(struct run *run, const struct instance_exit *exit, const struct err *why)
{
	struct live_app *app = run->app;
	run_end_fn *ended = run->ended;
	void *user = run->user;
	uint64_t id = run->id;

	struct err early;

	if (why == NULL && run->is_tty && !run->has_terminal) {
		(void)err_say(&early, -EIO, "%s ended before its terminal was open: %s", run->name,
			      exit->reason);
		why = &early;
	}
	tell_started(run, why);
	remember(run, exit);
	tickets_ended(&app->live->tickets, id, exit);
	run->ended = NULL;
	run_free(run);
	if (ended != NULL)
		ended(user, exit);
	live_app_check_gone(app);
}

static void
on_kill_time(struct loop_timer *timer)
{
	struct run *run = container_of(timer, struct run, timer);

	core_log(run->app, run->name,
		 "Error R12 (Exit timeout) -> At least one process failed to exit within %llu "
		 "seconds of SIGTERM",
		 (unsigned long long)run->app->live->options->stop_time_ms / 1000);
	core_log(run->app, run->name, "Stopping remaining processes with SIGKILL");
	sandbox_kill(&run->sandbox);
}

void
run_stop(struct run *run)
{
	struct live *live = run->app->live;

	if (run->state == INSTANCE_STOPPING)
		return;
	set_state(run, INSTANCE_STOPPING);
	if (run->sandbox.id == 0) {
		struct err why;
		struct instance_exit exit = {.code = 143, .reason = "Stopped before it started"};

		(void)err_say(&why, -ECANCELED, "%s was stopped before it started", run->name);
		finish(run, &exit, &why);
		return;
	}
	core_log(run->app, run->name, "Stopping all processes with SIGTERM");
	sandbox_signal(&run->sandbox, SIGTERM);
	(void)loop_timer_set(live->loop, &run->timer, live->options->stop_time_ms, on_kill_time);
}

static void
on_unattended(struct loop_timer *timer)
{
	struct run *run = container_of(timer, struct run, timer);

	if (!tickets_has(&run->app->live->tickets, run->id))
		run_stop(run);
}

void
run_unattended(struct live *live, uint64_t id)
{
	struct live_app *app;

	for (size_t at = 0; (app = map_next(&live->apps, &at)) != NULL;)
		for (struct run *run = app->runs; run != NULL; run = run->next) {
			if (run->id != id || !run->is_attached)
				continue;
			run->started = NULL;
			if (run->state != INSTANCE_STOPPING)
				(void)loop_timer_set(live->loop, &run->timer, UNATTENDED_MS,
						     on_unattended);
			return;
		}
}

static void
on_end(struct run *run, struct sandbox_news *news)
{
	struct instance_exit exit;
	struct err why;

	exit_describe(&exit, news);
	if (!run->is_attached || news->report == SANDBOX_BROKEN || news->is_oom)
		core_log(run->app, run->name, "%s", exit.reason);
	core_log(run->app, run->name, "State changed from up to complete");
	if (news->report == SANDBOX_BROKEN)
		(void)err_say(&why, -EIO, "%s could not be started: %s", run->name, news->text);
	finish(run, &exit, news->report == SANDBOX_BROKEN ? &why : NULL);
}

static void
on_news(struct sandbox *sandbox, struct sandbox_news *news)
{
	struct run *run = container_of(sandbox, struct run, sandbox);

	switch (news->report) {
	case SANDBOX_RAN:
		run->is_running = true;
		if (run->state == INSTANCE_STARTING)
			set_state(run, INSTANCE_UP);
		check_started(run);
		break;
	case SANDBOX_TTY:
		if (run->is_tty && !run->has_terminal) {
			run->client[0] = take_fd(&news->fd);
			run->n_client = 1;
			run->has_terminal = true;
		}
		check_started(run);
		break;
	case SANDBOX_HEARS:
		break;
	case SANDBOX_BROKEN:
	case SANDBOX_ENDED:
		on_end(run, news);
		break;
	}
}

/* ---- starting ----------------------------------------------------------------------------- */

/* Three pipes between client and program. */
static int
make_pipes(struct run *run, struct err *err)
{
	for (int i = 0; i < N_FDS; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_set(err, -errno, "make the streams of %s", run->name);
		run->inner[i] = i == 0 ? ends[0] : ends[1];
		run->client[i] = i == 0 ? ends[1] : ends[0];
	}
	run->n_client = N_FDS;
	return 0;
}

static int
start(struct run *run, uint8_t flags, struct err *err)
{
	struct live_app *app = run->app;
	AUTO_FREE struct config_var *config = NULL;
	struct sandbox_order order;
	struct launch launch = {
		.type = run->type,
		.number = run->number,
		.command = run->command,
		.env = (const char *const *)run->env,
		.is_attached = run->is_attached,
		.flags = flags,
		.columns = run->columns,
		.rows = run->rows,
	};
	int ret = member_prepare(app, run->version, &launch, &config, err);

	if (ret < 0)
		return ret;
	AUTO_FD int spec_fd = launch_app(app->live->options, &launch, &order, err);

	if (spec_fd < 0)
		return spec_fd;
	ret = sandbox_start(&app->live->sandboxes, &run->sandbox, &order, spec_fd, run->inner, -1,
			    on_news, err);
	if (ret < 0)
		return ret;
	close_all(run->inner);
	core_log(app, run->name, "Starting process with command `%s`", run->command);
	return 0;
}

static void
fail(struct run *run, const struct err *why)
{
	struct instance_exit exit = {.code = 1};

	(void)snprintf(exit.reason, sizeof(exit.reason), "%.159s", why->text);
	finish(run, &exit, why);
}

static void
on_tree(struct tree_need *need, int code, const struct err *why)
{
	struct run *run = container_of(need, struct run, need);
	struct err err = {0};
	uint8_t flags = run->is_tty ? SANDBOX_PTY : run->is_attached ? SANDBOX_STDIO : 0;

	if (code < 0) {
		fail(run, why);
		return;
	}
	if ((flags & SANDBOX_STDIO) != 0 && make_pipes(run, &err) < 0) {
		fail(run, &err);
		return;
	}
	if (start(run, flags, &err) < 0)
		fail(run, &err);
}

static char **
copy_env(const char *const *env)
{
	size_t n = 0;

	while (env != NULL && env[n] != NULL)
		n++;
	char **copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i] = strdup(env[i]);
		if (copy[i] == NULL) {
			free_env(copy);
			return NULL;
		}
	}
	return copy;
}

/* A word that is the name of a process type stands for its command. */
static char *
resolve_command(struct live_app *app, const char *command)
{
	char *of_type = member_command(app, app->slug, command);

	return of_type != NULL ? of_type : strdup(command);
}

uint64_t
run_person(struct live_app *app, const struct live_run *what, live_run_fn *done, void *user,
	   struct err *err)
{
	if (app->slug == 0) {
		(void)err_say(err, -EINVAL, "%s has no code yet; push some first", app->row.name);
		return 0;
	}
	if (count(app) >= RUNS_MAX) {
		(void)err_say(err, -EBUSY, "%s already has %d one-off runs; stop one first",
			      app->row.name, RUNS_MAX);
		return 0;
	}
	struct run *run = run_new(app, "run", 0, app->row.release, app->slug);

	if (run == NULL) {
		(void)err_set(err, -ENOMEM, "run");
		return 0;
	}
	run->command = resolve_command(app, what->command);
	run->env = copy_env(what->env);
	run->is_attached = what->attach;
	run->is_tty = what->attach && what->tty;
	run->columns = what->columns;
	run->rows = what->rows;
	run->ticket = tickets_attend(&app->live->tickets, run->id);
	if (run->command == NULL || run->env == NULL || run->ticket == 0 ||
	    tree_await(app, run->slug, &run->need, on_tree) < 0) {
		tickets_cancel(&app->live->tickets, run->ticket);
		run_free(run);
		(void)err_set(err, -ENOMEM, "run");
		return 0;
	}
	run->started = done;
	run->user = user;
	core_log(app, "api", "Starting process with command `%s` by user %s", run->command,
		 what->user);
	return run->ticket;
}

struct run *
run_release(struct live_app *app, uint32_t version, const char *command, int output_fd,
	    run_end_fn *fn, void *user, struct err *err)
{
	struct run *run = run_new(app, "release", 0, version, live_app_slug_of(app, version));
	int ret = -ENOMEM;

	if (run == NULL) {
		(void)err_set(err, ret, "run the release command");
		return NULL;
	}
	/* It ends with control, like the push it belongs to. */
	run->is_attached = true;
	run->command = strdup(command);
	if (output_fd >= 0) {
		run->inner[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		run->inner[1] = fcntl(output_fd, F_DUPFD_CLOEXEC, 3);
		run->inner[2] = fcntl(output_fd, F_DUPFD_CLOEXEC, 3);
	}
	if (run->command == NULL ||
	    (output_fd >= 0 && (run->inner[0] < 0 || run->inner[1] < 0 || run->inner[2] < 0)))
		ret = err_set(err, -ENOMEM, "run the release command");
	else
		ret = start(run, output_fd >= 0 ? SANDBOX_STDIO : 0, err);
	if (ret < 0) {
		run_free(run);
		return NULL;
	}
	run->ended = fn;
	run->user = user;
	return run;
}

void
run_cancel(struct run *run)
{
	struct instance_exit exit = {.code = 137, .signal = SIGKILL, .reason = "Cancelled"};

	run->ended = NULL;
	finish(run, &exit, NULL);
}

int
run_adopt(struct live_app *app, const struct launch_label *label, uint64_t id, uint32_t address,
	  int64_t started_ms)
{
	struct run *run = run_new(app, label->type, label->number, label->version,
				  live_app_slug_of(app, label->version));

	if (run == NULL)
		return -ENOMEM;
	run->id = id;
	run->state = INSTANCE_UP;
	run->is_running = true;
	run->created_ms = started_ms;
	return sandboxes_adopt(&app->live->sandboxes, id, address, &run->sandbox, on_news);
}

/* ---- all of an app ------------------------------------------------------------------------ */

bool
runs_use_slug(const struct live_app *app, uint32_t slug)
{
	for (const struct run *run = app->runs; run != NULL; run = run->next)
		if (run->slug == slug)
			return true;
	return false;
}

void
runs_stop_all(struct live_app *app)
{
	(void)runs_stop(app, "");
}

int
runs_stop(struct live_app *app, const char *which)
{
	int ret = -ENOENT;

	for (struct run *run = app->runs, *next; run != NULL; run = next) {
		next = run->next;
		if (which[0] != '\0' && strcmp(run->name, which) != 0 &&
		    strcmp(run->type, which) != 0)
			continue;
		run_stop(run);
		ret = 0;
	}
	return ret;
}

void
runs_forget(struct live_app *app)
{
	while (app->runs != NULL)
		run_free(app->runs);
}

uint64_t
run_id(const struct run *run)
{
	return run->id;
}

void
run_view(const struct run *run, struct instance_view *view)
{
	*view = (struct instance_view){
		.id = run->id,
		.app = run->app->row.name,
		.name = run->name,
		.type = run->type,
		.command = run->command != NULL ? run->command : "",
		.state = run->state,
		.version = run->version,
		.created_ms = (uint64_t)run->created_ms,
		.updated_ms = (uint64_t)run->updated_ms,
	};
}

void
run_ended_view(const struct live_app *app, const struct run_ended *ended,
	       struct instance_view *view)
{
	*view = (struct instance_view){
		.id = ended->id,
		.app = app->row.name,
		.name = ended->name,
		.type = ended->type,
		.command = "",
		.state = INSTANCE_DOWN,
		.version = ended->version,
		.created_ms = (uint64_t)ended->created_ms,
		.updated_ms = (uint64_t)ended->ended_ms,
		.exit = &ended->exit,
	};
}

void
runs_show(struct live_app *app, live_instance_fn *fn, void *user)
{
	struct instance_view view;

	for (const struct run *run = app->runs; run != NULL; run = run->next) {
		run_view(run, &view);
		fn(user, &view);
	}
}

static bool
is_remembered(const struct live_app *app, const struct run_ended *ended)
{
	return ended->app_id == app->row.id && core_unix_ms() - ended->ended_ms < ENDED_MS;
}

void
runs_show_ended(struct live_app *app, live_instance_fn *fn, void *user)
{
	struct instance_view view;

	for (size_t i = 0; i < RUNS_ENDED; i++) {
		const struct run_ended *ended = &app->live->ended.ring[i];

		if (!is_remembered(app, ended))
			continue;
		run_ended_view(app, ended, &view);
		fn(user, &view);
	}
}

const struct run_ended *
runs_find_ended(const struct live_app *app, const char *name)
{
	const struct runs_ended *all = &app->live->ended;

	/* The newest of that name. */
	for (size_t i = 0; i < RUNS_ENDED && i < all->n; i++) {
		const struct run_ended *ended = &all->ring[(all->n - 1 - i) % RUNS_ENDED];

		if (strcmp(ended->name, name) == 0 && is_remembered(app, ended))
			return ended;
	}
	return NULL;
}

/*
 * A live side that only writes down what it was asked: defined here, so the linker takes these
 * instead of the archive's. One app runs: "hello" with web.1 (up) and worker.1 (crashed).
 */
#ifndef TESTS_CONTROL_FAKE_LIVE_H
#define TESTS_CONTROL_FAKE_LIVE_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"

#include "daemon/control/live.h"

static char fake_calls[8192]; /* one line a call */
static size_t fake_calls_len;
static live_run_fn *fake_run_done;
static live_exit_fn *fake_exit_done;
static void *fake_user;
static uint64_t fake_cancelled;

__attribute__((format(printf, 1, 2))) static void
fake_note(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(fake_calls + fake_calls_len, sizeof(fake_calls) - fake_calls_len, fmt, ap);
	va_end(ap);
	if (n > 0 && fake_calls_len + (size_t)n < sizeof(fake_calls))
		fake_calls_len += (size_t)n;
	fake_calls[fake_calls_len] = '\0';
}

static void
fake_forget(void)
{
	fake_calls_len = 0;
	fake_calls[0] = '\0';
}

const char *
instance_state_name(enum instance_state state)
{
	return state == INSTANCE_UP ? "up" : state == INSTANCE_CRASHED ? "crashed" : "starting";
}

static const struct instance_exit fake_exit = {.signal = 9, .reason = "Error R15"};
static const struct instance_view fake_views[] = {
	{.id = 7,
	 .app = "hello",
	 .name = "web.1",
	 .type = "web",
	 .command = "./web",
	 .state = INSTANCE_UP,
	 .version = 2,
	 .created_ms = 1790000000000,
	 .updated_ms = 1790000001000},
	{.id = 8,
	 .app = "hello",
	 .name = "worker.1",
	 .type = "worker",
	 .command = "./worker",
	 .state = INSTANCE_CRASHED,
	 .version = 2,
	 .created_ms = 1790000000000,
	 .updated_ms = 1790000002000,
	 .exit = &fake_exit},
};

void
live_instances(struct live *live, const char *app, bool ended, live_instance_fn *fn, void *user)
{
	(void)live;
	(void)ended;
	for (size_t i = 0; i < 2 && strcmp(app, "hello") == 0; i++)
		fn(user, &fake_views[i]);
}

int
live_instance(struct live *live, const char *app, const char *name, live_instance_fn *fn,
	      void *user)
{
	(void)live;
	for (size_t i = 0; i < 2 && strcmp(app, "hello") == 0; i++) {
		if (strcmp(fake_views[i].name, name) == 0) {
			fn(user, &fake_views[i]);
			return 0;
		}
	}
	return -ENOENT;
}

void
live_app_created(struct live *live, const char *app)
{
	(void)live;
	fake_note("created %s\n", app);
}

void
live_app_removed(struct live *live, const char *app)
{
	(void)live;
	fake_note("removed %s\n", app);
}

void
live_changed(struct live *live, const char *app)
{
	(void)live;
	fake_note("changed %s\n", app);
}

void
live_release(struct live *live, const char *app, uint32_t version)
{
	(void)live;
	fake_note("release %s v%u\n", app, version);
}

int
live_restart(struct live *live, const char *app, const char *which, struct err *why)
{
	(void)live;
	fake_note("restart %s %s\n", app, which);
	if (strncmp(which, "nosuch", 6) == 0)
		return err_say(why, -ENOENT, "There is no %s.", which);
	return 0;
}

int
live_stop(struct live *live, const char *app, const char *which, struct err *why)
{
	(void)live;
	fake_note("stop %s %s\n", app, which);
	if (strncmp(which, "nosuch", 6) == 0)
		return err_say(why, -ENOENT, "There is no %s.", which);
	return 0;
}

uint64_t
live_run(struct live *live, const struct live_run *run, live_run_fn *done, void *user,
	 struct err *why)
{
	(void)live;
	fake_note("run %s by %s: %s%s%s %ux%u\n", run->app, run->user, run->command,
		  run->attach ? " attach" : "", run->tty ? " tty" : "", run->columns, run->rows);
	for (size_t i = 0; run->env && run->env[i]; i++)
		fake_note("env %s\n", run->env[i]);
	if (strcmp(run->command, "refuse") == 0) {
		(void)err_say(why, 0, "Nothing was deployed yet.");
		return 0;
	}
	fake_run_done = done;
	fake_user = user;
	return 41;
}

uint64_t
live_wait_exit(struct live *live, const char *app, const char *name, live_exit_fn *done, void *user)
{
	(void)live;
	fake_note("wait %s %s\n", app, name);
	if (strncmp(name, "nosuch", 6) == 0)
		return 0;
	fake_exit_done = done;
	fake_user = user;
	return 42;
}

void
live_cancel(struct live *live, uint64_t ticket)
{
	(void)live;
	fake_note("cancel %llu\n", (unsigned long long)ticket);
	fake_cancelled = ticket;
}

int
live_log_session(struct live *live, const char *app, uint32_t lines, bool tail, const char *source,
		 const char *instance, int fd)
{
	static const char line[] = "2026-11-20T10:00:00.000000+00:00 app[web.1]: hello\n";

	(void)live;
	fake_note("logs %s %u%s '%s' '%s'\n", app, lines, tail ? " tail" : "", source, instance);
	return write(fd, line, sizeof(line) - 1) < 0 ? -errno : 0;
}

void
live_log(struct live *live, const char *app, const char *source, const char *text)
{
	(void)live;
	fake_note("log %s heroku[%s]: %s\n", app, source, text);
}

#endif

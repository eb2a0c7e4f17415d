/*
 * One-off programs of an app: what a person runs, attached or not, and release commands. They
 * have no place in the formation and are not started again.
 */
#ifndef CONTROL_RUNS_H
#define CONTROL_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "lib/map.h"

#include "daemon/control/live.h"
#include "daemon/control/sandboxes.h"

struct err;
struct launch_label;
struct live_app;
struct run;

#define RUNS_MAX 50 /* per app */
#define RUNS_ENDED 128

/* How those ended of whom somebody may still ask. */
struct run_ended {
	uint64_t id;
	int64_t app_id;
	uint32_t version;
	char name[INSTANCE_NAME_MAX + 1];
	char type[64];
	struct instance_exit exit;
	int64_t created_ms, ended_ms; /* unix */
};

struct runs_ended {
	struct run_ended ring[RUNS_ENDED];
	size_t n; /* ever */
};

typedef void run_end_fn(void *user, const struct instance_exit *exit);

/* Starts what a person asked for; see live_run. */
uint64_t run_person(struct live_app *app, const struct live_run *what, live_run_fn *done,
		    void *user, struct err *err);
/*
 * Starts a release command, whose output goes to `output_fd` (borrowed; -1: the log). `fn` is
 * called once, never from inside, unless run_cancel came before. NULL with a sentence.
 */
struct run *run_release(struct live_app *app, uint32_t version, const char *command, int output_fd,
			run_end_fn *fn, void *user, struct err *err);
/* Kills it; nobody is told. */
void run_cancel(struct run *run);
/* TERM, then KILL. */
void run_stop(struct run *run);
/* The client of an attached run went away. */
void run_unattended(struct live *live, uint64_t id);
/* A detached one that outlived an earlier control. 0 or -ENOMEM. */
int run_adopt(struct live_app *app, const struct launch_label *label, uint64_t id, uint32_t address,
	      int64_t started_ms);

struct run *runs_find(struct live_app *app, const char *name);
bool runs_use_slug(const struct live_app *app, uint32_t slug);
void runs_stop_all(struct live_app *app);
/* Frees all; what runs goes on: the process ends. */
void runs_forget(struct live_app *app);
/* 0, or -ENOENT: none of that name or type. */
int runs_stop(struct live_app *app, const char *which);
uint64_t run_id(const struct run *run);
void runs_show(struct live_app *app, live_instance_fn *fn, void *user);
void runs_show_ended(struct live_app *app, live_instance_fn *fn, void *user);
void run_view(const struct run *run, struct instance_view *view);
/* NULL: not known (any more). */
const struct run_ended *runs_find_ended(const struct live_app *app, const char *name);
void run_ended_view(const struct live_app *app, const struct run_ended *ended,
		    struct instance_view *view);

#endif

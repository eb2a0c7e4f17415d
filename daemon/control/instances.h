/*
 * The members of the formation as they really run: carries out what formation.c decides, and
 * tells it what paasd, the probes and the routers report.
 */
#ifndef CONTROL_INSTANCES_H
#define CONTROL_INSTANCES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/control/formation.h"
#include "daemon/control/health.h"
#include "daemon/control/live.h"
#include "daemon/control/sandboxes.h"

struct err;
struct launch_label;
struct live_app;

struct member {
	struct formation_member self; /* first: what the pure part sees */
	struct live_app *app;
	struct member *next;
	uint32_t version, slug;
	struct sandbox sandbox;
	uint64_t last_id; /* of its last sandbox */
	struct probe probe;
	char *command;
	bool is_adopted;	   /* not seen to accept since we started */
	bool has_exit, has_reason; /* a reason known before the exit, such as R10 */
	struct instance_exit exit;
	char listens[256];
	int64_t created_ms, updated_ms; /* unix */
};

/* Compares want and actual, does what is due, updates routes, looks after the roll-out. */
void instances_reconcile(struct live_app *app);
/* All requests of this instance have ended (or no router knew it). */
void instances_drained(struct live *live, uint64_t id);
/* One that outlived an earlier control. 0 or -ENOMEM. */
int instances_adopt(struct live_app *app, const struct launch_label *label, uint64_t id,
		    uint32_t address, int64_t started_ms);
/* Is a process started from that slug alive? Runs count as well. */
bool instances_use_slug(const struct live_app *app, uint32_t slug);
/* All slots go, everything is stopped; instances_are_gone says when. */
void instances_stop_all(struct live_app *app);
/* Frees all; what runs goes on: the process ends. */
void instances_forget(struct live_app *app);
bool instances_are_gone(const struct live_app *app);

/* The member that stands for a slot in listings, or NULL. */
struct member *instances_find(struct live_app *app, const char *type, unsigned number);
void member_view(const struct member *member, struct instance_view *view, char name[80]);
/* The wait status and what paasd measured, as a person reads it. */
void exit_describe(struct instance_exit *exit, const struct sandbox_news *news);

#endif

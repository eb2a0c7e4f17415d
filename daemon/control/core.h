/*
 * What the parts of the live side share: the one context of the process, and an app as it
 * lives. Included by them alone; the API sees live.h.
 */
#ifndef CONTROL_CORE_H
#define CONTROL_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/chan.h"
#include "lib/loop.h"
#include "lib/map.h"

#include "daemon/control/addresses.h"
#include "daemon/control/api.h"
#include "daemon/control/apps.h"
#include "daemon/control/chores.h"
#include "daemon/control/formation.h"
#include "daemon/control/health.h"
#include "daemon/control/live.h"
#include "daemon/control/options.h"
#include "daemon/control/routes.h"
#include "daemon/control/runs.h"
#include "daemon/control/sandboxes.h"
#include "daemon/control/tickets.h"
#include "daemon/control/turns.h"

struct git;
struct member;
struct rollout;
struct run;
struct session;
struct store;
struct tree;

struct live {
	struct loop *loop;
	struct store *store;
	const struct options *options;
	struct api *api;    /* NULL until everything was adopted */
	int listen_fd;	    /* borrowed; for the API */
	struct chan parent; /* paasd */
	struct formation_times times;
	struct addresses addresses;
	struct sandboxes sandboxes;
	struct routes routes;
	struct health health;
	struct turns build_slots;
	struct chores chores;
	struct tickets tickets;
	struct runs_ended ended;
	struct map apps; /* name -> struct live_app */
	struct session *sessions;
	size_t n_sessions;
	struct loop_timer open_timer; /* until routes are sent whatever the adopted are like */
	size_t n_adopting;	      /* adopted web instances not yet seen to accept */
	bool is_ready;		      /* everything found was adopted */
};

/* A place in the formation: web.1. */
struct slot {
	char type[FORMATION_TYPE_MAX + 1];
	unsigned number;
	uint32_t batch, version;	   /* what is in force; batch 0: nothing yet */
	uint32_t next_batch, next_version; /* what shall replace it; 0: nothing */
	bool is_held;			   /* stopped by a person */
};

struct live_app {
	struct live *live;
	struct app row; /* as last read */
	uint32_t slug;	/* of the release in force; 0: none */
	struct slot *slots;
	size_t n_slots;
	uint32_t last_batch;
	struct member *members;
	struct run *runs;
	struct tree *trees;
	struct git *gits;
	unsigned n_untidy; /* pushes since the repository was tidied */
	struct turns pushes, rollouts;
	struct rollout *rollout; /* whose turn it is */
	struct loop_timer timer; /* the formation's next deadline */
	bool is_reconciling, must_repeat;
	bool has_files; /* paasd made them since we started */
	bool is_going;	/* removed: ends when nothing of it runs */
	bool is_wiping; /* its files are being removed */
	unsigned n_wipes;
};

/* The wall clock. */
int64_t core_unix_ms(void);
/* A line of the platform in an app's log: heroku[source]. */
void core_log(struct live_app *app, const char *source, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

/*
 * What the router workers know and what they may still hold on to. Keeps the routes that
 * should be in force, sends every worker the difference, counts generations, and remembers
 * which workers have not yet let go of an instance that was taken out of its route.
 */
#ifndef CONTROL_ROUTES_H
#define CONTROL_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/map.h"
#include "lib/msg.h"

#define ROUTES_MAX_ROUTERS 64
#define ROUTES_MAX_BACKENDS 256
#define ROUTES_PORT 5000

struct route_backend {
	uint64_t instance;
	uint32_t ipv4; /* host order */
	char name[80]; /* "web.1" */
};

struct routes_calls {
	/* Sends to the workers; m->peer names one, or 0 for all. */
	void (*send)(void *user, struct msg *m);
	/* routes_are_acked may have changed. */
	void (*acked)(void *user);
	/* No worker holds this instance any more. */
	void (*drained)(void *user, uint64_t instance);
};

struct router {
	uint32_t peer; /* 0: free */
	uint64_t acked;
};

struct routes {
	const struct routes_calls *calls;
	void *user;
	struct router routers[ROUTES_MAX_ROUTERS];
	struct map apps;    /* id -> struct route_app */
	struct map leaving; /* instance -> struct route_leaving */
	uint64_t generation;
	bool is_open, is_dirty;
};

void routes_init(struct routes *routes, const struct routes_calls *calls, void *user);
void routes_done(struct routes *routes);
/* Until then nothing is sent: workers that outlived an earlier control keep serving what they
 * know while the instances behind it are looked at. Sends everything to every worker. */
void routes_open(struct routes *routes);

/*
 * What an app's route should be; `state` counts when there is no backend. Nothing is sent when
 * nothing changed. Backends that are missing now begin to leave. 0 or -ENOMEM, nothing sent then.
 */
int routes_put_app(struct routes *routes, uint32_t app, const char *name, enum route_state state,
		   const struct route_backend *backends, size_t n);
/* All host names of an app that routes_put_app made known. 0 or -ENOMEM. */
int routes_put_hosts(struct routes *routes, uint32_t app, const char *const *hosts, size_t n);
void routes_drop_app(struct routes *routes, uint32_t app);
/* Ends a batch: the generation that covers every change so far. */
uint64_t routes_commit(struct routes *routes);
/* Do all live workers route by that generation? */
bool routes_are_acked(const struct routes *routes, uint64_t generation);
/* Does a route or a worker still hold this instance? */
bool routes_hold(const struct routes *routes, uint64_t instance);

void routes_router_up(struct routes *routes, uint32_t peer);
void routes_router_down(struct routes *routes, uint32_t peer);
void routes_router_acked(struct routes *routes, uint32_t peer, uint64_t generation);
/* Taken out of the routes while an earlier control was there, and still in use by the worker. */
void routes_router_draining(struct routes *routes, uint32_t peer, uint64_t instance);
void routes_router_drained(struct routes *routes, uint32_t peer, uint64_t instance);

#endif

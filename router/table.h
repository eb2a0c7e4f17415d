/*
 * What control told us: host -> app -> backends. A backend is known by its instance's id and
 * never by its address alone. One that was taken out of its route lives on, unreachable for new
 * requests, until the last request on it has ended; then its instance is reported as drained.
 */
#ifndef ROUTER_TABLE_H
#define ROUTER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http.h"
#include "lib/map.h"
#include "lib/msg.h"
#include "lib/sandbox.h"

struct server;

#define TABLE_MAX_BACKENDS 1000 /* of one app */
#define TABLE_HOST_MAX 255

struct app {
	uint32_t id;
	char name[APP_NAME_MAX + 1];
	enum route_state state;
	struct backend **backends;
	size_t n_backends;
	uint64_t seen;	 /* the reset that named it last */
	unsigned n_refs; /* the table, backends, exchanges */
};

struct backend {
	uint64_t instance;
	uint32_t ipv4; /* host byte order */
	uint16_t port;
	char name[LABEL_MAX + 1]; /* "web.1" */
	struct app *app;
	unsigned n_active;	 /* requests and tunnels on it */
	struct server *idle;	 /* kept connections, the last used first */
	uint64_t avoid_until_ms; /* a connection failed: others first */
	bool is_routed;
	struct backend *next_leaving, *prev_leaving; /* not routed any more, still active */
};

/* A row of ROUTE_APP. */
struct table_row {
	uint64_t instance;
	uint32_t ipv4;
	uint16_t port;
	char name[LABEL_MAX + 1];
};

struct table_calls {
	/* Taken out of its route: close its idle connections. */
	void (*detached)(void *user, struct backend *backend);
	/* No request uses it any more; it is gone when this returns. */
	void (*drained)(void *user, uint64_t instance);
};

struct table {
	struct map apps;  /* by id */
	struct map hosts; /* struct table_host by name */
	size_t n_wildcards;
	uint64_t reset; /* number of the RESET that is in force or being read */
	bool is_resetting;
	struct backend *leaving;
	const struct table_calls *calls;
	void *user;
};

void table_init(struct table *table, const struct table_calls *calls, void *user);
/* Only without exchanges. Calls nobody. */
void table_done(struct table *table);

/* The app that answers for a host name (any case, a trailing dot allowed): the exact name, then
 * the most specific wildcard. NULL: no such app. */
struct app *table_find(const struct table *table, struct http_text host);

/* Replaces the app's backends in one step. 0; -EEXIST: a row twice; -ENOMEM, unchanged then. */
int table_set_app(struct table *table, uint32_t id, const char *name, enum route_state state,
		  const struct table_row *rows, size_t n_rows);
/* The app, its hosts and its backends. An unknown one is fine. */
void table_remove_app(struct table *table, uint32_t id);
/* 0; -ENOENT: no such app; -EINVAL: not a host name; -ENOMEM. */
int table_set_host(struct table *table, const char *host, uint32_t app);
void table_remove_host(struct table *table, const char *host);
/* Between the two every app and host must be named again; what was not is removed by the end. */
void table_reset_begin(struct table *table);
void table_reset_end(struct table *table);

/* An app stays readable while somebody holds it. */
void app_hold(struct app *app);
void app_release(struct app *app);

/* A request begins and ends on a backend. After the end the backend may be gone. */
void backend_begin(struct backend *backend);
void backend_end(struct table *table, struct backend *backend);

#endif

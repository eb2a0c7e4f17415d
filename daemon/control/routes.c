/* What is kept here is what was sent: a change is noted and sent in one step, or not at all. */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control/routes.h"

struct route_app {
	uint32_t id;
	char name[32];
	enum route_state state;
	struct route_backend *backends;
	size_t n_backends;
	char **hosts;
	size_t n_hosts;
};

struct route_leaving {
	uint64_t instance;
	uint64_t routers; /* bit per place in routes->routers that has not let go */
};

static void
hosts_free(char **hosts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(hosts[i]);
	free(hosts);
}

static void
app_free(struct route_app *app)
{
	if (app == NULL)
		return;
	hosts_free(app->hosts, app->n_hosts);
	free(app->backends);
	free(app);
}

static void
send_app(struct routes *routes, const struct route_app *app, uint32_t peer)
{
	struct msg m;

	msg_begin(&m, MSG_ROUTE_APP, peer);
	wire_put_u32(&m.out, app->id);
	wire_put_str(&m.out, app->name);
	wire_put_u8(&m.out, (uint8_t)app->state);
	wire_put_u16(&m.out, (uint16_t)app->n_backends);
	for (size_t i = 0; i < app->n_backends; i++) {
		wire_put_u64(&m.out, app->backends[i].instance);
		wire_put_u32(&m.out, app->backends[i].ipv4);
		wire_put_u16(&m.out, ROUTES_PORT);
		wire_put_str(&m.out, app->backends[i].name);
	}
	routes->calls->send(routes->user, &m);
}

static void
send_host(struct routes *routes, enum msg_type type, const char *host, uint32_t app, uint32_t peer)
{
	struct msg m;

	msg_begin(&m, type, peer);
	wire_put_str(&m.out, host);
	if (type == MSG_ROUTE_HOST)
		wire_put_u32(&m.out, app);
	routes->calls->send(routes->user, &m);
}

static void
send_generation(struct routes *routes, uint32_t peer)
{
	struct msg m;

	msg_begin(&m, MSG_ROUTE_DONE, peer);
	wire_put_u64(&m.out, routes->generation);
	routes->calls->send(routes->user, &m);
}

static void
send_everything(struct routes *routes, uint32_t peer)
{
	struct route_app *app;
	struct msg m;

	msg_begin(&m, MSG_ROUTE_RESET, peer);
	routes->calls->send(routes->user, &m);
	for (size_t at = 0; (app = map_next(&routes->apps, &at)) != NULL;) {
		send_app(routes, app, peer);
		for (size_t i = 0; i < app->n_hosts; i++)
			send_host(routes, MSG_ROUTE_HOST, app->hosts[i], app->id, peer);
	}
	send_generation(routes, peer);
}

/* A bit for each live worker. */
static uint64_t
live_routers(const struct routes *routes)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < ROUTES_MAX_ROUTERS; i++)
		if (routes->routers[i].peer != 0)
			bits |= (uint64_t)1 << i;
	return bits;
}

static int
place_of(const struct routes *routes, uint32_t peer)
{
	for (int i = 0; i < ROUTES_MAX_ROUTERS; i++)
		if (routes->routers[i].peer == peer)
			return i;
	return -1;
}

static bool
has_backend(const struct route_backend *backends, size_t n, uint64_t instance)
{
	for (size_t i = 0; i < n; i++)
		if (backends[i].instance == instance)
			return true;
	return false;
}

static void
forget_leaving(struct routes *routes, uint64_t instance)
{
	free(map_remove_id(&routes->leaving, instance));
}

/* One worker, or one that went away, does not hold the instance any more. */
static void
let_go(struct routes *routes, struct route_leaving *leaving, uint64_t bit)
{
	uint64_t instance = leaving->instance;

	leaving->routers &= ~bit;
	if (leaving->routers != 0)
		return;
	forget_leaving(routes, instance);
	routes->calls->drained(routes->user, instance);
}

/* Searched anew after each call of `drained`, which may change the table. */
static struct route_leaving *
held_by(const struct routes *routes, uint64_t bit)
{
	struct route_leaving *leaving;

	for (size_t at = 0; (leaving = map_next(&routes->leaving, &at)) != NULL;)
		if ((leaving->routers & bit) != 0)
			return leaving;
	return NULL;
}

/*
 * Waits for these workers to let go. Without a worker, or without memory for the note, nobody is
 * waited for; drained is then not called, and routes_hold says no.
 */
static void
await(struct routes *routes, uint64_t instance, uint64_t routers)
{
	struct route_leaving *leaving = map_find_id(&routes->leaving, instance);

	if (leaving != NULL) {
		leaving->routers |= routers;
		return;
	}
	if (routers == 0 || (leaving = malloc(sizeof(*leaving))) == NULL)
		return;
	*leaving = (struct route_leaving){instance, routers};
	if (map_set_id(&routes->leaving, instance, leaving) < 0)
		free(leaving);
}

static void
begin_leaving(struct routes *routes, uint64_t instance)
{
	await(routes, instance, routes->is_open ? live_routers(routes) : 0);
}

static void
replace_backends(struct routes *routes, struct route_app *app, struct route_backend *backends,
		 size_t n)
{
	struct route_backend *old = app->backends;
	size_t n_old = app->n_backends;

	app->backends = backends;
	app->n_backends = n;
	for (size_t i = 0; i < n; i++)
		forget_leaving(routes, backends[i].instance);
	for (size_t i = 0; i < n_old; i++)
		if (!has_backend(backends, n, old[i].instance))
			begin_leaving(routes, old[i].instance);
	free(old);
}

static bool
is_same_route(const struct route_app *app, enum route_state state,
	      const struct route_backend *backends, size_t n)
{
	if (app->state != state || app->n_backends != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (app->backends[i].instance != backends[i].instance)
			return false;
	return true;
}

static struct route_app *
app_new(struct routes *routes, uint32_t id, const char *name)
{
	struct route_app *app = calloc(1, sizeof(*app));

	if (app == NULL)
		return NULL;
	app->id = id;
	(void)snprintf(app->name, sizeof(app->name), "%s", name);
	if (map_set_id(&routes->apps, id, app) < 0) {
		free(app);
		return NULL;
	}
	return app;
}

void
routes_init(struct routes *routes, const struct routes_calls *calls, void *user)
{
	*routes = (struct routes){.calls = calls, .user = user};
	map_init(&routes->apps);
	map_init(&routes->leaving);
}

void
routes_done(struct routes *routes)
{
	void *entry;

	for (size_t at = 0; (entry = map_next(&routes->apps, &at)) != NULL;)
		app_free(entry);
	for (size_t at = 0; (entry = map_next(&routes->leaving, &at)) != NULL;)
		free(entry);
	map_done(&routes->apps);
	map_done(&routes->leaving);
}

void
routes_open(struct routes *routes)
{
	if (routes->is_open)
		return;
	routes->is_open = true;
	routes->is_dirty = false;
	routes->generation++;
	for (size_t i = 0; i < ROUTES_MAX_ROUTERS; i++)
		if (routes->routers[i].peer != 0)
			send_everything(routes, routes->routers[i].peer);
}

int
routes_put_app(struct routes *routes, uint32_t id, const char *name, enum route_state state,
	       const struct route_backend *backends, size_t n)
{
	struct route_app *app = map_find_id(&routes->apps, id);
	struct route_backend *copy = NULL;
	bool is_new = app == NULL;

	if (n > ROUTES_MAX_BACKENDS)
		n = ROUTES_MAX_BACKENDS;
	if (n > 0)
		state = ROUTE_UP;
	if (!is_new && is_same_route(app, state, backends, n))
		return 0;
	if (n > 0) {
		copy = malloc(n * sizeof(*copy));
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, backends, n * sizeof(*copy));
	}
	if (is_new && (app = app_new(routes, id, name)) == NULL) {
		free(copy);
		return -ENOMEM;
	}
	app->state = state;
	replace_backends(routes, app, copy, n);
	if (routes->is_open) {
		send_app(routes, app, 0);
		routes->is_dirty = true;
	}
	return 0;
}

static bool
has_host(char *const *hosts, size_t n, const char *host)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(hosts[i], host) == 0)
			return true;
	return false;
}

static char **
copy_hosts(const char *const *hosts, size_t n)
{
	char **copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i] = strdup(hosts[i]);
		if (copy[i] == NULL) {
			hosts_free(copy, i);
			return NULL;
		}
	}
	return copy;
}

int
routes_put_hosts(struct routes *routes, uint32_t id, const char *const *hosts, size_t n)
{
	struct route_app *app = map_find_id(&routes->apps, id);

	if (app == NULL)
		return 0;
	char **copy = copy_hosts(hosts, n);

	if (copy == NULL)
		return -ENOMEM;
	for (size_t i = 0; routes->is_open && i < app->n_hosts; i++) {
		if (has_host(copy, n, app->hosts[i]))
			continue;
		send_host(routes, MSG_ROUTE_HOST_GONE, app->hosts[i], id, 0);
		routes->is_dirty = true;
	}
	for (size_t i = 0; routes->is_open && i < n; i++) {
		if (has_host(app->hosts, app->n_hosts, copy[i]))
			continue;
		send_host(routes, MSG_ROUTE_HOST, copy[i], id, 0);
		routes->is_dirty = true;
	}
	hosts_free(app->hosts, app->n_hosts);
	app->hosts = copy;
	app->n_hosts = n;
	return 0;
}

void
routes_drop_app(struct routes *routes, uint32_t id)
{
	struct route_app *app = map_remove_id(&routes->apps, id);

	if (app == NULL)
		return;
	replace_backends(routes, app, NULL, 0);
	if (routes->is_open) {
		struct msg m;

		msg_begin(&m, MSG_ROUTE_APP_GONE, 0);
		wire_put_u32(&m.out, id);
		routes->calls->send(routes->user, &m);
		routes->is_dirty = true;
	}
	app_free(app);
}

uint64_t
routes_commit(struct routes *routes)
{
	if (routes->is_open && routes->is_dirty) {
		routes->is_dirty = false;
		routes->generation++;
		send_generation(routes, 0);
	}
	return routes->generation;
}

bool
routes_are_acked(const struct routes *routes, uint64_t generation)
{
	for (size_t i = 0; i < ROUTES_MAX_ROUTERS; i++)
		if (routes->routers[i].peer != 0 && routes->routers[i].acked < generation)
			return false;
	return true;
}

static bool
is_routed(const struct routes *routes, uint64_t instance)
{
	struct route_app *app;

	for (size_t at = 0; (app = map_next(&routes->apps, &at)) != NULL;)
		if (has_backend(app->backends, app->n_backends, instance))
			return true;
	return false;
}

bool
routes_hold(const struct routes *routes, uint64_t instance)
{
	return map_find_id(&routes->leaving, instance) != NULL || is_routed(routes, instance);
}

void
routes_router_up(struct routes *routes, uint32_t peer)
{
	int place = place_of(routes, peer);

	if (peer == 0)
		return;
	/* A number that comes again is a worker that knows nothing: what the one before it held
	 * is gone with it. */
	if (place >= 0)
		routes_router_down(routes, peer);
	place = place_of(routes, 0);
	if (place < 0)
		return;
	routes->routers[place] = (struct router){.peer = peer};
	if (routes->is_open)
		send_everything(routes, peer);
}

void
routes_router_down(struct routes *routes, uint32_t peer)
{
	int place = peer == 0 ? -1 : place_of(routes, peer);
	struct route_leaving *leaving;

	if (place < 0)
		return;
	routes->routers[place] = (struct router){0};
	while ((leaving = held_by(routes, (uint64_t)1 << place)) != NULL)
		let_go(routes, leaving, (uint64_t)1 << place);
	routes->calls->acked(routes->user);
}

void
routes_router_acked(struct routes *routes, uint32_t peer, uint64_t generation)
{
	int place = peer == 0 ? -1 : place_of(routes, peer);

	if (place < 0 || generation > routes->generation ||
	    generation <= routes->routers[place].acked)
		return;
	routes->routers[place].acked = generation;
	routes->calls->acked(routes->user);
}

void
routes_router_draining(struct routes *routes, uint32_t peer, uint64_t instance)
{
	int place = peer == 0 ? -1 : place_of(routes, peer);

	if (place >= 0 && !is_routed(routes, instance))
		await(routes, instance, (uint64_t)1 << place);
}

void
routes_router_drained(struct routes *routes, uint32_t peer, uint64_t instance)
{
	struct route_leaving *leaving = map_find_id(&routes->leaving, instance);
	int place = peer == 0 ? -1 : place_of(routes, peer);

	if (place >= 0 && leaving != NULL)
		let_go(routes, leaving, (uint64_t)1 << place);
}

/*
 * What always holds: a backend is in its app's array (is_routed) or in the list of those leaving
 * (and then n_active > 0), and holds its app. Hosts point at apps that are in the table.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/name.h"

#include "router/table.h"

struct table_host {
	char name[TABLE_HOST_MAX + 1];
	struct app *app;
	uint64_t seen;
};

void
table_init(struct table *table, const struct table_calls *calls, void *user)
{
	*table = (struct table){.calls = calls, .user = user};
	map_init(&table->apps);
	map_init(&table->hosts);
}

void
app_hold(struct app *app)
{
	app->n_refs++;
}

void
app_release(struct app *app)
{
	if (--app->n_refs > 0)
		return;
	free(app->backends);
	free(app);
}

/* ---- backends ----------------------------------------------------------------------------- */

static void
backend_free(struct backend *backend)
{
	app_release(backend->app);
	free(backend);
}

static void
leaving_add(struct table *table, struct backend *backend)
{
	backend->next_leaving = table->leaving;
	backend->prev_leaving = NULL;
	if (table->leaving)
		table->leaving->prev_leaving = backend;
	table->leaving = backend;
}

static void
leaving_remove(struct table *table, struct backend *backend)
{
	if (backend->prev_leaving)
		backend->prev_leaving->next_leaving = backend->next_leaving;
	else
		table->leaving = backend->next_leaving;
	if (backend->next_leaving)
		backend->next_leaving->prev_leaving = backend->prev_leaving;
	backend->next_leaving = backend->prev_leaving = NULL;
}

static void
drained(struct table *table, struct backend *backend)
{
	uint64_t instance = backend->instance;

	backend_free(backend);
	table->calls->drained(table->user, instance);
}

/* Out of the route; the array that held it is the caller's business. */
static void
detach(struct table *table, struct backend *backend)
{
	backend->is_routed = false;
	table->calls->detached(table->user, backend);
	if (backend->n_active > 0)
		leaving_add(table, backend);
	else
		drained(table, backend);
}

void
backend_begin(struct backend *backend)
{
	backend->n_active++;
}

void
backend_end(struct table *table, struct backend *backend)
{
	if (--backend->n_active > 0 || backend->is_routed)
		return;
	leaving_remove(table, backend);
	table->calls->detached(table->user, backend);
	drained(table, backend);
}

static bool
is_row(const struct backend *backend, const struct table_row *row)
{
	return backend->instance == row->instance && backend->ipv4 == row->ipv4 &&
	       backend->port == row->port;
}

/* The backend of that row, in the app's array or on its way out. */
static struct backend *
find_backend(const struct table *table, const struct app *app, const struct table_row *row)
{
	for (size_t i = 0; i < app->n_backends; i++)
		if (is_row(app->backends[i], row))
			return app->backends[i];
	for (struct backend *b = table->leaving; b; b = b->next_leaving)
		if (b->app == app && is_row(b, row))
			return b;
	return NULL;
}

static struct backend *
backend_new(struct app *app, const struct table_row *row)
{
	struct backend *backend = calloc(1, sizeof(*backend));

	if (!backend)
		return NULL;
	backend->instance = row->instance;
	backend->ipv4 = row->ipv4;
	backend->port = row->port;
	memcpy(backend->name, row->name, sizeof(backend->name));
	backend->app = app;
	app_hold(app);
	return backend;
}

/* ---- apps --------------------------------------------------------------------------------- */

static bool
has_row_twice(const struct table_row *rows, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (rows[i].instance == rows[j].instance)
				return true;
	return false;
}

static struct app *
app_new(struct table *table, uint32_t id)
{
	struct app *app = calloc(1, sizeof(*app));

	if (!app)
		return NULL;
	app->id = id;
	app->n_refs = 1;
	if (map_set_id(&table->apps, id, app) < 0) {
		free(app);
		return NULL;
	}
	return app;
}

/* Backends for the rows, known ones or new ones. False: no memory; the new ones are freed. */
static bool
make_backends(struct table *table, struct app *app, const struct table_row *rows, size_t n,
	      struct backend **out)
{
	for (size_t i = 0; i < n; i++) {
		out[i] = find_backend(table, app, &rows[i]);
		if (!out[i])
			out[i] = backend_new(app, &rows[i]);
		if (out[i])
			continue;
		while (i-- > 0)
			if (!out[i]->is_routed && out[i]->n_active == 0)
				backend_free(out[i]);
		return false;
	}
	return true;
}

int
table_set_app(struct table *table, uint32_t id, const char *name, enum route_state state,
	      const struct table_row *rows, size_t n_rows)
{
	struct app *app = map_find_id(&table->apps, id);
	struct backend **old;
	size_t n_old;
	bool is_new = false;
	AUTO_FREE struct backend **backends = calloc(n_rows + 1, sizeof(*backends));

	if (!backends)
		return -ENOMEM;
	if (has_row_twice(rows, n_rows))
		return -EEXIST;
	if (!app) {
		app = app_new(table, id);
		is_new = true;
	}
	if (!app)
		return -ENOMEM;
	if (!make_backends(table, app, rows, n_rows, backends)) {
		if (is_new)
			table_remove_app(table, id);
		return -ENOMEM;
	}

	old = app->backends;
	n_old = app->n_backends;
	for (size_t i = 0; i < n_old; i++)
		old[i]->is_routed = false;
	for (size_t i = 0; i < n_rows; i++) {
		struct backend *b = backends[i];

		if (b == table->leaving || b->prev_leaving)
			leaving_remove(table, b);
		b->is_routed = true;
		memcpy(b->name, rows[i].name, sizeof(b->name));
	}
	(void)snprintf(app->name, sizeof(app->name), "%s", name);
	app->state = state;
	app->seen = table->reset;
	app->backends = take_ptr(backends);
	app->n_backends = n_rows;
	for (size_t i = 0; i < n_old; i++)
		if (!old[i]->is_routed)
			detach(table, old[i]);
	free(old);
	return 0;
}

static void
remove_hosts(struct table *table, const struct app *app)
{
	struct table_host *host;

	for (size_t at = 0; (host = map_next(&table->hosts, &at)) != NULL;)
		if (host->app == app)
			table_remove_host(table, host->name);
}

/* Everything but its place in the map. */
static void
app_end(struct table *table, struct app *app)
{
	struct backend **backends = app->backends;
	size_t n = app->n_backends;

	remove_hosts(table, app);
	app->backends = NULL;
	app->n_backends = 0;
	app->state = ROUTE_NO_WEB;
	for (size_t i = 0; i < n; i++)
		detach(table, backends[i]);
	free(backends);
	app_release(app);
}

void
table_remove_app(struct table *table, uint32_t id)
{
	struct app *app = map_remove_id(&table->apps, id);

	if (app)
		app_end(table, app);
}

/* ---- hosts -------------------------------------------------------------------------------- */

static bool
is_wildcard(const char *host)
{
	return host[0] == '*';
}

int
table_set_host(struct table *table, const char *name, uint32_t app_id)
{
	struct app *app = map_find_id(&table->apps, app_id);
	struct table_host *host;
	int ret;

	if (!app)
		return -ENOENT;
	if (strlen(name) > TABLE_HOST_MAX || name_check_host(name))
		return -EINVAL;
	host = map_find(&table->hosts, name);
	if (!host) {
		host = calloc(1, sizeof(*host));
		if (!host)
			return -ENOMEM;
		(void)strcpy(host->name, name);
		ret = map_set(&table->hosts, name, host);
		if (ret < 0) {
			free(host);
			return ret;
		}
		table->n_wildcards += is_wildcard(name);
	}
	host->app = app;
	host->seen = table->reset;
	return 0;
}

void
table_remove_host(struct table *table, const char *name)
{
	struct table_host *host = map_remove(&table->hosts, name);

	if (!host)
		return;
	table->n_wildcards -= is_wildcard(host->name);
	free(host);
}

/* Lower case, without one dot at the end. The length; 0: nothing that can be in the table. */
static size_t
normal_host(struct http_text host, char out[TABLE_HOST_MAX + 1])
{
	if (host.len > 0 && host.at[host.len - 1] == '.')
		host.len--;
	if (host.len > TABLE_HOST_MAX)
		return 0;
	for (size_t i = 0; i < host.len; i++) {
		char c = host.at[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return host.len;
}

struct app *
table_find(const struct table *table, struct http_text host)
{
	char name[TABLE_HOST_MAX + 1];
	size_t len = normal_host(host, name);
	const struct table_host *found = len ? map_find_n(&table->hosts, name, len) : NULL;

	if (found)
		return found->app;
	if (table->n_wildcards == 0)
		return NULL;
	/* a.b.c is looked for as *.b.c, then as *.c: the star is written over what is before. */
	for (size_t i = 1; i + 1 < len; i++) {
		if (name[i] != '.')
			continue;
		name[i - 1] = '*';
		found = map_find_n(&table->hosts, name + i - 1, len - i + 1);
		if (found)
			return found->app;
	}
	return NULL;
}

/* ---- starting over ------------------------------------------------------------------------- */

void
table_reset_begin(struct table *table)
{
	table->reset++;
	table->is_resetting = true;
}

void
table_reset_end(struct table *table)
{
	struct table_host *host;
	struct app *app;

	if (!table->is_resetting)
		return;
	table->is_resetting = false;
	for (size_t at = 0; (host = map_next(&table->hosts, &at)) != NULL;)
		if (host->seen != table->reset)
			table_remove_host(table, host->name);
	for (size_t at = 0; (app = map_next(&table->apps, &at)) != NULL;)
		if (app->seen != table->reset)
			table_remove_app(table, app->id);
}

void
table_done(struct table *table)
{
	struct table_host *host;
	struct app *app;

	for (size_t at = 0; (host = map_next(&table->hosts, &at)) != NULL;)
		free(host);
	map_done(&table->hosts);
	for (size_t at = 0; (app = map_next(&table->apps, &at)) != NULL;) {
		struct backend **backends = app->backends;
		size_t n = app->n_backends;

		app->backends = NULL;
		for (size_t i = 0; i < n; i++)
			backend_free(backends[i]);
		free(backends);
		app_release(app);
	}
	map_done(&table->apps);
}

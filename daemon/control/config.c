/* A change loads the set it builds on, applies itself and stores the result as a new set. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/name.h"

#include "daemon/control/apps.h"
#include "daemon/control/config.h"
#include "daemon/control/query.h"
#include "daemon/control/releases.h"
#include "daemon/control/store.h"

int
config_load(struct store *store, int64_t config_id, struct config_var **vars, size_t *n,
	    struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "SELECT key, value FROM config_vars WHERE config_id = ?1 ORDER BY key");
	query_put_int(&q, 1, config_id);
	*vars = query_pairs(&q, n, &code, err);
	return code;
}

int
config_of_app(struct store *store, int64_t app_id, struct config_var **vars, size_t *n,
	      struct err *err)
{
	struct release newest;
	int code;

	*vars = NULL;
	*n = 0;
	code = releases_newest(store, app_id, &newest, err);
	if (code < 0)
		return code;
	return config_load(store, newest.config_id, vars, n, err);
}

static struct config_var *
find(struct config_var *vars, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(vars[i].key, key) == 0)
			return &vars[i];
	}
	return NULL;
}

/* What a change does, by name, for the release's description. */
struct summary {
	struct buf set, removed;
	size_t n_set, n_removed;
};

static void
summary_init(struct summary *summary)
{
	/* Longer lists are cut with "and more". */
	buf_init(&summary->set, 100);
	buf_init(&summary->removed, 100);
	summary->n_set = summary->n_removed = 0;
}

static void
summary_done(struct summary *summary)
{
	buf_done(&summary->set);
	buf_done(&summary->removed);
}

/* A list that is full stays as it is; summary_names counts what is missing. */
static void
summary_add(struct buf *names, size_t *n, const char *key)
{
	if ((*n)++ > 0 && buf_printf(names, ", %s", key) < 0)
		names->max = names->len; /* no later, shorter name slips in */
	else if (*n == 1)
		(void)buf_add_string(names, key);
}

static size_t
n_listed(const struct buf *names)
{
	size_t n = names->len > 0;

	for (const char *p = buf_text(names); (p = strchr(p, ',')) != NULL; p++)
		n++;
	return n;
}

/* "A, B and 3 more" */
static const char *
summary_names(const struct buf *names, size_t n, char *out, size_t cap)
{
	size_t shown = n_listed(names);

	if (shown == n)
		(void)snprintf(out, cap, "%s", buf_text(names));
	else if (shown == 0)
		(void)snprintf(out, cap, "%zu", n);
	else
		(void)snprintf(out, cap, "%s and %zu more", buf_text(names), n - shown);
	return out;
}

static void
describe(const struct summary *summary, char *out, size_t cap)
{
	char set[112], removed[112];

	(void)summary_names(&summary->set, summary->n_set, set, sizeof(set));
	(void)summary_names(&summary->removed, summary->n_removed, removed, sizeof(removed));
	if (summary->n_removed == 0)
		(void)snprintf(out, cap, "Set %s config vars", set);
	else if (summary->n_set == 0)
		(void)snprintf(out, cap, "Remove %s config vars", removed);
	else
		(void)snprintf(out, cap, "Set %s and remove %s config vars", set, removed);
}

static int
check_size(const struct config_var *vars, size_t n, struct err *err)
{
	size_t bytes = 0, n_left = 0;

	for (size_t i = 0; i < n; i++) {
		if (!vars[i].value)
			continue;
		bytes += strlen(vars[i].key) + strlen(vars[i].value);
		n_left++;
	}
	if (bytes > CONFIG_MAX_BYTES)
		return err_say(err, -EINVAL,
			       "The config vars would take %zu bytes, names and values together; "
			       "the limit is %d (64 KB).",
			       bytes, CONFIG_MAX_BYTES);
	if (n_left > CONFIG_MAX_VARS)
		return err_say(err, -EINVAL, "There would be %zu config vars; the limit is %d.",
			       n_left, CONFIG_MAX_VARS);
	return 0;
}

/*
 * Applies the changes to `vars`, which has room for all of them; a removed one stays with value
 * NULL. Only what really changes is counted.
 */
static int
apply(struct config_var *vars, size_t *n, const struct config_var *changes, size_t n_changes,
      struct summary *summary, struct err *err)
{
	for (size_t i = 0; i < n_changes; i++) {
		const struct config_var *change = &changes[i];
		struct config_var *var = find(vars, *n, change->key);
		const char *wrong;

		if (!change->value) {
			if (var && var->value) {
				var->value = NULL;
				summary_add(&summary->removed, &summary->n_removed, change->key);
			}
			continue;
		}
		wrong = name_check_config(change->key);
		if (wrong)
			return err_say(err, -EINVAL, "%s", wrong);
		if (var && var->value && strcmp(var->value, change->value) == 0)
			continue;
		if (var)
			var->value = change->value;
		else
			vars[(*n)++] = *change;
		summary_add(&summary->set, &summary->n_set, change->key);
	}
	return check_size(vars, *n, err);
}

static int
insert_set(struct store *store, int64_t app_id, int64_t *id, struct err *err)
{
	struct query q;

	*id = 0;
	query_begin(&q, store, "INSERT INTO configs (app_id) VALUES (?1) RETURNING id");
	query_put_int(&q, 1, app_id);
	if (query_row(&q))
		*id = query_int(&q, 0);
	return query_run(&q, err);
}

static int
insert_vars(struct store *store, int64_t id, const struct config_var *vars, size_t n,
	    struct err *err)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < n; i++) {
		struct query q;

		if (!vars[i].value)
			continue;
		query_begin(&q, store,
			    "INSERT INTO config_vars (config_id, key, value) VALUES (?1, ?2, ?3)");
		query_put_int(&q, 1, id);
		query_put_text(&q, 2, vars[i].key);
		query_put_text(&q, 3, vars[i].value);
		code = query_run(&q, err);
	}
	return code;
}

static int
change(struct store *store, const struct app *app, const struct config_var *changes, size_t n,
       struct summary *summary, struct release *release, struct err *err)
{
	AUTO_FREE struct config_var *before = NULL, *vars = NULL;
	struct release base;
	size_t n_vars;
	int code;

	code = releases_newest(store, app->id, &base, err);
	if (code == 0)
		code = config_load(store, base.config_id, &before, &n_vars, err);
	if (code != 0)
		return code;
	vars = calloc(n_vars + n, sizeof(*vars));
	if (!vars)
		return err_say(err, -ENOMEM, "Out of memory.");
	if (n_vars > 0)
		memcpy(vars, before, n_vars * sizeof(*vars));
	code = apply(vars, &n_vars, changes, n, summary, err);
	if (code < 0)
		return code;
	if (summary->n_set + summary->n_removed == 0)
		return 1;
	*release = (struct release){.app_id = app->id, .kind = RELEASE_CONFIG, .slug = base.slug};
	code = insert_set(store, app->id, &release->config_id, err);
	if (code == 0)
		code = insert_vars(store, release->config_id, vars, n_vars, err);
	return code;
}

int
config_change(struct store *store, const struct app *app, const struct config_var *changes,
	      size_t n, const char *user, struct release *release, struct err *err)
{
	struct summary summary;
	int code;

	*release = (struct release){0};
	if (n == 0)
		return 1;
	code = store_begin(store, err);
	if (code < 0)
		return code;
	summary_init(&summary);
	code = change(store, app, changes, n, &summary, release, err);
	if (code == 0) {
		describe(&summary, release->description, sizeof(release->description));
		(void)snprintf(release->user, sizeof(release->user), "%s", user);
		code = releases_add(store, release, err);
	}
	summary_done(&summary);
	return query_finish(store, code, err);
}

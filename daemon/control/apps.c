/* Host ids come in slots: run_uid = base + 2 * slot, build_uid the one after it. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/name.h"

#include "daemon/control/access.h"
#include "daemon/control/apps.h"
#include "daemon/control/ident.h"
#include "daemon/control/query.h"
#include "daemon/control/releases.h"
#include "daemon/control/store.h"
#include "daemon/control/store_private.h"

#define MAX_SLOTS 100000

#define APP_COLUMNS                                                                                \
	"a.id, a.name, a.owner, a.release, a.created_ms, a.updated_ms, a.released_ms, h.slot"
#define APP_TABLES " FROM apps a JOIN host_ids h ON h.app_id = a.id "

static void
set_uids(const struct store *store, struct app *app, uint32_t slot)
{
	app->run_uid = store->uid_base + 2 * slot;
	app->build_uid = app->run_uid + 1;
}

static void
app_of_row(struct query *q, void *row)
{
	struct app *app = row;

	app->id = query_int(q, 0);
	query_text(q, 1, app->name, sizeof(app->name));
	query_text(q, 2, app->owner, sizeof(app->owner));
	app->release = query_u32(q, 3);
	app->created_ms = query_int(q, 4);
	app->updated_ms = query_int(q, 5);
	app->released_ms = query_int(q, 6);
	set_uids(q->store, app, query_u32(q, 7));
}

/* One row or a sentence. */
static int
find_one(struct query *q, const char *name, struct app *app, struct err *err)
{
	bool found = false;
	int code;

	*app = (struct app){0};
	if (query_row(q)) {
		app_of_row(q, app);
		found = true;
	}
	code = query_end(q, err);
	if (code == 0 && !found)
		return err_say(err, -ENOENT, "There is no app %s.", name);
	return code;
}

int
apps_get(struct store *store, int64_t id, struct app *app, struct err *err)
{
	struct query q;

	query_begin(&q, store, "SELECT " APP_COLUMNS APP_TABLES "WHERE a.id = ?1");
	query_put_int(&q, 1, id);
	return find_one(&q, "of that id", app, err);
}

int
apps_find(struct store *store, const char *name, struct app *app, struct err *err)
{
	struct query q;
	int64_t id;
	uint64_t number;
	const char *wrong;

	if (ident_parse(name, IDENT_APP, &id, &number))
		return apps_get(store, id, app, err);
	wrong = name_check_app(name);
	if (wrong)
		return err_say(err, -ENOENT, "No app has such a name. %s", wrong);
	query_begin(&q, store, "SELECT " APP_COLUMNS APP_TABLES "WHERE a.name = ?1");
	query_put_text(&q, 1, name);
	return find_one(&q, name, app, err);
}

int
apps_list(struct store *store, struct app **apps, size_t *n, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store, "SELECT " APP_COLUMNS APP_TABLES "ORDER BY a.name");
	*apps = query_list(&q, sizeof(**apps), app_of_row, n, &code, err);
	return code;
}

int
apps_list_of(struct store *store, const char *user, struct app **apps, size_t *n, struct err *err)
{
	enum right right;
	struct query q;
	int code;

	*apps = NULL;
	*n = 0;
	code = access_right(store, user, 0, &right, err);
	if (code < 0)
		return code;
	if (right >= RIGHT_READ)
		return apps_list(store, apps, n, err);
	query_begin(&q, store,
		    "SELECT " APP_COLUMNS APP_TABLES
		    "JOIN access x ON x.app_id = a.id JOIN users u ON u.id = x.user_id "
		    "WHERE u.name = ?1 ORDER BY a.name");
	query_put_text(&q, 1, user);
	*apps = query_list(&q, sizeof(**apps), app_of_row, n, &code, err);
	return code;
}

/* The name must be free of a removed app's files as well. */
static int
check_free(struct store *store, const char *name, struct err *err)
{
	struct query q;
	bool taken = false, removed = false;
	int code;

	query_begin(&q, store, "SELECT removed_ms IS NOT NULL FROM host_ids WHERE name = ?1");
	query_put_text(&q, 1, name);
	if (query_row(&q)) {
		taken = true;
		removed = query_int(&q, 0) != 0;
	}
	code = query_end(&q, err);
	if (code < 0 || !taken)
		return code;
	if (removed)
		return err_say(err, -EEXIST,
			       "The app %s was just destroyed and its files are still being "
			       "removed; try again in a moment.",
			       name);
	return err_say(err, -EEXIST, "The name %s is taken by another app.", name);
}

static int
find_slot(struct store *store, uint32_t *slot, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM host_ids WHERE slot = 0) THEN 0"
		    " ELSE (SELECT min(slot) + 1 FROM host_ids h WHERE NOT EXISTS"
		    " (SELECT 1 FROM host_ids o WHERE o.slot = h.slot + 1)) END");
	*slot = query_row(&q) ? query_u32(&q, 0) : 0;
	code = query_end(&q, err);
	if (code == 0 && *slot >= MAX_SLOTS)
		return err_say(err, -EINVAL, "There are %d apps; no more host ids are left.",
			       MAX_SLOTS);
	return code;
}

static int
insert_app(struct store *store, const char *name, const char *owner, int64_t *id, struct err *err)
{
	struct query q;
	int64_t now = store_now_ms(store);

	query_begin(&q, store,
		    "INSERT INTO apps (name, owner, created_ms, updated_ms)"
		    " VALUES (?1, ?2, ?3, ?3) RETURNING id");
	query_put_text(&q, 1, name);
	query_put_text(&q, 2, owner);
	query_put_int(&q, 3, now);
	if (query_row(&q))
		*id = query_int(&q, 0);
	return query_run(&q, err);
}

static int
insert_host_ids(struct store *store, int64_t id, const char *name, uint32_t slot, struct err *err)
{
	struct query q;

	query_begin(&q, store, "INSERT INTO host_ids (slot, app_id, name) VALUES (?1, ?2, ?3)");
	query_put_int(&q, 1, slot);
	query_put_int(&q, 2, id);
	query_put_text(&q, 3, name);
	return query_run(&q, err);
}

static int
create(struct store *store, const char *name, const char *owner, struct app *app, struct err *err)
{
	struct release first;
	uint32_t slot = 0;
	int64_t id = 0;
	int code;

	code = check_free(store, name, err);
	if (code == 0)
		code = find_slot(store, &slot, err);
	if (code == 0)
		code = insert_app(store, name, owner, &id, err);
	if (code == 0)
		code = insert_host_ids(store, id, name, slot, err);
	if (code == 0 && strcmp(owner, "root") != 0)
		code = access_put(store, id, owner, RIGHT_ADMIN, err);
	if (code == 0) {
		first = (struct release){.app_id = id, .kind = RELEASE_CONFIG};
		(void)snprintf(first.description, sizeof(first.description), "Initial release");
		(void)snprintf(first.user, sizeof(first.user), "%s", owner);
		code = releases_add(store, &first, err);
	}
	if (code == 0)
		code = apps_get(store, id, app, err);
	return code;
}

int
apps_create(struct store *store, const char *name, const char *owner, struct app *app,
	    struct err *err)
{
	const char *wrong = name_check_app(name);
	int code;

	if (wrong)
		return err_say(err, -EINVAL, "%s", wrong);
	code = store_begin(store, err);
	if (code < 0)
		return code;
	code = create(store, name, owner, app, err);
	return query_finish(store, code, err);
}

int
apps_remove(struct store *store, int64_t id, struct err *err)
{
	struct query q;
	struct app app;
	int code;

	code = store_begin(store, err);
	if (code < 0)
		return code;
	code = apps_get(store, id, &app, err);
	if (code == 0) {
		query_begin(&q, store, "DELETE FROM apps WHERE id = ?1");
		query_put_int(&q, 1, id);
		code = query_run(&q, err);
	}
	if (code == 0) {
		query_begin(&q, store, "UPDATE host_ids SET removed_ms = ?2 WHERE app_id = ?1");
		query_put_int(&q, 1, id);
		query_put_int(&q, 2, store_now_ms(store));
		code = query_run(&q, err);
	}
	return query_finish(store, code, err);
}

static void
removed_of_row(struct query *q, void *row)
{
	struct app *app = row;

	app->id = query_int(q, 0);
	query_text(q, 1, app->name, sizeof(app->name));
	set_uids(q->store, app, query_u32(q, 2));
}

int
apps_list_removed(struct store *store, struct app **apps, size_t *n, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "SELECT app_id, name, slot FROM host_ids WHERE removed_ms IS NOT NULL"
		    " ORDER BY removed_ms, app_id");
	*apps = query_list(&q, sizeof(**apps), removed_of_row, n, &code, err);
	return code;
}

int
apps_forget(struct store *store, const char *name, struct err *err)
{
	struct query q;

	query_begin(&q, store, "DELETE FROM host_ids WHERE name = ?1 AND removed_ms IS NOT NULL");
	query_put_text(&q, 1, name);
	return query_run(&q, err);
}

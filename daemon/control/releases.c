/* "The newest that has not failed" is what the next change builds on; apps.release is what runs. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/err.h"

#include "daemon/control/query.h"
#include "daemon/control/releases.h"
#include "daemon/control/scale.h"
#include "daemon/control/slugs.h"
#include "daemon/control/store.h"

#define RELEASE_COLUMNS                                                                            \
	"r.app_id, r.version, r.slug, r.config_id, r.kind, r.status, r.description, r.user,"       \
	" ifnull(s.commit_id, ''), r.created_ms, r.updated_ms"
#define RELEASE_TABLES                                                                             \
	" FROM releases r LEFT JOIN slugs s ON s.app_id = r.app_id AND s.number = r.slug "

static const char *const status_names[] = {"pending", "succeeded", "failed"};

const char *
release_status_name(enum release_status status)
{
	return status_names[status];
}

static void
release_of_row(struct query *q, void *row)
{
	struct release *release = row;

	release->app_id = query_int(q, 0);
	release->version = query_u32(q, 1);
	release->slug = query_u32(q, 2);
	release->config_id = query_int(q, 3);
	release->kind = (enum release_kind)query_int(q, 4);
	release->status = (enum release_status)query_int(q, 5);
	query_text(q, 6, release->description, sizeof(release->description));
	query_text(q, 7, release->user, sizeof(release->user));
	query_text(q, 8, release->commit, sizeof(release->commit));
	release->created_ms = query_int(q, 9);
	release->updated_ms = query_int(q, 10);
}

static int
find_one(struct query *q, struct release *release, bool *found, struct err *err)
{
	*release = (struct release){0};
	*found = query_row(q);
	if (*found)
		release_of_row(q, release);
	return query_end(q, err);
}

static int
newest_version(struct store *store, int64_t app_id, uint32_t *version, struct err *err)
{
	struct query q;

	*version = 0;
	query_begin(&q, store, "SELECT ifnull(max(version), 0) FROM releases WHERE app_id = ?1");
	query_put_int(&q, 1, app_id);
	if (query_row(&q))
		*version = query_u32(&q, 0);
	return query_end(&q, err);
}

int
releases_find(struct store *store, int64_t app_id, uint32_t version, struct release *release,
	      struct err *err)
{
	struct query q;
	uint32_t newest;
	bool found;
	int code;

	query_begin(&q, store,
		    "SELECT " RELEASE_COLUMNS RELEASE_TABLES
		    "WHERE r.app_id = ?1 AND r.version = ?2");
	query_put_int(&q, 1, app_id);
	query_put_int(&q, 2, version);
	code = find_one(&q, release, &found, err);
	if (code < 0 || found)
		return code;
	code = newest_version(store, app_id, &newest, err);
	if (code < 0)
		return code;
	return err_say(err, -ENOENT, "There is no release v%u; the releases are v1 to v%u.",
		       version, newest);
}

int
releases_newest(struct store *store, int64_t app_id, struct release *release, struct err *err)
{
	struct query q;
	bool found;
	int code;

	query_begin(&q, store,
		    "SELECT " RELEASE_COLUMNS RELEASE_TABLES
		    "WHERE r.app_id = ?1 AND r.status <> 2 ORDER BY r.version DESC LIMIT 1");
	query_put_int(&q, 1, app_id);
	code = find_one(&q, release, &found, err);
	if (code == 0 && !found)
		return err_say(err, -ENOENT, "There is no release.");
	return code;
}

int
releases_list(struct store *store, int64_t app_id, uint32_t first, uint32_t last, int newest_first,
	      size_t max, struct release **releases, size_t *n, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    newest_first ? "SELECT " RELEASE_COLUMNS RELEASE_TABLES
				   "WHERE r.app_id = ?1 AND r.version BETWEEN ?2 AND ?3"
				   " ORDER BY r.version DESC LIMIT ?4"
				 : "SELECT " RELEASE_COLUMNS RELEASE_TABLES
				   "WHERE r.app_id = ?1 AND r.version BETWEEN ?2 AND ?3"
				   " ORDER BY r.version LIMIT ?4");
	query_put_int(&q, 1, app_id);
	query_put_int(&q, 2, first);
	query_put_int(&q, 3, last ? last : UINT32_MAX);
	query_put_int(&q, 4, max ? (int64_t)max : -1);
	*releases = query_list(&q, sizeof(**releases), release_of_row, n, &code, err);
	return code;
}

/* Makes a succeeded release the one in force unless a newer one is. */
static int
put_in_force(struct store *store, const struct release *release, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "UPDATE apps SET release = ?2, released_ms = ?3, updated_ms = ?3"
		    " WHERE id = ?1 AND release < ?2");
	query_put_int(&q, 1, release->app_id);
	query_put_int(&q, 2, release->version);
	query_put_int(&q, 3, store_now_ms(store));
	code = query_run(&q, err);
	if (code == 0 && q.n_changed > 0 && release->slug)
		code = scale_follow(store, release->app_id, release->slug, err);
	return code;
}

static int
insert(struct store *store, const struct release *release, struct err *err)
{
	struct query q;

	query_begin(&q, store,
		    "INSERT INTO releases (app_id, version, slug, config_id, kind, status,"
		    " description, user, created_ms, updated_ms)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)");
	query_put_int(&q, 1, release->app_id);
	query_put_int(&q, 2, release->version);
	query_put_int_or_null(&q, 3, release->slug);
	query_put_int_or_null(&q, 4, release->config_id);
	query_put_int(&q, 5, release->kind);
	query_put_int(&q, 6, release->status);
	query_put_text(&q, 7, release->description);
	query_put_text(&q, 8, release->user);
	query_put_int(&q, 9, release->created_ms);
	return query_run(&q, err);
}

static int
add(struct store *store, struct release *release, struct err *err)
{
	uint32_t newest;
	int code;

	code = newest_version(store, release->app_id, &newest, err);
	if (code < 0)
		return code;
	release->version = newest + 1;
	release->status = release->slug ? RELEASE_PENDING : RELEASE_SUCCEEDED;
	code = insert(store, release, err);
	if (code == 0 && release->status == RELEASE_SUCCEEDED)
		code = put_in_force(store, release, err);
	if (code == 0)
		code = releases_find(store, release->app_id, release->version, release, err);
	return code;
}

int
releases_add(struct store *store, struct release *release, struct err *err)
{
	int code = store_begin(store, err);

	if (code < 0)
		return code;
	release->created_ms = store_now_ms(store);
	code = add(store, release, err);
	return query_finish(store, code, err);
}

int
releases_add_deploy(struct store *store, int64_t app_id, uint32_t slug, const char *commit,
		    const char *user, struct release *release, struct err *err)
{
	struct release base;
	int code = store_begin(store, err);

	if (code < 0)
		return code;
	code = releases_newest(store, app_id, &base, err);
	if (code == 0) {
		*release = (struct release){
			.app_id = app_id,
			.kind = RELEASE_DEPLOY,
			.slug = slug,
			.config_id = base.config_id,
		};
		(void)snprintf(release->description, sizeof(release->description), "Deploy %.8s",
			       commit);
		(void)snprintf(release->user, sizeof(release->user), "%s", user);
		code = releases_add(store, release, err);
	}
	return query_finish(store, code, err);
}

#define MAX_OFFERED 5

/* "v7, v5 and v4", newest first; false when there is none. */
static int
offer_versions(struct store *store, int64_t app_id, char *out, size_t cap, struct err *err)
{
	uint32_t versions[MAX_OFFERED];
	struct query q;
	size_t n = 0, len = 0;

	query_begin(&q, store,
		    "SELECT r.version FROM releases r JOIN slugs s ON s.app_id = r.app_id AND"
		    " s.number = r.slug WHERE r.app_id = ?1 AND r.status = 1 AND s.state = 1"
		    " ORDER BY r.version DESC LIMIT ?2");
	query_put_int(&q, 1, app_id);
	query_put_int(&q, 2, MAX_OFFERED);
	while (n < MAX_OFFERED && query_row(&q))
		versions[n++] = query_u32(&q, 0);
	for (size_t i = 0; i < n; i++) {
		const char *between = i == 0 ? "" : i == n - 1 ? " and " : ", ";

		len += (size_t)snprintf(out + len, cap - len, "%sv%u", between, versions[i]);
	}
	if (n == 0)
		(void)snprintf(out, cap, "no release");
	return query_end(&q, err);
}

static int
refuse_rollback(struct store *store, const struct app *app, uint32_t version, const char *why,
		struct err *err)
{
	char offer[96];
	int code = offer_versions(store, app->id, offer, sizeof(offer), err);

	if (code < 0)
		return code;
	return err_say(err, -EINVAL, "Release v%u %s; %s can be rolled back to.", version, why,
		       offer);
}

static int
rollback(struct store *store, const struct app *app, uint32_t version, const char *user,
	 struct release *release, struct err *err)
{
	struct release target;
	struct slug slug;
	int code;

	code = releases_find(store, app->id, version, &target, err);
	if (code < 0)
		return code;
	if (target.status != RELEASE_SUCCEEDED)
		return refuse_rollback(
			store, app, version,
			target.status == RELEASE_FAILED ? "failed" : "is not finished yet", err);
	if (!target.slug)
		return refuse_rollback(store, app, version, "has no code", err);
	code = slugs_find(store, app->id, target.slug, &slug, err);
	if (code < 0)
		return code;
	if (slug.state != SLUG_READY)
		return refuse_rollback(store, app, version, "is too old, its slug is gone", err);
	*release = (struct release){
		.app_id = app->id,
		.kind = RELEASE_ROLLBACK,
		.slug = target.slug,
		.config_id = target.config_id,
	};
	(void)snprintf(release->description, sizeof(release->description), "Rollback to v%u",
		       version);
	(void)snprintf(release->user, sizeof(release->user), "%s", user);
	return releases_add(store, release, err);
}

int
releases_add_rollback(struct store *store, const struct app *app, uint32_t version,
		      const char *user, struct release *release, struct err *err)
{
	int code = store_begin(store, err);

	if (code < 0)
		return code;
	code = rollback(store, app, version, user, release, err);
	return query_finish(store, code, err);
}

/* What was built on a release that failed must not bring its slug into force after all. */
static int
replace_slug(struct store *store, const struct release *failed, struct err *err)
{
	struct query q;

	query_begin(
		&q, store,
		"UPDATE releases SET slug = (SELECT r.slug FROM releases r JOIN apps a"
		" ON a.id = r.app_id AND a.release = r.version WHERE a.id = ?1)"
		" WHERE app_id = ?1 AND version > ?2 AND slug = ?3 AND status = 0 AND kind = 1");
	query_put_int(&q, 1, failed->app_id);
	query_put_int(&q, 2, failed->version);
	query_put_int(&q, 3, failed->slug);
	return query_run(&q, err);
}

static int
settle(struct store *store, struct release *release, enum release_status status, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "UPDATE releases SET status = ?3, updated_ms = ?4"
		    " WHERE app_id = ?1 AND version = ?2");
	query_put_int(&q, 1, release->app_id);
	query_put_int(&q, 2, release->version);
	query_put_int(&q, 3, status);
	query_put_int(&q, 4, store_now_ms(store));
	code = query_run(&q, err);
	if (code < 0)
		return code;
	if (status == RELEASE_SUCCEEDED)
		return put_in_force(store, release, err);
	return replace_slug(store, release, err);
}

int
releases_settle(struct store *store, int64_t app_id, uint32_t version, enum release_status status,
		struct err *err)
{
	struct release release;
	int code = store_begin(store, err);

	if (code < 0)
		return code;
	code = releases_find(store, app_id, version, &release, err);
	if (code == 0 && release.status == RELEASE_PENDING && status != RELEASE_PENDING)
		code = settle(store, &release, status, err);
	return query_finish(store, code, err);
}

int
releases_list_pending(struct store *store, struct release **releases, size_t *n, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "SELECT " RELEASE_COLUMNS RELEASE_TABLES
		    "WHERE r.status = 0 ORDER BY r.created_ms, r.app_id, r.version");
	*releases = query_list(&q, sizeof(**releases), release_of_row, n, &code, err);
	return code;
}

int
releases_fail_deploys(struct store *store, struct err *err)
{
	struct release *list;
	size_t n;
	int code = store_begin(store, err);

	if (code < 0)
		return code;
	code = releases_list_pending(store, &list, &n, err);
	for (size_t i = 0; code == 0 && i < n; i++) {
		if (list[i].kind == RELEASE_DEPLOY)
			code = settle(store, &list[i], RELEASE_FAILED, err);
	}
	free(list);
	return query_finish(store, code, err);
}

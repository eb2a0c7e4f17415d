/* A slug is written once, between slugs_allot and slugs_finish. */
#include <errno.h>
#include <stdlib.h>

#include "lib/err.h"
#include "lib/name.h"

#include "daemon/control/query.h"
#include "daemon/control/slugs.h"
#include "daemon/control/store.h"

#define SLUG_COLUMNS                                                                               \
	"app_id, number, state, sha256, bytes, commit_id, buildpacks, has_profile, created_ms"

static void
slug_of_row(struct query *q, void *row)
{
	struct slug *slug = row;

	slug->app_id = query_int(q, 0);
	slug->number = query_u32(q, 1);
	slug->state = (enum slug_state)query_int(q, 2);
	query_text(q, 3, slug->sha256, sizeof(slug->sha256));
	slug->bytes = (uint64_t)query_int(q, 4);
	query_text(q, 5, slug->commit, sizeof(slug->commit));
	query_text(q, 6, slug->buildpacks, sizeof(slug->buildpacks));
	slug->has_profile = query_int(q, 7) != 0;
	slug->created_ms = query_int(q, 8);
}

int
slugs_allot(struct store *store, int64_t app_id, const char *commit, uint32_t *number,
	    struct err *err)
{
	struct query q;

	*number = 0;
	query_begin(&q, store,
		    "INSERT INTO slugs (app_id, number, state, commit_id, created_ms)"
		    " SELECT ?1, ifnull(max(number), 0) + 1, 0, ?2, ?3 FROM slugs WHERE app_id = ?1"
		    " RETURNING number");
	query_put_int(&q, 1, app_id);
	query_put_text(&q, 2, commit);
	query_put_int(&q, 3, store_now_ms(store));
	if (query_row(&q))
		*number = query_u32(&q, 0);
	return query_run(&q, err);
}

static int
insert_type(struct store *store, const struct slug *slug, size_t ordinal,
	    const struct process_type *type, struct err *err)
{
	struct query q;
	const char *wrong = name_check_type(type->name);

	if (wrong)
		return err_say(err, -EINVAL, "%s", wrong);
	query_begin(&q, store,
		    "INSERT INTO process_types (app_id, slug, ordinal, name, command)"
		    " VALUES (?1, ?2, ?3, ?4, ?5)");
	query_put_int(&q, 1, slug->app_id);
	query_put_int(&q, 2, slug->number);
	query_put_int(&q, 3, (int64_t)ordinal);
	query_put_text(&q, 4, type->name);
	query_put_text(&q, 5, type->command);
	return query_run(&q, err);
}

static int
finish(struct store *store, const struct slug *slug, const struct process_type *types, size_t n,
       struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "UPDATE slugs SET state = 1, sha256 = ?3, bytes = ?4, buildpacks = ?5,"
		    " has_profile = ?6 WHERE app_id = ?1 AND number = ?2 AND state = 0");
	query_put_int(&q, 1, slug->app_id);
	query_put_int(&q, 2, slug->number);
	query_put_text(&q, 3, slug->sha256);
	query_put_int(&q, 4, (int64_t)slug->bytes);
	query_put_text(&q, 5, slug->buildpacks);
	query_put_int(&q, 6, slug->has_profile);
	code = query_run(&q, err);
	if (code == 0 && q.n_changed == 0)
		return err_say(err, -ENOENT, "There is no unfinished slug %u.", slug->number);
	for (size_t i = 0; code == 0 && i < n; i++)
		code = insert_type(store, slug, i, &types[i], err);
	return code;
}

int
slugs_finish(struct store *store, const struct slug *slug, const struct process_type *types,
	     size_t n, struct err *err)
{
	int code = store_begin(store, err);

	if (code < 0)
		return code;
	code = finish(store, slug, types, n, err);
	return query_finish(store, code, err);
}

int
slugs_find(struct store *store, int64_t app_id, uint32_t number, struct slug *slug, struct err *err)
{
	struct query q;
	bool found = false;
	int code;

	*slug = (struct slug){0};
	query_begin(&q, store,
		    "SELECT " SLUG_COLUMNS " FROM slugs WHERE app_id = ?1 AND number = ?2");
	query_put_int(&q, 1, app_id);
	query_put_int(&q, 2, number);
	if (query_row(&q)) {
		slug_of_row(&q, slug);
		found = true;
	}
	code = query_end(&q, err);
	if (code == 0 && !found)
		return err_say(err, -ENOENT, "There is no slug %u.", number);
	return code;
}

int
slugs_types(struct store *store, int64_t app_id, uint32_t number, struct process_type **types,
	    size_t *n, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "SELECT name, command FROM process_types WHERE app_id = ?1 AND slug = ?2"
		    " ORDER BY ordinal");
	query_put_int(&q, 1, app_id);
	query_put_int(&q, 2, number);
	*types = query_pairs(&q, n, &code, err);
	return code;
}

static void
number_of_row(struct query *q, void *row)
{
	uint32_t *number = row;

	*number = query_u32(q, 0);
}

int
slugs_list_unneeded(struct store *store, int64_t app_id, size_t keep, uint32_t **numbers, size_t *n,
		    struct err *err)
{
	struct query q;
	int code;

	query_begin(
		&q, store,
		"SELECT s.number FROM slugs s WHERE s.app_id = ?1 AND s.state = 1 AND NOT EXISTS"
		" (SELECT 1 FROM releases r WHERE r.app_id = ?1 AND r.slug = s.number AND"
		" (r.status = 0 OR r.version = (SELECT release FROM apps WHERE id = ?1) OR"
		" r.version IN (SELECT version FROM releases WHERE app_id = ?1 AND status = 1"
		" ORDER BY version DESC LIMIT ?2))) ORDER BY s.number");
	query_put_int(&q, 1, app_id);
	query_put_int(&q, 2, (int64_t)keep);
	*numbers = query_list(&q, sizeof(**numbers), number_of_row, n, &code, err);
	return code;
}

int
slugs_list_building(struct store *store, struct slug **slugs, size_t *n, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "SELECT " SLUG_COLUMNS " FROM slugs WHERE state = 0 ORDER BY app_id, number");
	*slugs = query_list(&q, sizeof(**slugs), slug_of_row, n, &code, err);
	return code;
}

int
slugs_mark_removed(struct store *store, int64_t app_id, uint32_t number, struct err *err)
{
	struct query q;

	query_begin(&q, store, "UPDATE slugs SET state = 2 WHERE app_id = ?1 AND number = ?2");
	query_put_int(&q, 1, app_id);
	query_put_int(&q, 2, number);
	return query_run(&q, err);
}

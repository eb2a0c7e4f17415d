/* A build's row begins with the push and is ended exactly once. */
#include <stdlib.h>

#include "lib/err.h"

#include "daemon/control/builds.h"
#include "daemon/control/query.h"
#include "daemon/control/store.h"

#define FAILURE_MAX (sizeof(((struct build_row *)0)->failure) - 1)

static const char *const status_names[] = {"pending", "succeeded", "failed"};

const char *
build_status_name(enum build_status status)
{
	return status_names[status];
}

static void
build_of_row(struct query *q, void *row)
{
	struct build_row *build = row;

	build->app_id = query_int(q, 0);
	build->number = query_u32(q, 1);
	build->status = (enum build_status)query_int(q, 2);
	query_text(q, 3, build->user, sizeof(build->user));
	query_text(q, 4, build->commit, sizeof(build->commit));
	query_text(q, 5, build->failure, sizeof(build->failure));
	build->release = query_u32(q, 6);
	build->started_ms = query_int(q, 7);
	build->ended_ms = query_int(q, 8);
}

int
builds_start(struct store *store, int64_t app_id, const char *commit, const char *user,
	     uint32_t *number, struct err *err)
{
	struct query q;

	*number = 0;
	query_begin(&q, store,
		    "INSERT INTO builds (app_id, number, status, user, commit_id, started_ms)"
		    " SELECT ?1, ifnull(max(number), 0) + 1, 0, ?2, ?3, ?4 FROM builds"
		    " WHERE app_id = ?1 RETURNING number");
	query_put_int(&q, 1, app_id);
	query_put_text(&q, 2, user);
	query_put_text(&q, 3, commit);
	query_put_int(&q, 4, store_now_ms(store));
	if (query_row(&q))
		*number = query_u32(&q, 0);
	return query_run(&q, err);
}

int
builds_end(struct store *store, int64_t app_id, uint32_t number, uint32_t release,
	   const char *failure, struct err *err)
{
	struct query q;

	query_begin(&q, store,
		    "UPDATE builds SET status = ?3, release = ?4, failure = ?5,"
		    " ended_ms = ?6 WHERE app_id = ?1 AND number = ?2 AND status = 0");
	query_put_int(&q, 1, app_id);
	query_put_int(&q, 2, number);
	query_put_int(&q, 3, failure ? BUILD_ROW_FAILED : BUILD_ROW_SUCCEEDED);
	query_put_int(&q, 4, release);
	query_put_text_cut(&q, 5, failure ? failure : "", FAILURE_MAX);
	query_put_int(&q, 6, store_now_ms(store));
	return query_run(&q, err);
}

int
builds_fail_pending(struct store *store, const char *failure, struct err *err)
{
	struct query q;

	query_begin(&q, store,
		    "UPDATE builds SET status = 2, failure = ?1, ended_ms = ?2"
		    " WHERE status = 0");
	query_put_text_cut(&q, 1, failure, FAILURE_MAX);
	query_put_int(&q, 2, store_now_ms(store));
	return query_run(&q, err);
}

int
builds_list(struct store *store, int64_t app_id, size_t max, struct build_row **builds, size_t *n,
	    struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "SELECT app_id, number, status, user, commit_id, failure, release, started_ms,"
		    " ended_ms FROM builds WHERE app_id = ?1 ORDER BY number DESC LIMIT ?2");
	query_put_int(&q, 1, app_id);
	query_put_int(&q, 2, (int64_t)max);
	*builds = query_list(&q, sizeof(**builds), build_of_row, n, &code, err);
	return code;
}

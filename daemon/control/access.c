/* Rights are ordered, so the larger of the global one and the app's one is what holds. */
#include <errno.h>
#include <string.h>

#include "lib/err.h"
#include "lib/name.h"

#include "daemon/control/access.h"
#include "daemon/control/apps.h"
#include "daemon/control/query.h"
#include "daemon/control/store.h"
#include "daemon/control/users.h"

static const char *const names[] = {"none", "read", "deploy", "admin"};

const char *
right_name(enum right right)
{
	return names[right];
}

int
right_parse(const char *text, enum right *right, struct err *err)
{
	for (enum right r = RIGHT_READ; r <= RIGHT_ADMIN; r++) {
		if (strcmp(text, names[r]) == 0) {
			*right = r;
			return 0;
		}
	}
	return err_say(err, -EINVAL, "There is no role %.40s; it is one of read, deploy, admin.",
		       text);
}

int
access_right(struct store *store, const char *user, int64_t app_id, enum right *right,
	     struct err *err)
{
	struct query q;

	*right = RIGHT_NONE;
	if (strcmp(user, "root") == 0) {
		*right = RIGHT_ADMIN;
		return 0;
	}
	query_begin(&q, store,
		    "SELECT max(u.\"right\", ifnull((SELECT x.\"right\" FROM access x"
		    " WHERE x.app_id = ?2 AND x.user_id = u.id), 0))"
		    " FROM users u WHERE u.name = ?1");
	query_put_text(&q, 1, user);
	query_put_int(&q, 2, app_id);
	if (query_row(&q))
		*right = (enum right)query_int(&q, 0);
	return query_end(&q, err);
}

int
access_check(struct store *store, const char *user, const struct app *app, enum right need,
	     struct err *err)
{
	enum right have;
	int code = access_right(store, user, app ? app->id : 0, &have, err);

	if (code < 0)
		return code;
	if (have >= need)
		return 0;
	if (app && have == RIGHT_NONE)
		return err_say(err, -ENOENT, "There is no app %s.", app->name);
	if (app)
		return err_say(err, -EACCES,
			       "%s has the role %s on %s; this needs the role %s there.", user,
			       right_name(have), app->name, right_name(need));
	if (have == RIGHT_NONE)
		return err_say(err, -EACCES,
			       "%s has no role on the platform; this needs the role %s on it.",
			       user, right_name(need));
	return err_say(err, -EACCES, "%s has the role %s; this needs the role %s on all apps.",
		       user, right_name(have), right_name(need));
}

int
access_open_git(struct store *store, const char *user, const char *name, enum right need,
		struct app *app, int *may_create, struct err *err)
{
	struct err ignored;
	int code;

	if (may_create)
		*may_create = 0;
	code = apps_find(store, name, app, err);
	if (code == 0)
		return access_check(store, user, app, need, err);
	if (code != -ENOENT || !may_create)
		return code;
	/* A name that cannot be an app's was already told what is wrong with it. */
	if (name_check_app(name))
		return -EINVAL;
	code = access_check(store, user, NULL, RIGHT_DEPLOY, &ignored);
	if (code == -EACCES)
		return err_say(err, -ENOENT,
			       "There is no app %s, and creating one needs the role deploy.", name);
	if (code < 0) {
		*err = ignored;
		return code;
	}
	*may_create = 1;
	return 0;
}

static void
access_of_row(struct query *q, void *row)
{
	struct access *access = row;
	enum right global, local;

	query_text(q, 0, access->user, sizeof(access->user));
	global = (enum right)query_int(q, 1);
	local = (enum right)query_int(q, 2);
	access->is_global = global >= local;
	access->right = global >= local ? global : local;
}

int
access_list(struct store *store, int64_t app_id, struct access **list, size_t *n, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "SELECT u.name, u.\"right\", ifnull(x.\"right\", 0) FROM users u"
		    " LEFT JOIN access x ON x.user_id = u.id AND x.app_id = ?1"
		    " WHERE u.\"right\" > 0 OR x.\"right\" > 0 ORDER BY u.name");
	query_put_int(&q, 1, app_id);
	*list = query_list(&q, sizeof(**list), access_of_row, n, &code, err);
	return code;
}

int
access_put(struct store *store, int64_t app_id, const char *user, enum right right, struct err *err)
{
	struct query q;
	struct user who;
	int code;

	if (right == RIGHT_NONE)
		return err_say(err, -EINVAL, "A role is one of read, deploy, admin.");
	code = users_find(store, user, &who, err);
	if (code < 0)
		return code;
	query_begin(&q, store,
		    "INSERT INTO access (app_id, user_id, \"right\") VALUES (?1, ?2, ?3)"
		    " ON CONFLICT (app_id, user_id) DO UPDATE SET \"right\" = ?3");
	query_put_int(&q, 1, app_id);
	query_put_int(&q, 2, who.id);
	query_put_int(&q, 3, right);
	return query_run(&q, err);
}

int
access_remove(struct store *store, int64_t app_id, const char *user, struct err *err)
{
	struct query q;
	struct user who;
	int code = users_find(store, user, &who, err);

	if (code < 0)
		return code;
	query_begin(&q, store, "DELETE FROM access WHERE app_id = ?1 AND user_id = ?2");
	query_put_int(&q, 1, app_id);
	query_put_int(&q, 2, who.id);
	code = query_run(&q, err);
	if (code < 0 || q.n_changed > 0)
		return code;
	if (who.right > RIGHT_NONE)
		return err_say(err, -ENOENT,
			       "%s has no role on this app alone but the role %s on all apps.",
			       user, right_name(who.right));
	return err_say(err, -ENOENT, "%s has no role on this app.", user);
}

/* Users are made by their first key (keys.c) and go with their last one. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/err.h"
#include "lib/name.h"

#include "daemon/control/query.h"
#include "daemon/control/store.h"
#include "daemon/control/users.h"

static void
user_of_row(struct query *q, void *row)
{
	struct user *user = row;

	user->id = query_int(q, 0);
	query_text(q, 1, user->name, sizeof(user->name));
	user->right = (enum right)query_int(q, 2);
	user->created_ms = query_int(q, 3);
}

int
users_find(struct store *store, const char *name, struct user *user, struct err *err)
{
	struct query q;
	bool found = false;
	int code;

	*user = (struct user){0};
	query_begin(&q, store, "SELECT id, name, \"right\", created_ms FROM users WHERE name = ?1");
	query_put_text(&q, 1, name);
	if (query_row(&q)) {
		user_of_row(&q, user);
		found = true;
	}
	code = query_end(&q, err);
	if (code == 0 && !found)
		return err_say(err, -ENOENT, "There is no user %.64s; add a key to make one.",
			       name);
	return code;
}

int
users_list(struct store *store, struct user **users, size_t *n, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store, "SELECT id, name, \"right\", created_ms FROM users ORDER BY name");
	*users = query_list(&q, sizeof(**users), user_of_row, n, &code, err);
	return code;
}

int
users_count(struct store *store, enum right right, size_t *n, struct err *err)
{
	struct query q;

	*n = 0;
	query_begin(&q, store, "SELECT count(*) FROM users WHERE \"right\" >= ?1");
	query_put_int(&q, 1, right);
	if (query_row(&q))
		*n = (size_t)query_int(&q, 0);
	return query_end(&q, err);
}

static int
insert_user(struct store *store, const char *name, enum right right, struct err *err)
{
	struct query q;
	const char *wrong = name_check_user(name);

	if (wrong)
		return err_say(err, -EINVAL, "%s", wrong);
	if (strcmp(name, "root") == 0)
		return err_say(err, -EINVAL,
			       "root is whoever has the control socket; choose another name.");
	query_begin(&q, store,
		    "INSERT INTO users (name, \"right\", created_ms) VALUES (?1, ?2, ?3)");
	query_put_text(&q, 1, name);
	query_put_int(&q, 2, right);
	query_put_int(&q, 3, store_now_ms(store));
	return query_run(&q, err);
}

static int
change_right(struct store *store, const struct user *user, enum right right, struct err *err)
{
	struct query q;
	size_t n_admins;
	int code;

	if (user->right == RIGHT_ADMIN && right < RIGHT_ADMIN) {
		code = users_count(store, RIGHT_ADMIN, &n_admins, err);
		if (code < 0)
			return code;
		if (n_admins == 1)
			return err_say(err, -EINVAL,
				       "%s is the only admin; make somebody else admin first.",
				       user->name);
	}
	query_begin(&q, store, "UPDATE users SET \"right\" = ?2 WHERE id = ?1");
	query_put_int(&q, 1, user->id);
	query_put_int(&q, 2, right);
	return query_run(&q, err);
}

int
users_put(struct store *store, const char *name, enum right right, struct err *err)
{
	struct user user;
	int code = store_begin(store, err);

	if (code < 0)
		return code;
	code = users_find(store, name, &user, err);
	if (code == 0)
		code = change_right(store, &user, right, err);
	else if (code == -ENOENT)
		code = insert_user(store, name, right, err);
	return query_finish(store, code, err);
}

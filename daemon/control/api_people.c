/* Users, their keys, and who may do what on an app. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/api_request.h"
#include "daemon/control/ident.h"
#include "daemon/control/keys.h"
#include "daemon/control/store.h"
#include "daemon/control/users.h"

static int
is_admin(struct api_request *r, bool *admin, struct err *err)
{
	enum right right;
	int code = access_right(r->store, r->user, 0, &right, err);

	*admin = right == RIGHT_ADMIN;
	return code;
}

/* An optional "role". */
static int
read_right(const json_t *body, enum right *right, struct err *err)
{
	const char *text;
	int code = json_text(body, "role", 0, &text, err);

	*right = RIGHT_NONE;
	if (code < 0 || !text)
		return code;
	return right_parse(text, right, err);
}

/* ---- users ------------------------------------------------------------------------------- */

/* Admins see everybody, others themselves. */
int
api_users_list(struct api_request *r, struct err *err)
{
	AUTO_FREE struct user *users = NULL;
	json_t *list;
	size_t n;
	bool admin;
	int code = is_admin(r, &admin, err);

	if (code == 0)
		code = users_list(r->store, &users, &n, err);
	if (code != 0)
		return code;
	list = json_array();
	for (size_t i = 0; i < n; i++) {
		char id[IDENT_TEXT_MAX];

		if (!admin && strcmp(users[i].name, r->user) != 0)
			continue;
		json_add(&list, json_pack("{s:s, s:s, s:s, s:s, s:o}", "id",
					  ident_text(IDENT_USER, 0, (uint64_t)users[i].id, id),
					  "email", users[i].name, "name", users[i].name, "role",
					  right_name(users[i].right), "created_at",
					  json_time(users[i].created_ms)));
	}
	return reply(r, 200, list);
}

/* ---- keys -------------------------------------------------------------------------------- */

static json_t *
json_of_key(const struct key *key, enum right right)
{
	char id[IDENT_TEXT_MAX], line[sizeof(key->type) + sizeof(key->blob) + 2];

	(void)snprintf(line, sizeof(line), "%s %s", key->type, key->blob);
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o}", "id",
			 ident_text(IDENT_KEY, 0, (uint64_t)key->id, id), "name", key->user,
			 "email", key->user, "fingerprint", key->fingerprint, "comment",
			 json_safe(key->comment), "public_key", line, "role", right_name(right),
			 "created_at", json_time(key->added_ms), "updated_at",
			 json_time(key->added_ms));
}

int
api_keys_list(struct api_request *r, struct err *err)
{
	AUTO_FREE struct key *keys = NULL;
	json_t *list;
	size_t n;
	bool admin;
	int code = is_admin(r, &admin, err);

	if (code == 0)
		code = keys_list(r->store, &keys, &n, err);
	if (code < 0)
		return code;
	list = json_array();
	for (size_t i = 0; code == 0 && i < n; i++) {
		enum right right;

		if (!admin && strcmp(keys[i].user, r->user) != 0)
			continue;
		code = access_right(r->store, keys[i].user, 0, &right, err);
		json_add(&list, json_of_key(&keys[i], right));
	}
	if (code < 0) {
		json_decref(list);
		return code;
	}
	return reply(r, 200, list);
}

struct key_order {
	const char *name, *line, *app_name;
	enum right right;
	struct app app; /* id 0: on all apps */
};

static int
read_key_order(struct api_request *r, struct key_order *order, struct err *err)
{
	int code = json_text(r->body, "name", 1, &order->name, err);

	if (code == 0)
		code = json_text(r->body, "public_key", 1, &order->line, err);
	if (code == 0)
		code = json_text(r->body, "app", 0, &order->app_name, err);
	if (code == 0)
		code = read_right(r->body, &order->right, err);
	if (code == 0 && order->app_name)
		code = apps_find(r->store, order->app_name, &order->app, err);
	return code;
}

/*
 * Admins may add any key. An app's admin may let a new person in to that app, but a key for a
 * person who exists would be that person's whole identity. Everybody may add keys of their own.
 */
static int
may_add_key(struct api_request *r, const struct key_order *order, struct err *err)
{
	struct user user;
	struct err ignored;
	bool admin;
	int code = is_admin(r, &admin, err);

	if (code < 0 || admin)
		return code;
	if (strcmp(order->name, r->user) == 0 && !order->app_name && order->right == RIGHT_NONE)
		return 0;
	if (!order->app_name)
		return access_check(r->store, r->user, NULL, RIGHT_ADMIN, err);
	code = access_check(r->store, r->user, &order->app, RIGHT_ADMIN, err);
	if (code < 0)
		return code;
	code = users_find(r->store, order->name, &user, &ignored);
	if (code == 0)
		return err_say(err, -EACCES,
			       "%s exists already, and only an admin of the platform adds keys "
			       "for others; give them a role on %s instead.",
			       order->name, order->app.name);
	return code == -ENOENT ? 0 : code;
}

int
api_keys_add(struct api_request *r, struct err *err)
{
	struct key_order order = {0};
	struct key key = {0};
	enum right right = RIGHT_NONE;
	const char *app;
	int code = read_key_order(r, &order, err);

	if (code == 0)
		code = may_add_key(r, &order, err);
	if (code == 0)
		code = store_begin(r->store, err);
	if (code < 0)
		return code;
	app = order.app_name ? order.app.name : NULL;
	code = keys_add(r->store, order.name, order.line, order.right, order.app.id, &key, err);
	if (code == 0)
		code = access_right(r->store, order.name, order.app.id, &right, err);
	code = api_commit(r, app, code, err, "Add key %s of %s", key.fingerprint, key.user);
	return code < 0 ? code : reply(r, 201, json_of_key(&key, right));
}

/* The fingerprint behind one of our ids; what is none is left as it is. */
static int
resolve_key(struct api_request *r, const char *which, char *out, size_t cap, struct err *err)
{
	AUTO_FREE struct key *keys = NULL;
	int64_t app_id;
	uint64_t number;
	size_t n;
	int code;

	(void)snprintf(out, cap, "%s", which);
	if (!ident_parse(which, IDENT_KEY, &app_id, &number))
		return 0;
	code = keys_list(r->store, &keys, &n, err);
	for (size_t i = 0; code == 0 && i < n; i++) {
		if ((uint64_t)keys[i].id == number)
			(void)snprintf(out, cap, "%s", keys[i].fingerprint);
	}
	return code;
}

/* Admins may remove any key, others their own. */
static int
may_remove_key(struct api_request *r, const char *which, struct err *err)
{
	AUTO_FREE struct key *keys = NULL;
	size_t n;
	bool admin;
	int code = is_admin(r, &admin, err);

	if (code < 0 || admin)
		return code;
	code = keys_list(r->store, &keys, &n, err);
	for (size_t i = 0; code == 0 && i < n; i++) {
		if (strcmp(keys[i].user, r->user) == 0 && strcmp(keys[i].fingerprint, which) == 0)
			return 0;
	}
	if (code < 0)
		return code;
	return err_say(err, -EACCES,
		       "That is no key of yours, and only an admin removes other people's.");
}

int
api_key_remove(struct api_request *r, struct err *err)
{
	char which[API_MAX_PATH + 1];
	size_t n_removed = 0;
	int code = resolve_key(r, r->args[0], which, sizeof(which), err);

	if (code == 0)
		code = may_remove_key(r, which, err);
	if (code == 0)
		code = store_begin(r->store, err);
	if (code < 0)
		return code;
	code = keys_remove(r->store, which, strcmp(r->user, "root") == 0, &n_removed, err);
	code = api_commit(r, NULL, code, err, "Remove %zu key%s: %.100s", n_removed,
			  n_removed == 1 ? "" : "s", which);
	if (code < 0)
		return code;
	return reply(r, 200, json_pack("{s:I}", "removed", (json_int_t)n_removed));
}

/* ---- collaborators ----------------------------------------------------------------------- */

static json_t *
json_of_access(const struct api_request *r, const struct access *access)
{
	return json_pack("{s:s, s:o, s:o, s:s, s:b}", "id", access->user, "app",
			 json_app_ref(&r->app), "user", json_user_ref(access->user), "role",
			 right_name(access->right), "on_all_apps", access->is_global);
}

int
api_collaborators_list(struct api_request *r, struct err *err)
{
	AUTO_FREE struct access *list = NULL;
	json_t *out;
	size_t n;
	int code = access_list(r->store, r->app.id, &list, &n, err);

	if (code < 0)
		return code;
	out = json_array();
	for (size_t i = 0; i < n; i++)
		json_add(&out, json_of_access(r, &list[i]));
	return reply(r, 200, out);
}

int
api_collaborators_add(struct api_request *r, struct err *err)
{
	struct access access = {0};
	const char *user;
	int code = json_text(r->body, "user", 1, &user, err);

	if (code == 0)
		code = read_right(r->body, &access.right, err);
	if (code < 0)
		return code;
	if (access.right == RIGHT_NONE)
		access.right = RIGHT_DEPLOY;
	code = store_begin(r->store, err);
	if (code < 0)
		return code;
	code = access_put(r->store, r->app.id, user, access.right, err);
	code = api_commit(r, r->app.name, code, err, "Give %.64s the role %s", user,
			  right_name(access.right));
	if (code < 0)
		return code;
	(void)snprintf(access.user, sizeof(access.user), "%s", user);
	return reply(r, 201, json_of_access(r, &access));
}

int
api_collaborator_remove(struct api_request *r, struct err *err)
{
	struct access access = {0};
	int code = store_begin(r->store, err);

	if (code < 0)
		return code;
	code = access_remove(r->store, r->app.id, r->args[0], err);
	code = api_commit(r, r->app.name, code, err, "Take the role of %.64s", r->args[0]);
	if (code < 0)
		return code;
	(void)snprintf(access.user, sizeof(access.user), "%.64s", r->args[0]);
	return reply(r, 200, json_of_access(r, &access));
}

/* Who may do what: a right on all apps, or on one. The larger of the two counts. */
#ifndef CONTROL_ACCESS_H
#define CONTROL_ACCESS_H

#include <stddef.h>
#include <stdint.h>

struct app;
struct err;
struct store;

enum right {
	RIGHT_NONE,
	RIGHT_READ,   /* look, logs, clone */
	RIGHT_DEPLOY, /* push, create apps, config, scale, run, restart, rollback, domains */
	RIGHT_ADMIN,  /* destroy, access, keys */
};

/* "read", "deploy", "admin"; RIGHT_NONE is "none". */
const char *right_name(enum right right);
/* 0 or -EINVAL with a sentence. */
int right_parse(const char *text, enum right *right, struct err *err);

/* The right of a user on an app, or on the platform when `app_id` is 0. "root" has all; an
 * unknown user none. 0 or a failure of the store. */
int access_right(struct store *store, const char *user, int64_t app_id, enum right *right,
		 struct err *err);
/* 0 when the user has at least `need`; -EACCES with a sentence ("You need ..."); or -ENOENT,
 * when the user may not even know that the app exists. */
int access_check(struct store *store, const char *user, const struct app *app, enum right need,
		 struct err *err);
/* May the user push to this app, or clone it? Fills `app`; for a push to an app that does not
 * exist, *create is set when the user may create it (then `app` is untouched and 0 returned).
 * -EACCES, -ENOENT, -EINVAL (name) with a sentence. `create` NULL: never. */
int access_open_git(struct store *store, const char *user, const char *name, enum right need,
		    struct app *app, int *create, struct err *err);

struct access {
	char user[65];
	enum right right;
	int is_global; /* comes from the user's right on all apps */
};

/* Everybody who has a right on the app, by name. */
int access_list(struct store *store, int64_t app_id, struct access **list, size_t *n,
		struct err *err);
/* Gives an existing user a right on one app. -ENOENT: no such user. */
int access_put(struct store *store, int64_t app_id, const char *user, enum right right,
	       struct err *err);
int access_remove(struct store *store, int64_t app_id, const char *user, struct err *err);

#endif

/*
 * Apps and their host ids. A removed app keeps its name and ids reserved until its files are
 * gone: apps_remove, then APP_REMOVE by paasd, then apps_forget.
 */
#ifndef CONTROL_APPS_H
#define CONTROL_APPS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/sandbox.h"

struct err;
struct store;

#define USER_NAME_MAX 64

struct app {
	int64_t id; /* never used again */
	char name[APP_NAME_MAX + 1];
	char owner[USER_NAME_MAX + 1]; /* whoever created it; "root" on the server */
	uint32_t run_uid, build_uid;
	uint32_t release; /* the version in force; 0: none has ever been */
	int64_t created_ms, updated_ms;
	int64_t released_ms; /* of `release`; 0 */
};

/* Creates the app and v1 "Initial release". A user who is not root becomes admin of it.
 * -EINVAL: name, -EEXIST: taken, or still being removed. */
int apps_create(struct store *store, const char *name, const char *owner, struct app *app,
		struct err *err);
/* By name, or by the id the API shows. -ENOENT. */
int apps_find(struct store *store, const char *name, struct app *app, struct err *err);
int apps_get(struct store *store, int64_t id, struct app *app, struct err *err);
/* All, by name. */
int apps_list(struct store *store, struct app **apps, size_t *n, struct err *err);
/* Those the user may at least read, by name. */
int apps_list_of(struct store *store, const char *user, struct app **apps, size_t *n,
		 struct err *err);
/* Forgets the app with all that belongs to it but the name and the ids. */
int apps_remove(struct store *store, int64_t id, struct err *err);
/* Removed apps whose files may still exist; only id, name and the uids are filled. */
int apps_list_removed(struct store *store, struct app **apps, size_t *n, struct err *err);
/* The files are gone: name and ids are free. A missing one is fine. */
int apps_forget(struct store *store, const char *name, struct err *err);

#endif

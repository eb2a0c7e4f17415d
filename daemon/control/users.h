/* Persons and machines with keys. "root" is not stored: it is who has the control socket. */
#ifndef CONTROL_USERS_H
#define CONTROL_USERS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/control/access.h"
#include "daemon/control/apps.h"

struct err;
struct store;

struct user {
	int64_t id;
	char name[USER_NAME_MAX + 1];
	enum right right; /* on every app; RIGHT_NONE: only where access says so */
	int64_t created_ms;
};

int users_find(struct store *store, const char *name, struct user *user, struct err *err);
int users_list(struct store *store, struct user **users, size_t *n, struct err *err);
/* How many users have at least this right on all apps; RIGHT_NONE counts everybody. */
int users_count(struct store *store, enum right right, size_t *n, struct err *err);
/* Creates the user, or sets the global right of the one that is there. The last global admin
 * keeps being one (-EINVAL). */
int users_put(struct store *store, const char *name, enum right right, struct err *err);

#endif

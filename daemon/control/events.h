/* The audit trail: who did what, when, to which app. Only ever appended to. */
#ifndef CONTROL_EVENTS_H
#define CONTROL_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/control/apps.h"

struct err;
struct store;

struct event {
	int64_t id, time_ms;
	char user[USER_NAME_MAX + 1];
	char app[APP_NAME_MAX + 1]; /* "": the platform */
	char text[256];
};

/* `app` may be NULL. Too long a text is cut. */
int events_add(struct store *store, const char *user, const char *app, const char *text,
	       struct err *err);
/* The newest `max` of an app, or of all when NULL; newest first. */
int events_list(struct store *store, const char *app, size_t max, struct event **events, size_t *n,
		struct err *err);

#endif

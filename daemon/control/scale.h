/* How many instances of each process type an app is to have. */
#ifndef CONTROL_SCALE_H
#define CONTROL_SCALE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct store;

#define SCALE_MAX 100 /* instances of an app */
#define PROCESS_TYPE_MAX 63

struct scale {
	char type[PROCESS_TYPE_MAX + 1];
	unsigned quantity;
};

struct scale_update {
	const char *type;
	const char *quantity; /* "2", "+1", "-1" */
};

/* By type, web first. All types of the slug in force, and only those, once scale_follow ran. */
int scale_list(struct store *store, int64_t app_id, struct scale **list, size_t *n,
	       struct err *err);
/* All updates or none. -EINVAL with a sentence: no such type, not a number, below 0, too many. */
int scale_change(struct store *store, int64_t app_id, const struct scale_update *updates, size_t n,
		 struct err *err);
/*
 * The quantities that hold once a release with this slug is in force: gone types go, new ones
 * begin at 0; on an app's first slug web begins at 1. "release" is never among them.
 * scale_preview only looks (to know what to start before the switch); scale_follow makes it so,
 * and releases_settle calls it.
 */
int scale_preview(struct store *store, int64_t app_id, uint32_t slug, struct scale **list,
		  size_t *n, struct err *err);
int scale_follow(struct store *store, int64_t app_id, uint32_t slug, struct err *err);

#endif

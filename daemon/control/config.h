/*
 * Config vars. A set of them is immutable and shared by the releases that carry it; a change
 * makes a new set and a new release.
 */
#ifndef CONTROL_CONFIG_H
#define CONTROL_CONFIG_H

#include <stddef.h>
#include <stdint.h>

struct app;
struct err;
struct release;
struct store;

#define CONFIG_MAX_BYTES 65536 /* keys and values together */
#define CONFIG_MAX_VARS 1024

struct config_var {
	const char *key;
	const char *value; /* in a change, NULL: remove */
};

/* The vars of one set (0: the empty set), by key; strings lie in the same block. */
int config_load(struct store *store, int64_t config_id, struct config_var **vars, size_t *n,
		struct err *err);
/* Those in force for the next release: of the newest release that has not failed. */
int config_of_app(struct store *store, int64_t app_id, struct config_var **vars, size_t *n,
		  struct err *err);

/*
 * Applies all changes as one release "Set FOO, BAR config vars" (or "Remove ..."), pending when
 * the app has a slug and at once in force otherwise. Positive 1: nothing would change, no
 * release was made. -EINVAL: a key or the total size.
 */
int config_change(struct store *store, const struct app *app, const struct config_var *changes,
		  size_t n, const char *user, struct release *release, struct err *err);

#endif

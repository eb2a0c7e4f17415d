/* The buildpacks an app asked for, in order; none: detection decides. */
#ifndef CONTROL_BUILDPACKS_H
#define CONTROL_BUILDPACKS_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct store;

#define BUILDPACKS_MAX 16

struct buildpack {
	char name[64]; /* a folder of buildpacks/: [a-z0-9-] */
};

int buildpacks_list(struct store *store, int64_t app_id, struct buildpack **list, size_t *n,
		    struct err *err);
/* Replaces the list. "heroku/nodejs" counts as "nodejs"; URLs are refused. -EINVAL. */
int buildpacks_put(struct store *store, int64_t app_id, const char *const *names, size_t n,
		   struct err *err);

#endif

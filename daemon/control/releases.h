/*
 * Releases: immutable slug + config, numbered v1, v2, ... per app; numbers are never used again.
 * A release is born pending and later succeeds (and is then in force) or fails. One without
 * a slug has nothing to roll out and succeeds at birth.
 */
#ifndef CONTROL_RELEASES_H
#define CONTROL_RELEASES_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/control/apps.h"

struct err;
struct store;

enum release_status {
	RELEASE_PENDING,
	RELEASE_SUCCEEDED,
	RELEASE_FAILED,
};

enum release_kind {
	RELEASE_DEPLOY,
	RELEASE_CONFIG, /* carries the slug of what was before it; v1 is one without a slug */
	RELEASE_ROLLBACK,
};

struct release {
	int64_t app_id;
	uint32_t version;
	uint32_t slug;	   /* 0: none */
	int64_t config_id; /* for config_load */
	enum release_kind kind;
	enum release_status status;
	char description[256];
	char user[USER_NAME_MAX + 1];
	char commit[65]; /* of the slug; "" */
	int64_t created_ms, updated_ms;
};

/* Any release, for the modules of the store: app_id, kind, slug, config_id, description and user
 * are read, the rest is filled in. */
int releases_add(struct store *store, struct release *release, struct err *err);
/* A slug that was just built, with the app's config as it is now: "Deploy 1a2b3c4d". Pending. */
int releases_add_deploy(struct store *store, int64_t app_id, uint32_t slug, const char *commit,
			const char *user, struct release *release, struct err *err);
/* Slug and config of an earlier release as a new one, "Rollback to v10". Pending. -ENOENT: no
 * such version, -EINVAL: it has no slug any more, or failed; the sentence says what can be had. */
int releases_add_rollback(struct store *store, const struct app *app, uint32_t version,
			  const char *user, struct release *release, struct err *err);
/* Settles a pending release. Success makes it the one in force, unless a newer one is already,
 * and the app's quantities follow its process types. After a failure, pending config releases
 * that carry its slug carry that of the release in force instead. A settled one is left as it
 * is. */
int releases_settle(struct store *store, int64_t app_id, uint32_t version,
		    enum release_status status, struct err *err);
/* At start of control: the pushes behind pending deploys are gone, so these have failed. */
int releases_fail_deploys(struct store *store, struct err *err);
/* Of all apps, oldest first. At start these config changes and rollbacks are still to be rolled
 * out: they were acknowledged. */
int releases_list_pending(struct store *store, struct release **releases, size_t *n,
			  struct err *err);

int releases_find(struct store *store, int64_t app_id, uint32_t version, struct release *release,
		  struct err *err);
/* The newest that has not failed: what a config change builds on. */
int releases_newest(struct store *store, int64_t app_id, struct release *release, struct err *err);
/* At most `max` (0: all), newest first or oldest first, with versions in [first, last] (0: open).
 */
int releases_list(struct store *store, int64_t app_id, uint32_t first, uint32_t last,
		  int newest_first, size_t max, struct release **releases, size_t *n,
		  struct err *err);

const char *release_status_name(enum release_status status);

#endif

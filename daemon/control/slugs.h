/*
 * Slugs: packed builds, numbered per app. A number is allotted before the build starts, so a
 * file slugs/APP/N.tar.zst without a ready row is a left-over.
 */
#ifndef CONTROL_SLUGS_H
#define CONTROL_SLUGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct store;

enum slug_state {
	SLUG_BUILDING,
	SLUG_READY,
	SLUG_REMOVED, /* the files are gone, or are to go */
};

struct slug {
	int64_t app_id;
	uint32_t number;
	enum slug_state state;
	char sha256[65];
	uint64_t bytes;
	char commit[65];
	char buildpacks[512]; /* what detect said, separated by ", " */
	bool has_profile;
	int64_t created_ms;
};

struct process_type {
	const char *name;
	const char *command;
};

/* A new number in state SLUG_BUILDING. */
int slugs_allot(struct store *store, int64_t app_id, const char *commit, uint32_t *number,
		struct err *err);
/* The build succeeded: sha256, bytes, buildpacks and has_profile of `slug` (found by app_id and
 * number) and its process types are recorded; state becomes SLUG_READY. */
int slugs_finish(struct store *store, const struct slug *slug, const struct process_type *types,
		 size_t n, struct err *err);
/* -ENOENT. */
int slugs_find(struct store *store, int64_t app_id, uint32_t number, struct slug *slug,
	       struct err *err);
/* Process types in Procfile order; strings lie in the same block. */
int slugs_types(struct store *store, int64_t app_id, uint32_t number, struct process_type **types,
		size_t *n, struct err *err);
/* Ready slugs that neither the release in force, a pending one, nor one of the newest `keep`
 * that succeeded uses. A slug
 * finished just now is among them until its release is added. */
int slugs_list_unneeded(struct store *store, int64_t app_id, size_t keep, uint32_t **numbers,
			size_t *n, struct err *err);
/* Slugs still SLUG_BUILDING: at start those are left-overs. */
int slugs_list_building(struct store *store, struct slug **slugs, size_t *n, struct err *err);
int slugs_mark_removed(struct store *store, int64_t app_id, uint32_t number, struct err *err);

#endif

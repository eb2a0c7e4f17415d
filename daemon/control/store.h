/*
 * The platform's memory: one SQLite file in WAL mode with synchronous=FULL, so what was
 * answered survives kill -9 and power loss, and what was not answered is not there at all.
 * Only paas-control opens it, from one thread.
 *
 * What all modules on top of it (apps.h, users.h, keys.h, access.h, config.h, slugs.h,
 * releases.h, scale.h, domains.h, buildpacks.h, builds.h, events.h) have in common:
 *  - 0 is done; -ENOENT: no such thing, -EEXIST: taken already, -EINVAL: not acceptable,
 *    -EBUSY: not now, each with a sentence for the person who asked; anything else is a
 *    failure of the disk or of memory.
 *  - Every write is a transaction of its own, or part of the one store_begin opened.
 *  - Lists are one heap block each: free() it. An empty list is NULL with *n == 0.
 *  - Times are unix milliseconds.
 */
#ifndef CONTROL_STORE_H
#define CONTROL_STORE_H

#include <stdint.h>

struct err;
struct store;

/* Opens or creates `path` (relative is fine) and brings its schema up to date. `uid_base` is
 * the first host id to give to apps. 0 or a negative errno. */
int store_open(const char *path, uint32_t uid_base, struct store **store, struct err *err);
/* Rolls back what is open; NULL is fine. */
void store_close(struct store *store);

/* Several writes as one. Calls nest; the outermost pair counts, and a roll-back at any depth
 * makes the outermost commit a roll-back that returns -ECANCELED. */
int store_begin(struct store *store, struct err *err);
int store_commit(struct store *store, struct err *err);
void store_rollback(struct store *store);

int64_t store_now_ms(const struct store *store);
/* Tests set the clock; NULL: the real one. */
void store_set_clock(struct store *store, int64_t (*now_ms)(void));

/* Numbers that belong to no noun, such as "address.next". A missing one reads as `otherwise`. */
int store_get_number(struct store *store, const char *key, int64_t otherwise, int64_t *value,
		     struct err *err);
int store_put_number(struct store *store, const char *key, int64_t value, struct err *err);

#endif

/*
 * A note that a push has been released but git may not have set the ref yet. Written in the
 * transaction that makes the release the one in force and removed when receive-pack has ended
 * well, so whoever finds it sets the ref: the release counts.
 */
#ifndef CONTROL_PUSH_MARK_H
#define CONTROL_PUSH_MARK_H

#include <stdint.h>

struct err;
struct store;

/* For "refs/heads/main" or "refs/heads/master"; 0: no other deploys. */
int64_t push_mark_of(const char *ref, uint32_t version);
/* Back again; NULL: no such mark. */
const char *push_mark_ref(int64_t mark);
uint32_t push_mark_version(int64_t mark);
/* 0 removes it. 0 or a negative errno. */
int push_mark_set(struct store *store, int64_t app_id, int64_t mark, struct err *err);
int64_t push_mark_get(struct store *store, int64_t app_id);

#endif

/*
 * Which offset of the subnet belongs to which instance. Offsets go round: one that was given
 * back is not handed out again before all others were, so a router that still remembers an
 * old owner for a moment reaches nobody rather than somebody else. The place of the round is
 * saved in steps, so that this also holds across a restart of control.
 */
#ifndef CONTROL_ADDRESSES_H
#define CONTROL_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define ADDRESSES_FIRST 2u /* 0 is the subnet itself, 1 the gateway */
#define ADDRESSES_STEP 256u

/* Writes down where the next start of control shall begin. */
typedef void addresses_save_fn(void *user, uint32_t next);

struct addresses {
	uint32_t n;	 /* offsets ADDRESSES_FIRST .. ADDRESSES_FIRST + n - 1 */
	uint32_t next;	 /* index to try first */
	uint32_t n_free; /* indices that may be passed before the next save */
	uint32_t n_used;
	uint64_t *used; /* one bit each */
	addresses_save_fn *save;
	void *user;
};

/* `n` usable offsets, beginning at the index `saved` (0 at first). 0 or -ENOMEM. */
int addresses_init(struct addresses *a, uint32_t n, uint32_t saved, addresses_save_fn *save,
		   void *user);
void addresses_done(struct addresses *a);
/* The next free offset. 0, or -ENOSPC with a sentence. */
int addresses_take(struct addresses *a, uint32_t *offset, struct err *err);
/* That one is in use (an adopted instance). One outside of the subnet is left alone. */
void addresses_mark(struct addresses *a, uint32_t offset);
void addresses_give(struct addresses *a, uint32_t offset);
bool addresses_is_used(const struct addresses *a, uint32_t offset);

#endif

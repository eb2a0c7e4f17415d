/* One bit per offset and a place that only moves on. */
#include <errno.h>
#include <stdlib.h>

#include "lib/err.h"

#include "daemon/control/addresses.h"

static bool
bit_is_set(const struct addresses *a, uint32_t index)
{
	return (a->used[index / 64] >> (index % 64) & 1) != 0;
}

static bool
index_of(const struct addresses *a, uint32_t offset, uint32_t *index)
{
	*index = offset - ADDRESSES_FIRST;
	return offset >= ADDRESSES_FIRST && *index < a->n;
}

/* Steps on by one; passing the last saved place saves the next one first. */
static void
step(struct addresses *a)
{
	a->next = (a->next + 1) % a->n;
	if (a->n_free > 0) {
		a->n_free--;
		return;
	}
	a->n_free = ADDRESSES_STEP - 1;
	a->save(a->user, (a->next + ADDRESSES_STEP) % a->n);
}

int
addresses_init(struct addresses *a, uint32_t n, uint32_t saved, addresses_save_fn *save, void *user)
{
	*a = (struct addresses){.n = n, .next = n > 0 ? saved % n : 0, .save = save, .user = user};
	a->used = calloc(n / 64 + 1, sizeof(*a->used));
	return a->used == NULL ? -ENOMEM : 0;
}

void
addresses_done(struct addresses *a)
{
	free(a->used);
	*a = (struct addresses){0};
}

int
addresses_take(struct addresses *a, uint32_t *offset, struct err *err)
{
	if (a->n_used >= a->n)
		return err_say(err, -ENOSPC,
			       "all %u addresses of the subnet are in use; give paasd a larger one",
			       a->n);
	while (bit_is_set(a, a->next))
		step(a);
	*offset = a->next + ADDRESSES_FIRST;
	addresses_mark(a, *offset);
	step(a);
	return 0;
}

void
addresses_mark(struct addresses *a, uint32_t offset)
{
	uint32_t index;

	if (!index_of(a, offset, &index) || bit_is_set(a, index))
		return;
	a->used[index / 64] |= (uint64_t)1 << (index % 64);
	a->n_used++;
}

void
addresses_give(struct addresses *a, uint32_t offset)
{
	uint32_t index;

	if (!index_of(a, offset, &index) || !bit_is_set(a, index))
		return;
	a->used[index / 64] &= ~((uint64_t)1 << (index % 64));
	a->n_used--;
}

bool
addresses_is_used(const struct addresses *a, uint32_t offset)
{
	uint32_t index;

	return index_of(a, offset, &index) && bit_is_set(a, index);
}

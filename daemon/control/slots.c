/* Made anew from the store each time; what a slot remembers is carried over by its name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/core.h"
#include "daemon/control/rollout.h"
#include "daemon/control/scale.h"
#include "daemon/control/slots.h"

struct slot *
slots_find(struct live_app *app, const char *type, unsigned number)
{
	for (size_t i = 0; i < app->n_slots; i++)
		if (app->slots[i].number == number && strcmp(app->slots[i].type, type) == 0)
			return &app->slots[i];
	return NULL;
}

bool
slot_matches(const struct slot *slot, const char *which)
{
	char name[INSTANCE_NAME_MAX + 1];

	if (which[0] == '\0' || strcmp(which, slot->type) == 0)
		return true;
	(void)snprintf(name, sizeof(name), "%s.%u", slot->type, slot->number);
	return strcmp(which, name) == 0;
}

void
slots_free(struct live_app *app)
{
	free(app->slots);
	app->slots = NULL;
	app->n_slots = 0;
}

/* How many places of a type are in force now. */
static unsigned
count_of(const struct live_app *app, const char *type)
{
	unsigned n = 0;

	for (size_t i = 0; i < app->n_slots; i++)
		if (app->slots[i].batch != 0 && strcmp(app->slots[i].type, type) == 0)
			n++;
	return n;
}

/* A place as it was, or a new one; the caller says what it is for. */
static struct slot
slot_like(struct live_app *app, const char *type, unsigned number)
{
	const struct slot *old = slots_find(app, type, number);
	struct slot slot = {.number = number};

	if (old != NULL)
		slot = *old;
	else
		(void)snprintf(slot.type, sizeof(slot.type), "%s", type);
	slot.next_batch = slot.next_version = 0;
	return slot;
}

static size_t
add_scaled(struct live_app *app, const struct scale *scale, struct slot *slots)
{
	bool is_changed = count_of(app, scale->type) != scale->quantity;
	uint32_t batch = ++app->last_batch;

	for (unsigned i = 0; i < scale->quantity; i++) {
		slots[i] = slot_like(app, scale->type, i + 1);
		if (is_changed)
			slots[i].is_held = false;
		if (slots[i].batch != 0)
			continue;
		slots[i].batch = batch;
		slots[i].version = app->row.release;
	}
	return scale->quantity;
}

/* The candidates of a release that is being rolled out stand on the places of web that it will
 * have, which need not exist yet. */
static size_t
add_candidates(struct live_app *app, struct slot *slots, size_t n)
{
	const struct rollout *rollout = app->rollout;

	if (rollout == NULL || rollout->phase < ROLLOUT_STARTING)
		return n;
	if (rollout->is_restart) {
		/* A restart replaces what it chose when it began. */
		for (size_t i = 0; i < n; i++) {
			const struct slot *old = slots_find(app, slots[i].type, slots[i].number);

			if (old == NULL || old->next_batch != rollout->batch)
				continue;
			slots[i].next_batch = old->next_batch;
			slots[i].next_version = old->next_version;
		}
		return n;
	}
	for (unsigned number = 1; number <= rollout->n_web; number++) {
		size_t at = 0;

		while (at < n && (slots[at].number != number || strcmp(slots[at].type, "web") != 0))
			at++;
		if (at == n) {
			slots[n] = slot_like(app, "web", number);
			slots[n++].batch = 0;
		}
		slots[at].next_batch = rollout->batch;
		slots[at].next_version = rollout->version;
	}
	return n;
}

void
slots_sync(struct live_app *app)
{
	AUTO_FREE struct scale *scale = NULL;
	struct err err = {0};
	size_t n_scale = 0, n = 0, room = 1;

	if (app->slug != 0 &&
	    scale_list(app->live->store, app->row.id, &scale, &n_scale, &err) < 0) {
		log_line("%s: read the formation: %s", app->row.name, err.text);
		return;
	}
	for (size_t i = 0; i < n_scale; i++)
		room += scale[i].quantity;
	if (app->rollout != NULL)
		room += app->rollout->n_web;
	struct slot *slots = calloc(room, sizeof(*slots));

	if (slots == NULL) {
		log_line("%s: out of memory for the formation", app->row.name);
		return;
	}
	for (size_t i = 0; i < n_scale; i++)
		n += add_scaled(app, &scale[i], slots + n);
	n = add_candidates(app, slots, n);
	free(app->slots);
	app->slots = slots;
	app->n_slots = n;
}

/*
 * Linear probing over slots that keep their hash. A removed entry leaves a dead slot, so that
 * removal during a walk moves nothing; growth sweeps the dead ones out. Strings are hashed with
 * SipHash-1-3 under a random key: host names and the like are chosen by strangers.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "lib/map.h"

enum slot_state {
	SLOT_EMPTY,
	SLOT_DEAD,
	SLOT_STRING,
	SLOT_ID,
};

struct map_slot {
	uint64_t hash; /* for ids: of the id */
	union {
		char *key;
		uint64_t id;
	};
	void *value;
	enum slot_state state;
};

/* ---- hashing ----------------------------------------------------------------------------- */

static uint64_t secret[2];

static void
make_secret(void)
{
	struct timespec ts;

	if (secret[0] | secret[1])
		return;
	if (getrandom(secret, sizeof(secret), 0) == (ssize_t)sizeof(secret))
		return;
	/* Never seen since Linux 5.6; a weak key is better than none. */
	(void)clock_gettime(CLOCK_REALTIME, &ts);
	secret[0] = (uint64_t)ts.tv_nsec;
	secret[1] = (uint64_t)ts.tv_sec | 1;
}

static uint64_t
rotate(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t
hash_bytes(const char *p, size_t len)
{
	uint64_t v[4] = {secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
			 secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573};
	uint64_t last = (uint64_t)len << 56, word;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, p + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (unsigned shift = 0; i < len; i++, shift += 8)
		last |= (uint64_t)(unsigned char)p[i] << shift;
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t
hash_id(uint64_t id)
{
	char bytes[8];

	memcpy(bytes, &id, 8);
	return hash_bytes(bytes, 8);
}

/* ---- slots ------------------------------------------------------------------------------- */

void
map_init(struct map *map)
{
	memset(map, 0, sizeof(*map));
}

void
map_done(struct map *map)
{
	for (size_t i = 0; i < map->cap; i++) {
		if (map->slots[i].state == SLOT_STRING)
			free(map->slots[i].key);
	}
	free(map->slots);
	memset(map, 0, sizeof(*map));
}

/* At most three quarters of the slots are in use or dead, so every probe ends. */
static struct map_slot *
find_string(const struct map *map, const char *key, size_t len, uint64_t hash)
{
	if (map->cap == 0)
		return NULL;
	for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
		struct map_slot *s = &map->slots[i];

		if (s->state == SLOT_EMPTY)
			return NULL;
		if (s->state == SLOT_STRING && s->hash == hash && strncmp(s->key, key, len) == 0 &&
		    s->key[len] == '\0')
			return s;
	}
}

static struct map_slot *
find_id(const struct map *map, uint64_t id)
{
	if (map->cap == 0)
		return NULL;
	for (size_t i = hash_id(id) & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
		struct map_slot *s = &map->slots[i];

		if (s->state == SLOT_EMPTY)
			return NULL;
		if (s->state == SLOT_ID && s->id == id)
			return s;
	}
}

static struct map_slot *
free_slot(struct map_slot *slots, size_t cap, uint64_t hash)
{
	size_t i = hash & (cap - 1);

	while (slots[i].state == SLOT_STRING || slots[i].state == SLOT_ID)
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

/* Makes room for one more. 0 or -ENOMEM. */
static int
grow(struct map *map)
{
	size_t cap = map->cap ? map->cap : 16;
	struct map_slot *slots;

	if (map->cap && (map->n + map->n_dead + 1) * 4 <= map->cap * 3)
		return 0;
	while ((map->n + 1) * 2 > cap)
		cap *= 2;
	slots = calloc(cap, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	make_secret();
	for (size_t i = 0; i < map->cap; i++) {
		if (map->slots[i].state == SLOT_STRING || map->slots[i].state == SLOT_ID)
			*free_slot(slots, cap, map->slots[i].hash) = map->slots[i];
	}
	free(map->slots);
	map->slots = slots;
	map->cap = cap;
	map->n_dead = 0;
	return 0;
}

static void
fill(struct map *map, struct map_slot slot)
{
	struct map_slot *s = free_slot(map->slots, map->cap, slot.hash);

	if (s->state == SLOT_DEAD)
		map->n_dead--;
	*s = slot;
	map->n++;
}

static void *
kill_slot(struct map *map, struct map_slot *s)
{
	if (s->state == SLOT_STRING)
		free(s->key);
	s->key = NULL;
	s->state = SLOT_DEAD;
	map->n--;
	map->n_dead++;
	return s->value;
}

/* ---- strings ----------------------------------------------------------------------------- */

void *
map_find_n(const struct map *map, const char *key, size_t len)
{
	struct map_slot *s = find_string(map, key, len, hash_bytes(key, len));

	return s ? s->value : NULL;
}

void *
map_find(const struct map *map, const char *key)
{
	return map_find_n(map, key, strlen(key));
}

int
map_set(struct map *map, const char *key, void *value)
{
	struct map_slot *s, slot = {.value = value, .state = SLOT_STRING};
	size_t len = strlen(key);

	s = find_string(map, key, len, hash_bytes(key, len));
	if (s) {
		s->value = value;
		return 0;
	}
	if (grow(map) < 0)
		return -ENOMEM;
	slot.key = strdup(key);
	if (!slot.key)
		return -ENOMEM;
	slot.hash = hash_bytes(key, len);
	fill(map, slot);
	return 0;
}

void *
map_remove(struct map *map, const char *key)
{
	size_t len = strlen(key);
	struct map_slot *s = find_string(map, key, len, hash_bytes(key, len));

	return s ? kill_slot(map, s) : NULL;
}

/* ---- ids --------------------------------------------------------------------------------- */

void *
map_find_id(const struct map *map, uint64_t id)
{
	struct map_slot *s = find_id(map, id);

	return s ? s->value : NULL;
}

int
map_set_id(struct map *map, uint64_t id, void *value)
{
	struct map_slot *s = find_id(map, id);

	if (s) {
		s->value = value;
		return 0;
	}
	if (grow(map) < 0)
		return -ENOMEM;
	fill(map,
	     (struct map_slot){.hash = hash_id(id), .id = id, .value = value, .state = SLOT_ID});
	return 0;
}

void *
map_remove_id(struct map *map, uint64_t id)
{
	struct map_slot *s = find_id(map, id);

	return s ? kill_slot(map, s) : NULL;
}

void *
map_next(const struct map *map, size_t *at)
{
	while (*at < map->cap) {
		const struct map_slot *s = &map->slots[(*at)++];

		if (s->state == SLOT_STRING || s->state == SLOT_ID)
			return s->value;
	}
	return NULL;
}

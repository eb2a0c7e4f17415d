/* Hash tables from strings or 64-bit numbers to pointers. Open addressing, keys copied. */
#ifndef LIB_MAP_H
#define LIB_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot;

struct map {
	struct map_slot *slots;
	size_t n, cap, n_dead;
};

void map_init(struct map *map);
/* Frees the table, not what the values point to. */
void map_done(struct map *map);

/* The value or NULL. */
void *map_find(const struct map *map, const char *key);
void *map_find_n(const struct map *map, const char *key, size_t len);
/* Sets or replaces. 0 or -ENOMEM, unchanged then. */
int map_set(struct map *map, const char *key, void *value);
/* Removes and returns the value, or NULL. */
void *map_remove(struct map *map, const char *key);

void *map_find_id(const struct map *map, uint64_t id);
int map_set_id(struct map *map, uint64_t id, void *value);
void *map_remove_id(struct map *map, uint64_t id);

/* Walks in no order: start with *at = 0; NULL at the end. The map may not grow meanwhile;
 * removing the entry just returned is fine. */
void *map_next(const struct map *map, size_t *at);

#endif

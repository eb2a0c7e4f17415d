/* Process types: "web" and the command it runs. A bounded list in order of declaration. */
#ifndef BUILDER_TYPES_H
#define BUILDER_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#define TYPES_MAX 64
#define TYPE_NAME_MAX 63
#define TYPE_COMMAND_MAX 8000

struct type {
	char name[TYPE_NAME_MAX + 1];
	char *command;
};

struct types {
	struct type items[TYPES_MAX];
	size_t n;
};

void types_init(struct types *types);
void types_done(struct types *types);
/* The entry or NULL. */
const struct type *types_find(const struct types *types, const char *name);
/*
 * Sets or replaces; `name` must be one that name_check_type accepts. 0; 1 it replaced an earlier
 * one; -E2BIG too many types; -ENAMETOOLONG the command; -ENOMEM.
 */
int types_set(struct types *types, const char *name, const char *command, size_t n);
/* "web, worker" into `out`, cut with "..." when it does not fit; skips names found in `but`
 * (which may be NULL). Returns how many it named. */
size_t types_list(const struct types *types, const struct types *but, char *out, size_t cap);

#endif

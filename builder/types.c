/* The list is small, so everything is a linear walk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/types.h"

void
types_init(struct types *types)
{
	types->n = 0;
}

void
types_done(struct types *types)
{
	for (size_t i = 0; i < types->n; i++)
		free(types->items[i].command);
	types->n = 0;
}

static struct type *
find(struct types *types, const char *name)
{
	for (size_t i = 0; i < types->n; i++) {
		if (strcmp(types->items[i].name, name) == 0)
			return &types->items[i];
	}
	return NULL;
}

const struct type *
types_find(const struct types *types, const char *name)
{
	for (size_t i = 0; i < types->n; i++) {
		if (strcmp(types->items[i].name, name) == 0)
			return &types->items[i];
	}
	return NULL;
}

int
types_set(struct types *types, const char *name, const char *command, size_t n)
{
	struct type *type = find(types, name);
	char *copy;

	if (n > TYPE_COMMAND_MAX || strlen(name) > TYPE_NAME_MAX)
		return -ENAMETOOLONG;
	if (!type && types->n == TYPES_MAX)
		return -E2BIG;
	copy = strndup(command, n);
	if (!copy)
		return -ENOMEM;
	if (type) {
		free(type->command);
		type->command = copy;
		return 1;
	}
	type = &types->items[types->n++];
	(void)snprintf(type->name, sizeof(type->name), "%s", name);
	type->command = copy;
	return 0;
}

size_t
types_list(const struct types *types, const struct types *but, char *out, size_t cap)
{
	size_t n_named = 0, len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < types->n; i++) {
		const char *name = types->items[i].name;
		int n;

		if (but && types_find(but, name))
			continue;
		n_named++;
		n = snprintf(out + len, cap - len, "%s%s", n_named > 1 ? ", " : "", name);
		if (n < 0 || (size_t)n >= cap - len) {
			(void)snprintf(out + (cap > 4 ? cap - 4 : 0), 4, "...");
			break;
		}
		len += (size_t)n;
	}
	return n_named;
}

/* A flat list: a few dozen entries, built once per start. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/control/env.h"

void
env_init(struct env *env)
{
	env->n = 0;
	env->failed = false;
	env->items[0] = NULL;
}

void
env_done(struct env *env)
{
	for (size_t i = 0; i < env->n; i++)
		free(env->items[i]);
	env_init(env);
}

static char **
find(struct env *env, const char *key, size_t len)
{
	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->items[i], key, len) == 0 && env->items[i][len] == '=')
			return &env->items[i];
	return NULL;
}

/* Owns `item`. */
static void
put_owned(struct env *env, char *item, size_t key_len)
{
	char **old = find(env, item, key_len);

	if (old != NULL) {
		free(*old);
		*old = item;
	} else if (env->n < ENV_MAX) {
		env->items[env->n++] = item;
		env->items[env->n] = NULL;
	} else {
		env->failed = true;
		free(item);
	}
}

void
env_set(struct env *env, const char *key, const char *value)
{
	char *item;

	if (asprintf(&item, "%s=%s", key, value) < 0)
		env->failed = true;
	else
		put_owned(env, item, strlen(key));
}

void
env_put(struct env *env, const char *item)
{
	const char *equals = strchr(item, '=');
	char *copy;

	if (equals == NULL || equals == item)
		return;
	copy = strdup(item);
	if (copy == NULL)
		env->failed = true;
	else
		put_owned(env, copy, (size_t)(equals - item));
}

const char *
env_get(const struct env *env, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->items[i], key, len) == 0 && env->items[i][len] == '=')
			return env->items[i] + len + 1;
	return NULL;
}

/* The environment of a program, put together: what is set later wins. */
#ifndef CONTROL_ENV_H
#define CONTROL_ENV_H

#include <stdbool.h>
#include <stddef.h>

#define ENV_MAX 1280 /* config vars and ours */

struct env {
	char *items[ENV_MAX + 1]; /* "K=V", owned, NULL-terminated */
	size_t n;
	bool failed; /* out of memory or of places: one question at the end */
};

void env_init(struct env *env);
void env_done(struct env *env);
void env_set(struct env *env, const char *key, const char *value);
/* "K=V"; one without a name or a '=' is left out. */
void env_put(struct env *env, const char *item);
/* The value or NULL. */
const char *env_get(const struct env *env, const char *key);

#endif

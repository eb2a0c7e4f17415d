/* Environments of the programs a build starts, and ENV_DIR. */
#ifndef BUILDER_ENVIRON_H
#define BUILDER_ENVIRON_H

#include <stddef.h>

struct err;

#define ENVIRON_MAX 256

struct environ_list {
	char *v[ENVIRON_MAX + 1]; /* "K=V", owned, NULL-terminated */
	size_t n;
};

void environ_init(struct environ_list *e);
void environ_done(struct environ_list *e);
/* Ours, without what is private to the platform (PAAS_*) or would mislead git (GIT_*). 0 or
 * -ENOMEM, -E2BIG. */
int environ_inherit(struct environ_list *e, char *const envp[]);
/* Sets or replaces. 0, -ENOMEM, -E2BIG. */
int environ_set(struct environ_list *e, const char *key, const char *value);
/* The value or NULL. */
const char *environ_get(const struct environ_list *e, const char *key);
/* For execve. */
const char *const *environ_vector(const struct environ_list *e);

/*
 * Writes one file per config var ("K=V") into the directory: file name key, content value, without
 * a newline. Keys that are no names are left out. 0 or -errno with a sentence.
 */
int environ_write_dir(int dir_fd, char *const vars[], struct err *err);

#endif

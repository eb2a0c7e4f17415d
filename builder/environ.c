/* A flat list: a few dozen entries, looked at a few times a build. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/name.h"

#include "builder/environ.h"

void
environ_init(struct environ_list *e)
{
	e->n = 0;
	e->v[0] = NULL;
}

void
environ_done(struct environ_list *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i]);
	environ_init(e);
}

static char **
find(struct environ_list *e, const char *key, size_t n)
{
	for (size_t i = 0; i < e->n; i++) {
		if (strncmp(e->v[i], key, n) == 0 && e->v[i][n] == '=')
			return &e->v[i];
	}
	return NULL;
}

/* Takes `entry`. */
static int
put(struct environ_list *e, char *entry)
{
	char **old;

	if (!entry)
		return -ENOMEM;
	old = find(e, entry, strcspn(entry, "="));
	if (old) {
		free(*old);
		*old = entry;
		return 0;
	}
	if (e->n == ENVIRON_MAX) {
		free(entry);
		return -E2BIG;
	}
	e->v[e->n++] = entry;
	e->v[e->n] = NULL;
	return 0;
}

int
environ_inherit(struct environ_list *e, char *const envp[])
{
	for (; *envp; envp++) {
		int ret;

		if (!strchr(*envp, '=') || strncmp(*envp, "GIT_", 4) == 0 ||
		    strncmp(*envp, "PAAS_", 5) == 0)
			continue;
		ret = put(e, strdup(*envp));
		if (ret < 0)
			return ret;
	}
	return 0;
}

int
environ_set(struct environ_list *e, const char *key, const char *value)
{
	char *entry = NULL;

	if (asprintf(&entry, "%s=%s", key, value) < 0)
		return -ENOMEM;
	return put(e, entry);
}

const char *
environ_get(const struct environ_list *e, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < e->n; i++) {
		if (strncmp(e->v[i], key, n) == 0 && e->v[i][n] == '=')
			return e->v[i] + n + 1;
	}
	return NULL;
}

const char *const *
environ_vector(const struct environ_list *e)
{
	return (const char *const *)e->v;
}

int
environ_write_dir(int dir_fd, char *const vars[], struct err *err)
{
	for (; *vars; vars++) {
		size_t n = strcspn(*vars, "=");
		AUTO_FREE char *key = NULL;
		AUTO_FD int fd = -1;
		const char *value;
		int ret;

		if ((*vars)[n] != '=')
			continue;
		key = strndup(*vars, n);
		if (!key)
			return err_set(err, -ENOMEM, "ENV_DIR");
		if (name_check_config(key))
			continue;
		value = *vars + n + 1;
		fd = openat(dir_fd, key, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
		ret = fd < 0 ? -errno : file_write_all(fd, value, strlen(value));
		if (ret < 0)
			return err_set(err, ret, "write config var %s for the build", key);
	}
	return 0;
}

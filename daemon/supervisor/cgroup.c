/* What both backends share. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/cgroup.h"

#define FILE_MAX 4096

/* The controllers of v2 are there or they are v1's; a mixture per controller is v1 to us. */
static bool
has_v2_controllers(int root_fd)
{
	static const char *const wanted[] = {"memory", "cpu", "pids"};
	AUTO_BUF struct buf text;
	size_t n_found = 0;
	char *word, *save = NULL;

	buf_init(&text, FILE_MAX);
	if (file_read_at(root_fd, "cgroup.controllers", &text) < 0 || !text.len)
		return false;
	for (word = strtok_r(text.data, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
			n_found += strcmp(word, wanted[i]) == 0;
	}
	return n_found == sizeof(wanted) / sizeof(*wanted);
}

int
cgroups_open(struct cgroups *g, const char *platform, struct err *err)
{
	int ret;

	for (size_t i = 0; i < CGROUP_VIEWS; i++)
		g->v1_fds[i] = -1;
	ret = register_open(&g->reg, platform, err);
	if (ret < 0)
		return ret;
	g->backend = has_v2_controllers(g->reg.root_fd) ? &cgroup_v2 : &cgroup_v1;
	ret = g->backend->prepare(g, err);
	if (ret < 0)
		cgroups_close(g);
	return ret;
}

void
cgroups_close(struct cgroups *g)
{
	for (size_t i = 0; i < CGROUP_VIEWS; i++) {
		if (g->v1_fds[i] >= 0)
			(void)close(take_fd(&g->v1_fds[i]));
	}
	register_close(&g->reg);
}

void
cgroups_remove_root(struct cgroups *g)
{
	for (size_t i = 0; i < CGROUP_VIEWS; i++) {
		char path[REGISTER_NAME_MAX + 8];

		/* From below: the fd is of the directory itself. */
		(void)snprintf(path, sizeof(path), "../%s", g->reg.name);
		if (g->v1_fds[i] >= 0)
			(void)unlinkat(g->v1_fds[i], path, AT_REMOVEDIR);
	}
	(void)register_remove_root(&g->reg);
}

static void
cgroup_init(struct cgroup *cgroup)
{
	memset(cgroup, 0, sizeof(*cgroup));
	cgroup->entry_fd = -1;
}

int
cgroup_create(struct cgroups *g, const char *name, const struct cgroup_limits *limits,
	      struct cgroup *cgroup, struct err *err)
{
	int ret;

	cgroup_init(cgroup);
	cgroup->entry_fd = register_add(&g->reg, name);
	if (cgroup->entry_fd < 0) {
		ret = cgroup->entry_fd;
		cgroup_init(cgroup);
		return err_set(err, ret, "make the cgroup of the sandbox");
	}
	ret = g->backend->create(g, name, limits, cgroup, err);
	if (ret < 0) {
		cgroup_close(cgroup);
		(void)cgroup_remove(g, name);
	}
	return ret;
}

int
cgroup_open(struct cgroups *g, const char *name, struct cgroup *cgroup)
{
	int ret;

	cgroup_init(cgroup);
	ret = register_find(&g->reg, name);
	if (ret < 0)
		return ret;
	cgroup->entry_fd = ret;
	ret = g->backend->open(g, name, cgroup);
	if (ret < 0)
		cgroup_close(cgroup);
	return ret;
}

void
cgroup_close(struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->n_views; i++)
		(void)close(cgroup->views[i].fd);
	if (cgroup->entry_fd >= 0)
		(void)close(cgroup->entry_fd);
	cgroup_init(cgroup);
}

int
cgroup_remove(struct cgroups *g, const char *name)
{
	int ret = g->backend->remove(g, name);

	return ret < 0 ? ret : register_remove(&g->reg, name);
}

uint64_t
cgroup_read_number(int dir_fd, const char *file)
{
	AUTO_BUF struct buf text;

	buf_init(&text, FILE_MAX);
	if (file_read_at(dir_fd, file, &text) < 0)
		return 0;
	return strtoull(buf_text(&text), NULL, 10);
}

uint64_t
cgroup_read_key(int dir_fd, const char *file, const char *key)
{
	AUTO_BUF struct buf text;
	size_t n = strlen(key);
	const char *at;

	buf_init(&text, FILE_MAX);
	if (file_read_at(dir_fd, file, &text) < 0)
		return 0;
	for (at = buf_text(&text); *at;) {
		size_t len = strcspn(at, "\n");

		if (strncmp(at, key, n) == 0 && at[n] == ' ')
			return strtoull(at + n, NULL, 10);
		at += len + (at[len] == '\n');
	}
	return 0;
}

int
cgroup_write_number(int dir_fd, const char *file, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	return file_write_at(dir_fd, file, text);
}

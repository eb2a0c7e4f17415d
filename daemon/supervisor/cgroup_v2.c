/* cgroup v2: the register's entry is all there is. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/cgroup.h"

#define CONTROLLERS "+memory +cpu +pids"

/*
 * A cgroup other than the real top may not hold processes and hand out controllers: where we
 * are in such a root ourselves (the top of a container) we move into a leaf.
 */
static int
move_to_leaf(int root_fd)
{
	AUTO_FD int fd = -1;
	int ret;

	if (mkdirat(root_fd, "daemon", 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(root_fd, "daemon", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = file_write_at(fd, "cgroup.procs", "0");
	if (ret < 0)
		(void)unlinkat(root_fd, "daemon", AT_REMOVEDIR);
	return ret;
}

static int
prepare(struct cgroups *g, struct err *err)
{
	int ret = file_write_at(g->reg.root_fd, "cgroup.subtree_control", CONTROLLERS);

	if (ret == -EBUSY) {
		ret = move_to_leaf(g->reg.root_fd);
		if (ret == 0)
			ret = file_write_at(g->reg.root_fd, "cgroup.subtree_control", CONTROLLERS);
		if (ret == -EBUSY)
			return err_say(err, ret,
				       "the cgroup paasd was given holds other processes, so it "
				       "cannot hand out limits");
	}
	if (ret == 0)
		ret = file_write_at(g->reg.fd, "cgroup.subtree_control", CONTROLLERS);
	return ret < 0 ? err_set(err, ret, "enable the memory, cpu and pids controllers") : 0;
}

/* Swap would make the memory limit mean something else on every host. */
static int
set_limits(int fd, const struct cgroup_limits *limits)
{
	int ret = cgroup_write_number(fd, "memory.max", limits->memory_bytes);

	if (ret == 0) {
		ret = cgroup_write_number(fd, "memory.swap.max", 0);
		if (ret == -ENOENT)
			ret = 0;
	}
	if (ret == 0)
		ret = cgroup_write_number(fd, "pids.max", limits->pids);
	if (ret == 0)
		ret = cgroup_write_number(fd, "cpu.weight", limits->cpu_weight);
	return ret;
}

static int
open_view(struct cgroups *g, const char *name, struct cgroup *cgroup)
{
	int fd = register_find(&g->reg, name);

	if (fd < 0)
		return fd;
	cgroup->views[cgroup->n_views++] = (struct cgroup_view){.name = "", .fd = fd};
	return 0;
}

static int
create(struct cgroups *g, const char *name, const struct cgroup_limits *limits,
       struct cgroup *cgroup, struct err *err)
{
	int ret = set_limits(cgroup->entry_fd, limits);

	if (ret == 0)
		ret = open_view(g, name, cgroup);
	return ret < 0 ? err_set(err, ret, "set the limits of the sandbox") : 0;
}

static int
join(const struct cgroup *cgroup)
{
	(void)cgroup;
	return 0;
}

static void
measure(const struct cgroup *cgroup, struct cgroup_usage *usage)
{
	/* memory.peak: Linux 5.19. */
	usage->peak_bytes = cgroup_read_number(cgroup->entry_fd, "memory.peak");
	usage->limit_bytes = cgroup_read_number(cgroup->entry_fd, "memory.max");
	usage->had_oom = cgroup_read_key(cgroup->entry_fd, "memory.events", "oom_kill") > 0;
}

static int
remove_nothing(struct cgroups *g, const char *name)
{
	(void)g;
	(void)name;
	return 0;
}

const struct cgroup_backend cgroup_v2 = {
	.name = "v2",
	.prepare = prepare,
	.create = create,
	.open = open_view,
	.join = join,
	.measure = measure,
	.remove = remove_nothing,
};

/*
 * cgroup v1: three hierarchies. The child joins them itself by writing "0" to `tasks`, which
 * takes no lock for a single-threaded writer; a write to cgroup.procs by us would wait 10 ms.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/cgroup.h"
#include "daemon/supervisor/mountinfo.h"

enum {
	MEMORY,
	CPU,
	PIDS,
};

static const char *const controllers[CGROUP_VIEWS] = {
	[MEMORY] = "memory",
	[CPU] = "cpu",
	[PIDS] = "pids",
};

static int
make_dir(int parent_fd, const char *name)
{
	int fd;

	if (mkdirat(parent_fd, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int
prepare(struct cgroups *g, struct err *err)
{
	for (size_t i = 0; i < CGROUP_VIEWS; i++) {
		char path[MOUNTINFO_PATH_MAX];
		AUTO_FD int root_fd = -1;

		if (mountinfo_find("cgroup", controllers[i], path) < 0)
			return err_say(
				err, -ENOENT,
				"the %s controller is neither in the cgroup2 tree nor mounted "
				"as a cgroup v1 hierarchy: instances could not be limited",
				controllers[i]);
		root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (root_fd < 0)
			return err_set(err, -errno, "open %s", path);
		g->v1_fds[i] = make_dir(root_fd, g->reg.name);
		if (g->v1_fds[i] < 0)
			return err_set(err, g->v1_fds[i], "make %s/%s", path, g->reg.name);
	}
	/* Without it a limit would not count what lies below; newer kernels know nothing else. */
	(void)cgroup_write_number(g->v1_fds[MEMORY], "memory.use_hierarchy", 1);
	return 0;
}

static int
set_limits(const struct cgroup *cgroup, const struct cgroup_limits *limits)
{
	int memory_fd = cgroup->views[MEMORY].fd;
	uint64_t shares = (uint64_t)limits->cpu_weight * 1024 / 100;
	int ret = cgroup_write_number(memory_fd, "memory.limit_in_bytes", limits->memory_bytes);

	if (ret == 0) {
		/* Memory and swap together; without swap accounting the file is not there. */
		ret = cgroup_write_number(memory_fd, "memory.memsw.limit_in_bytes",
					  limits->memory_bytes);
		if (ret == -ENOENT || ret == -EOPNOTSUPP)
			ret = 0;
	}
	if (ret == 0)
		ret = cgroup_write_number(cgroup->views[CPU].fd, "cpu.shares",
					  shares < 2 ? 2 : shares);
	if (ret == 0)
		ret = cgroup_write_number(cgroup->views[PIDS].fd, "pids.max", limits->pids);
	return ret;
}

static int
create(struct cgroups *g, const char *name, const struct cgroup_limits *limits,
       struct cgroup *cgroup, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < CGROUP_VIEWS && ret == 0; i++) {
		int fd = make_dir(g->v1_fds[i], name);

		if (fd < 0)
			ret = fd;
		else
			cgroup->views[cgroup->n_views++] =
				(struct cgroup_view){.name = controllers[i], .fd = fd};
	}
	if (ret == 0)
		ret = set_limits(cgroup, limits);
	return ret < 0 ? err_set(err, ret, "set the limits of the sandbox") : 0;
}

static int
open_all(struct cgroups *g, const char *name, struct cgroup *cgroup)
{
	for (size_t i = 0; i < CGROUP_VIEWS; i++) {
		int fd =
			openat(g->v1_fds[i], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		cgroup->views[cgroup->n_views++] =
			(struct cgroup_view){.name = controllers[i], .fd = fd};
	}
	return 0;
}

static int
join(const struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->n_views; i++) {
		int ret = file_write_at(cgroup->views[i].fd, "tasks", "0");

		if (ret < 0)
			return ret;
	}
	return 0;
}

static void
measure(const struct cgroup *cgroup, struct cgroup_usage *usage)
{
	int fd = cgroup->n_views > MEMORY ? cgroup->views[MEMORY].fd : -1;

	usage->peak_bytes = cgroup_read_number(fd, "memory.max_usage_in_bytes");
	usage->limit_bytes = cgroup_read_number(fd, "memory.limit_in_bytes");
	usage->had_oom = cgroup_read_key(fd, "memory.oom_control", "oom_kill") > 0;
}

static int
remove_all(struct cgroups *g, const char *name)
{
	for (size_t i = 0; i < CGROUP_VIEWS; i++) {
		if (unlinkat(g->v1_fds[i], name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

const struct cgroup_backend cgroup_v1 = {
	.name = "v1",
	.prepare = prepare,
	.create = create,
	.open = open_all,
	.join = join,
	.measure = measure,
	.remove = remove_all,
};

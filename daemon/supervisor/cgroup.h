/*
 * Limits and their measurement. cgroup v2 is the product: a sandbox's entry in the register
 * carries its limits. A host that still mounts v1 gets directories of the same name in the
 * memory, cpu and pids hierarchies; the register works there all the same.
 */
#ifndef DAEMON_SUPERVISOR_CGROUP_H
#define DAEMON_SUPERVISOR_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/supervisor/register.h"

struct err;

#define CGROUP_VIEWS 3

struct cgroup_limits {
	uint64_t memory_bytes;
	uint32_t pids;
	uint32_t cpu_weight; /* 1..10000 */
};

struct cgroup_usage {
	uint64_t peak_bytes, limit_bytes;
	bool had_oom; /* the kernel killed something in it for want of memory */
};

struct cgroups;

/* One directory that shows a sandbox its own limits, at /sys/fs/cgroup/NAME inside. */
struct cgroup_view {
	const char *name; /* "" on v2 */
	int fd;
};

/* One sandbox's directories, open. */
struct cgroup {
	int entry_fd; /* in the register: what clone3 puts a child into */
	struct cgroup_view views[CGROUP_VIEWS];
	size_t n_views;
};

struct cgroup_backend {
	const char *name;
	/* Makes the tree ready to take limits. */
	int (*prepare)(struct cgroups *g, struct err *err);
	/* Makes `name` with limits and fills the views. */
	int (*create)(struct cgroups *g, const char *name, const struct cgroup_limits *limits,
		      struct cgroup *cgroup, struct err *err);
	/* Opens what there is of an existing one. */
	int (*open)(struct cgroups *g, const char *name, struct cgroup *cgroup);
	/* In the child, right after clone3: joins what CLONE_INTO_CGROUP did not. */
	int (*join)(const struct cgroup *cgroup);
	void (*measure)(const struct cgroup *cgroup, struct cgroup_usage *usage);
	/* Removes `name`, the register's entry excepted. -EBUSY while processes live. */
	int (*remove)(struct cgroups *g, const char *name);
};

extern const struct cgroup_backend cgroup_v1, cgroup_v2;

struct cgroups {
	const struct cgroup_backend *backend;
	struct sandbox_register reg;
	int v1_fds[CGROUP_VIEWS]; /* paas-NAME in each hierarchy */
};

/* Opens register and tree, choosing the backend. 0 or -errno with a sentence. */
int cgroups_open(struct cgroups *g, const char *platform, struct err *err);
void cgroups_close(struct cgroups *g);
/* Removes the platform's own directories, if nothing is left in them. */
void cgroups_remove_root(struct cgroups *g);

/* Makes a sandbox's directories; all fds belong to `cgroup`. 0 or -errno with a sentence. */
int cgroup_create(struct cgroups *g, const char *name, const struct cgroup_limits *limits,
		  struct cgroup *cgroup, struct err *err);
/* Those of a sandbox found in the register. 0 or -errno. */
int cgroup_open(struct cgroups *g, const char *name, struct cgroup *cgroup);
void cgroup_close(struct cgroup *cgroup);
/* Removes the directories, the register's entry last. -EBUSY while a process lives in one. */
int cgroup_remove(struct cgroups *g, const char *name);

/* Reads a number such as memory.peak; 0 when the file is not there. For the backends. */
uint64_t cgroup_read_number(int dir_fd, const char *file);
/* The number behind `key` in a file of "key number" lines. */
uint64_t cgroup_read_key(int dir_fd, const char *file, const char *key);
int cgroup_write_number(int dir_fd, const char *file, uint64_t value);

#endif

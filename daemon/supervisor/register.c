/*
 * Where the tree's root is for us:
 *  - systemd with DelegateSubgroup=daemon started us in .../daemon of a delegated unit: that unit;
 *  - otherwise the top of the tree as we see it, as container engines use it. With Delegate=yes
 *    alone systemd puts every new main process into the unit's own cgroup, which the kernel
 *    refuses once controllers are enabled below it: a crashed paasd could not be restarted.
 * An existing register wins, wherever it is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/mountinfo.h"
#include "daemon/supervisor/register.h"

#define DAEMON_LEAF "/daemon"
#define PROCS_MAX ((size_t)1024 * 1024)

/* A mount of the tree that only this fd knows, for hosts that have it nowhere. */
static int
mount_tree(struct err *err)
{
	AUTO_FD int fs_fd = (int)syscall(SYS_fsopen, "cgroup2", FSOPEN_CLOEXEC);
	AUTO_FD int mount_fd = -1;
	int fd;

	if (fs_fd < 0)
		return err_set(err, -errno, "this kernel has no cgroup2");
	if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_set(err, -errno, "open the cgroup2 tree");
	mount_fd = (int)syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC,
				MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (mount_fd < 0)
		return err_set(err, -errno, "mount the cgroup2 tree");
	fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "open the cgroup2 tree") : fd;
}

static int
open_tree_root(struct err *err)
{
	char path[MOUNTINFO_PATH_MAX];
	int fd;

	if (mountinfo_find("cgroup2", NULL, path) < 0)
		return mount_tree(err);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "open %s", path) : fd;
}

static bool
is_delegated(int fd)
{
	char value[4];
	ssize_t n = fgetxattr(fd, "trusted.delegate", value, sizeof(value));

	if (n < 0)
		n = fgetxattr(fd, "user.delegate", value, sizeof(value));
	return n == 1 && value[0] == '1';
}

/* The delegated unit we run in the daemon leaf of, or -ENOENT. */
static int
open_delegated(int tree_fd)
{
	AUTO_BUF struct buf text;
	AUTO_FD int fd = -1;
	char *path, *end;
	size_t n;

	buf_init(&text, 64 * 1024);
	if (file_read_at(AT_FDCWD, "/proc/self/cgroup", &text) < 0 || !text.len)
		return -ENOENT;
	path = strncmp(text.data, "0::", 3) == 0 ? text.data : strstr(text.data, "\n0::");
	if (!path)
		return -ENOENT;
	path = strchr(path, '/');
	if (!path)
		return -ENOENT;
	end = strchr(path, '\n');
	if (end)
		*end = '\0';
	n = strlen(path);
	if (n <= strlen(DAEMON_LEAF) || strcmp(path + n - strlen(DAEMON_LEAF), DAEMON_LEAF) != 0)
		return -ENOENT;
	path[n - strlen(DAEMON_LEAF)] = '\0';
	fd = openat(tree_fd, path + 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !is_delegated(fd))
		return -ENOENT;
	return take_fd(&fd);
}

static int
open_below(int root_fd, const char *name)
{
	int fd = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int
register_open(struct sandbox_register *r, const char *platform, struct err *err)
{
	AUTO_FD int tree_fd = -1, delegated_fd = -1;
	int fd;

	r->root_fd = r->fd = -1;
	(void)snprintf(r->name, sizeof(r->name), "paas-%.6s", platform);
	tree_fd = open_tree_root(err);
	if (tree_fd < 0)
		return tree_fd;
	delegated_fd = open_delegated(tree_fd);

	fd = open_below(tree_fd, r->name);
	if (fd < 0 && delegated_fd >= 0) {
		r->root_fd = take_fd(&delegated_fd);
		fd = register_add(r, "");
	} else {
		r->root_fd = take_fd(&tree_fd);
		if (fd < 0)
			fd = register_add(r, "");
	}
	if (fd < 0) {
		(void)close(take_fd(&r->root_fd));
		return err_set(err, fd, "make the cgroup %s", r->name);
	}
	r->fd = fd;
	return 0;
}

void
register_close(struct sandbox_register *r)
{
	if (r->fd >= 0)
		(void)close(take_fd(&r->fd));
	if (r->root_fd >= 0)
		(void)close(take_fd(&r->root_fd));
}

int
register_remove_root(struct sandbox_register *r)
{
	return unlinkat(r->root_fd, r->name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int
register_add(struct sandbox_register *r, const char *entry)
{
	int dir_fd = *entry ? r->fd : r->root_fd;
	const char *name = *entry ? entry : r->name;

	if (mkdirat(dir_fd, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	return open_below(dir_fd, name);
}

int
register_find(struct sandbox_register *r, const char *entry)
{
	return open_below(r->fd, entry);
}

int
register_remove(struct sandbox_register *r, const char *entry)
{
	return unlinkat(r->fd, entry, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int
register_walk(struct sandbox_register *r, int (*fn)(void *user, const char *entry), void *user)
{
	int fd = openat(r->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;
	int ret = 0;

	if (!dir) {
		ret = -errno;
		if (fd >= 0)
			(void)close(fd);
		return ret;
	}
	while (ret == 0 && (d = readdir(dir)) != NULL) {
		if (d->d_type == DT_DIR && d->d_name[0] != '.')
			ret = fn(user, d->d_name);
	}
	(void)closedir(dir);
	return ret;
}

/* ---- processes --------------------------------------------------------------------------- */

int
register_pids(int entry_fd, pid_t *pids, size_t max)
{
	AUTO_BUF struct buf text;
	char *at;
	size_t n = 0;
	int ret;

	buf_init(&text, PROCS_MAX);
	ret = file_read_at(entry_fd, "cgroup.procs", &text);
	if (ret < 0)
		return ret;
	for (at = text.data; at && *at && n < max;) {
		char *end;
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		/* 0: somebody of a pid namespace we do not see. */
		if (pid > 0)
			pids[n++] = (pid_t)pid;
		at = end + (*end == '\n');
	}
	return (int)n;
}

int
register_open_pid(int entry_fd, pid_t pid)
{
	AUTO_FD int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	pid_t pids[1024];
	int n;

	if (pid_fd < 0)
		return -errno;
	/* The number may have gone to somebody else in between, who is not in here then. */
	n = register_pids(entry_fd, pids, sizeof(pids) / sizeof(*pids));
	for (int i = 0; i < n; i++) {
		if (pids[i] == pid)
			return take_fd(&pid_fd);
	}
	return n < 0 ? n : -ESRCH;
}

/* "NSpid:	4711	1" */
static bool
is_init(pid_t pid)
{
	AUTO_BUF struct buf text;
	char path[40];
	const char *line, *last;
	size_t n;

	buf_init(&text, 16 * 1024);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (file_read_at(AT_FDCWD, path, &text) < 0)
		return false;
	line = strstr(buf_text(&text), "\nNSpid:");
	if (!line)
		return false;
	n = strcspn(line + 1, "\n") + 1;
	last = line + n - 2;
	return last > line && last[0] == '\t' && last[1] == '1';
}

int
register_open_init(int entry_fd, pid_t *pid)
{
	pid_t pids[1024];
	int n = register_pids(entry_fd, pids, sizeof(pids) / sizeof(*pids));

	for (int i = 0; i < n; i++) {
		if (is_init(pids[i])) {
			*pid = pids[i];
			return register_open_pid(entry_fd, pids[i]);
		}
	}
	return n < 0 ? n : -ESRCH;
}

int
register_kill(int entry_fd)
{
	return file_write_at(entry_fd, "cgroup.kill", "1");
}

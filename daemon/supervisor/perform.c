/*
 * The new mount API throughout: mounts are objects (fds) with attributes before anybody can
 * reach them, and sources are named by fd, so odd characters in a path never meet a parser.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/perform.h"

/* glibc's <sys/mount.h> has them from 2.36 on, and then clashes with the kernel's header. */
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static uint64_t
attributes(unsigned flags)
{
	return MOUNT_ATTR_NOSUID | (flags & PLAN_WRITABLE ? 0 : MOUNT_ATTR_RDONLY) |
	       (flags & PLAN_NODES ? 0 : MOUNT_ATTR_NODEV) |
	       (flags & PLAN_NOEXEC ? MOUNT_ATTR_NOEXEC : 0);
}

static int
set_attributes(int fd, uint64_t set, bool is_recursive)
{
	struct mount_attr attr = {.attr_set = set};
	unsigned flags = AT_EMPTY_PATH | (is_recursive ? AT_RECURSIVE : 0);

	return syscall(SYS_mount_setattr, fd, "", flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* ---- in the host's mount namespace: sources ---------------------------------------------- */

/* A stack's own links are followed inside it; in the state directory there are none to follow. */
static int
open_source(int dir_fd, enum plan_source source, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS |
			   (source == PLAN_STACK ? RESOLVE_IN_ROOT
						 : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS),
	};
	int fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int
clone_mount(int fd, const char *path, unsigned flags)
{
	unsigned open_flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
			      (flags & PLAN_RECURSIVE ? AT_RECURSIVE : 0);
	AUTO_FD int tree_fd = (int)syscall(SYS_open_tree, fd, path, open_flags);
	int ret;

	if (tree_fd < 0)
		return -errno;
	ret = set_attributes(tree_fd, attributes(flags), flags & PLAN_RECURSIVE);
	return ret < 0 ? ret : take_fd(&tree_fd);
}

/* What the file system itself said, which is more than an errno. */
static int
fs_error(int fs_fd, int code, const char *what, struct err *err)
{
	char text[256];
	ssize_t n = read(fs_fd, text, sizeof(text) - 1);

	if (n <= 2)
		return err_set(err, code, "mount %s", what);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return err_set(err, code, "mount %s: %s", what, text + 2);
}

static int
set_option(int fs_fd, const char *key, const char *value)
{
	long ret = value ? syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_STRING, key, value, 0)
			 : syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_FLAG, key, NULL, 0);

	return ret < 0 ? -errno : 0;
}

/* "mode=755,size=65536,newinstance" */
static int
set_options(int fs_fd, const char *options)
{
	while (*options) {
		char key[128], *value;
		size_t n = strcspn(options, ",");
		int ret;

		if (n >= sizeof(key))
			return -ENAMETOOLONG;
		memcpy(key, options, n);
		key[n] = '\0';
		value = strchr(key, '=');
		if (value)
			*value++ = '\0';
		ret = set_option(fs_fd, key, value);
		if (ret < 0)
			return ret;
		options += n + (options[n] == ',');
	}
	return 0;
}

static int
create_and_mount(int fs_fd, const struct plan_op *op, const char *what, struct err *err)
{
	int fd;

	if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_error(fs_fd, -errno, what, err);
	fd = (int)syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, attributes(op->flags));
	return fd < 0 ? fs_error(fs_fd, -errno, what, err) : fd;
}

static int
make_mount(const struct plan_op *op, struct err *err)
{
	AUTO_FD int fs_fd = (int)syscall(SYS_fsopen, op->text, FSOPEN_CLOEXEC);
	int ret;

	if (fs_fd < 0)
		return err_set(err, -errno, "this kernel has no %s", op->text);
	ret = set_options(fs_fd, op->options);
	if (ret < 0)
		return fs_error(fs_fd, ret, op->text, err);
	return create_and_mount(fs_fd, op, op->text, err);
}

static int
set_layer(int fs_fd, const char *key, int dir_fd)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
	return set_option(fs_fd, key, path);
}

/*
 * The upper layer dies with the instance, so nothing of it is ever synced ("volatile"), and
 * renaming directories of the slug works ("redirect_dir").
 */
static int
make_overlay(const struct plan_op *op, const struct perform *p, struct err *err)
{
	AUTO_FD int lower_fd = -1, dir_fd = -1, upper_fd = -1, work_fd = -1, fs_fd = -1;
	int ret;

	lower_fd = open_source(p->source_fds[PLAN_STATE], PLAN_STATE, op->text);
	if (lower_fd < 0)
		return err_set(err, lower_fd, "open the slug");
	if (mkdirat(p->source_fds[PLAN_STATE], op->options, 0700) < 0)
		return err_set(err, -errno, "make the instance's directory on its disk");
	dir_fd = open_source(p->source_fds[PLAN_STATE], PLAN_STATE, op->options);
	if (dir_fd < 0)
		return err_set(err, dir_fd, "open the instance's directory on its disk");
	upper_fd = file_make_dir(dir_fd, "upper", 0755, p->uid, p->uid);
	work_fd = file_make_dir(dir_fd, "work", 0700, 0, 0);
	if (upper_fd < 0 || work_fd < 0)
		return err_set(err, upper_fd < 0 ? upper_fd : work_fd, "make the upper layer");
	fs_fd = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	if (fs_fd < 0)
		return err_set(err, -errno, "this kernel has no overlay file system");
	ret = set_layer(fs_fd, "lowerdir", lower_fd);
	if (ret == 0)
		ret = set_layer(fs_fd, "upperdir", upper_fd);
	if (ret == 0)
		ret = set_layer(fs_fd, "workdir", work_fd);
	if (ret == 0)
		ret = set_options(fs_fd, "redirect_dir=on,volatile");
	if (ret < 0)
		return fs_error(fs_fd, ret, "the overlay", err);
	return create_and_mount(fs_fd, op, "the overlay", err);
}

/* The source that becomes a mount, to *ret_fd; -1 for operations that need none. 0 or -errno. */
static int
open_op(const struct plan_op *op, const struct perform *p, int *ret_fd, struct err *err)
{
	AUTO_FD int source_fd = -1;
	int ret = 0;

	*ret_fd = -1;
	switch (op->type) {
	case PLAN_BIND:
		source_fd = open_source(p->source_fds[op->source], op->source, op->text);
		if (source_fd == -ENOENT && (op->flags & PLAN_OPTIONAL))
			return 0;
		if (source_fd < 0)
			return err_set(err, source_fd, "open %s for /%s", op->text, op->target);
		ret = clone_mount(source_fd, "", op->flags);
		if (ret < 0)
			return err_set(err, ret, "clone the mount of %s", op->text);
		break;
	case PLAN_VIEW:
		ret = clone_mount(p->view_fds[op->number], "", op->flags);
		if (ret < 0)
			return err_set(err, ret, "clone the mount of /%s", op->target);
		break;
	case PLAN_MOUNT:
		ret = make_mount(op, err);
		break;
	case PLAN_OVERLAY:
		ret = make_overlay(op, p, err);
		break;
	case PLAN_DIR:
	case PLAN_TEXT:
	case PLAN_LINK:
	case PLAN_DEVICE:
	case PLAN_AGAIN:
	case PLAN_HIDE:
	case PLAN_SEAL:
		return 0;
	}
	*ret_fd = ret < 0 ? -1 : ret;
	return ret < 0 ? ret : 0;
}

/* ---- in the new mount namespace ---------------------------------------------------------- */

static int
attach(int mount_fd, int root_fd, const char *target)
{
	return syscall(SYS_move_mount, mount_fd, "", root_fd, target, MOVE_MOUNT_F_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

static int
make_text(int root_fd, const struct plan_op *op)
{
	AUTO_FD int fd = openat(root_fd, op->target,
				O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	return *op->text ? file_write_all(fd, op->text, strlen(op->text)) : 0;
}

/* Another mount of something that is mounted already, on top of `target`. */
static int
cover(int root_fd, const char *source, const char *target, unsigned flags)
{
	AUTO_FD int fd = clone_mount(root_fd, source, flags);

	return fd < 0 ? fd : attach(fd, root_fd, target);
}

static bool
is_there(int root_fd, const char *target)
{
	return faccessat(root_fd, target, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int
seal(int root_fd, const char *target)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

	return syscall(SYS_mount_setattr, root_fd, target, AT_EMPTY_PATH, &attr, sizeof(attr)) < 0
		       ? -errno
		       : 0;
}

static int
perform_op(const struct plan_op *op, int mount_fd, int root_fd)
{
	switch (op->type) {
	case PLAN_DIR:
		return mkdirat(root_fd, op->target, (mode_t)op->number) < 0 ? -errno : 0;
	case PLAN_TEXT:
		return make_text(root_fd, op);
	case PLAN_LINK:
		return symlinkat(op->text, root_fd, op->target) < 0 ? -errno : 0;
	case PLAN_DEVICE:
		return mknodat(root_fd, op->target, S_IFCHR | 0666, op->number) < 0 ? -errno : 0;
	case PLAN_BIND:
	case PLAN_VIEW:
	case PLAN_MOUNT:
	case PLAN_OVERLAY:
		return mount_fd < 0 ? 0 : attach(mount_fd, root_fd, op->target);
	case PLAN_AGAIN:
		return is_there(root_fd, op->target)
			       ? cover(root_fd, op->target, op->target, PLAN_NOEXEC)
			       : 0;
	case PLAN_HIDE:
		return is_there(root_fd, op->target)
			       ? cover(root_fd, "dev/null", op->target,
				       PLAN_NODES | PLAN_WRITABLE | PLAN_NOEXEC)
			       : 0;
	case PLAN_SEAL:
		return seal(root_fd, op->target);
	}
	return -EINVAL;
}

/* A mount namespace of its own, whose top is the plan's root on top of the host's. */
static int
enter_namespace(int root_fd, struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_set(err, -errno, "make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_set(err, -errno, "make the mounts private");
	if (syscall(SYS_move_mount, root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(err, -errno, "mount the new root");
	return 0;
}

static int
leave_old_root(int root_fd, struct err *err)
{
	/* pivot_root(2): with "." twice the old root ends up on top of the new one. */
	if (fchdir(root_fd) < 0)
		return err_set(err, -errno, "change to the new root");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_set(err, -errno, "pivot to the new root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_set(err, -errno, "detach the old root");
	if (chdir("/") < 0)
		return err_set(err, -errno, "change to /");
	return 0;
}

int
perform_plan(const struct plan *plan, struct perform *p, struct err *err)
{
	int root_fd, ret;

	(void)umask(0);
	for (size_t i = 0; i < plan->n; i++) {
		ret = open_op(&plan->ops[i], p, &p->fds[i], err);
		if (ret < 0)
			return ret;
	}
	root_fd = p->fds[0];
	ret = enter_namespace(root_fd, err);
	for (size_t i = 1; i < plan->n && ret == 0; i++) {
		ret = perform_op(&plan->ops[i], p->fds[i], root_fd);
		if (ret < 0)
			(void)err_set(err, ret, "set up /%s", plan->ops[i].target);
	}
	return ret < 0 ? ret : leave_old_root(root_fd, err);
}

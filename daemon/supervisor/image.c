/*
 * The loop device goes by itself with the last mount (LO_FLAGS_AUTOCLEAR), also after a crash
 * of ours. An image is removed and created, never overwritten: a mount namespace somewhere may
 * still have the old one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/chores.h"
#include "daemon/supervisor/image.h"

#define LOOP_TRIES 64
#define NOBODY "65534"
/* Documentation/admin-guide/devices.txt */
#define MISC_MAJOR 10
#define LOOP_MINOR 237
#define LOOP_MAJOR_NUMBER 7

static void
file_name(const struct image *image, char *out, size_t cap)
{
	(void)snprintf(out, cap, "%s.img", image->name);
}

static int
open_image(const struct image *image, int flags)
{
	char name[80];
	int fd;

	file_name(image, name, sizeof(name));
	fd = openat(image->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	return fd < 0 ? -errno : fd;
}

bool
image_is_there(const struct image *image)
{
	AUTO_FD int fd = open_image(image, 0);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == image->bytes;
}

static int
run_mke2fs(const struct image *image, const char *path, struct err *err)
{
	char extended[96], blocks[32];
	/* Package managers make many small files. What is reserved lets a new instance start
	 * beside one that has filled the disk. */
	const char *argv[] = {
		"mke2fs",
		"-qF",
		"-text4",
		"-b4096",
		"-i8192",
		image->is_kept ? "-m0" : "-m1",
		image->is_kept ? "-O^resize_inode" : "-O^resize_inode,^has_journal",
		"-E",
		extended,
		path,
		blocks,
		NULL,
	};

	(void)snprintf(extended, sizeof(extended),
		       "lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=%u:%u",
		       image->owner, image->owner);
	(void)snprintf(blocks, sizeof(blocks), "%" PRIu64, image->bytes / 4096);
	return chore_execute(argv, NULL, NULL, err);
}

int
image_make(const struct image *image, struct err *err)
{
	AUTO_FD int fd = -1;
	char name[80], path[40];

	file_name(image, name, sizeof(name));
	if (unlinkat(image->dir_fd, name, 0) < 0 && errno != ENOENT)
		return err_set(err, -errno, "remove the old disk of %s", image->name);
	fd = open_image(image, O_CREAT | O_EXCL);
	if (fd < 0)
		return err_set(err, fd, "create the disk of %s", image->name);
	if (ftruncate(fd, (off_t)image->bytes) < 0)
		return err_set(err, -errno, "size the disk of %s", image->name);
	/* mke2fs inherits the fd: no path of ours has to be told to it. */
	if (fcntl(fd, F_SETFD, 0) < 0)
		return err_set(err, -errno, "pass on the disk of %s", image->name);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return run_mke2fs(image, path, err);
}

/* /dev may not be the kernel's own devtmpfs, and opening the node is what loads the driver. */
static int
open_node(const char *path, mode_t type, unsigned major, unsigned minor)
{
	int fd;

	(void)mknod(path, type | 0600, makedev(major, minor));
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A loop device for `fd`, open: closing it without a mount gives it back. The fd or -errno. */
static int
attach_loop(int fd, char path[32], struct err *err)
{
	AUTO_FD int control_fd = open_node("/dev/loop-control", S_IFCHR, MISC_MAJOR, LOOP_MINOR);
	struct loop_config config = {
		.fd = (uint32_t)fd,
		.block_size = 4096,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};

	if (control_fd < 0)
		return err_set(err, control_fd, "open /dev/loop-control");
	for (int i = 0; i < LOOP_TRIES; i++) {
		int n = ioctl(control_fd, LOOP_CTL_GET_FREE);
		AUTO_FD int loop_fd = -1;

		if (n < 0)
			return err_set(err, -errno, "find a free loop device");
		(void)snprintf(path, 32, "/dev/loop%d", n);
		loop_fd = open_node(path, S_IFBLK, LOOP_MAJOR_NUMBER, (unsigned)n);
		if (loop_fd < 0)
			return err_set(err, loop_fd, "open %s", path);
		if (ioctl(loop_fd, LOOP_CONFIGURE, &config) == 0)
			return take_fd(&loop_fd);
		/* Somebody else was quicker. */
		if (errno != EBUSY)
			return err_set(err, -errno, "attach the disk to %s", path);
	}
	return err_say(err, -EBUSY, "all loop devices are taken as fast as they are found");
}

static int
mount_device(const char *device, const struct image *image, int dir_fd, struct err *err)
{
	AUTO_FD int fs_fd = (int)syscall(SYS_fsopen, "ext4", FSOPEN_CLOEXEC);
	AUTO_FD int mount_fd = -1;

	if (fs_fd < 0)
		return err_set(err, -errno, "this kernel has no ext4");
	/* Overlays write as root, but without CAP_SYS_RESOURCE: the reserve is not theirs. */
	if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_STRING, "source", device, 0) < 0 ||
	    syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_STRING, "resuid", NOBODY, 0) < 0 ||
	    syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_set(err, -errno, "mount the disk of %s", image->name);
	mount_fd = (int)syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC,
				MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
	if (mount_fd < 0)
		return err_set(err, -errno, "mount the disk of %s", image->name);
	/* Nothing but our own directories, for our own use. */
	(void)unlinkat(mount_fd, "lost+found", AT_REMOVEDIR);
	if (syscall(SYS_move_mount, mount_fd, "", dir_fd, "",
		    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_set(err, -errno, "attach the disk of %s", image->name);
	return 0;
}

int
image_mount(const struct image *image, struct err *err)
{
	AUTO_FD int fd = open_image(image, 0);
	AUTO_FD int loop_fd = -1, dir_fd = -1;
	char device[32];

	if (fd < 0)
		return err_set(err, fd, "open the disk of %s", image->name);
	dir_fd = file_make_dir(image->dir_fd, image->name, 0700, 0, 0);
	if (dir_fd < 0)
		return err_set(err, dir_fd, "make the mount point of %s", image->name);
	loop_fd = attach_loop(fd, device, err);
	return loop_fd < 0 ? loop_fd : mount_device(device, image, dir_fd, err);
}

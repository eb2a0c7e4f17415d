/*
 * A build that runs out of space fails in a thousand ways (a compiler crashes, npm prints a stack);
 * so whatever fails, the file system is asked first. Buildpacks may have cleaned up by then, which
 * is why the worst seen while they ran is kept.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"
#include "lib/file.h"

#include "builder/disk.h"

#define MAX_DEPTH 512

int
disk_open(struct disk *disk, const char *path, uint64_t limit_bytes, struct err *err)
{
	struct statvfs vfs;

	*disk = (struct disk){.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	if (disk->fd < 0 || fstatvfs(disk->fd, &vfs) < 0)
		return err_set(err, -errno, "open the build disk %s", path);
	disk->limit_bytes = limit_bytes ? limit_bytes : (uint64_t)vfs.f_blocks * vfs.f_frsize;
	return 0;
}

void
disk_done(struct disk *disk)
{
	if (disk->fd >= 0)
		(void)close(disk->fd);
	disk->fd = -1;
}

/* ---- cleaning ------------------------------------------------------------------------------ */

static void
close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static DIR *
open_dir(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		(void)close(fd);
	return dir;
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The next folder in `dir`, or NULL. */
static const char *
next_folder(DIR *dir)
{
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		if (entry->d_type == DT_DIR && !is_dots(entry->d_name))
			return entry->d_name;
	}
	return NULL;
}

/* Gives every folder of the tree the permissions that removing what is in it takes. */
static void
make_removable(int dir_fd, const char *name)
{
	DIR *stack[MAX_DEPTH];
	size_t n = 0;

	if (fchmodat(dir_fd, name, 0700, 0) < 0)
		return;
	stack[n] = open_dir(dir_fd, name);
	n += stack[0] != NULL;
	while (n > 0) {
		DIR *top = stack[n - 1];
		const char *folder = next_folder(top);

		if (!folder) {
			(void)closedir(top);
			n--;
			continue;
		}
		if (fchmodat(dirfd(top), folder, 0700, 0) == 0 && n < MAX_DEPTH) {
			stack[n] = open_dir(dirfd(top), folder);
			n += stack[n] != NULL;
		}
	}
}

int
disk_remove(int dir_fd, const char *name)
{
	struct stat st;
	int ret = file_remove_tree(dir_fd, name);

	if (ret != -EACCES && ret != -EPERM)
		return ret;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		make_removable(dir_fd, name);
	return file_remove_tree(dir_fd, name);
}

/* Removes all entries of `dir` but those in `keep` (NULL-terminated). */
static int
remove_entries(DIR *dir, const char *const keep[])
{
	struct dirent *entry;

	while ((entry = readdir(dir))) {
		bool stays = is_dots(entry->d_name);
		int ret;

		for (size_t i = 0; keep[i]; i++)
			stays |= strcmp(entry->d_name, keep[i]) == 0;
		if (stays)
			continue;
		ret = disk_remove(dirfd(dir), entry->d_name);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int
disk_empty(int dir_fd, const char *name)
{
	AUTO_CLEAN(close_dir) DIR *dir = open_dir(dir_fd, name);

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	return remove_entries(dir, (const char *const[]){NULL});
}

int
disk_clean(struct disk *disk, struct err *err)
{
	static const char *const keep[] = {"cache", "app", "lost+found", NULL};
	AUTO_CLEAN(close_dir) DIR *dir = open_dir(disk->fd, ".");
	int ret;

	if (!dir)
		return err_set(err, -errno, "read the build disk");
	ret = remove_entries(dir, keep);
	if (ret == 0)
		ret = disk_empty(disk->fd, "app");
	return ret < 0 ? err_set(err, ret, "clean the build disk") : 0;
}

/* ---- watching ------------------------------------------------------------------------------ */

static bool
look(const struct disk *disk, struct statvfs *vfs, uint64_t *used)
{
	if (fstatvfs(disk->fd, vfs) < 0)
		return false;
	*used = (uint64_t)(vfs->f_blocks - vfs->f_bfree) * vfs->f_frsize;
	return true;
}

void
disk_watch(struct disk *disk)
{
	disk->was_full = disk->was_out_of_files = false;
}

void
disk_look(struct disk *disk)
{
	struct statvfs vfs;
	uint64_t used;

	if (!look(disk, &vfs, &used))
		return;
	if (used > disk->peak_bytes)
		disk->peak_bytes = used;
	if (vfs.f_blocks && vfs.f_bavail < vfs.f_blocks / 100 + 1)
		disk->was_full = true;
	if (vfs.f_files && vfs.f_favail < vfs.f_files / 100 + 1)
		disk->was_out_of_files = true;
}

bool
disk_is_tight(const struct disk *disk)
{
	struct statvfs vfs;
	uint64_t used;

	if (!look(disk, &vfs, &used))
		return false;
	return vfs.f_bavail < vfs.f_blocks / 4 || (vfs.f_files && vfs.f_favail < vfs.f_files / 4);
}

bool
disk_explain(struct disk *disk, struct err *err)
{
	char limit[32], peak[32];

	disk_look(disk);
	(void)conf_bytes_text(disk->limit_bytes, limit, sizeof(limit));
	(void)conf_bytes_text(disk->peak_bytes, peak, sizeof(peak));
	if (disk->was_full) {
		(void)err_say(
			err, -ENOSPC,
			"Push rejected, the build filled its disk: at most %s of the limit of "
			"%s were in use, source, dependencies and build cache together.",
			peak, limit);
		return true;
	}
	if (disk->was_out_of_files) {
		(void)err_say(err, -ENOSPC,
			      "Push rejected, the build made more files than its disk of %s can "
			      "hold (at most %s were in use).",
			      limit, peak);
		return true;
	}
	return false;
}

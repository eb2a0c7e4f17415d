/*
 * Parents are opened with openat2 beneath the root, without following any link, and the last one is
 * kept: a slug is sorted, so nearly every entry lies where the one before it did.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "builder/unpack.h"

#define ROOT_NAME "app"
#define MAX_PATH 8192
#define MAX_ENTRIES 2000000
#define BLOCK_BYTES 65536

struct unpack {
	struct archive *archive;
	int root_fd;
	int parent_fd; /* of `parent`, or -1 */
	char parent[MAX_PATH];
	uint64_t bytes_left, entries_left;
	struct err *err;
};

/* The path below ./app: "" for itself, NULL when it is none that we write. */
static const char *
path_below(const char *path)
{
	if (strncmp(path, "./", 2) == 0)
		path += 2;
	if (strncmp(path, ROOT_NAME, strlen(ROOT_NAME)) != 0)
		return NULL;
	path += strlen(ROOT_NAME);
	if (*path == '\0')
		return path;
	return *path == '/' ? path + 1 : NULL;
}

/* No empty, "." or ".." component; a slash at the end is how tar writes folders. */
static bool
is_clean(const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += n;
		path += *path == '/';
	}
	return true;
}

/* The folder of `path` (without trailing slash) as an fd that stays ours; *name is the rest. */
static int
open_parent(struct unpack *u, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	*name = slash ? slash + 1 : path;
	if (u->parent_fd >= 0 && strlen(u->parent) == n && memcmp(u->parent, path, n) == 0)
		return u->parent_fd;
	if (u->parent_fd >= 0)
		(void)close(u->parent_fd);
	memcpy(u->parent, path, n);
	u->parent[n] = '\0';
	u->parent_fd =
		(int)syscall(SYS_openat2, u->root_fd, n ? u->parent : ".", &how, sizeof(how));
	if (u->parent_fd < 0)
		return err_set(u->err, -errno, "open the folder of %s", path);
	return u->parent_fd;
}

static int
write_block(struct unpack *u, int fd, const void *p, size_t n, int64_t at)
{
	const char *from = p;

	if (n > u->bytes_left)
		return err_say(u->err, -EFBIG, "the content is larger than a slug may be");
	u->bytes_left -= n;
	while (n > 0) {
		ssize_t done = pwrite(fd, from, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_set(u->err, -errno, "write");
		from += done;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

static int
archive_fail(struct unpack *u)
{
	const char *said = archive_error_string(u->archive);

	return err_say(u->err, -EBADMSG, "the slug cannot be read: %s", said ? said : "bad data");
}

static int
write_file(struct unpack *u, int dir_fd, const char *name, struct archive_entry *entry)
{
	struct timespec times[2] = {{.tv_sec = archive_entry_mtime(entry)},
				    {.tv_sec = archive_entry_mtime(entry)}};
	AUTO_FD int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				archive_entry_perm(entry) & 0777);
	const void *p;
	int64_t at;
	size_t n;
	int code, ret;

	if (fd < 0)
		return err_set(u->err, -errno, "make %s", archive_entry_pathname(entry));
	while ((code = archive_read_data_block(u->archive, &p, &n, &at)) == ARCHIVE_OK) {
		ret = write_block(u, fd, p, n, at);
		if (ret < 0)
			return err_prefix(u->err, ret, "%s", archive_entry_pathname(entry));
	}
	if (code != ARCHIVE_EOF)
		return archive_fail(u);
	if (futimens(fd, times) < 0)
		return err_set(u->err, -errno, "date %s", archive_entry_pathname(entry));
	return 0;
}

static int
make_folder(struct unpack *u, int dir_fd, const char *name, struct archive_entry *entry)
{
	struct stat st;

	if (mkdirat(dir_fd, name, (archive_entry_perm(entry) & 0777) | 0700) == 0)
		return 0;
	if (errno == EEXIST && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return 0;
	return err_set(u->err, -errno, "make the folder %s", archive_entry_pathname(entry));
}

static int
make_link(struct unpack *u, int dir_fd, const char *name, struct archive_entry *entry)
{
	const char *target = archive_entry_symlink(entry);

	if (!target || symlinkat(target, dir_fd, name) < 0)
		return err_set(u->err, target ? -errno : -EBADMSG, "make the link %s",
			       archive_entry_pathname(entry));
	return 0;
}

static int
take_entry(struct unpack *u, struct archive_entry *entry)
{
	const char *full = archive_entry_pathname(entry);
	const char *below = full ? path_below(full) : NULL;
	char path[MAX_PATH];
	const char *name;
	size_t n;
	int dir_fd;

	if (!below || !is_clean(below) || strlen(below) >= sizeof(path))
		return err_say(u->err, -EBADMSG, "\"%.200s\" is no path of a slug",
			       full ? full : "");
	if (*below == '\0')
		return archive_entry_filetype(entry) == AE_IFDIR
			       ? 0
			       : err_say(u->err, -EBADMSG, "./app is no folder");
	if (u->entries_left-- == 0)
		return err_say(u->err, -EFBIG, "it has more than %d entries", MAX_ENTRIES);
	n = strlen(below);
	memcpy(path, below, n + 1);
	if (path[n - 1] == '/')
		path[n - 1] = '\0';
	dir_fd = open_parent(u, path, &name);
	if (dir_fd < 0)
		return dir_fd;
	if (archive_entry_hardlink(entry))
		return err_say(u->err, -EBADMSG, "%.200s is a hard link", full);
	switch (archive_entry_filetype(entry)) {
	case AE_IFDIR:
		return make_folder(u, dir_fd, name, entry);
	case AE_IFREG:
		return write_file(u, dir_fd, name, entry);
	case AE_IFLNK:
		return make_link(u, dir_fd, name, entry);
	default:
		return err_say(u->err, -EBADMSG, "%.200s is neither file nor folder nor link",
			       full);
	}
}

static int
take_all(struct unpack *u, int in_fd)
{
	struct archive_entry *entry;
	int code, ret;

	if (archive_read_support_filter_zstd(u->archive) < ARCHIVE_WARN ||
	    archive_read_support_format_tar(u->archive) != ARCHIVE_OK ||
	    archive_read_open_fd(u->archive, in_fd, BLOCK_BYTES) != ARCHIVE_OK)
		return archive_fail(u);
	for (;;) {
		code = archive_read_next_header(u->archive, &entry);
		if (code == ARCHIVE_EOF)
			return 0;
		if (code < ARCHIVE_WARN)
			return archive_fail(u);
		ret = take_entry(u, entry);
		if (ret < 0)
			return ret;
	}
}

int
unpack_slug(int in_fd, int root_fd, uint64_t max_bytes, struct err *err)
{
	struct unpack u = {
		.root_fd = root_fd,
		.parent_fd = -1,
		.bytes_left = max_bytes,
		.entries_left = MAX_ENTRIES,
		.err = err,
	};
	int ret;

	u.archive = archive_read_new();
	if (!u.archive)
		return err_set(err, -ENOMEM, "unpack the slug");
	ret = take_all(&u, in_fd);
	if (u.parent_fd >= 0)
		(void)close(u.parent_fd);
	(void)archive_read_free(u.archive);
	return ret;
}

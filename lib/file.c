/* Files by directory fd. Nothing here follows a link that somebody else may have put there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/file.h"

int
file_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

int
file_read_all(int fd, struct buf *out)
{
	for (;;) {
		size_t left = out->max - out->len;
		char past_the_end;
		ssize_t n;
		int ret;

		if (left > 0) {
			size_t room = left < 16384 ? left : 16384;

			ret = buf_reserve(out, room);
			if (ret < 0)
				return ret;
			n = read(fd, out->data + out->len, room);
		} else {
			n = read(fd, &past_the_end, 1);
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		if (left == 0)
			return -ENOBUFS;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
	}
}

int
file_read_at(int dir_fd, const char *path, struct buf *out)
{
	AUTO_FD int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return file_read_all(fd, out);
}

int
file_write_at(int dir_fd, const char *path, const char *text)
{
	AUTO_FD int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	/* Such files take a value in one write or not at all. */
	do {
		n = write(fd, text, strlen(text));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == strlen(text) ? 0 : -EIO;
}

static int
write_and_rename(int dir_fd, const char *temporary, const char *name, const void *p, size_t n,
		 mode_t mode)
{
	AUTO_FD int fd = openat(dir_fd, temporary,
				O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	AUTO_FD int sync_fd = -1;
	int ret;

	if (fd < 0)
		return -errno;
	ret = file_write_all(fd, p, n);
	/* The mode is meant as it was said, whatever the umask. */
	if (ret == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		ret = -errno;
	if (ret == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		ret = -errno;
	if (ret < 0) {
		(void)unlinkat(dir_fd, temporary, 0);
		return ret;
	}
	/* dir_fd may be AT_FDCWD or O_PATH, neither of which can be synced. */
	sync_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sync_fd < 0 || fsync(sync_fd) < 0)
		return -errno;
	return 0;
}

int
file_replace_at(int dir_fd, const char *name, const void *p, size_t n, mode_t mode)
{
	char temporary[64];
	uint64_t random;
	int ret;

	do {
		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return -errno;
		(void)snprintf(temporary, sizeof(temporary), ".new-%016llx",
			       (unsigned long long)random);
		ret = write_and_rename(dir_fd, temporary, name, p, n, mode);
	} while (ret == -EEXIST);
	return ret;
}

int
file_open_beneath(int dir_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.mode = (flags & (O_CREAT | __O_TMPFILE)) ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	/* EAGAIN: a rename raced with "..", the kernel asks to try again. */
	for (int tries = 0;; tries++) {
		long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EINTR && (errno != EAGAIN || tries == 16))
			return -errno;
	}
}

int
file_open_dir(int dir_fd, const char *path)
{
	return file_open_beneath(dir_fd, path, O_RDONLY | O_DIRECTORY, 0);
}

int
file_make_dir(int dir_fd, const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	AUTO_FD int fd = -1;
	struct stat st;

	if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* Owner first: changing it may clear bits of the mode. */
	if ((st.st_uid != uid && uid != (uid_t)-1) || (st.st_gid != gid && gid != (gid_t)-1)) {
		if (fchown(fd, uid, gid) < 0)
			return -errno;
	}
	if (fchmod(fd, mode) < 0)
		return -errno;
	return take_fd(&fd);
}

/* ---- removing a tree --------------------------------------------------------------------- */

/*
 * Depth is the attacker's choice, so neither the stack nor the number of open fds may grow with
 * it. A directory found too deep is first moved up into the top of the tree and removed from
 * there later; each round removes at least TREE_DEPTH levels.
 */
#define TREE_DEPTH 24

struct level {
	DIR *dir;
	char name[NAME_MAX + 1]; /* in the level above */
};

struct tree {
	struct level levels[TREE_DEPTH];
	size_t depth; /* levels in use */
	dev_t dev;
	unsigned long n_moved;
	bool again; /* something was moved up */
};

static int
level_fd(const struct tree *t, size_t i)
{
	return dirfd(t->levels[i].dir);
}

/* Opens dir_fd/name as the next level. 0, or -errno; -EXDEV on another file system. */
static int
tree_enter(struct tree *t, int dir_fd, const char *name)
{
	AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct level *l = &t->levels[t->depth];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (t->depth == 0)
		t->dev = st.st_dev;
	else if (st.st_dev != t->dev)
		return -EXDEV;
	/* Caches of Go modules are read-only directories of our own. */
	if ((st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700);
	l->dir = fdopendir(fd);
	if (!l->dir)
		return -ENOMEM;
	(void)take_fd(&fd);
	(void)snprintf(l->name, sizeof(l->name), "%s", name);
	t->depth++;
	return 0;
}

/* The deepest level has a directory for which there is no level left. */
static int
tree_move_up(struct tree *t, const char *name)
{
	char to[64];

	for (;;) {
		(void)snprintf(to, sizeof(to), ".removed-%lu", t->n_moved++);
		if (renameat2(level_fd(t, t->depth - 1), name, level_fd(t, 0), to,
			      RENAME_NOREPLACE) == 0) {
			t->again = true;
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
}

/* Removes the entries of the deepest level; enters the first directory it meets. 1: entered,
 * 0: this level is empty now, or -errno. */
static int
tree_empty(struct tree *t)
{
	DIR *dir = t->levels[t->depth - 1].dir;
	struct dirent *e;
	int ret;

	while (errno = 0, (e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), e->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM)
			return -errno;
		if (unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			continue;
		if (t->depth == TREE_DEPTH) {
			ret = tree_move_up(t, e->d_name);
			if (ret < 0)
				return ret;
			continue;
		}
		ret = tree_enter(t, dirfd(dir), e->d_name);
		return ret < 0 ? ret : 1;
	}
	return -errno;
}

static int
tree_remove(struct tree *t, int dir_fd)
{
	int ret;

	for (;;) {
		struct level *l = &t->levels[t->depth - 1];

		ret = tree_empty(t);
		if (ret < 0)
			return ret;
		if (ret == 1)
			continue;
		/* readdir may miss what was renamed into the top while it was being read. */
		if (t->depth == 1 && t->again) {
			t->again = false;
			rewinddir(l->dir);
			continue;
		}
		(void)closedir(l->dir);
		t->depth--;
		if (unlinkat(t->depth ? level_fd(t, t->depth - 1) : dir_fd, l->name, AT_REMOVEDIR) <
			    0 &&
		    errno != ENOENT)
			return -errno;
		if (t->depth == 0)
			return 0;
	}
}

int
file_remove_tree(int dir_fd, const char *name)
{
	AUTO_FREE struct tree *t = NULL;
	int ret;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	ret = tree_enter(t, dir_fd, name);
	if (ret == 0)
		ret = tree_remove(t, dir_fd);
	while (t->depth > 0)
		(void)closedir(t->levels[--t->depth].dir);
	return ret == -ENOENT ? 0 : ret;
}

/* ---- the rest ---------------------------------------------------------------------------- */

int
file_make_parents(const char *path, mode_t mode)
{
	AUTO_FREE char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *at = copy; *at;) {
		char end;

		at += strspn(at, "/");
		at += strcspn(at, "/");
		end = *at;
		*at = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return -errno;
		*at = end;
	}
	return 0;
}

int
file_set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (!!(flags & O_NONBLOCK) == on)
		return 0;
	return fcntl(fd, F_SETFL, flags ^ O_NONBLOCK) < 0 ? -errno : 0;
}

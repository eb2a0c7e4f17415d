/* Every operation starts from the app's directory; no name is ever followed as a link. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "daemon/control/archive.h"

/* The app's name was checked when it was created; openat2 makes sure. */
static int
open_dir(const char *app)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "slugs/%s", app);
	return file_open_dir(AT_FDCWD, path);
}

static void
names_of(uint32_t slug, char final[32], char temporary[32])
{
	(void)snprintf(final, 32, "%" PRIu32 ".tar.zst", slug);
	(void)snprintf(temporary, 32, "%" PRIu32 ".tar.zst.tmp", slug);
}

int
archive_create(const char *app, uint32_t slug, struct err *err)
{
	AUTO_FD int dir_fd = open_dir(app);
	char final[32], temporary[32];

	if (dir_fd < 0)
		return err_set(err, dir_fd, "open slugs/%s", app);
	names_of(slug, final, temporary);
	(void)unlinkat(dir_fd, temporary, 0);
	int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0640);

	return fd < 0 ? err_set(err, -errno, "create slugs/%s/%s", app, temporary) : fd;
}

int
archive_publish(const char *app, uint32_t slug, int fd, uint64_t bytes, struct err *err)
{
	AUTO_FD int dir_fd = open_dir(app);
	char final[32], temporary[32];
	struct stat st;

	if (dir_fd < 0)
		return err_set(err, dir_fd, "open slugs/%s", app);
	names_of(slug, final, temporary);
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "look at slugs/%s/%s", app, temporary);
	if ((uint64_t)st.st_size != bytes || bytes == 0)
		return err_say(err, -EBADMSG,
			       "the slug has %lld bytes, but the builder reported %llu",
			       (long long)st.st_size, (unsigned long long)bytes);
	if (fsync(fd) < 0 || renameat(dir_fd, temporary, dir_fd, final) < 0 || fsync(dir_fd) < 0)
		return err_set(err, -errno, "store slugs/%s/%s", app, final);
	return 0;
}

int
archive_open(const char *app, uint32_t slug, struct err *err)
{
	AUTO_FD int dir_fd = open_dir(app);
	char final[32], temporary[32];

	if (dir_fd < 0)
		return err_set(err, dir_fd, "open slugs/%s", app);
	names_of(slug, final, temporary);
	int fd = openat(dir_fd, final, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_set(err, -errno, "open slugs/%s/%s", app, final) : fd;
}

void
archive_remove(const char *app, uint32_t slug)
{
	AUTO_FD int dir_fd = open_dir(app);
	char final[32], temporary[32];

	if (dir_fd < 0)
		return;
	names_of(slug, final, temporary);
	(void)unlinkat(dir_fd, temporary, 0);
	(void)unlinkat(dir_fd, final, 0);
}

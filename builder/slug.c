/*
 * Reproducible because nothing of the moment goes in: names are sorted by bytes, times and owners
 * constant, one compressing thread, hard links stored as files. The digest is taken of the bytes
 * on their way to the file.
 */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"
#include "lib/file.h"

#include "builder/slug.h"

#define ROOT_NAME "./app"
#define MAX_DEPTH 256
#define MAX_PATH 8192
#define BLOCK_BYTES 65536

struct frame {
	int fd;
	char **names; /* sorted, owned */
	size_t n, at;
	size_t path_len;
};

struct packer {
	struct archive *archive;
	struct archive_entry *entry;
	struct sha256_ctx sha256;
	int out_fd;
	int write_code; /* of the output file */
	uint64_t bytes, max_bytes;
	uint64_t content, max_content;
	uint64_t n_entries;
	int64_t time;
	struct slug *slug;
	struct err *err;
	size_t n_frames;
	char path[MAX_PATH];
	char block[BLOCK_BYTES];
	struct frame frames[MAX_DEPTH];
};

/* ---- output -------------------------------------------------------------------------------- */

/*
 * Beyond the limit bytes are only counted, so that the person is told the real size. An error is
 * kept for later and never told to libarchive, which leaks its buffers in that case.
 */
static la_ssize_t
write_bytes(struct archive *archive, void *user, const void *p, size_t n)
{
	struct packer *packer = user;

	(void)archive;
	packer->bytes += n;
	sha256_update(&packer->sha256, n, p);
	if (packer->write_code == 0 && packer->bytes <= packer->max_bytes)
		packer->write_code = file_write_all(packer->out_fd, p, n);
	return (la_ssize_t)n;
}

static int
write_fail(struct packer *packer)
{
	return err_set(packer->err, packer->write_code,
		       "The slug could not be written to the server's disk");
}

static int
archive_fail(struct packer *packer)
{
	return err_say(packer->err, -EIO, "The slug could not be packed: %s",
		       archive_error_string(packer->archive));
}

static int
put_header(struct packer *packer)
{
	if (archive_write_header(packer->archive, packer->entry) < ARCHIVE_WARN)
		return archive_fail(packer);
	return packer->write_code < 0 ? write_fail(packer) : 0;
}

/* ---- entries ------------------------------------------------------------------------------- */

static void
begin_entry(struct packer *packer, unsigned type, unsigned mode)
{
	struct archive_entry *entry = packer->entry;

	(void)archive_entry_clear(entry);
	archive_entry_set_pathname(entry, packer->path);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, (mode_t)mode);
	archive_entry_set_mtime(entry, packer->time, 0);
}

static int
put_content(struct packer *packer, int fd, uint64_t size)
{
	while (size > 0) {
		size_t want = size < sizeof(packer->block) ? (size_t)size : sizeof(packer->block);
		ssize_t n = read(fd, packer->block, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(packer->err, n < 0 ? -errno : -EIO, "read %s", packer->path);
		if (archive_write_data(packer->archive, packer->block, (size_t)n) != n)
			return archive_fail(packer);
		if (packer->write_code < 0)
			return write_fail(packer);
		size -= (uint64_t)n;
	}
	return 0;
}

static int
put_file(struct packer *packer, int dir_fd, const char *name, const struct stat *st)
{
	AUTO_FD int fd = -1;
	char limit[32];
	int ret;

	packer->content += (uint64_t)st->st_size;
	if (packer->max_content && packer->content > packer->max_content)
		return err_say(packer->err, -EFBIG,
			       "The app's files are larger than %s together, before packing.",
			       conf_bytes_text(packer->max_content, limit, sizeof(limit)));
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, st->st_mode | 0400, 0) == 0)
		fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(packer->err, -errno, "read %s", packer->path);
	begin_entry(packer, AE_IFREG, (st->st_mode & 0777) | 0600);
	archive_entry_set_size(packer->entry, st->st_size);
	ret = put_header(packer);
	return ret < 0 ? ret : put_content(packer, fd, (uint64_t)st->st_size);
}

static int
put_link(struct packer *packer, int dir_fd, const char *name)
{
	char target[PATH_MAX + 1];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_set(packer->err, -errno, "read the link %s", packer->path);
	target[n] = '\0';
	begin_entry(packer, AE_IFLNK, 0777);
	archive_entry_set_symlink(packer->entry, target);
	return put_header(packer);
}

/* ---- the walk ------------------------------------------------------------------------------ */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
pop_frame(struct packer *packer)
{
	struct frame *top = &packer->frames[--packer->n_frames];

	for (size_t i = 0; i < top->n; i++)
		free(top->names[i]);
	free(top->names);
	(void)close(top->fd);
}

static int
add_name(struct packer *packer, struct frame *frame, const char *name, size_t *cap)
{
	if (++packer->n_entries > SLUG_MAX_ENTRIES)
		return err_say(packer->err, -E2BIG, "The app has more than %d files and folders.",
			       SLUG_MAX_ENTRIES);
	if (frame->n == *cap) {
		size_t more = *cap ? *cap * 2 : 64;
		char **names = reallocarray(frame->names, more, sizeof(*names));

		if (!names)
			return err_set(packer->err, -ENOMEM, "list %s", packer->path);
		frame->names = names;
		*cap = more;
	}
	frame->names[frame->n] = strdup(name);
	if (!frame->names[frame->n])
		return err_set(packer->err, -ENOMEM, "list %s", packer->path);
	frame->n++;
	return 0;
}

static int
read_names(struct packer *packer, struct frame *frame)
{
	int fd = fcntl(frame->fd, F_DUPFD_CLOEXEC, 3);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	size_t cap = 0;
	int ret = 0;

	if (!dir) {
		ret = err_set(packer->err, -errno, "list %s", packer->path);
		if (fd >= 0)
			(void)close(fd);
		return ret;
	}
	while (ret == 0 && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    strcmp(entry->d_name, ".git") == 0)
			continue;
		ret = add_name(packer, frame, entry->d_name, &cap);
	}
	(void)closedir(dir);
	if (frame->n > 1)
		qsort(frame->names, frame->n, sizeof(*frame->names), compare_names);
	return ret;
}

/* Writes the folder's own entry and makes it the top frame. Takes `fd`. */
static int
push_frame(struct packer *packer, int fd, unsigned mode)
{
	struct frame *frame;
	int ret;

	if (packer->n_frames == MAX_DEPTH) {
		(void)close(fd);
		return err_say(packer->err, -E2BIG, "%.200s... lies more than %d folders deep.",
			       packer->path, MAX_DEPTH);
	}
	begin_entry(packer, AE_IFDIR, (mode & 0777) | 0700);
	frame = &packer->frames[packer->n_frames++];
	*frame = (struct frame){.fd = fd, .path_len = strlen(packer->path)};
	ret = put_header(packer);
	return ret < 0 ? ret : read_names(packer, frame);
}

static int
open_folder(struct packer *packer, int dir_fd, const char *name, const struct stat *st)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir_fd, name, flags);

	if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0)
		fd = openat(dir_fd, name, flags);
	if (fd < 0)
		return err_set(packer->err, -errno, "open %s", packer->path);
	return push_frame(packer, fd, st->st_mode);
}

static int
visit(struct packer *packer, struct frame *top, const char *name)
{
	struct stat st;
	int n;

	n = snprintf(packer->path + top->path_len, sizeof(packer->path) - top->path_len, "/%s",
		     name);
	if (n < 0 || (size_t)n >= sizeof(packer->path) - top->path_len)
		return err_say(packer->err, -ENAMETOOLONG, "The path %.200s... is too long.",
			       packer->path);
	if (fstatat(top->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(packer->err, -errno, "look at %s", packer->path);
	if (S_ISDIR(st.st_mode))
		return open_folder(packer, top->fd, name, &st);
	if (S_ISREG(st.st_mode))
		return put_file(packer, top->fd, name, &st);
	if (S_ISLNK(st.st_mode))
		return put_link(packer, top->fd, name);
	packer->slug->n_skipped++;
	return 0;
}

static int
walk(struct packer *packer, int root_fd)
{
	int fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 3);
	int ret;

	if (fd < 0)
		return err_set(packer->err, -errno, "open the app");
	(void)snprintf(packer->path, sizeof(packer->path), "%s", ROOT_NAME);
	ret = push_frame(packer, fd, 0755);
	while (ret == 0 && packer->n_frames > 0) {
		struct frame *top = &packer->frames[packer->n_frames - 1];

		packer->path[top->path_len] = '\0';
		if (top->at == top->n)
			pop_frame(packer);
		else
			ret = visit(packer, top, top->names[top->at++]);
	}
	while (packer->n_frames > 0)
		pop_frame(packer);
	return ret;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int
open_archive(struct packer *packer)
{
	struct archive *archive = packer->archive;

	if (archive_write_add_filter_zstd(archive) != ARCHIVE_OK ||
	    archive_write_set_filter_option(archive, "zstd", "compression-level", "3") !=
		    ARCHIVE_OK ||
	    archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(archive, BLOCK_BYTES) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
	    archive_write_open(archive, packer, NULL, write_bytes, NULL) != ARCHIVE_OK)
		return archive_fail(packer);
	return 0;
}

static void
finish(struct packer *packer)
{
	uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_digest(&packer->sha256, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(packer->slug->sha256 + 2 * i, 3, "%02x", digest[i]);
	packer->slug->bytes = packer->bytes;
}

static int
pack(struct packer *packer, int root_fd)
{
	int ret = open_archive(packer);

	if (ret == 0)
		ret = walk(packer, root_fd);
	if (ret == 0 && archive_write_close(packer->archive) != ARCHIVE_OK)
		ret = archive_fail(packer);
	if (ret == 0 && packer->write_code < 0)
		ret = write_fail(packer);
	if (ret < 0)
		return ret;
	finish(packer);
	if (packer->bytes > packer->max_bytes)
		return ftruncate(packer->out_fd, 0) < 0
			       ? err_set(packer->err, -errno, "empty the slug")
			       : 1;
	if (fdatasync(packer->out_fd) < 0 && errno != EINVAL)
		return err_set(packer->err, -errno,
			       "The slug could not be written to the server's disk");
	return 0;
}

int
slug_pack(int root_fd, int out_fd, int64_t time, uint64_t max_bytes, uint64_t max_content,
	  struct slug *slug, struct err *err)
{
	AUTO_FREE struct packer *packer = calloc(1, sizeof(*packer));
	int ret;

	*slug = (struct slug){0};
	if (!packer)
		return err_set(err, -ENOMEM, "pack the slug");
	packer->out_fd = out_fd;
	packer->max_bytes = max_bytes;
	packer->max_content = max_content;
	packer->time = time;
	packer->slug = slug;
	packer->err = err;
	sha256_init(&packer->sha256);
	packer->archive = archive_write_new();
	packer->entry = archive_entry_new();
	if (!packer->archive || !packer->entry) {
		ret = err_set(err, -ENOMEM, "pack the slug");
	} else {
		ret = pack(packer, root_fd);
		if (ret < 0)
			packer->write_code = ret; /* nothing more is written */
	}
	archive_entry_free(packer->entry);
	(void)archive_write_free(packer->archive);
	return ret;
}

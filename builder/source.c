/*
 * git_repository_open insists on owning the repository, which the build user does not; an object
 * database has no such question. Names are checked by entry.c, every file is made with O_EXCL in a
 * directory we hold open, so a tree cannot write through a link it brought or twice to one place.
 */
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"
#include "lib/file.h"

#include "builder/entry.h"
#include "builder/ignore.h"
#include "builder/source.h"

#define MODE_TREE 0040000
#define MODE_FILE 0100000
#define MODE_LINK 0120000
#define MODE_COMMIT 0160000
#define LINK_MAX_BYTES 4095

struct source {
	git_odb *odb;
	git_repository *repo; /* of nothing but the database */
	git_tree *tree;
	int64_t time;
};

struct frame {
	git_tree *tree;
	size_t at;
	int dir_fd;
	size_t path_len; /* of the folder's path, with its slash */
};

struct walk {
	struct source *source;
	const struct ignore *ignore;
	struct source_budget *budget;
	struct source_report *report;
	struct err *err;
	size_t n;
	char path[SOURCE_MAX_PATH + 1];
	struct frame frames[SOURCE_MAX_DEPTH];
};

/* ---- opening ------------------------------------------------------------------------------- */

static int
git_fail(struct err *err, int code, const char *what)
{
	const git_error *e = git_error_last();

	return err_say(err, code, "%s: %s", what, e && e->message ? e->message : "git error");
}

void
source_close(struct source *source)
{
	if (!source)
		return;
	git_tree_free(source->tree);
	git_repository_free(source->repo);
	git_odb_free(source->odb);
	free(source);
	(void)git_libgit2_shutdown();
}

static void
close_source(struct source **source)
{
	source_close(*source);
}

static int
open_commit(struct source *source, const char *hex, struct err *err)
{
	git_commit *commit = NULL;
	git_object_t type;
	git_oid oid;
	size_t n;
	int ret;

	if (strlen(hex) != GIT_OID_HEXSZ || git_oid_fromstr(&oid, hex) < 0)
		return err_say(err, -EINVAL, "\"%.60s\" is no commit.", hex);
	if (git_odb_read_header(&n, &type, source->odb, &oid) < 0)
		return err_say(err, -ENOENT, "The commit %s is not in the repository.", hex);
	if (type != GIT_OBJECT_COMMIT)
		return err_say(err, -EINVAL,
			       "%s is a %s, not a commit: push the commit behind it, for example "
			       "with git push REMOTE 'TAG^{commit}:main'.",
			       hex, git_object_type2string(type));
	if (git_commit_lookup(&commit, source->repo, &oid) < 0)
		return git_fail(err, -EINVAL, "read the commit");
	source->time = git_commit_time(commit) > 0 ? git_commit_time(commit) : 0;
	ret = git_commit_tree(&source->tree, commit) < 0 ? git_fail(err, -ENOENT, "read the tree")
							 : 0;
	git_commit_free(commit);
	return ret;
}

int
source_open(const char *objects, const char *quarantine, const char *hex, struct source **out,
	    struct err *err)
{
	AUTO_CLEAN(close_source) struct source *source = NULL;
	int ret;

	if (git_libgit2_init() < 0)
		return git_fail(err, -ENOMEM, "start libgit2");
	source = calloc(1, sizeof(*source));
	if (!source) {
		(void)git_libgit2_shutdown();
		return err_set(err, -ENOMEM, "open the repository");
	}
	if (git_odb_open(&source->odb, objects) < 0 ||
	    (quarantine && git_odb_add_disk_alternate(source->odb, quarantine) < 0) ||
	    git_repository_wrap_odb(&source->repo, source->odb) < 0)
		return git_fail(err, -EIO, "open the repository");
	ret = open_commit(source, hex, err);
	if (ret == 0)
		*out = take_ptr(source);
	return ret;
}

int64_t
source_time(const struct source *source)
{
	return source->time;
}

int
source_read(struct source *source, const char *name, struct buf *out, struct err *err)
{
	const git_tree_entry *entry = git_tree_entry_byname(source->tree, name);
	git_odb_object *object = NULL;
	int ret;

	if (!entry || (git_tree_entry_filemode_raw(entry) & S_IFMT) != MODE_FILE)
		return -ENOENT;
	if (git_odb_read(&object, source->odb, git_tree_entry_id(entry)) < 0)
		return git_fail(err, -EIO, name);
	ret = buf_add(out, git_odb_object_data(object), git_odb_object_size(object));
	if (ret < 0)
		ret = err_say(err, ret, "%s is larger than %zu bytes.", name, out->max);
	git_odb_object_free(object);
	return ret;
}

/* ---- writing ------------------------------------------------------------------------------- */

static int
exists_or_errno(struct walk *w)
{
	if (errno == EEXIST)
		return err_say(w->err, -EINVAL, "The commit holds %s more than once.", w->path);
	return err_set(w->err, -errno, "write %s", w->path);
}

static int
spend(struct walk *w, uint64_t bytes)
{
	char limit[32];

	if (w->budget->entries == 0)
		return err_say(w->err, -E2BIG, "The source has more than %llu files and folders.",
			       (unsigned long long)w->budget->max_entries);
	if (bytes > w->budget->bytes)
		return err_say(w->err, -E2BIG, "The source is larger than %s without its history.",
			       conf_bytes_text(w->budget->max_bytes, limit, sizeof(limit)));
	w->budget->entries--;
	w->budget->bytes -= bytes;
	return 0;
}

/* Reads a blob after its size was found to be affordable. */
static int
read_blob(struct walk *w, const git_oid *oid, git_odb_object **object)
{
	git_object_t type;
	size_t n;
	int ret;

	if (git_odb_read_header(&n, &type, w->source->odb, oid) < 0 || type != GIT_OBJECT_BLOB)
		return err_say(w->err, -ENOENT, "The content of %s is not in the repository.",
			       w->path);
	ret = spend(w, n);
	if (ret < 0)
		return ret;
	if (git_odb_read(object, w->source->odb, oid) < 0)
		return git_fail(w->err, -EIO, w->path);
	return 0;
}

static bool
is_lfs_pointer(const char *p, size_t n)
{
	static const char head[] = "version https://git-lfs.github.com/spec/";

	return n < 1024 && n > sizeof(head) && memcmp(p, head, sizeof(head) - 1) == 0;
}

static int
write_file(struct walk *w, int dir_fd, const char *name, const git_oid *oid, bool is_program)
{
	struct timespec times[2] = {{.tv_sec = w->source->time}, {.tv_sec = w->source->time}};
	git_odb_object *object = NULL;
	AUTO_FD int fd = -1;
	int ret;

	ret = read_blob(w, oid, &object);
	if (ret < 0)
		return ret;
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    is_program ? 0755 : 0644);
	if (fd < 0)
		ret = exists_or_errno(w);
	if (ret == 0)
		ret = file_write_all(fd, git_odb_object_data(object), git_odb_object_size(object));
	if (ret == 0 && futimens(fd, times) < 0)
		ret = -errno;
	if (ret < 0 && fd >= 0)
		(void)err_set(w->err, ret, "write %s", w->path);
	if (is_lfs_pointer(git_odb_object_data(object), git_odb_object_size(object)))
		w->report->n_lfs++;
	git_odb_object_free(object);
	return ret;
}

static int
write_link(struct walk *w, int dir_fd, const char *name, const git_oid *oid)
{
	git_odb_object *object = NULL;
	char target[LINK_MAX_BYTES + 1];
	size_t n;
	int ret;

	if (strcasecmp(name, ".gitmodules") == 0)
		return err_say(w->err, -EINVAL, "%s must not be a symbolic link.", w->path);
	ret = read_blob(w, oid, &object);
	if (ret < 0)
		return ret;
	n = git_odb_object_size(object);
	if (n == 0 || n > LINK_MAX_BYTES || memchr(git_odb_object_data(object), '\0', n)) {
		git_odb_object_free(object);
		return err_say(w->err, -EINVAL, "The symbolic link %s leads nowhere.", w->path);
	}
	memcpy(target, git_odb_object_data(object), n);
	target[n] = '\0';
	git_odb_object_free(object);
	return symlinkat(target, dir_fd, name) < 0 ? exists_or_errno(w) : 0;
}

static int
add_link(struct walk *w, const git_oid *oid)
{
	struct source_report *report = w->report;
	struct source_link *links, *link;

	if (report->n_links == SOURCE_MAX_LINKS)
		return err_say(w->err, -E2BIG, "The source has more than %d submodules.",
			       SOURCE_MAX_LINKS);
	links = reallocarray(report->links, report->n_links + 1, sizeof(*links));
	if (!links)
		return err_set(w->err, -ENOMEM, "%s", w->path);
	report->links = links;
	link = &links[report->n_links];
	link->path = strdup(w->path);
	if (!link->path)
		return err_set(w->err, -ENOMEM, "%s", w->path);
	(void)git_oid_tostr(link->commit, sizeof(link->commit), oid);
	report->n_links++;
	return 0;
}

/* Makes the folder and opens it. The fd or a negative errno. */
static int
make_folder(struct walk *w, int dir_fd, const char *name)
{
	int ret = spend(w, 0);
	int fd;

	if (ret < 0)
		return ret;
	if (mkdirat(dir_fd, name, 0755) < 0)
		return exists_or_errno(w);
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_set(w->err, -errno, "open %s", w->path) : fd;
}

/* Takes `tree` and `dir_fd`, also when it fails. */
static int
push_frame(struct walk *w, git_tree *tree, int dir_fd, size_t path_len)
{
	if (w->n == SOURCE_MAX_DEPTH) {
		git_tree_free(tree);
		(void)close(dir_fd);
		return err_say(w->err, -E2BIG, "%.200s... lies more than %d folders deep.", w->path,
			       SOURCE_MAX_DEPTH);
	}
	w->frames[w->n++] = (struct frame){tree, 0, dir_fd, path_len};
	return 0;
}

static void
pop_frame(struct walk *w)
{
	struct frame *top = &w->frames[--w->n];

	git_tree_free(top->tree);
	(void)close(top->dir_fd);
}

static int
enter_folder(struct walk *w, int dir_fd, const char *name, const git_oid *oid)
{
	git_tree *tree = NULL;
	size_t n = strlen(w->path);
	int fd;

	if (git_tree_lookup(&tree, w->source->repo, oid) < 0)
		return err_say(w->err, -ENOENT, "The folder %s is not in the repository.", w->path);
	fd = make_folder(w, dir_fd, name);
	if (fd < 0) {
		git_tree_free(tree);
		return fd;
	}
	w->path[n] = '/'; /* visit() left room for it */
	w->path[n + 1] = '\0';
	return push_frame(w, tree, fd, n + 1);
}

static int
write_entry(struct walk *w, int dir_fd, const git_tree_entry *entry)
{
	const char *name = git_tree_entry_name(entry);
	const git_oid *oid = git_tree_entry_id(entry);
	unsigned mode = (unsigned)git_tree_entry_filemode_raw(entry);
	int fd;

	switch (mode & S_IFMT) {
	case MODE_TREE:
		return enter_folder(w, dir_fd, name, oid);
	case MODE_FILE:
		return write_file(w, dir_fd, name, oid, mode & 0100);
	case MODE_LINK:
		return write_link(w, dir_fd, name, oid);
	case MODE_COMMIT:
		fd = make_folder(w, dir_fd, name);
		if (fd < 0)
			return fd;
		(void)close(fd);
		return add_link(w, oid);
	default:
		return err_say(w->err, -EINVAL, "%s has the mode %o, which git does not know.",
			       w->path, mode);
	}
}

static int
visit(struct walk *w, struct frame *top, const git_tree_entry *entry)
{
	const char *name = git_tree_entry_name(entry);
	const char *wrong = entry_check(name);
	size_t n = strlen(name);
	unsigned type;

	w->path[top->path_len] = '\0';
	if (wrong)
		return err_say(w->err, -EINVAL,
			       "The commit cannot be checked out: in the folder \"/%.200s\" there "
			       "is %s.",
			       w->path, wrong);
	if (top->path_len + n + 1 > SOURCE_MAX_PATH)
		return err_say(w->err, -ENAMETOOLONG, "The path %.200s... is longer than %d bytes.",
			       w->path, SOURCE_MAX_PATH);
	memcpy(w->path + top->path_len, name, n + 1);
	type = (unsigned)git_tree_entry_filemode_raw(entry) & S_IFMT;
	if (w->ignore &&
	    ignore_match(w->ignore, w->path, type == MODE_TREE || type == MODE_COMMIT)) {
		w->report->n_ignored++;
		return 0;
	}
	return write_entry(w, top->dir_fd, entry);
}

int
source_write(struct source *source, int dir_fd, const char *prefix, const struct ignore *ignore,
	     struct source_budget *budget, struct source_report *report, struct err *err)
{
	AUTO_FREE struct walk *w = calloc(1, sizeof(*w));
	git_tree *tree = NULL;
	size_t n = strlen(prefix);
	int ret, fd;

	if (!w)
		return err_set(err, -ENOMEM, "write the source");
	w->source = source;
	w->ignore = ignore;
	w->budget = budget;
	w->report = report;
	w->err = err;
	if (n > SOURCE_MAX_PATH - 2)
		return err_say(err, -ENAMETOOLONG, "A path is longer than %d bytes.",
			       SOURCE_MAX_PATH);
	memcpy(w->path, prefix, n + 1);
	fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || git_tree_dup(&tree, source->tree) < 0) {
		if (fd >= 0)
			(void)close(fd);
		return err_set(err, -ENOMEM, "write the source");
	}
	ret = push_frame(w, tree, fd, n);
	while (ret == 0 && w->n > 0) {
		struct frame *top = &w->frames[w->n - 1];

		if (top->at == git_tree_entrycount(top->tree))
			pop_frame(w);
		else
			ret = visit(w, top, git_tree_entry_byindex(top->tree, top->at++));
	}
	while (w->n > 0)
		pop_frame(w);
	return ret;
}

void
source_report_done(struct source_report *report)
{
	for (size_t i = 0; i < report->n_links; i++)
		free(report->links[i].path);
	free(report->links);
	report->links = NULL;
	report->n_links = 0;
}

/*
 * A commit's tree, written into a directory straight from git's objects. Needs no repository of
 * ours and never looks at a parent, so shallow and quarantined pushes are as good as any.
 */
#ifndef BUILDER_SOURCE_H
#define BUILDER_SOURCE_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct ignore;
struct source;

#define SOURCE_MAX_PATH 4000
#define SOURCE_MAX_DEPTH 100
#define SOURCE_MAX_LINKS 200

/* What may be written; shared by an app and its submodules, counted down. */
struct source_budget {
	uint64_t entries, bytes;	 /* left */
	uint64_t max_entries, max_bytes; /* for the sentence */
};

struct source_link {
	char *path; /* of the submodule, from the root of the app */
	char commit[41];
};

/* What was found on the way. */
struct source_report {
	uint64_t n_ignored;	   /* entries left out by .slugignore */
	uint64_t n_lfs;		   /* files that are pointers of Git LFS */
	struct source_link *links; /* submodules, as empty folders so far */
	size_t n_links;
};

/*
 * Opens the commit `hex` among the objects in the directory `objects`, and in `quarantine` (a
 * directory too; NULL: none) where receive-pack keeps what is not accepted yet. 0, -EINVAL (no
 * commit), -ENOENT (not there), each with a sentence.
 */
int source_open(const char *objects, const char *quarantine, const char *hex, struct source **out,
		struct err *err);
void source_close(struct source *source);
/* The commit's time, never negative; what files of the tree are dated. */
int64_t source_time(const struct source *source);
/* A file at the root of the tree into `out`. 0; -ENOENT no such file; -ENOBUFS; a sentence. */
int source_read(struct source *source, const char *name, struct buf *out, struct err *err);
/*
 * Writes the tree into the directory `dir_fd`, which should be empty: nothing is ever replaced.
 * `prefix` is that directory's path from the root of the app ("" or "a/b/"). `ignore` may be NULL.
 * 0, or a negative errno with a sentence for the person who pushed.
 */
int source_write(struct source *source, int dir_fd, const char *prefix, const struct ignore *ignore,
		 struct source_budget *budget, struct source_report *report, struct err *err);
void source_report_done(struct source_report *report);

#endif

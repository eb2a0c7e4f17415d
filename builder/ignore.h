/* .slugignore: what of the source never reaches a buildpack or the slug. */
#ifndef BUILDER_IGNORE_H
#define BUILDER_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;
struct ignore_rule;

#define IGNORE_MAX_BYTES 65536
#define IGNORE_MAX_RULES 1000

struct ignore {
	struct ignore_rule *rules;
	size_t n;
};

/*
 * The lines of a .gitignore without negation: # comments, trailing / for folders only, a slash
 * elsewhere anchors the pattern at the root, *, ?, [a-z], [[:alpha:]], **, backslash escapes. Lines
 * with ! are left out and named in `warnings` (may be NULL). 0, -EINVAL with a sentence, -ENOMEM.
 */
int ignore_parse(const char *text, size_t n, struct ignore *ignore, struct buf *warnings,
		 struct err *err);
void ignore_done(struct ignore *ignore);
/*
 * Does a rule name this path ("a/b/c", from the root)? What lies in an ignored folder is not
 * looked at here: the caller does not descend.
 */
bool ignore_match(const struct ignore *ignore, const char *path, bool is_dir);

#endif

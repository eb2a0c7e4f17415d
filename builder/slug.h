/* The slug: a tree packed as tar + zstd, rooted at ./app, the same bytes for the same tree. */
#ifndef BUILDER_SLUG_H
#define BUILDER_SLUG_H

#include <stdint.h>

struct err;

#define SLUG_MAX_ENTRIES 2000000

struct slug {
	char sha256[65];    /* hex, of the packed bytes */
	uint64_t bytes;	    /* packed; also beyond the limit */
	uint64_t n_skipped; /* sockets, pipes and devices that were left out */
};

/*
 * Packs the tree of `root_fd` into `out_fd`. Entries are sorted, dated `time`, owned by root; .git
 * is never among them. 0; 1: larger than `max_bytes` packed (out_fd is then empty; slug->bytes is
 * what it would have been); negative errno with a sentence, also when the tree holds more than
 * `max_content` bytes (0: any).
 */
int slug_pack(int root_fd, int out_fd, int64_t time, uint64_t max_bytes, uint64_t max_content,
	      struct slug *slug, struct err *err);

#endif

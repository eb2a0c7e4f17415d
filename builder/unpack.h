/* A slug back into a tree. Slugs come from builds, so nothing in one is believed. */
#ifndef BUILDER_UNPACK_H
#define BUILDER_UNPACK_H

#include <stdint.h>

struct err;

/*
 * Unpacks a slug read from `in_fd` below `root_fd`, its ./app becoming the root. Folders, files
 * and symbolic links only; no name leads out and none goes through a link; nothing is replaced; no
 * bits beyond 0777; at most `max_bytes` of content. 0 or a negative errno with a sentence.
 */
int unpack_slug(int in_fd, int root_fd, uint64_t max_bytes, struct err *err);

#endif

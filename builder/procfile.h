/* The Procfile: "type: command" lines, blank lines and # comments. */
#ifndef BUILDER_PROCFILE_H
#define BUILDER_PROCFILE_H

#include <stddef.h>

struct buf;
struct err;
struct types;

#define PROCFILE_MAX_BYTES 65536

/*
 * Parses `n` bytes into `types` (initialised by the caller). A later line for the same type wins
 * and adds a sentence to `warnings` (lines; may be NULL). CRLF, a byte order mark and a missing
 * last newline are fine. 0, -EINVAL with a sentence naming the line, or -ENOMEM.
 */
int procfile_parse(const char *text, size_t n, struct types *types, struct buf *warnings,
		   struct err *err);

#endif

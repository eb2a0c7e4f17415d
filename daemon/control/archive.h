/*
 * Packed slugs as files: slugs/APP/N.tar.zst below our working directory. One that is being
 * written has ".tmp" behind its name and takes its real name only when it is whole and on disk.
 */
#ifndef CONTROL_ARCHIVE_H
#define CONTROL_ARCHIVE_H

#include <stdint.h>

struct err;

/* A new empty file to write to, replacing what an interrupted build left. The fd or -errno. */
int archive_create(const char *app, uint32_t slug, struct err *err);
/* `fd` holds all of it: is it as long as the builder said, and on disk? Then it gets its name. */
int archive_publish(const char *app, uint32_t slug, int fd, uint64_t bytes, struct err *err);
/* For reading. The fd or -errno. */
int archive_open(const char *app, uint32_t slug, struct err *err);
/* Removes the file, whole or not; a missing one is fine. */
void archive_remove(const char *app, uint32_t slug);

#endif

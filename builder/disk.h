/* The app's build disk: cleaned between builds, watched during one. */
#ifndef BUILDER_DISK_H
#define BUILDER_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct err;

struct disk {
	int fd;		       /* its root directory; owned */
	uint64_t limit_bytes;  /* what people are told */
	uint64_t peak_bytes;   /* the most that was in use when we looked */
	bool was_full;	       /* less than 1% was free when we looked */
	bool was_out_of_files; /* likewise of inodes */
};

/* `limit_bytes` 0: the size of the file system. 0 or -errno with a sentence. */
int disk_open(struct disk *disk, const char *path, uint64_t limit_bytes, struct err *err);
void disk_done(struct disk *disk);

/* Removes what earlier builds left: everything but cache/ and app/, which is emptied. Folders
 * without write permission are no obstacle. 0 or -errno with a sentence. */
int disk_clean(struct disk *disk, struct err *err);
/* Removes the contents of the directory `dir_fd`/`name`, or it as a whole. 0 or -errno. */
int disk_remove(int dir_fd, const char *name);
int disk_empty(int dir_fd, const char *name);

/* A program starts: what earlier ones filled is no explanation any more. The peak stays. */
void disk_watch(struct disk *disk);
/* Looks how full it is and remembers the worst. */
void disk_look(struct disk *disk);
/* Is more than 3/4 of it in use? Then the cache has to go. */
bool disk_is_tight(const struct disk *disk);
/* Was it full since disk_watch? Then true and `err` names limit and peak. */
bool disk_explain(struct disk *disk, struct err *err);

#endif

/* One disk image: made with mke2fs, attached to a loop device, mounted. All of it blocks. */
#ifndef DAEMON_SUPERVISOR_IMAGE_H
#define DAEMON_SUPERVISOR_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

struct err;

struct image {
	int dir_fd; /* where NAME.img lies and NAME is mounted */
	const char *name;
	uint64_t bytes;
	uint32_t owner; /* uid and gid of its top directory */
	bool is_kept;	/* with a journal, since it lives through crashes */
};

/* Makes the image anew: an older one, even one in use, is let go of. 0 or -errno. */
int image_make(const struct image *image, struct err *err);
/* Mounts it at dir_fd/NAME, which is made. 0 or -errno. */
int image_mount(const struct image *image, struct err *err);
/* Is there one of this size? */
bool image_is_there(const struct image *image);

#endif

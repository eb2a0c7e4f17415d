/* The folder that is served: which file answers a request path. */
#ifndef STATIC_SITE_H
#define STATIC_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buildpacks/static/server/config.h"

struct err;

#define SITE_MAX_PATH 4096

struct site {
	int root_fd;
	struct config config;
	bool serves_app; /* the root is the app's own folder: hide what is not for visitors */
};

struct site_file {
	int fd;			  /* open for reading; owned by the caller */
	int status;		  /* 200, 404; 301: go to `path` */
	char path[SITE_MAX_PATH]; /* of the file from the root, or decoded new place for 301 */
	uint64_t size;
	int64_t mtime;
	uint64_t tag; /* differs whenever the file was written anew */
};

/* Opens the app at `dir` and reads its static.json, if any. 0 or -errno with a sentence. */
int site_open(struct site *site, const char *dir, struct err *err);
void site_close(struct site *site);

/*
 * Finds what answers `target` (path and query as in the request). 0 and a file (fd -1 when there is
 * no page for the 404), or the status to refuse with: 400.
 */
int site_find(const struct site *site, const char *target, size_t n, struct site_file *file);
/* The file beside `file` with .gz at its end, if there is one. 0 or -ENOENT. */
int site_find_gzip(const struct site *site, const struct site_file *file, struct site_file *gzip);

#endif

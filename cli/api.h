/* The client side of the platform's HTTP+JSON API over a stream socket. */
#ifndef CLI_API_H
#define CLI_API_H

#include <jansson.h>
#include <stddef.h>

#include "lib/buf.h"

struct err;

#define API_MAX_FDS 3

/* One connection, one request at a time; keep-alive. */
struct api {
	int fd;
	struct buf in;	      /* what was read and not yet used */
	int fds[API_MAX_FDS]; /* passed along with the last answer; owned here until taken */
	size_t n_fds;
};

/*
 * Connects: PAAS_API_FD (a connected stream we inherited), else PAAS_SOCKET, else the default
 * socket. 0 or a negative errno with a sentence.
 */
int api_open(struct api *api, struct err *err);
void api_close(struct api *api);

/*
 * One exchange. `body` is borrowed, NULL for none. On 2xx returns 0 and *answer, a new
 * reference (json null when the answer is empty; NULL allowed as `answer`). Otherwise a
 * negative number and the sentence the platform gave.
 */
int api_call(struct api *api, const char *method, const char *path, const json_t *body,
	     json_t **answer, struct err *err);

/* GET whose answer is copied to stdout as it comes, until it ends. */
int api_stream(struct api *api, const char *path, struct err *err);

/* Appends `text` percent-encoded as one path segment (RFC 3986 unreserved stays). */
int api_path_add(struct buf *path, const char *text);

#endif

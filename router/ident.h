/* Request ids: a UUID (version 4) for requests that bring none of their own. */
#ifndef ROUTER_IDENT_H
#define ROUTER_IDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http.h"

#define IDENT_BYTES 36
#define IDENT_MIN 20
#define IDENT_MAX 200

/* Random bytes bought in bulk: one system call makes many ids. */
struct ident {
	uint8_t pool[1024];
	size_t n_left;
};

/* Writes IDENT_BYTES characters, no NUL. */
void ident_make(struct ident *ident, char *out);
/* A random number other than 0, for what needs no more than that. */
uint64_t ident_seed(struct ident *ident);
/* May the client's own id be kept: 20 to 200 of [A-Za-z0-9-]? */
bool ident_is_fine(struct http_text id);

#endif

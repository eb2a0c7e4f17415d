/*
 * Heads written anew for the other side: hop-by-hop fields and those named in Connection go,
 * framing is stated by us and never copied, and the router says who asked, how and when.
 */
#ifndef ROUTER_HEADERS_H
#define ROUTER_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http.h"

struct ident;

/* What a request head says beyond what the client sent. */
struct headers_origin {
	const char *address; /* of the client */
	const char *proto;   /* "http" */
	const char *port;    /* the listener's */
	uint64_t start_ms;   /* unix */
};

/* A piece of the head that was written, for the access line. */
struct headers_mark {
	uint32_t at, len;
};
struct headers_marks {
	struct headers_mark method, path, host, request_id, forwarded;
};

/* The most bytes a request or response head can grow to. */
size_t headers_bound(const struct http_head *h, const struct headers_origin *origin);

/* Is this an Upgrade to pass on? Not to HTTP/2, whose requests we could not see. */
bool headers_is_upgrade(const struct http_head *h);

/* Writes the head for a backend to `out`, of headers_bound() bytes. Its length. */
size_t headers_write_request(char *out, const struct http_head *h,
			     const struct headers_origin *origin, struct ident *ident,
			     struct headers_marks *marks);

enum headers_framing {
	FRAMING_NONE,	/* no body, and no length to tell */
	FRAMING_LENGTH, /* Content-Length; also where the body itself is left out */
	FRAMING_CHUNKED,
	FRAMING_CLOSE, /* until the connection ends */
};

enum headers_persistence {
	PERSIST,	 /* as HTTP/1.1 does unsaid */
	PERSIST_SAID,	 /* Connection: keep-alive, for HTTP/1.0 */
	PERSIST_NOT,	 /* Connection: close */
	PERSIST_OTHER,	 /* 101: Connection: Upgrade, with Upgrade copied */
	PERSIST_INTERIM, /* 1xx: nothing to say */
};

/* Writes the head for the client to `out`, of headers_bound() bytes. Its length. */
size_t headers_write_response(char *out, const struct http_head *h, enum headers_framing framing,
			      enum headers_persistence persistence);

#endif

/*
 * HTTP/1.x heads and bodies (RFC 9112), strict: CRLF only, one pass, reject and never repair.
 * Nothing here allocates or does I/O; all pointers lead into the caller's buffer.
 */
#ifndef LIB_HTTP_H
#define LIB_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define HTTP_MAX_HEAD 65536
#define HTTP_MAX_LINE 8192
#define HTTP_MAX_HEADERS 100

struct http_text {
	const char *at;
	size_t len;
};

/* Headers whose meaning we need, found while parsing; HTTP_OTHER for the rest. */
enum http_field {
	HTTP_OTHER,
	HTTP_HOST,
	HTTP_CONNECTION,
	HTTP_KEEP_ALIVE,
	HTTP_PROXY_CONNECTION,
	HTTP_CONTENT_LENGTH,
	HTTP_TRANSFER_ENCODING,
	HTTP_TE,
	HTTP_TRAILER,
	HTTP_UPGRADE,
	HTTP_EXPECT,
	HTTP_X_FORWARDED_FOR,
	HTTP_X_FORWARDED_PROTO,
	HTTP_X_FORWARDED_PORT,
	HTTP_X_REQUEST_ID,
	HTTP_X_REQUEST_START,
	HTTP_VIA,
};

struct http_header {
	struct http_text name, value; /* value without outer white space */
	enum http_field field;
};

enum http_body_kind {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH,
	HTTP_BODY_CHUNKED,
	HTTP_BODY_EOF, /* responses only: until the connection ends */
};

struct http_head {
	/* request */
	struct http_text method, target;
	struct http_text path; /* of the target, with query; "/" of an absolute form without one;
				* "*" of OPTIONS */
	struct http_text host; /* of Host or the absolute form, without port; empty: HTTP/1.0
				* without Host */
	bool is_head, is_upgrade, expects_continue;
	/* response */
	int status;
	struct http_text reason;
	/* both */
	int minor;	 /* of HTTP/1.x */
	bool keep_alive; /* as version and Connection say */
	enum http_body_kind body;
	uint64_t content_length;
	bool has_length; /* Content-Length was there, also where the body is none (HEAD, 304) */
	struct http_text connection; /* all of Connection's value of the last such field */
	size_t n_headers;
	size_t bytes; /* of the whole head, blank line included */
	struct http_header headers[HTTP_MAX_HEADERS];
};

/*
 * Parses a head at buf. Positive: its length in bytes, `h` filled. 0: not complete yet. Negative:
 * not acceptable; the negated status to answer with (-400, -414, -431, -501, -505).
 */
int http_parse_request(struct http_head *h, const char *buf, size_t len);
/* Likewise for a response to a request with method HEAD or not; negative is -502. 1xx, 204, 304
 * and answers to HEAD have no body. */
int http_parse_response(struct http_head *h, const char *buf, size_t len, bool to_head);

/*
 * A head that comes in parts: of the `len` bytes so far the last n_new are new, and at n_parsed
 * bytes it was last found incomplete. Is another try worth it? Parsing only then keeps the work
 * linear however small the parts are.
 */
bool http_is_worth_parsing(const char *buf, size_t len, size_t n_new, size_t n_parsed);

/* The first header of that field, or NULL. Names compare without case. */
const struct http_header *http_find(const struct http_head *h, const char *name);
bool http_text_is(struct http_text t, const char *s); /* exact */
bool http_text_is_nocase(struct http_text t, const char *s);
/* Does a comma-separated list hold the token, without case? */
bool http_list_has(struct http_text list, const char *token);
/* Takes the next non-empty member off the front of a comma-separated list. false: none is left. */
bool http_list_next(struct http_text *list, struct http_text *member);

/* ---- bodies ------------------------------------------------------------------------------ */

struct http_body {
	enum http_body_kind kind;
	uint64_t left;	 /* of the length or the chunk */
	unsigned state;	 /* of the chunk parser */
	unsigned n_line; /* bytes of the current chunk line or trailer */
	unsigned n_trailers;
	bool done;
};

void http_body_init(struct http_body *b, enum http_body_kind kind, uint64_t length);
/*
 * Looks at `len` bytes of `in`. Returns how many were consumed (framing included), or -EBADMSG.
 * *data and *n_data are the payload among them (maybe empty). Call again with the rest until it
 * consumes nothing; b->done says when the body has ended.
 */
long http_body_next(struct http_body *b, const char *in, size_t len, const char **data,
		    size_t *n_data);

/* "Not Found" for 404; "Unknown" for what it does not know. */
const char *http_reason(int status);

#endif

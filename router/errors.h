/* What the router itself answers: an H-code, a status, and a page that says what it means. */
#ifndef ROUTER_ERRORS_H
#define ROUTER_ERRORS_H

#include <stdbool.h>
#include <stddef.h>

struct http_head;

enum error {
	ERROR_NONE,
	/* requests nobody was asked to answer */
	ERROR_BAD_REQUEST,
	ERROR_URI_TOO_LONG,
	ERROR_HEAD_TOO_LARGE,
	ERROR_HEAD_TIMEOUT,
	ERROR_NOT_IMPLEMENTED,
	ERROR_VERSION,
	ERROR_NO_APP,
	/* H-codes (Heroku's error codes) */
	ERROR_CRASHED,
	ERROR_TIMEOUT,
	ERROR_NO_RESPONSE,
	ERROR_NO_WEB,
	ERROR_IDLE,
	ERROR_BAD_RESPONSE,
	ERROR_INTERRUPTED,
	ERROR_CONNECT_TIMEOUT,
	ERROR_BOOTING,
	ERROR_REFUSED,
	ERROR_CONNECTION_LIMIT,
	ERROR_CLIENT_GONE,
	ERROR_CLIENT_IDLE,
	ERROR_BLANK,
	ERROR_PLATFORM,
	ERROR_COUNT,
};

/* "H12", or "" for those that concern no app. */
const char *error_code(enum error error);
/* "Request timeout": desc= of the access line. */
const char *error_text(enum error error);
int error_status(enum error error);
/* The error for a status of http_parse_request (400, 414, 431, 501, 505). */
enum error error_of_status(int status);

#define ERROR_RESPONSE_MAX 4096

/* Would the client rather read text than HTML? As Accept says; without one, text. */
bool error_wants_html(const struct http_head *h);
/*
 * A whole response: head and, unless to_head, the page. Writes to `out` of ERROR_RESPONSE_MAX
 * bytes; the length. *n_body is the page's part of it.
 */
size_t error_response(char *out, enum error error, bool html, bool to_head, bool keep_alive,
		      size_t *n_body);

#endif

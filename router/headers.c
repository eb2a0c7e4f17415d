/*
 * Bytes are put without a check each: headers_bound counts every one that can be written, and
 * the total is asserted.
 */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "router/headers.h"
#include "router/ident.h"

/* Every literal written below, numbers and the request id, with room to spare. */
#define FIXED_BYTES 512

#define put_literal(at, s) put_bytes(at, s, sizeof(s) - 1)

static char *
put_bytes(char *at, const char *p, size_t n)
{
	memcpy(at, p, n);
	return at + n;
}

static char *
put_text(char *at, struct http_text t)
{
	return put_bytes(at, t.at, t.len);
}

static char *
put_number(char *at, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return put_bytes(at, digits + i, sizeof(digits) - i);
}

static char *
put_header(char *at, const struct http_header *header)
{
	at = put_text(at, header->name);
	at = put_literal(at, ": ");
	at = put_text(at, header->value);
	return put_literal(at, "\r\n");
}

static struct headers_mark
mark(const char *out, const char *from, const char *to)
{
	return (struct headers_mark){(uint32_t)(from - out), (uint32_t)(to - from)};
}

size_t
headers_bound(const struct http_head *h, const struct headers_origin *origin)
{
	/* "a:b" becomes "a: b"; joined lists need ", ". */
	return h->bytes + 2 * h->n_headers + FIXED_BYTES + strlen(origin->address) +
	       strlen(origin->proto) + strlen(origin->port);
}

/* ---- what does not pass ---------------------------------------------------------------------- */

/* Does any Connection field name something besides the options everybody uses? */
static bool
has_named_fields(const struct http_head *h)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		struct http_text list = h->headers[i].value, member;

		if (h->headers[i].field != HTTP_CONNECTION)
			continue;
		while (http_list_next(&list, &member))
			if (!http_text_is_nocase(member, "close") &&
			    !http_text_is_nocase(member, "keep-alive") &&
			    !http_text_is_nocase(member, "upgrade"))
				return true;
	}
	return false;
}

static bool
is_named(const struct http_head *h, struct http_text name)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		struct http_text list = h->headers[i].value, member;

		if (h->headers[i].field != HTTP_CONNECTION)
			continue;
		while (http_list_next(&list, &member))
			if (member.len == name.len &&
			    strncasecmp(member.at, name.at, name.len) == 0)
				return true;
	}
	return false;
}

/*
 * CGI-like servers read X_Forwarded_For as X-Forwarded-For and Proxy as HTTP_PROXY, so these
 * would speak for us or for the host.
 */
static bool
is_disguised(struct http_text name)
{
	static const char *const ours[] = {"x-forwarded-for", "x-forwarded-proto",
					   "x-forwarded-port", "x-request-id", "x-request-start"};

	if (name.len == 5)
		return http_text_is_nocase(name, "proxy");
	if ((name.at[0] | 0x20) != 'x' || !memchr(name.at, '_', name.len))
		return false;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		size_t j = 0;

		if (strlen(ours[i]) != name.len)
			continue;
		while (j < name.len &&
		       (name.at[j] == '_' ? '-' : (name.at[j] | 0x20)) == ours[i][j])
			j++;
		if (j == name.len)
			return true;
	}
	return false;
}

/* ---- requests -------------------------------------------------------------------------------- */

bool
headers_is_upgrade(const struct http_head *h)
{
	if (!h->is_upgrade)
		return false;
	for (size_t i = 0; i < h->n_headers; i++)
		if (h->headers[i].field == HTTP_UPGRADE &&
		    http_list_has(h->headers[i].value, "h2c"))
			return false;
	return true;
}

/* May this field of a request be copied as it is? The others are written by us, or not at all. */
static bool
request_copies(const struct http_head *h, const struct http_header *header, bool has_named)
{
	switch (header->field) {
	case HTTP_OTHER:
		break;
	case HTTP_VIA:
		return true;
	case HTTP_EXPECT:
		return h->minor == 1;
	case HTTP_HOST:
	case HTTP_CONNECTION:
	case HTTP_KEEP_ALIVE:
	case HTTP_PROXY_CONNECTION:
	case HTTP_CONTENT_LENGTH:
	case HTTP_TRANSFER_ENCODING:
	case HTTP_TE:
	case HTTP_TRAILER:
	case HTTP_UPGRADE:
	case HTTP_X_FORWARDED_FOR:
	case HTTP_X_FORWARDED_PROTO:
	case HTTP_X_FORWARDED_PORT:
	case HTTP_X_REQUEST_ID:
	case HTTP_X_REQUEST_START:
		return false;
	}
	if (has_named && is_named(h, header->name))
		return false;
	return !is_disguised(header->name);
}

/* X-Forwarded-For: all that was claimed, in one field, and who really connected. */
static char *
put_forwarded_for(char *at, const struct http_head *h, const char *address)
{
	at = put_literal(at, "X-Forwarded-For: ");
	for (size_t i = 0; i < h->n_headers; i++) {
		if (h->headers[i].field != HTTP_X_FORWARDED_FOR || h->headers[i].value.len == 0)
			continue;
		at = put_text(at, h->headers[i].value);
		at = put_literal(at, ", ");
	}
	return put_bytes(at, address, strlen(address));
}

static char *
put_request_id(char *at, const struct http_head *h, struct ident *ident)
{
	for (size_t i = 0; i < h->n_headers; i++)
		if (h->headers[i].field == HTTP_X_REQUEST_ID && ident_is_fine(h->headers[i].value))
			return put_text(at, h->headers[i].value);
	ident_make(ident, at);
	return at + IDENT_BYTES;
}

static char *
put_request_framing(char *at, const struct http_head *h)
{
	if (h->body == HTTP_BODY_CHUNKED)
		return put_literal(at, "Transfer-Encoding: chunked\r\n");
	if (!h->has_length)
		return at;
	at = put_literal(at, "Content-Length: ");
	at = put_number(at, h->content_length);
	return put_literal(at, "\r\n");
}

static char *
put_upgrade(char *at, const struct http_head *h)
{
	at = put_literal(at, "Connection: Upgrade\r\n");
	for (size_t i = 0; i < h->n_headers; i++)
		if (h->headers[i].field == HTTP_UPGRADE)
			at = put_header(at, &h->headers[i]);
	return at;
}

/* Host as it came; of HTTP/1.0 without one, the host of the target. */
static struct http_text
host_value(const struct http_head *h)
{
	for (size_t i = 0; i < h->n_headers; i++)
		if (h->headers[i].field == HTTP_HOST)
			return h->headers[i].value;
	return h->host;
}

size_t
headers_write_request(char *out, const struct http_head *h, const struct headers_origin *origin,
		      struct ident *ident, struct headers_marks *marks)
{
	bool has_named = has_named_fields(h);
	char *at = out, *from;

	at = put_text(at, h->method);
	marks->method = mark(out, out, at);
	*at++ = ' ';
	from = at;
	at = put_text(at, h->path);
	marks->path = mark(out, from, at);
	at = put_literal(at, " HTTP/1.1\r\nHost: ");
	from = at;
	at = put_text(at, host_value(h));
	marks->host = mark(out, from, at);
	at = put_literal(at, "\r\n");
	for (size_t i = 0; i < h->n_headers; i++)
		if (request_copies(h, &h->headers[i], has_named))
			at = put_header(at, &h->headers[i]);
	at = put_request_framing(at, h);
	if (headers_is_upgrade(h))
		at = put_upgrade(at, h);
	from = at + strlen("X-Forwarded-For: ");
	at = put_forwarded_for(at, h, origin->address);
	marks->forwarded = mark(out, from, at);
	at = put_literal(at, "\r\nX-Forwarded-Proto: ");
	at = put_bytes(at, origin->proto, strlen(origin->proto));
	at = put_literal(at, "\r\nX-Forwarded-Port: ");
	at = put_bytes(at, origin->port, strlen(origin->port));
	at = put_literal(at, "\r\nX-Request-Id: ");
	from = at;
	at = put_request_id(at, h, ident);
	marks->request_id = mark(out, from, at);
	at = put_literal(at, "\r\nX-Request-Start: ");
	at = put_number(at, origin->start_ms);
	at = h->minor == 1 ? put_literal(at, "\r\nVia: 1.1 paas\r\n\r\n")
			   : put_literal(at, "\r\nVia: 1.0 paas\r\n\r\n");
	assert((size_t)(at - out) <= headers_bound(h, origin));
	return (size_t)(at - out);
}

/* ---- responses ------------------------------------------------------------------------------- */

static bool
response_copies(const struct http_head *h, const struct http_header *header, bool has_named)
{
	switch (header->field) {
	case HTTP_CONNECTION:
	case HTTP_KEEP_ALIVE:
	case HTTP_PROXY_CONNECTION:
	case HTTP_CONTENT_LENGTH:
	case HTTP_TRANSFER_ENCODING:
	case HTTP_TRAILER:
	case HTTP_UPGRADE:
		return false;
	case HTTP_OTHER:
	case HTTP_HOST:
	case HTTP_TE:
	case HTTP_EXPECT:
	case HTTP_X_FORWARDED_FOR:
	case HTTP_X_FORWARDED_PROTO:
	case HTTP_X_FORWARDED_PORT:
	case HTTP_X_REQUEST_ID:
	case HTTP_X_REQUEST_START:
	case HTTP_VIA:
		break;
	}
	return !has_named || !is_named(h, header->name);
}

size_t
headers_write_response(char *out, const struct http_head *h, enum headers_framing framing,
		       enum headers_persistence persistence)
{
	bool has_named = has_named_fields(h);
	char *at = out;

	at = put_literal(at, "HTTP/1.1 ");
	at = put_number(at, (uint64_t)h->status);
	*at++ = ' ';
	at = put_text(at, h->reason);
	at = put_literal(at, "\r\n");
	for (size_t i = 0; i < h->n_headers; i++)
		if (response_copies(h, &h->headers[i], has_named))
			at = put_header(at, &h->headers[i]);
	switch (framing) {
	case FRAMING_LENGTH:
		at = put_literal(at, "Content-Length: ");
		at = put_number(at, h->content_length);
		at = put_literal(at, "\r\n");
		break;
	case FRAMING_CHUNKED:
		at = put_literal(at, "Transfer-Encoding: chunked\r\n");
		break;
	case FRAMING_NONE:
	case FRAMING_CLOSE:
		break;
	}
	switch (persistence) {
	case PERSIST_SAID:
		at = put_literal(at, "Connection: keep-alive\r\n");
		break;
	case PERSIST_NOT:
		at = put_literal(at, "Connection: close\r\n");
		break;
	case PERSIST_OTHER:
		at = put_upgrade(at, h);
		break;
	case PERSIST:
	case PERSIST_INTERIM:
		break;
	}
	at = put_literal(at, "Via: 1.1 paas\r\n\r\n");
	assert((size_t)(at - out) <= h->bytes + 2 * h->n_headers + FIXED_BYTES);
	return (size_t)(at - out);
}

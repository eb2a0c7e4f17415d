/*
 * HTTP/1.x messages, one pass over the bytes. What always holds: a head that was accepted has
 * exactly one reading. Whatever two parsers could understand differently (bare CR or LF, folded
 * lines, a space before a colon, two lengths, a length and a coding, an unknown coding, a Host that
 * is missing, double, malformed or contradicted by the target) is refused, never repaired, because
 * a router that repairs is half of every request smuggling attack (RFC 9112 section 11).
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/http.h"

#define METHOD_MAX 127
#define CHUNK_LINE_MAX 1024
#define LENGTH_MAX ((uint64_t)INT64_MAX)

enum char_class {
	IS_TOKEN = 1, /* tchar, RFC 9110 section 5.6.2 */
	IS_TARGET =
		2,    /* visible, and bytes above ASCII, which browsers and curl do send; not '#' */
	IS_VALUE = 4, /* field values and reason phrases: visible, SP, HTAB, obs-text */
	IS_HOST = 8,  /* of a registered name; no percent-encoding, no sub-delims */
};

#define T IS_TOKEN
#define G IS_TARGET
#define V IS_VALUE
#define H IS_HOST
static const uint8_t char_class[256] = {
	['\t'] = V,
	[' '] = V,
	['!'] = T | G | V,
	['"'] = G | V,
	['#'] = T | V,
	['$' ... '\''] = T | G | V,
	['(' ... ')'] = G | V,
	['*' ... '+'] = T | G | V,
	[','] = G | V,
	['-' ... '.'] = T | G | V | H,
	['/'] = G | V,
	['0' ... '9'] = T | G | V | H,
	[':' ... '@'] = G | V,
	['A' ... 'Z'] = T | G | V | H,
	['[' ... ']'] = G | V,
	['^'] = T | G | V,
	['_'] = T | G | V | H,
	['`'] = T | G | V,
	['a' ... 'z'] = T | G | V | H,
	['{'] = G | V,
	['|'] = T | G | V,
	['}'] = G | V,
	['~'] = T | G | V,
	[0x80 ... 0xff] = G | V,
};
#undef T
#undef G
#undef V
#undef H

static bool
is_class(char c, enum char_class class)
{
	return char_class[(unsigned char)c] & class;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The value of a hex digit, or -1. */
static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* ---- texts ---------------------------------------------------------------------------------- */

bool
http_text_is(struct http_text t, const char *s)
{
	size_t len = strlen(s);

	return t.len == len && memcmp(t.at, s, len) == 0;
}

bool
http_text_is_nocase(struct http_text t, const char *s)
{
	size_t len = strlen(s);

	return t.len == len && strncasecmp(t.at, s, len) == 0;
}

/* Without the white space (SP, HTAB) around it. */
static struct http_text
text_trim(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (struct http_text){at, (size_t)(end - at)};
}

bool
http_list_next(struct http_text *list, struct http_text *member)
{
	while (list->len > 0) {
		const char *end = list->at + list->len;
		const char *comma = memchr(list->at, ',', list->len);

		*member = text_trim(list->at, comma ? comma : end);
		list->at = comma ? comma + 1 : end;
		list->len = (size_t)(end - list->at);
		if (member->len > 0)
			return true;
	}
	return false;
}

bool
http_list_has(struct http_text list, const char *token)
{
	struct http_text member;

	while (http_list_next(&list, &member))
		if (http_text_is_nocase(member, token))
			return true;
	return false;
}

const struct http_header *
http_find(const struct http_head *h, const char *name)
{
	for (size_t i = 0; i < h->n_headers; i++)
		if (http_text_is_nocase(h->headers[i].name, name))
			return &h->headers[i];
	return NULL;
}

static const struct {
	const char *name;
	enum http_field field;
} known_fields[] = {
	{"te", HTTP_TE},
	{"via", HTTP_VIA},
	{"host", HTTP_HOST},
	{"expect", HTTP_EXPECT},
	{"trailer", HTTP_TRAILER},
	{"upgrade", HTTP_UPGRADE},
	{"connection", HTTP_CONNECTION},
	{"keep-alive", HTTP_KEEP_ALIVE},
	{"x-request-id", HTTP_X_REQUEST_ID},
	{"content-length", HTTP_CONTENT_LENGTH},
	{"x-forwarded-for", HTTP_X_FORWARDED_FOR},
	{"x-request-start", HTTP_X_REQUEST_START},
	{"proxy-connection", HTTP_PROXY_CONNECTION},
	{"x-forwarded-port", HTTP_X_FORWARDED_PORT},
	{"transfer-encoding", HTTP_TRANSFER_ENCODING},
	{"x-forwarded-proto", HTTP_X_FORWARDED_PROTO},
};

/* known_fields is sorted by length: those of n bytes begin at first_of_length[n]. */
static const uint8_t first_of_length[] = {
	[0 ... 2] = 0,	 [3] = 1,	  [4] = 2,   [5 ... 6] = 3, [7] = 4,   [8 ... 10] = 6,
	[11 ... 12] = 8, [13 ... 14] = 9, [15] = 10, [16] = 12,	    [17] = 14, [18] = 16,
};

static enum http_field
field_of(struct http_text name)
{
	char first;

	if (name.len + 1 >= sizeof(first_of_length))
		return HTTP_OTHER;
	first = (char)(name.at[0] | 0x20);
	for (size_t i = first_of_length[name.len]; i < first_of_length[name.len + 1]; i++)
		if (known_fields[i].name[0] == first &&
		    strncasecmp(known_fields[i].name, name.at, name.len) == 0)
			return known_fields[i].field;
	return HTTP_OTHER;
}

/* ---- heads ---------------------------------------------------------------------------------- */

/* Where a head is being read, and what its header fields have said so far. */
struct reader {
	const char *at, *end;
	const char *start;
	struct http_text host, coding, length, expect;
	unsigned n_host, n_coding, n_length;
	bool says_close, says_keep_alive, says_upgrade, has_upgrade;
};

/* What reading a piece of a head can end in, besides an HTTP status to refuse with. */
enum {
	READ_MORE = 0,
	READ_DONE = 1,
};

/* CR LF at r->at is stepped over; CR before the end of the buffer may still become one. */
static int
read_crlf(struct reader *r)
{
	if (r->at == r->end)
		return READ_MORE;
	if (r->at[0] != '\r')
		return -400;
	if (r->end - r->at < 2)
		return READ_MORE;
	if (r->at[1] != '\n')
		return -400;
	r->at += 2;
	return READ_DONE;
}

/* "HTTP/1.1" and its minor number. Another digit is a version we do not speak (-505). */
static int
read_version(struct reader *r, int *minor)
{
	static const char name[] = "HTTP/";
	size_t have = (size_t)(r->end - r->at);

	for (size_t i = 0; i < 8; i++) {
		char c;

		if (i >= have)
			return READ_MORE;
		c = r->at[i];
		if (i < 5 ? c != name[i] : i == 6 ? c != '.' : !is_digit(c))
			return -400;
	}
	if (r->at[5] != '1' || r->at[7] > '1')
		return -505;
	*minor = r->at[7] - '0';
	r->at += 8;
	return READ_DONE;
}

/* One header line into h->headers, or READ_DONE with *blank at the empty line. */
static int
read_header(struct reader *r, struct http_head *h, bool *blank)
{
	const char *line = r->at, *p = line, *name_end;
	const char *stop = r->end - line > HTTP_MAX_LINE ? line + HTTP_MAX_LINE + 1 : r->end;
	struct http_header *header;
	int ret;

	*blank = false;
	if (p == r->end)
		return READ_MORE;
	if (*p == '\r') {
		*blank = true;
		return read_crlf(r);
	}
	while (p < stop && is_class(*p, IS_TOKEN))
		p++;
	name_end = p;
	if (p < stop && (*p != ':' || p == line))
		return -400;
	while (p < stop && (p == name_end || is_class(*p, IS_VALUE)))
		p++;
	if (p - line > HTTP_MAX_LINE)
		return -431;
	r->at = p;
	ret = read_crlf(r);
	if (ret != READ_DONE)
		return ret;
	if (h->n_headers == HTTP_MAX_HEADERS)
		return -431;
	header = &h->headers[h->n_headers++];
	header->name = (struct http_text){line, (size_t)(name_end - line)};
	header->value = text_trim(name_end + 1, p);
	header->field = field_of(header->name);
	return READ_DONE;
}

/* Remembers what matters for framing, routing and persistence. */
static void
note_header(struct reader *r, struct http_head *h, const struct http_header *header)
{
	switch (header->field) {
	case HTTP_HOST:
		r->host = header->value;
		r->n_host++;
		break;
	case HTTP_CONTENT_LENGTH:
		r->length = header->value;
		r->n_length++;
		break;
	case HTTP_TRANSFER_ENCODING:
		r->coding = header->value;
		r->n_coding++;
		break;
	case HTTP_CONNECTION:
		h->connection = header->value;
		r->says_close |= http_list_has(header->value, "close");
		r->says_keep_alive |= http_list_has(header->value, "keep-alive");
		r->says_upgrade |= http_list_has(header->value, "upgrade");
		break;
	case HTTP_UPGRADE:
		r->has_upgrade |= header->value.len > 0;
		break;
	case HTTP_EXPECT:
		r->expect = header->value;
		break;
	case HTTP_OTHER:
	case HTTP_KEEP_ALIVE:
	case HTTP_PROXY_CONNECTION:
	case HTTP_TE:
	case HTTP_TRAILER:
	case HTTP_X_FORWARDED_FOR:
	case HTTP_X_FORWARDED_PROTO:
	case HTTP_X_FORWARDED_PORT:
	case HTTP_X_REQUEST_ID:
	case HTTP_X_REQUEST_START:
	case HTTP_VIA:
		break;
	}
}

static int
read_headers(struct reader *r, struct http_head *h)
{
	bool blank = false;

	for (;;) {
		int ret = read_header(r, h, &blank);

		if (r->at - r->start > HTTP_MAX_HEAD ||
		    (ret == READ_MORE && r->end - r->start >= HTTP_MAX_HEAD))
			return -431;
		if (ret != READ_DONE)
			return ret;
		if (blank)
			break;
		note_header(r, h, &h->headers[h->n_headers - 1]);
	}
	h->bytes = (size_t)(r->at - r->start);
	h->keep_alive = h->minor == 1 ? !r->says_close : r->says_keep_alive && !r->says_close;
	h->is_upgrade = h->minor == 1 && r->has_upgrade && r->says_upgrade;
	return READ_DONE;
}

/* 1*DIGIT, at most LENGTH_MAX. */
static bool
parse_length(struct http_text t, uint64_t *length)
{
	uint64_t n = 0;

	if (t.len == 0)
		return false;
	for (size_t i = 0; i < t.len; i++) {
		uint64_t digit = (uint64_t)(t.at[i] - '0');

		if (!is_digit(t.at[i]) || n > (LENGTH_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*length = n;
	return true;
}

/* RFC 9112 section 6.3, the strict reading. `otherwise` is the kind when no header says. */
static int
decide_body(const struct reader *r, struct http_head *h, enum http_body_kind otherwise)
{
	h->body = otherwise;
	if (r->n_coding > 1 || r->n_length > 1 || (r->n_coding && r->n_length))
		return -400;
	if (r->n_coding) {
		if (h->minor == 0)
			return -400;
		if (!http_text_is_nocase(r->coding, "chunked"))
			return -501;
		h->body = HTTP_BODY_CHUNKED;
	}
	if (r->n_length) {
		if (!parse_length(r->length, &h->content_length))
			return -400;
		h->has_length = true;
		h->body = h->content_length ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
	}
	return READ_DONE;
}

/* "host", "host:port", "[v6]:port" into its two parts; port is empty when there is none. */
static bool
split_authority(struct http_text t, struct http_text *host, struct http_text *port)
{
	const char *p = t.at, *end = t.at + t.len;
	unsigned n = 0;

	if (p < end && *p == '[') {
		for (p++; p < end && (hex_value(*p) >= 0 || *p == ':' || *p == '.'); p++)
			;
		if (p == end || *p != ']' || p - t.at < 3)
			return false;
		p++;
	} else {
		while (p < end && is_class(*p, IS_HOST))
			p++;
	}
	*host = (struct http_text){t.at, (size_t)(p - t.at)};
	*port = (struct http_text){p, 0};
	if (host->len == 0 || host->len > 255)
		return false;
	if (p == end)
		return true;
	if (*p++ != ':')
		return false;
	*port = (struct http_text){p, (size_t)(end - p)};
	if (port->len > 5)
		return false;
	for (; p < end; p++) {
		if (!is_digit(*p))
			return false;
		n = n * 10 + (unsigned)(*p - '0');
	}
	return n <= 65535;
}

/* An empty port and the scheme's own are the same port. */
static bool
same_port(struct http_text a, struct http_text b, const char *usual)
{
	if (a.len == 0)
		a = (struct http_text){usual, strlen(usual)};
	if (b.len == 0)
		b = (struct http_text){usual, strlen(usual)};
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static bool
is_prefix_nocase(struct http_text t, const char *prefix)
{
	size_t len = strlen(prefix);

	return t.len >= len && strncasecmp(t.at, prefix, len) == 0;
}

/* The four forms of RFC 9112 section 3.2, less authority-form (CONNECT), and the Host field. */
static int
decide_target(const struct reader *r, struct http_head *h)
{
	struct http_text host = {"", 0}, port = {"", 0};
	struct http_text named = {"", 0}, named_port = {"", 0}, rest = h->target;
	const char *usual = "80", *slash;

	if (r->n_host > 1 || (r->n_host == 0 && h->minor == 1))
		return -400;
	if (r->n_host == 1 && !split_authority(r->host, &host, &port))
		return -400;
	h->host = host;
	h->path = h->target;
	if (h->target.at[0] == '/')
		return READ_DONE;
	if (http_text_is(h->target, "*"))
		return http_text_is(h->method, "OPTIONS") ? READ_DONE : -400;
	if (is_prefix_nocase(rest, "https://"))
		usual = "443";
	else if (!is_prefix_nocase(rest, "http://"))
		return -400;
	rest.at += strlen("http://") + (usual[0] == '4');
	rest.len -= strlen("http://") + (usual[0] == '4');
	slash = memchr(rest.at, '/', rest.len);
	if (slash) {
		h->path = (struct http_text){slash, (size_t)(rest.at + rest.len - slash)};
		rest.len = (size_t)(slash - rest.at);
	} else {
		h->path = (struct http_text){"/", 1};
	}
	if (!split_authority(rest, &named, &named_port))
		return -400;
	if (r->n_host && (named.len != host.len || strncasecmp(named.at, host.at, host.len) != 0 ||
			  !same_port(named_port, port, usual)))
		return -400;
	h->host = named;
	return READ_DONE;
}

/* METHOD SP TARGET SP VERSION CR LF */
static int
read_request_line(struct reader *r, struct http_head *h)
{
	const char *line = r->at, *p = line;
	const char *stop = r->end - line > HTTP_MAX_LINE ? line + HTTP_MAX_LINE + 1 : r->end;
	int ret;

	while (p < stop && is_class(*p, IS_TOKEN))
		p++;
	h->method = (struct http_text){line, (size_t)(p - line)};
	if (h->method.len > METHOD_MAX)
		return -400;
	if (p == stop)
		return READ_MORE;
	if (*p++ != ' ' || h->method.len == 0)
		return -400;
	h->target.at = p;
	while (p < stop && is_class(*p, IS_TARGET))
		p++;
	h->target.len = (size_t)(p - h->target.at);
	if (p - line > HTTP_MAX_LINE)
		return -414;
	if (p == stop)
		return READ_MORE;
	if (*p++ != ' ' || h->target.len == 0)
		return -400;
	r->at = p;
	ret = read_version(r, &h->minor);
	if (ret != READ_DONE)
		return ret;
	if (r->at - line > HTTP_MAX_LINE)
		return -414;
	return read_crlf(r);
}

static void
head_init(struct http_head *h, struct reader *r, const char *buf, size_t len)
{
	memset(h, 0, offsetof(struct http_head, headers));
	h->connection.at = h->reason.at = "";
	*r = (struct reader){.at = buf, .end = buf + len, .start = buf};
}

int
http_parse_request(struct http_head *h, const char *buf, size_t len)
{
	struct reader r;
	int ret;

	head_init(h, &r, buf, len);
	/* One empty line before a request is to be ignored (RFC 9112 section 2.2). */
	if (len > 0 && buf[0] == '\r') {
		ret = read_crlf(&r);
		if (ret != READ_DONE)
			return ret;
	}
	ret = read_request_line(&r, h);
	if (ret == READ_DONE)
		ret = read_headers(&r, h);
	if (ret != READ_DONE)
		return ret;
	if (http_text_is(h->method, "CONNECT"))
		return -501;
	ret = decide_target(&r, h);
	if (ret == READ_DONE)
		ret = decide_body(&r, h, HTTP_BODY_NONE);
	if (ret != READ_DONE)
		return ret;
	h->is_head = http_text_is(h->method, "HEAD");
	h->expects_continue = h->minor == 1 && http_text_is_nocase(r.expect, "100-continue");
	return (int)h->bytes;
}

/* VERSION SP 3DIGIT [SP REASON] CR LF; the second space is often forgotten with the reason. */
static int
read_status_line(struct reader *r, struct http_head *h)
{
	int ret = read_version(r, &h->minor);

	if (ret != READ_DONE)
		return ret;
	for (int i = 0; i < 4; i++, r->at++) {
		if (r->at == r->end)
			return READ_MORE;
		if (i == 0 ? *r->at != ' ' : !is_digit(*r->at))
			return -502;
		if (i > 0)
			h->status = h->status * 10 + (*r->at - '0');
	}
	if (h->status < 100)
		return -502;
	if (r->at < r->end && *r->at == ' ') {
		h->reason.at = ++r->at;
		while (r->at < r->end && is_class(*r->at, IS_VALUE))
			r->at++;
		h->reason.len = (size_t)(r->at - h->reason.at);
		if (h->reason.len > HTTP_MAX_LINE)
			return -502;
	}
	return read_crlf(r);
}

int
http_parse_response(struct http_head *h, const char *buf, size_t len, bool to_head)
{
	struct reader r;
	int ret;

	head_init(h, &r, buf, len);
	ret = read_status_line(&r, h);
	if (ret == READ_DONE)
		ret = read_headers(&r, h);
	if (ret == READ_DONE)
		ret = decide_body(&r, h, HTTP_BODY_EOF);
	if (ret == READ_MORE)
		return 0;
	if (ret < 0)
		return -502;
	if (to_head || h->status < 200 || h->status == 204 || h->status == 304)
		h->body = HTTP_BODY_NONE;
	else if (h->body == HTTP_BODY_EOF)
		h->keep_alive = false;
	return (int)h->bytes;
}

bool
http_is_worth_parsing(const char *buf, size_t len, size_t n_new, size_t n_parsed)
{
	size_t from = len - n_new > 3 ? len - n_new - 3 : 0;

	return len >= 2 * n_parsed || len >= HTTP_MAX_HEAD ||
	       memmem(buf + from, len - from, "\r\n\r\n", 4) != NULL;
}

/* ---- bodies --------------------------------------------------------------------------------- */

enum chunk_state {
	CHUNK_FIRST_DIGIT,
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER_FIRST,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	TRAILER_END_LF,
};

void
http_body_init(struct http_body *b, enum http_body_kind kind, uint64_t length)
{
	*b = (struct http_body){.kind = kind, .state = CHUNK_FIRST_DIGIT};
	if (kind == HTTP_BODY_LENGTH)
		b->left = length;
	b->done = kind == HTTP_BODY_NONE || (kind == HTTP_BODY_LENGTH && length == 0);
}

/* The state after one byte of framing, or -EBADMSG. CHUNK_DATA is left by the caller. */
static int
chunk_step(struct http_body *b, char c)
{
	int digit;

	switch ((enum chunk_state)b->state) {
	case CHUNK_FIRST_DIGIT:
	case CHUNK_SIZE:
		digit = hex_value(c);
		if (digit >= 0) {
			if (b->left > (LENGTH_MAX - (uint64_t)digit) / 16)
				return -EBADMSG;
			b->left = b->left * 16 + (uint64_t)digit;
			return CHUNK_SIZE;
		}
		if (b->state == CHUNK_FIRST_DIGIT)
			return -EBADMSG;
		if (c == ';')
			return CHUNK_EXTENSION;
		return c == '\r' ? CHUNK_SIZE_LF : -EBADMSG;
	case CHUNK_EXTENSION:
		if (c == '\r')
			return CHUNK_SIZE_LF;
		return is_class(c, IS_VALUE) ? CHUNK_EXTENSION : -EBADMSG;
	case CHUNK_SIZE_LF:
		if (c != '\n')
			return -EBADMSG;
		b->n_line = 0;
		return b->left ? CHUNK_DATA : TRAILER_FIRST;
	case CHUNK_DATA_CR:
		return c == '\r' ? CHUNK_DATA_LF : -EBADMSG;
	case CHUNK_DATA_LF:
		b->n_line = 0;
		return c == '\n' ? CHUNK_FIRST_DIGIT : -EBADMSG;
	case TRAILER_FIRST:
		if (c == '\r')
			return TRAILER_END_LF;
		if (++b->n_trailers > HTTP_MAX_HEADERS)
			return -EBADMSG;
		return is_class(c, IS_TOKEN) ? TRAILER_NAME : -EBADMSG;
	case TRAILER_NAME:
		if (c == ':')
			return TRAILER_VALUE;
		return is_class(c, IS_TOKEN) ? TRAILER_NAME : -EBADMSG;
	case TRAILER_VALUE:
		if (c == '\r')
			return TRAILER_LF;
		return is_class(c, IS_VALUE) ? TRAILER_VALUE : -EBADMSG;
	case TRAILER_LF:
		return c == '\n' ? TRAILER_FIRST : -EBADMSG;
	case TRAILER_END_LF:
		if (c != '\n')
			return -EBADMSG;
		b->done = true;
		return TRAILER_FIRST;
	case CHUNK_DATA:
		break;
	}
	assert(!"a byte of data is not framing");
	return -EBADMSG;
}

/* Framing bytes up to the next payload, the end of the body, or the end of the input. */
static long
chunk_framing(struct http_body *b, const char *in, size_t len)
{
	size_t i = 0;

	while (i < len && b->state != CHUNK_DATA && !b->done) {
		unsigned max = b->state < CHUNK_DATA ? CHUNK_LINE_MAX : HTTP_MAX_LINE;
		int next = ++b->n_line > max ? -EBADMSG : chunk_step(b, in[i++]);

		if (next < 0)
			return next;
		b->state = (unsigned)next;
	}
	return (long)i;
}

static long
chunk_next(struct http_body *b, const char *in, size_t len, const char **data, size_t *n_data)
{
	long framing = chunk_framing(b, in, len);
	size_t n;

	if (framing < 0)
		return framing;
	in += framing;
	len -= (size_t)framing;
	if (b->state != CHUNK_DATA || len == 0)
		return framing;
	n = len < b->left ? len : (size_t)b->left;
	*data = in;
	*n_data = n;
	b->left -= n;
	if (b->left == 0)
		b->state = CHUNK_DATA_CR;
	return framing + (long)n;
}

long
http_body_next(struct http_body *b, const char *in, size_t len, const char **data, size_t *n_data)
{
	*data = in;
	*n_data = 0;
	if (b->done)
		return 0;
	switch (b->kind) {
	case HTTP_BODY_NONE:
		return 0;
	case HTTP_BODY_CHUNKED:
		return chunk_next(b, in, len, data, n_data);
	case HTTP_BODY_EOF:
		*n_data = len;
		return (long)len;
	case HTTP_BODY_LENGTH:
		break;
	}
	*n_data = len < b->left ? len : (size_t)b->left;
	b->left -= *n_data;
	b->done = b->left == 0;
	return (long)*n_data;
}

/* ---- statuses ------------------------------------------------------------------------------- */

const char *
http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} table[] = {
		{100, "Continue"},
		{101, "Switching Protocols"},
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{206, "Partial Content"},
		{301, "Moved Permanently"},
		{302, "Found"},
		{303, "See Other"},
		{304, "Not Modified"},
		{307, "Temporary Redirect"},
		{308, "Permanent Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{402, "Payment Required"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{410, "Gone"},
		{411, "Length Required"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{416, "Range Not Satisfiable"},
		{417, "Expectation Failed"},
		{421, "Misdirected Request"},
		{422, "Unprocessable Content"},
		{426, "Upgrade Required"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].status == status)
			return table[i].reason;
	return "Unknown";
}

/*
 * The order of conditions is that of RFC 9110 section 13.2.2; the methods with side effects that
 * If-Match is for do not exist here.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/http.h"

#include "buildpacks/static/server/answer.h"
#include "buildpacks/static/server/glob.h"
#include "buildpacks/static/server/mime.h"
#include "buildpacks/static/server/site.h"

#define DATE_MAX 64
#define TAG_MAX 80

struct range {
	uint64_t first, last;
};

enum range_kind {
	RANGE_NONE, /* send all */
	RANGE_PART,
	RANGE_OUTSIDE, /* 416 */
};

/* ---- pieces -------------------------------------------------------------------------------- */

static __attribute__((format(printf, 2, 3))) void
put(struct answer *a, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(a->head + a->n_head, sizeof(a->head) - a->n_head, fmt, args);
	va_end(args);
	/* Everything put here is bounded well below the buffer's size. */
	if (n > 0 && (size_t)n < sizeof(a->head) - a->n_head)
		a->n_head += (size_t)n;
}

static const char *
date_text(time_t t, char out[DATE_MAX])
{
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, DATE_MAX, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
		out[0] = '\0';
	return out;
}

/* An HTTP date in the form everybody sends, or -1. */
static time_t
read_date(struct http_text text)
{
	char copy[DATE_MAX];
	struct tm tm = {0};
	const char *end;

	if (text.len >= sizeof(copy))
		return -1;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	end = strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return end && !*end ? timegm(&tm) : -1;
}

static void
begin(struct answer *a, int status, time_t now)
{
	char date[DATE_MAX];

	a->status = status;
	a->n_head = 0;
	a->fd = -1;
	a->at = a->left = 0;
	put(a, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http_reason(status), date_text(now, date));
}

static void
end(struct answer *a, bool keep_alive, int minor)
{
	a->keep_alive = keep_alive;
	if (!keep_alive)
		put(a, "Connection: close\r\n");
	else if (minor == 0)
		put(a, "Connection: keep-alive\r\n");
	put(a, "\r\n");
}

/* A page of ours: the reason as text. */
static void
put_page(struct answer *a, const struct http_head *head, bool keep_alive)
{
	const char *reason = http_reason(a->status);

	put(a, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n",
	    strlen(reason) + 1);
	end(a, keep_alive, head ? head->minor : 1);
	if (!head || !head->is_head)
		put(a, "%s\n", reason);
}

void
answer_refuse(struct answer *a, int status, time_t now)
{
	begin(a, status, now);
	put_page(a, NULL, false);
}

/* ---- conditions and ranges ----------------------------------------------------------------- */

/* Is the tag in the list? Weak comparison, as If-None-Match wants. */
static bool
has_tag(struct http_text list, const char *tag)
{
	size_t n = strlen(tag);
	const char *at = list.at, *stop = list.at + list.len;

	if (list.len == 1 && *at == '*')
		return true;
	while (at < stop) {
		const char *close;

		while (at < stop && *at != '"')
			at++;
		close = at < stop ? memchr(at + 1, '"', (size_t)(stop - at - 1)) : NULL;
		if (!close)
			return false;
		if ((size_t)(close + 1 - at) == n && memcmp(at, tag, n) == 0)
			return true;
		at = close + 1;
	}
	return false;
}

static bool
is_unchanged(const struct http_head *head, const struct site_file *file, const char *tag)
{
	const struct http_header *header = http_find(head, "If-None-Match");

	if (header)
		return has_tag(header->value, tag);
	header = http_find(head, "If-Modified-Since");
	return header && read_date(header->value) >= (time_t)file->mtime;
}

/* A number of at most 18 digits at *at; -1 when there is none. */
static long long
read_number(const char **at, const char *stop)
{
	long long value = 0;
	int n = 0;

	for (; *at < stop && **at >= '0' && **at <= '9'; (*at)++, n++) {
		if (n == 18)
			return -1;
		value = value * 10 + (**at - '0');
	}
	return n ? value : -1;
}

/* One range of bytes; what is malformed, of another unit or several is as if it were not there. */
static enum range_kind
read_range(struct http_text text, uint64_t size, struct range *range)
{
	const char *at = text.at, *stop = text.at + text.len;
	long long first, last;

	if (text.len < 6 || strncasecmp(at, "bytes=", 6) != 0)
		return RANGE_NONE;
	at += 6;
	first = read_number(&at, stop);
	if (at == stop || *at++ != '-')
		return RANGE_NONE;
	last = read_number(&at, stop);
	if (at != stop || (first < 0 && last < 0) || (first >= 0 && last >= 0 && last < first))
		return RANGE_NONE;
	if (first < 0) {
		if (last == 0 || size == 0)
			return RANGE_OUTSIDE;
		range->first = (uint64_t)last < size ? size - (uint64_t)last : 0;
		range->last = size - 1;
		return RANGE_PART;
	}
	if ((uint64_t)first >= size)
		return RANGE_OUTSIDE;
	range->first = (uint64_t)first;
	range->last = last < 0 || (uint64_t)last >= size ? size - 1 : (uint64_t)last;
	return RANGE_PART;
}

static enum range_kind
find_range(const struct http_head *head, const struct site_file *file, const char *tag,
	   struct range *range)
{
	const struct http_header *header = http_find(head, "Range");
	const struct http_header *condition = http_find(head, "If-Range");

	if (!header || head->is_head || file->status != 200)
		return RANGE_NONE;
	if (condition && !http_text_is(condition->value, tag) &&
	    read_date(condition->value) != (time_t)file->mtime)
		return RANGE_NONE;
	return read_range(header->value, file->size, range);
}

/* Does the client take gzip? Only a plain mention counts, and "q=0" is none. */
static bool
accepts_gzip(const struct http_head *head)
{
	const struct http_header *header = http_find(head, "Accept-Encoding");
	const char *at, *stop;

	if (!header)
		return false;
	at = header->value.at;
	stop = at + header->value.len;
	while (at < stop) {
		const char *comma = memchr(at, ',', (size_t)(stop - at));
		const char *part_end = comma ? comma : stop;
		size_t n;

		while (at < part_end && (*at == ' ' || *at == '\t'))
			at++;
		n = (size_t)(part_end - at);
		if (n >= 4 && strncasecmp(at, "gzip", 4) == 0 &&
		    (n == 4 || at[4] == ' ' || at[4] == ';'))
			return !memmem(at, n, "q=0", 3) || memmem(at, n, "q=0.", 4);
		at = comma ? comma + 1 : stop;
	}
	return false;
}

/* ---- whole answers ------------------------------------------------------------------------- */

static void
put_configured(struct answer *a, const struct site *site, const char *path)
{
	char full[SITE_MAX_PATH + 1];

	(void)snprintf(full, sizeof(full), "/%s", path);
	for (size_t i = 0; i < site->config.n_headers; i++) {
		if (glob_match(site->config.headers[i].pattern, full))
			put(a, "%s\r\n", site->config.headers[i].line);
	}
}

/* The path may hold anything, and must not become the name of another host. */
static void
put_location(struct answer *a, const char *path, struct http_text target)
{
	static const char plain[] = "-._~!$&'()*+,;=:@/0123456789"
				    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *query = memchr(target.at, '?', target.len);

	put(a, "Location: /");
	for (path += strspn(path, "/"); *path; path++) {
		if (strchr(plain, *path))
			put(a, "%c", *path);
		else
			put(a, "%%%02X", (unsigned char)*path);
	}
	if (query)
		put(a, "%.*s", (int)(target.at + target.len - query), query);
	put(a, "\r\n");
}

static void
put_length(struct answer *a, const struct site_file *file, enum range_kind kind,
	   const struct range *range)
{
	if (kind == RANGE_PART) {
		a->at = range->first;
		a->left = range->last - range->first + 1;
		put(a, "Content-Range: bytes %llu-%llu/%llu\r\n", (unsigned long long)range->first,
		    (unsigned long long)range->last, (unsigned long long)file->size);
	} else {
		a->left = file->size;
	}
	put(a, "Content-Length: %llu\r\n", (unsigned long long)a->left);
}

/* `type` is that of the plain file, whichever is sent. */
static void
answer_file(struct answer *a, const struct site *site, const struct http_head *head,
	    struct site_file *file, const char *type, bool is_gzip, bool varies, time_t now)
{
	char tag[TAG_MAX], date[DATE_MAX];
	enum range_kind kind;
	struct range range = {0};
	int status = file->status;

	(void)snprintf(tag, sizeof(tag), "\"%llx-%llx%s\"", (unsigned long long)file->tag,
		       (unsigned long long)file->size, is_gzip ? "-gz" : "");
	kind = find_range(head, file, tag, &range);
	if (status == 200 && is_unchanged(head, file, tag))
		status = 304;
	else if (kind == RANGE_OUTSIDE)
		status = 416;
	else if (kind == RANGE_PART)
		status = 206;
	begin(a, status, now);
	if (status == 416) {
		put(a, "Content-Range: bytes */%llu\r\n", (unsigned long long)file->size);
		put_page(a, head, head->keep_alive);
		return;
	}
	if (file->status == 200)
		put(a, "ETag: %s\r\nLast-Modified: %s\r\nAccept-Ranges: bytes\r\n", tag,
		    date_text((time_t)file->mtime, date));
	if (varies)
		put(a, "Vary: Accept-Encoding\r\n");
	put_configured(a, site, file->path);
	if (status != 304) {
		put(a, "Content-Type: %s\r\n", type);
		if (is_gzip)
			put(a, "Content-Encoding: gzip\r\n");
		put_length(a, file, kind, &range);
	}
	end(a, head->keep_alive, head->minor);
	if (status == 304 || head->is_head) {
		a->left = 0;
	} else {
		a->fd = file->fd;
		file->fd = -1;
	}
}

static void
answer_found(struct answer *a, const struct site *site, const struct http_head *head,
	     struct site_file *file, time_t now)
{
	const char *type = mime_type(file->path);
	struct site_file gzip = {.fd = -1};
	bool has_gzip = mime_is_compressible(type) && site_find_gzip(site, file, &gzip) == 0;

	if (has_gzip && accepts_gzip(head)) {
		(void)snprintf(gzip.path, sizeof(gzip.path), "%s", file->path);
		answer_file(a, site, head, &gzip, type, true, true, now);
	} else {
		answer_file(a, site, head, file, type, false, has_gzip, now);
	}
	if (gzip.fd >= 0)
		(void)close(gzip.fd);
}

static void
answer_target(struct answer *a, const struct site *site, const struct http_head *head, time_t now)
{
	struct site_file file;
	int refused = site_find(site, head->path.at, head->path.len, &file);

	if (refused) {
		begin(a, refused, now);
		put_page(a, head, head->keep_alive);
		return;
	}
	if (file.status == 301) {
		begin(a, 301, now);
		put_location(a, file.path, head->path);
		put_page(a, head, head->keep_alive);
	} else if (file.fd < 0) {
		begin(a, file.status, now);
		put_page(a, head, head->keep_alive);
	} else {
		answer_found(a, site, head, &file, now);
	}
	if (file.fd >= 0)
		(void)close(file.fd);
}

void
answer_make(struct answer *a, const struct site *site, const struct http_head *head, time_t now)
{
	/* A body nobody asked for is not read: the connection ends behind the answer. */
	bool has_body = head->body == HTTP_BODY_CHUNKED ||
			(head->body == HTTP_BODY_LENGTH && head->content_length > 0);

	if (!http_text_is(head->method, "GET") && !http_text_is(head->method, "HEAD")) {
		begin(a, 405, now);
		put(a, "Allow: GET, HEAD\r\n");
		put_page(a, head, head->keep_alive && !has_body);
		return;
	}
	if (has_body) {
		answer_refuse(a, 413, now);
		return;
	}
	answer_target(a, site, head, now);
}

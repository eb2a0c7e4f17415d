/*
 * lib/http: whatever comes in, what is accepted stays inside the input, is accepted in pieces as
 * in one, and, written out again, reads as the same request. The body is read as chunks.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct http_text t, const char *in, size_t len)
{
	if (t.len)
		assert(t.at >= in && t.at + t.len <= in + len);
}

static void
check_head(const struct http_head *h, const char *in, int ret)
{
	assert((size_t)ret == h->bytes && h->n_headers <= HTTP_MAX_HEADERS);
	check_inside(h->connection, in, h->bytes);
	for (size_t i = 0; i < h->n_headers; i++) {
		check_inside(h->headers[i].name, in, h->bytes);
		check_inside(h->headers[i].value, in, h->bytes);
		assert(h->headers[i].name.len > 0);
		assert(!memchr(h->headers[i].value.at, '\n', h->headers[i].value.len));
	}
}

/* Writes an accepted request out as a router would and reads it back. */
static void
check_again(const struct http_head *h)
{
	static struct http_head again;
	static char out[2 * HTTP_MAX_HEAD];
	int n, ret;

	n = snprintf(out, sizeof(out), "%.*s %.*s HTTP/1.%d\r\n", (int)h->method.len, h->method.at,
		     (int)h->target.len, h->target.at, h->minor);
	for (size_t i = 0; i < h->n_headers; i++)
		n += snprintf(out + n, sizeof(out) - (size_t)n, "%.*s: %.*s\r\n",
			      (int)h->headers[i].name.len, h->headers[i].name.at,
			      (int)h->headers[i].value.len, h->headers[i].value.at);
	n += snprintf(out + n, sizeof(out) - (size_t)n, "\r\n");
	ret = http_parse_request(&again, out, (size_t)n);
	if (ret == -431 || ret == -414)
		return; /* the one space after each colon made it longer than allowed */
	assert(ret == n);
	assert(again.n_headers == h->n_headers && again.body == h->body);
	assert(again.content_length == h->content_length && again.keep_alive == h->keep_alive);
	assert(again.is_upgrade == h->is_upgrade && again.host.len == h->host.len);
}

static void
check_body(const char *in, size_t len, size_t step)
{
	struct http_body whole, pieces;
	const char *bytes;
	size_t n, n_whole = 0, n_pieces = 0, at = 0;
	long used = 1, ret = 0;

	http_body_init(&whole, HTTP_BODY_CHUNKED, 0);
	for (at = 0; at < len && used > 0; at += (size_t)used) {
		used = http_body_next(&whole, in + at, len - at, &bytes, &n);
		if (used < 0)
			break;
		check_inside((struct http_text){bytes, n}, in + at, (size_t)used);
		n_whole += n;
	}
	http_body_init(&pieces, HTTP_BODY_CHUNKED, 0);
	for (at = 0; at < len; at += (size_t)ret) {
		ret = http_body_next(&pieces, in + at, len - at < step ? len - at : step, &bytes,
				     &n);
		if (ret <= 0)
			break;
		n_pieces += n;
	}
	assert((used < 0) == (ret < 0) && n_whole == n_pieces && whole.done == pieces.done);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head h, part;
	const char *in = (const char *)data;
	int ret = http_parse_request(&h, in, size);

	for (size_t i = 0; i < size; i += 1 + size / 16) {
		int partial = http_parse_request(&part, in, i);

		assert(partial == 0 || partial == ret);
	}
	if (ret > 0) {
		check_head(&h, in, ret);
		check_again(&h);
		check_body(in + ret, size - (size_t)ret, 1 + size % 7);
	} else {
		check_body(in, size, 1 + size % 7);
	}
	ret = http_parse_response(&h, in, size, size & 1);
	assert(ret >= 0 || ret == -502);
	if (ret > 0)
		check_head(&h, in, ret);
	return 0;
}

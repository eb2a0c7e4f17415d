#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"

#include "daemon/receiver/pktline.h"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

long
pktline_next(const char *p, size_t n, const char **payload, size_t *n_payload)
{
	size_t len = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit;

		if (i == n)
			return 0;
		digit = hex_digit(p[i]);
		if (digit < 0)
			return -EBADMSG;
		len = len << 4 | (size_t)digit;
	}
	if (len == 0) {
		*payload = NULL;
		*n_payload = 0;
		return 4;
	}
	if (len < 4 || len > PKTLINE_MAX)
		return -EBADMSG;
	if (n < len)
		return 0;
	*payload = p + 4;
	*n_payload = len - 4;
	return (long)len;
}

static int
add_head(struct buf *out, size_t n_payload)
{
	char head[5];
	int ret = buf_reserve(out, n_payload + 4);

	if (ret < 0)
		return ret;
	(void)snprintf(head, sizeof(head), "%04x", (unsigned)(n_payload + 4));
	return buf_add(out, head, 4);
}

int
pktline_add(struct buf *out, const void *payload, size_t n)
{
	int ret;

	assert(n <= PKTLINE_MAX - 4);
	ret = add_head(out, n);
	return ret < 0 ? ret : buf_add(out, payload, n);
}

int
pktline_add_flush(struct buf *out)
{
	return buf_add_string(out, "0000");
}

int
pktline_add_band(struct buf *out, enum pktline_band band, const void *p, size_t n)
{
	const char *at = p;
	char mark = (char)band;

	while (n > 0) {
		size_t part = n < PKTLINE_BAND_MAX ? n : PKTLINE_BAND_MAX;
		int ret = add_head(out, part + 1);

		if (ret == 0)
			ret = buf_add(out, &mark, 1);
		if (ret == 0)
			ret = buf_add(out, at, part);
		if (ret < 0)
			return ret;
		at += part;
		n -= part;
	}
	return 0;
}

#include <errno.h>
#include <string.h>

#include "lib/wire.h"

void
wire_write_init(struct wire_writer *w, void *data, size_t cap)
{
	*w = (struct wire_writer){.data = data, .cap = cap};
}

static void
put(struct wire_writer *w, uint64_t v, size_t n)
{
	if (w->failed || w->cap - w->len < n) {
		w->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		w->data[w->len++] = (uint8_t)(v >> (8 * i));
}

void
wire_put_u8(struct wire_writer *w, uint8_t v)
{
	put(w, v, 1);
}

void
wire_put_u16(struct wire_writer *w, uint16_t v)
{
	put(w, v, 2);
}

void
wire_put_u32(struct wire_writer *w, uint32_t v)
{
	put(w, v, 4);
}

void
wire_put_u64(struct wire_writer *w, uint64_t v)
{
	put(w, v, 8);
}

void
wire_put_str(struct wire_writer *w, const char *s)
{
	wire_put_bytes(w, s, s ? strlen(s) : 0);
}

void
wire_put_bytes(struct wire_writer *w, const void *p, size_t n)
{
	if (n > UINT32_MAX) {
		w->failed = true;
		return;
	}
	put(w, n, 4);
	if (w->failed || w->cap - w->len < n) {
		w->failed = true;
		return;
	}
	if (n > 0)
		memcpy(w->data + w->len, p, n);
	w->len += n;
}

void
wire_read_init(struct wire_reader *r, const void *data, size_t len)
{
	const uint8_t *at = data;

	*r = (struct wire_reader){.at = at, .end = at + len};
}

static uint64_t
get(struct wire_reader *r, size_t n)
{
	uint64_t v = 0;

	if (r->failed || (size_t)(r->end - r->at) < n) {
		r->failed = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)r->at[i] << (8 * i);
	r->at += n;
	return v;
}

uint8_t
wire_get_u8(struct wire_reader *r)
{
	return (uint8_t)get(r, 1);
}

uint16_t
wire_get_u16(struct wire_reader *r)
{
	return (uint16_t)get(r, 2);
}

uint32_t
wire_get_u32(struct wire_reader *r)
{
	return (uint32_t)get(r, 4);
}

uint64_t
wire_get_u64(struct wire_reader *r)
{
	return get(r, 8);
}

const void *
wire_get_bytes(struct wire_reader *r, size_t *n)
{
	size_t len = get(r, 4);
	const uint8_t *p;

	*n = 0;
	if (r->failed || (size_t)(r->end - r->at) < len) {
		r->failed = true;
		return NULL;
	}
	p = r->at;
	r->at += len;
	*n = len;
	return p;
}

void
wire_get_str(struct wire_reader *r, char *out, size_t cap)
{
	size_t n;
	const void *p = wire_get_bytes(r, &n);

	out[0] = '\0';
	if (!p)
		return;
	if (n >= cap || memchr(p, '\0', n)) {
		r->failed = true;
		return;
	}
	memcpy(out, p, n);
	out[n] = '\0';
}

int
wire_end(const struct wire_reader *r)
{
	return r->failed || r->at != r->end ? -EBADMSG : 0;
}

/* A growing byte buffer with a maximum given at its birth. */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max; /* bytes; growth beyond it is -ENOBUFS */
};

/* An empty buffer that will never hold more than `max` bytes. Allocates nothing yet. */
void buf_init(struct buf *b, size_t max);
/* Frees the memory; the buffer may be used again with the same maximum. */
void buf_done(struct buf *b);

/* Makes room for `n` more bytes and one NUL. 0, -ENOBUFS (maximum) or -ENOMEM. */
int buf_reserve(struct buf *b, size_t n);
/* Appends; data stays NUL-terminated behind len. 0 or as buf_reserve, unchanged then. */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_add_string(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Drops the first `n` bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* The text so far, never NULL; owned by the buffer, valid until it changes. */
const char *buf_text(const struct buf *b);
/* Hands the heap string to the caller (free()); the buffer is empty afterwards. NULL: ENOMEM. */
char *buf_take(struct buf *b);

#define AUTO_BUF __attribute__((cleanup(buf_done)))

#endif

/*
 * Typed little-endian fields, the inside of every message and of the init spec. The
 * reader is sticky: after the first bad field every later one reads as zero, and
 * wire_end says whether all was well and nothing was left over, so a handler reads
 * all fields, asks once, and only then acts.
 */
#ifndef LIB_WIRE_H
#define LIB_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_writer {
	uint8_t *data;
	size_t len, cap;
	bool failed; /* a field did not fit */
};

struct wire_reader {
	const uint8_t *at, *end;
	bool failed;
};

void wire_write_init(struct wire_writer *w, void *data, size_t cap);
void wire_put_u8(struct wire_writer *w, uint8_t v);
void wire_put_u16(struct wire_writer *w, uint16_t v);
void wire_put_u32(struct wire_writer *w, uint32_t v);
void wire_put_u64(struct wire_writer *w, uint64_t v);
/* A string without NUL inside: u32 length and the bytes. NULL is written as "". */
void wire_put_str(struct wire_writer *w, const char *s);
void wire_put_bytes(struct wire_writer *w, const void *p, size_t n);

void wire_read_init(struct wire_reader *r, const void *data, size_t len);
uint8_t wire_get_u8(struct wire_reader *r);
uint16_t wire_get_u16(struct wire_reader *r);
uint32_t wire_get_u32(struct wire_reader *r);
uint64_t wire_get_u64(struct wire_reader *r);
/* Copies a string into `out` of `cap` bytes, NUL-terminated. Too long or a NUL inside fails. */
void wire_get_str(struct wire_reader *r, char *out, size_t cap);
/* Points into the message; *n is its length. NULL and 0 after a failure. */
const void *wire_get_bytes(struct wire_reader *r, size_t *n);
/* 0 when every field was good and nothing is left, else -EBADMSG. */
int wire_end(const struct wire_reader *r);

#endif

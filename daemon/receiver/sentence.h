/* Texts for the person at the other end, free of what their terminal would take as a command. */
#ifndef RECEIVER_SENTENCE_H
#define RECEIVER_SENTENCE_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/* Copies `n` bytes as printable ASCII into `out` (always terminated): everything else becomes
 * '?', what does not fit becomes "...". cap is at least 4. Returns `out`. */
const char *sentence_quote(const char *text, size_t n, char *out, size_t cap);

/*
 * Takes terminal commands out of a stream: escape sequences (ECMA-48: CSI, OSC, DCS, two-byte
 * ones, and their 8-bit forms) and control characters other than \t \n \r go, UTF-8 text stays. A
 * sequence may be cut anywhere between two calls.
 */
struct sentence_filter {
	uint8_t state;
	uint8_t more; /* continuation bytes a UTF-8 character still needs */
	uint32_t n_swallowed;
};

void sentence_filter_init(struct sentence_filter *f);
/* Filters `n` bytes from `in` to `out`, which has room for n + 1. Returns how many it wrote. */
size_t sentence_filter(struct sentence_filter *f, const void *in, size_t n, void *out);

#endif

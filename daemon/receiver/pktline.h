/* git's framing (gitprotocol-common): four hex digits of length, themselves included, and bytes. */
#ifndef RECEIVER_PKTLINE_H
#define RECEIVER_PKTLINE_H

#include <stddef.h>

struct buf;

#define PKTLINE_MAX 65520      /* LARGE_PACKET_MAX */
#define PKTLINE_BAND_MAX 65515 /* payload of one side-band-64k packet */

enum pktline_band {
	PKTLINE_DATA = 1,     /* what the program answers */
	PKTLINE_PROGRESS = 2, /* what git shows as "remote: " */
};

/*
 * Looks at the packet at `p`. Positive: its length in bytes with the head; *payload and *n_payload
 * are its inside, *payload NULL for a flush packet. 0: it is not complete yet. -EBADMSG: it is none
 * (a delimiter or response-end packet has no place in what is read here either).
 */
long pktline_next(const char *p, size_t n, const char **payload, size_t *n_payload);

/* Appends one packet, n <= PKTLINE_MAX - 4. 0 or as buf_add. */
int pktline_add(struct buf *out, const void *payload, size_t n);
int pktline_add_flush(struct buf *out);
/* Appends `n` bytes in as many side-band-64k packets as it takes. 0 or as buf_add. */
int pktline_add_band(struct buf *out, enum pktline_band band, const void *p, size_t n);

#endif

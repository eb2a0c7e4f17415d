/*
 * Memory for bytes in transit and for connections: taken from free lists, never from the heap on
 * a warm path, and bounded in total. A connection holds a block only while something has to wait.
 */
#ifndef ROUTER_BLOCK_H
#define ROUTER_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define BLOCK_CLASSES 4
#define BLOCK_MAX (320 * 1024) /* the largest block */

struct block_free;

struct blocks {
	struct block_free *free[BLOCK_CLASSES];
	size_t n_free[BLOCK_CLASSES];
	size_t bytes, max_bytes; /* in use */
};

/* Bytes [at, len) of data are there; [0, at) were consumed already. */
struct block {
	char *data; /* NULL: none is held */
	uint32_t at, len, cap;
};

/* At most `max_bytes` are handed out at a time. */
void blocks_init(struct blocks *blocks, size_t max_bytes);
void blocks_done(struct blocks *blocks);

static inline size_t
block_bytes(const struct block *b)
{
	return b->len - b->at;
}

/* Makes room for `n` bytes behind len, moving to a larger block when needed.
 * 0; -ENOBUFS: larger than BLOCK_MAX; -ENOMEM: none is left. Unchanged after a failure. */
int block_reserve(struct blocks *blocks, struct block *b, size_t n);
/* Reserves and copies. */
int block_add(struct blocks *blocks, struct block *b, const void *p, size_t n);
/* Adds what is in the vectors behind their first `skip` bytes. May have added a part on failure. */
int block_add_iov(struct blocks *blocks, struct block *b, const struct iovec *iov, int n_iov,
		  size_t skip);
/* Gives the memory back; an empty block is left alone. */
void block_release(struct blocks *blocks, struct block *b);
/* Drops all but the first `n` bytes of data and moves them to the smallest block that holds them.
 */
void block_shrink(struct blocks *blocks, struct block *b, size_t n);

/* ---- objects of one size ----------------------------------------------------------------- */

struct slab {
	size_t size;
	struct block_free *free;
	struct slab_page *pages;
	size_t n_used;
};

void slab_init(struct slab *slab, size_t size);
void slab_done(struct slab *slab);
/* Zeroed memory of the slab's size, or NULL. */
void *slab_take(struct slab *slab);
void slab_give(struct slab *slab, void *p);

#endif

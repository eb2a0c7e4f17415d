/*
 * Four sizes: a small head, a usual one, the largest head with a replayable body, and one full
 * read with its framing. Free blocks are kept (a few of the large sizes only), last in first out,
 * so that what is used again is still in the cache.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "router/block.h"

struct block_free {
	struct block_free *next;
};

struct slab_page {
	struct slab_page *next;
	max_align_t objects[];
};

#define SLAB_PAGE_BYTES 32768

static const uint32_t class_bytes[BLOCK_CLASSES] = {4096, 16384, 98304, BLOCK_MAX};
static const size_t class_keep[BLOCK_CLASSES] = {4096, 256, 32, 8};

void
blocks_init(struct blocks *blocks, size_t max_bytes)
{
	*blocks = (struct blocks){.max_bytes = max_bytes};
}

void
blocks_done(struct blocks *blocks)
{
	for (int i = 0; i < BLOCK_CLASSES; i++) {
		while (blocks->free[i]) {
			struct block_free *p = blocks->free[i];

			blocks->free[i] = p->next;
			free(p);
		}
		blocks->n_free[i] = 0;
	}
}

static int
class_of(size_t bytes)
{
	int i = 0;

	while (i < BLOCK_CLASSES && class_bytes[i] < bytes)
		i++;
	return i;
}

static char *
memory_take(struct blocks *blocks, int class)
{
	struct block_free *p = blocks->free[class];

	if (blocks->bytes + class_bytes[class] > blocks->max_bytes)
		return NULL;
	if (p) {
		blocks->free[class] = p->next;
		blocks->n_free[class]--;
	} else {
		p = malloc(class_bytes[class]);
		if (!p)
			return NULL;
	}
	blocks->bytes += class_bytes[class];
	return (char *)p;
}

static void
memory_give(struct blocks *blocks, char *data, size_t bytes)
{
	int class = class_of(bytes);
	struct block_free *p = (struct block_free *)(void *)data;

	blocks->bytes -= bytes;
	if (blocks->n_free[class] == class_keep[class]) {
		free(p);
		return;
	}
	p->next = blocks->free[class];
	blocks->free[class] = p;
	blocks->n_free[class]++;
}

/* Moves what is there into memory of another class. */
static int
block_move(struct blocks *blocks, struct block *b, int class)
{
	char *data = memory_take(blocks, class);

	if (!data)
		return -ENOMEM;
	if (b->data) {
		memcpy(data, b->data, b->len);
		memory_give(blocks, b->data, b->cap);
	}
	b->data = data;
	b->cap = class_bytes[class];
	return 0;
}

int
block_reserve(struct blocks *blocks, struct block *b, size_t n)
{
	if (b->cap - b->len >= n)
		return 0;
	if (n > BLOCK_MAX || b->len + n > BLOCK_MAX)
		return -ENOBUFS;
	return block_move(blocks, b, class_of(b->len + n));
}

int
block_add(struct blocks *blocks, struct block *b, const void *p, size_t n)
{
	int ret = block_reserve(blocks, b, n);

	if (ret < 0 || n == 0)
		return ret;
	memcpy(b->data + b->len, p, n);
	b->len += (uint32_t)n;
	return 0;
}

int
block_add_iov(struct blocks *blocks, struct block *b, const struct iovec *iov, int n_iov,
	      size_t skip)
{
	for (int i = 0; i < n_iov; i++) {
		size_t n = skip < iov[i].iov_len ? skip : iov[i].iov_len;
		int ret;

		skip -= n;
		if (n == iov[i].iov_len)
			continue;
		ret = block_add(blocks, b, (const char *)iov[i].iov_base + n, iov[i].iov_len - n);
		if (ret < 0)
			return ret;
	}
	return 0;
}

void
block_release(struct blocks *blocks, struct block *b)
{
	if (b->data)
		memory_give(blocks, b->data, b->cap);
	*b = (struct block){0};
}

void
block_shrink(struct blocks *blocks, struct block *b, size_t n)
{
	int class = class_of(n);

	assert(n <= b->len);
	b->len = (uint32_t)n;
	if (b->at > b->len)
		b->at = b->len;
	/* Without memory for a smaller one the large one stays. */
	if (class_bytes[class] < b->cap)
		(void)block_move(blocks, b, class);
}

/* ---- objects of one size ----------------------------------------------------------------- */

void
slab_init(struct slab *slab, size_t size)
{
	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	assert(size <= SLAB_PAGE_BYTES / 2);
	*slab = (struct slab){.size = size};
}

void
slab_done(struct slab *slab)
{
	while (slab->pages) {
		struct slab_page *page = slab->pages;

		slab->pages = page->next;
		free(page);
	}
	slab->free = NULL;
}

static bool
slab_grow(struct slab *slab)
{
	struct slab_page *page = malloc(SLAB_PAGE_BYTES);
	char *at, *end;

	if (!page)
		return false;
	page->next = slab->pages;
	slab->pages = page;
	end = (char *)page + SLAB_PAGE_BYTES;
	for (at = (char *)page->objects; at + slab->size <= end; at += slab->size) {
		struct block_free *p = (struct block_free *)(void *)at;

		p->next = slab->free;
		slab->free = p;
	}
	return true;
}

void *
slab_take(struct slab *slab)
{
	struct block_free *p;

	if (!slab->free && !slab_grow(slab))
		return NULL;
	p = slab->free;
	assert(p); /* a page holds at least two */
	slab->free = p->next;
	slab->n_used++;
	memset(p, 0, slab->size);
	return p;
}

void
slab_give(struct slab *slab, void *object)
{
	struct block_free *p = object;

	slab->n_used--;
	p->next = slab->free;
	slab->free = p;
}

/*
 * Makes the Nth allocation of a module fail. Include this, then the module's .c file, in its test:
 * the module is compiled with its allocator calls renamed, and the linker then takes it from the
 * test and not from the archive.
 */
#ifndef TESTS_UNIT_LIB_ALLOC_H
#define TESTS_UNIT_LIB_ALLOC_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static long alloc_left = -1; /* allocations until one fails; -1: none does */

static inline bool
alloc_fails(void)
{
	if (alloc_left < 0)
		return false;
	return alloc_left-- == 0;
}

/* For the test itself. */
static inline void *
alloc_zeroed(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

static inline void *
alloc_malloc(size_t n)
{
	return alloc_fails() ? NULL : malloc(n);
}

static inline void *
alloc_calloc(size_t n, size_t size)
{
	return alloc_fails() ? NULL : calloc(n, size);
}

static inline void *
alloc_realloc(void *p, size_t n)
{
	return alloc_fails() ? NULL : realloc(p, n);
}

static inline void *
alloc_reallocarray(void *p, size_t n, size_t size)
{
	return alloc_fails() ? NULL : reallocarray(p, n, size);
}

static inline char *
alloc_strdup(const char *s)
{
	return alloc_fails() ? NULL : strdup(s);
}

/* Runs the body with the 1st, 2nd, 3rd ... allocation failing, until it gets by without. */
#define ALLOC_LOOP(i)                                                                              \
	for (long i = 0, done_ = 0; !done_ && (alloc_left = i, 1);                                 \
	     done_ = alloc_left >= 0, alloc_left = -1, i++)

#define malloc alloc_malloc
#define calloc alloc_calloc
#define realloc alloc_realloc
#define reallocarray alloc_reallocarray
#undef strdup
#define strdup alloc_strdup

#endif

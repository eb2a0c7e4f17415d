/*
 * Ownership at the declaration: AUTO_FREE and AUTO_FD release when the scope ends,
 * take_ptr and take_fd hand the thing over to somebody else.
 */
#ifndef LIB_CLEANUP_H
#define LIB_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void
cleanup_free(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

static inline void
cleanup_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_FD __attribute__((cleanup(cleanup_fd)))
#define AUTO_CLEAN(fn) __attribute__((cleanup(fn)))

/* The value of `p`, which is NULL afterwards. */
#define take_ptr(p)                                                                                \
	({                                                                                         \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

/* The fd in *fd, which is -1 afterwards. */
static inline int
take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

#endif

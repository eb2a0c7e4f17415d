/* How many connections the receiver takes, in all and from one address. */
#ifndef RECEIVER_LIMITS_H
#define RECEIVER_LIMITS_H

#include <stdint.h>

struct addr;
struct limits;

struct limits_bounds {
	unsigned max_sessions;	       /* at the same time */
	unsigned max_logins;	       /* of them, not yet logged in */
	unsigned max_address_sessions; /* of one address */
	unsigned max_address_logins;
	unsigned address_burst;	     /* connections of one address at once ... */
	unsigned address_per_minute; /* ... and how fast that grows back */
};
extern const struct limits_bounds limits_default;

/* An address's place in the table; valid while one of its sessions lives. */
struct limits_source;

/* NULL: out of memory. */
struct limits *limits_new(const struct limits_bounds *bounds);
void limits_free(struct limits *limits);

/*
 * Counts a new connection, in login. NULL and *source: it may come; else a sentence for the
 * client saying why not. IPv6 addresses count by their /64. now_ms is a monotonic clock.
 */
const char *limits_enter(struct limits *limits, const struct addr *from, uint64_t now_ms,
			 struct limits_source **source);
/* One session of `source` has logged in. */
void limits_login(struct limits *limits, struct limits_source *source);
/* One session ended, logged in or not. */
void limits_leave(struct limits *limits, struct limits_source *source, int was_logged_in);

#endif

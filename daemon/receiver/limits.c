/*
 * A fixed table of addresses, so that no flood makes it grow: an address without sessions whose
 * allowance has grown back is forgotten, and when all places are taken the newcomer
 * waits. One stranger can then use up no more than a stranger's share.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"

#include "daemon/receiver/limits.h"

#define SOURCES_MAX 1024

const struct limits_bounds limits_default = {
	.max_sessions = 128,
	.max_logins = 48,
	.max_address_sessions = 64,
	.max_address_logins = 16,
	.address_burst = 100,
	.address_per_minute = 600,
};

struct limits_source {
	uint8_t key[16]; /* the address, IPv4 mapped into IPv6 */
	bool in_use;
	unsigned n_sessions, n_logins;
	uint64_t allowance; /* connections x 60000 */
	uint64_t filled_ms;
};

struct limits {
	struct limits_bounds bounds;
	unsigned n_sessions, n_logins;
	struct limits_source sources[SOURCES_MAX];
};

struct limits *
limits_new(const struct limits_bounds *bounds)
{
	struct limits *limits = calloc(1, sizeof(*limits));

	if (limits)
		limits->bounds = *bounds;
	return limits;
}

void
limits_free(struct limits *limits)
{
	free(limits);
}

static void
key_of(const struct addr *from, uint8_t key[16])
{
	memset(key, 0, 16);
	if (from->sa.ss_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, &from->sa, sizeof(in6));
		memcpy(key, &in6.sin6_addr, IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) ? 16 : 8);
	} else if (from->sa.ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, &from->sa, sizeof(in));
		key[10] = key[11] = 0xff;
		memcpy(key + 12, &in.sin_addr, 4);
	}
}

static uint64_t
full_allowance(const struct limits *limits)
{
	return (uint64_t)limits->bounds.address_burst * 60000;
}

static void
refill(const struct limits *limits, struct limits_source *s, uint64_t now_ms)
{
	uint64_t full = full_allowance(limits);
	uint64_t passed = now_ms > s->filled_ms ? now_ms - s->filled_ms : 0;

	s->filled_ms = now_ms;
	if (passed > full)
		passed = full;
	s->allowance += passed * limits->bounds.address_per_minute;
	if (s->allowance > full)
		s->allowance = full;
}

/* The address's place, or a free one made its own; NULL: the table is full of busy addresses. */
static struct limits_source *
find_source(struct limits *limits, const uint8_t key[16], uint64_t now_ms)
{
	struct limits_source *free_one = NULL;

	for (size_t i = 0; i < SOURCES_MAX; i++) {
		struct limits_source *s = &limits->sources[i];

		if (s->in_use && memcmp(s->key, key, 16) == 0) {
			refill(limits, s, now_ms);
			return s;
		}
		if (free_one)
			continue;
		if (s->in_use && s->n_sessions == 0) {
			refill(limits, s, now_ms);
			if (s->allowance == full_allowance(limits))
				s->in_use = false;
		}
		if (!s->in_use)
			free_one = s;
	}
	if (!free_one)
		return NULL;
	*free_one = (struct limits_source){
		.in_use = true, .allowance = full_allowance(limits), .filled_ms = now_ms};
	memcpy(free_one->key, key, 16);
	return free_one;
}

const char *
limits_enter(struct limits *limits, const struct addr *from, uint64_t now_ms,
	     struct limits_source **source)
{
	static const char busy[] = "too many connections; try again in a minute";
	static const char busy_address[] =
		"too many connections from your address; try again in a minute";
	const struct limits_bounds *b = &limits->bounds;
	struct limits_source *s;
	uint8_t key[16];

	key_of(from, key);
	s = find_source(limits, key, now_ms);
	if (!s)
		return busy;
	if (s->allowance < 60000 || s->n_sessions >= b->max_address_sessions ||
	    s->n_logins >= b->max_address_logins)
		return busy_address;
	if (limits->n_sessions >= b->max_sessions || limits->n_logins >= b->max_logins)
		return busy;
	s->allowance -= 60000;
	s->n_sessions++;
	s->n_logins++;
	limits->n_sessions++;
	limits->n_logins++;
	*source = s;
	return NULL;
}

void
limits_login(struct limits *limits, struct limits_source *source)
{
	source->n_logins--;
	limits->n_logins--;
}

void
limits_leave(struct limits *limits, struct limits_source *source, int was_logged_in)
{
	if (!was_logged_in)
		limits_login(limits, source);
	source->n_sessions--;
	limits->n_sessions--;
}

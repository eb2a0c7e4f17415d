/* Which backend takes a request: the one with the fewest outstanding, random among equals. */
#ifndef ROUTER_BALANCE_H
#define ROUTER_BALANCE_H

#include <stddef.h>
#include <stdint.h>

struct app;
struct backend;

/* Up to here all backends are looked at; of more, two random ones. */
#define BALANCE_SCAN_MAX 8

/* A seed for balance_choose; any value but 0. */
struct balance {
	uint64_t random;
};

/*
 * NULL: the app has none that is not among `tried` (instance ids this request failed on). Those
 * where a connection failed lately come last. `now_ms` is the loop's clock.
 */
struct backend *balance_choose(struct balance *balance, const struct app *app,
			       const uint64_t *tried, size_t n_tried, uint64_t now_ms);

#endif

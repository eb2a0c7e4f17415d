#include <stdbool.h>

#include "router/balance.h"
#include "router/table.h"

/* xorshift64*: quality is enough for ties, and it cannot fail. */
static uint32_t
random_below(struct balance *balance, uint32_t n)
{
	uint64_t x = balance->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	balance->random = x;
	return (uint32_t)(((x * 0x2545f4914f6cdd1dULL >> 32) * n) >> 32);
}

static bool
was_tried(const struct backend *backend, const uint64_t *tried, size_t n_tried)
{
	for (size_t i = 0; i < n_tried; i++)
		if (tried[i] == backend->instance)
			return true;
	return false;
}

/* Smaller is better: those to be avoided rank behind all others. */
static uint64_t
rank(const struct backend *backend, uint64_t now_ms)
{
	return backend->n_active + ((uint64_t)(backend->avoid_until_ms > now_ms) << 32);
}

static struct backend *
choose_of_all(struct balance *balance, const struct app *app, const uint64_t *tried, size_t n_tried,
	      uint64_t now_ms)
{
	struct backend *best = NULL;
	uint64_t best_rank = 0;
	uint32_t n_equal = 0;

	for (size_t i = 0; i < app->n_backends; i++) {
		struct backend *b = app->backends[i];
		uint64_t r = rank(b, now_ms);

		if ((best && r > best_rank) || was_tried(b, tried, n_tried))
			continue;
		n_equal = best && r == best_rank ? n_equal + 1 : 1;
		if (n_equal > 1 && random_below(balance, n_equal) != 0)
			continue;
		best = b;
		best_rank = r;
	}
	return best;
}

struct backend *
balance_choose(struct balance *balance, const struct app *app, const uint64_t *tried,
	       size_t n_tried, uint64_t now_ms)
{
	uint32_t n = (uint32_t)app->n_backends, i, j;
	struct backend *a, *b;

	if (n == 1 && n_tried == 0)
		return app->backends[0];
	if (n <= BALANCE_SCAN_MAX || n_tried > 0)
		return choose_of_all(balance, app, tried, n_tried, now_ms);
	i = random_below(balance, n);
	j = random_below(balance, n - 1);
	a = app->backends[i];
	b = app->backends[j < i ? j : j + 1];
	return rank(a, now_ms) <= rank(b, now_ms) ? a : b;
}

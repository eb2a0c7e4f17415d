#include <string.h>
#include <sys/random.h>

#include "router/ident.h"

static void
refill(struct ident *ident)
{
	ssize_t n = getrandom(ident->pool, sizeof(ident->pool), 0);

	/* Not seen since Linux 5.6; ids then repeat, which only makes logs harder to read. */
	(void)n;
	ident->n_left = sizeof(ident->pool);
}

void
ident_make(struct ident *ident, char *out)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *bytes;

	if (ident->n_left < 16)
		refill(ident);
	ident->n_left -= 16;
	bytes = ident->pool + ident->n_left;
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
}

uint64_t
ident_seed(struct ident *ident)
{
	uint64_t seed;

	if (ident->n_left < sizeof(seed))
		refill(ident);
	ident->n_left -= sizeof(seed);
	memcpy(&seed, ident->pool + ident->n_left, sizeof(seed));
	return seed ? seed : 1;
}

bool
ident_is_fine(struct http_text id)
{
	if (id.len < IDENT_MIN || id.len > IDENT_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		char c = id.at[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      c == '-'))
			return false;
	}
	return true;
}

/*
 * aaaaaaaa-kknn-8nnn-8nnn-nnnnnnnnnnnn: version 8 and variant 8 of RFC 9562 (custom UUIDs);
 * a: app, k: kind, n: 64 bits of number, the low 48 at the end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control/ident.h"

const char *
ident_text(enum ident_kind kind, int64_t app_id, uint64_t number, char *out)
{
	(void)snprintf(out, IDENT_TEXT_MAX, "%08" PRIx32 "-%02x%02x-8%03x-8%03x-%012" PRIx64,
		       (uint32_t)app_id, (unsigned)kind & 0xff, (unsigned)(number >> 60) & 0xf,
		       (unsigned)(number >> 54) & 0x3f, (unsigned)(number >> 48) & 0x3f,
		       number & UINT64_C(0xffffffffffff));
	return out;
}

/* Lower-case hex digits [from, from + n) as a number. */
static bool
hex(const char *text, unsigned from, unsigned n, uint64_t *value)
{
	*value = 0;
	for (unsigned i = from; i < from + n; i++) {
		if (text[i] >= '0' && text[i] <= '9')
			*value = *value << 4 | (uint64_t)(text[i] - '0');
		else if (text[i] >= 'a' && text[i] <= 'f')
			*value = *value << 4 | (uint64_t)(text[i] - 'a' + 10);
		else
			return false;
	}
	return true;
}

bool
ident_parse(const char *text, enum ident_kind kind, int64_t *app_id, uint64_t *number)
{
	uint64_t app, k, n60, n54, n48, low;
	char again[IDENT_TEXT_MAX];

	if (strlen(text) != IDENT_TEXT_MAX - 1)
		return false;
	if (!hex(text, 0, 8, &app) || !hex(text, 9, 2, &k) || !hex(text, 11, 2, &n60) ||
	    !hex(text, 15, 3, &n54) || !hex(text, 20, 3, &n48) || !hex(text, 24, 12, &low))
		return false;
	*app_id = (int64_t)app;
	*number = (n60 & 0xf) << 60 | (n54 & 0x3f) << 54 | (n48 & 0x3f) << 48 | low;
	return k == (uint64_t)kind && strcmp(ident_text(kind, *app_id, *number, again), text) == 0;
}

/*
 * daemon/logs/line: whatever an app prints becomes one line of valid UTF-8 that no terminal
 * obeys. The oracle decodes by its own, simpler rules.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/logs/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length */

static void
check_text(const unsigned char *text, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = text[i] < 0x80 ? 1 : text[i] < 0xe0 ? 2 : text[i] < 0xf0 ? 3 : 4;
		uint32_t c = text[i] & (0xffu >> (len == 1 ? 0 : len + 1));

		assert(i + len <= n);
		for (size_t k = 1; k < len; k++) {
			assert(text[i + k] >> 6 == 2);
			c = c << 6 | (text[i + k] & 0x3f);
		}
		assert(c == '\t' || (c >= 0x20 && c < 0x7f) || c >= 0xa0);
		assert(c >= smallest[len]);
		assert(c <= 0x10ffff && !(c >= 0xd800 && c < 0xe000));
		i += len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char line[LINE_MAX_BYTES];
	struct line_filter filter = {.source = "app", .instance = "web"};
	size_t n =
		line_write(line, (uint64_t)size * 1000003, "app[web.1]", (const char *)data, size);

	assert(n > 0 && n <= sizeof(line) && line[n - 1] == '\n');
	check_text((const unsigned char *)line, n - 1);
	assert(line_matches(&filter, line, n - 1));
	/* As a stored line that somebody spoilt. */
	(void)line_matches(&filter, (const char *)data, size);
	return 0;
}

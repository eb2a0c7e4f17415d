/* A build's output on its way to a terminal: no escape or control gets through, however it is cut.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/receiver/sentence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sentence_filter f;
	uint8_t *whole = malloc(size + 2), *parts = malloc(size + 2);
	size_t cut = size ? data[0] % size : 0, n, m;

	assert(whole && parts);
	sentence_filter_init(&f);
	n = sentence_filter(&f, data, size, whole);
	sentence_filter_init(&f);
	m = sentence_filter(&f, data, cut, parts);
	m += sentence_filter(&f, data + cut, size - cut, parts + m);
	assert(n == m && n <= size && memcmp(whole, parts, n) == 0);
	for (size_t i = 0; i < n; i++) {
		assert(whole[i] >= ' ' || strchr("\t\n\r", whole[i]));
		assert(whole[i] != 0x7f && whole[i] != 0);
		if (whole[i] == 0xc2 && i + 1 < n)
			assert(whole[i + 1] >= 0xa0);
	}
	free(whole);
	free(parts);
	return 0;
}

/* lib/addr: what is accepted as an address or a subnet reads back from its own text. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(const struct addr *addr)
{
	char text[ADDR_TEXT_MAX], again_text[ADDR_TEXT_MAX];
	struct addr again;

	assert(addr_parse(addr_text(addr, text), &again, NULL) == 0);
	assert(strcmp(addr_text(&again, again_text), text) == 0);
	assert(addr_port(&again) == addr_port(addr));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct subnet subnet;
	struct addr addrs[4];
	struct err err = {0};
	int n;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	n = addr_parse_list(text, addrs, 4, &err);
	assert((n >= 1 && n <= 4) || (n == -EINVAL && err.text[0]));
	for (int i = 0; i < n; i++)
		check_again(&addrs[i]);
	if (subnet_parse(text, &subnet, &err) == 0) {
		assert(subnet.bits >= 8 && subnet.bits <= 28 && subnet_size(&subnet) >= 13);
		/* The last usable one is still below the broadcast address. */
		assert(((subnet_address(&subnet, subnet_size(&subnet) + 1) + 1) &
			(UINT32_MAX >> subnet.bits)) == UINT32_MAX >> subnet.bits);
	}
	free(text);
	return 0;
}

/* Output of bin/release. */
#include <assert.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/name.h"

#include "builder/release.h"
#include "builder/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct types types;
	struct err err = {""};
	int ret;

	types_init(&types);
	ret = release_parse((const char *)data, size, &types, &err);
	assert(ret == 0 || err.text[0]);
	for (size_t i = 0; i < types.n; i++)
		assert(!name_check_type(types.items[i].name) && types.items[i].command[0]);
	types_done(&types);
	return 0;
}

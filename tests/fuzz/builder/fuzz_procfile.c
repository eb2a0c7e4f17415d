/* Procfiles: whatever is accepted has types that the platform can name and run. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/name.h"

#include "builder/procfile.h"
#include "builder/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct types types;
	struct buf warnings;
	struct err err = {""};
	int ret;

	types_init(&types);
	buf_init(&warnings, 4096);
	ret = procfile_parse((const char *)data, size, &types, &warnings, &err);
	assert(ret == 0 || err.text[0]);
	for (size_t i = 0; i < types.n; i++) {
		const char *command = types.items[i].command;

		assert(!name_check_type(types.items[i].name));
		assert(*command && strlen(command) <= TYPE_COMMAND_MAX);
		assert(!strpbrk(command, "\n"));
		assert(types_find(&types, types.items[i].name) == &types.items[i]);
	}
	types_done(&types);
	buf_done(&warnings);
	return 0;
}

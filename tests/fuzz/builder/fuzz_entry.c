/* Names of tree entries: none that is accepted is a path, or .git in plain sight. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = strndup((const char *)data, size);

	if (name && !entry_check(name)) {
		assert(*name && !strchr(name, '/') && strlen(name) <= 255);
		assert(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
		assert(strcasecmp(name, ".git") != 0 && strcasecmp(name, "git~1") != 0);
	}
	free(name);
	return 0;
}

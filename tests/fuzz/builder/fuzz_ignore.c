/* .slugignore: the first line of the input is a path, the rest the file. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/err.h"

#include "builder/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = memchr(data, '\n', size);
	size_t n = newline ? (size_t)(newline - data) : size;
	char *path = strndup((const char *)data, n);
	struct ignore ignore;
	struct buf warnings;
	struct err err = {""};

	buf_init(&warnings, 4096);
	if (!newline)
		newline = data + size - (size > 0);
	if (path && size > 0 &&
	    ignore_parse((const char *)newline + 1, size - (size_t)(newline + 1 - data), &ignore,
			 &warnings, &err) == 0) {
		/* What names a file names a folder of that name as well. */
		if (ignore_match(&ignore, path, false))
			assert(ignore_match(&ignore, path, true));
		ignore_done(&ignore);
	}
	free(path);
	buf_done(&warnings);
	return 0;
}

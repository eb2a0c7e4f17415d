/* A line of a .pub file: the text around it, its base64, and the binary key inside. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#include "daemon/control/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	struct key key, again;
	struct err err;

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (key_parse(line, &key, &err) == 0) {
		char canonical[sizeof(key.type) + sizeof(key.blob) + 2];

		/* What was taken is taken again in its canonical form, as the same key. */
		(void)strcpy(canonical, key.type);
		(void)strcat(canonical, " ");
		(void)strcat(canonical, key.blob);
		assert(key_parse(canonical, &again, &err) == 0);
		assert(strcmp(key.fingerprint, again.fingerprint) == 0);
		assert(strcmp(key.blob, again.blob) == 0);
	}
	free(line);
	return 0;
}

/* static.json, and matching its patterns. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#include "buildpacks/static/server/config.h"
#include "buildpacks/static/server/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = malloc(sizeof(*config));
	struct err err = {""};

	if (!config)
		return 0;
	if (config_parse(config, (const char *)data, size, &err) == 0) {
		for (size_t i = 0; i < config->n_headers; i++) {
			assert(!strpbrk(config->headers[i].line, "\r\n"));
			(void)glob_match(config->headers[i].pattern, "/a/b.html");
		}
		for (size_t i = 0; i < config->n_routes; i++)
			assert(config->routes[i].file[0] != '/');
		assert(strcmp(config->root, "..") != 0);
	} else {
		assert(err.text[0]);
	}
	config_done(config);
	free(config);
	return 0;
}

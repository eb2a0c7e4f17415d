/* JSON: events nest properly, strings are UTF-8 without NUL, every text ends. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buildpacks/static/server/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json *json = malloc(sizeof(*json));
	enum json_event event;
	long depth = 0;
	size_t n = 0;

	if (!json)
		return 0;
	json_init(json, (const char *)data, size);
	do {
		event = json_next(json);
		depth += event == JSON_OBJECT || event == JSON_ARRAY;
		depth -= event == JSON_OBJECT_END || event == JSON_ARRAY_END;
		if (event == JSON_KEY || event == JSON_STRING || event == JSON_NUMBER)
			assert(strlen(json->text) == json->n);
		assert(depth >= 0 && depth <= JSON_MAX_DEPTH && n++ <= size + 1);
	} while (event != JSON_BAD && event != JSON_END);
	assert(event == JSON_BAD ? json->problem != NULL : depth == 0);
	assert(json_next(json) == event);
	assert(json_line(json) >= 1);
	free(json);
	return 0;
}

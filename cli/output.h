/* How answers are shown: JSON as it is, times and tables as people read them. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stddef.h>

/* json_decref when the scope ends. */
static inline void
output_drop(json_t **json)
{
	json_decref(*json);
}
#define AUTO_JSON __attribute__((cleanup(output_drop)))

/* Pretty JSON and a newline on stdout. */
void output_json(const json_t *value);

/* A field of an object as text, "" when missing or null. Valid as long as the object. */
const char *output_text(const json_t *object, const char *key);
/* A field of a field: {"owner":{"email":..}}. */
const char *output_text2(const json_t *object, const char *key, const char *key2);

/* "2026/11/20 10:00:00 +0000 (~ 5m ago)" of an RFC 3339 time; returns `out`. */
const char *output_when(const char *rfc3339, char *out, size_t cap);

/*
 * Rows of `n_columns` texts each, columns padded to their widest, two spaces between; control
 * characters are shown as '?'. `cells` holds n_rows * n_columns texts.
 */
void output_table(const char *const *cells, size_t n_rows, size_t n_columns);

/* Prints text from an app or a person with control characters shown as '?'. */
void output_safe(const char *text);

#endif

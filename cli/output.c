/* Nothing printed here can drive a terminal: control characters in values become '?'. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"

#include "cli/output.h"

void
output_json(const json_t *value)
{
	(void)json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	(void)putchar('\n');
}

const char *
output_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

const char *
output_text2(const json_t *object, const char *key, const char *key2)
{
	return output_text(json_object_get(object, key), key2);
}

static const char *
ago(double seconds, char *out, size_t cap)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 60)
		(void)snprintf(out, cap, "%.0fs", seconds);
	else if (seconds < 3600)
		(void)snprintf(out, cap, "%.0fm", seconds / 60);
	else if (seconds < 2 * 86400)
		(void)snprintf(out, cap, "%.0fh", seconds / 3600);
	else
		(void)snprintf(out, cap, "%.0fd", seconds / 86400);
	return out;
}

const char *
output_when(const char *rfc3339, char *out, size_t cap)
{
	struct tm tm = {0};
	if (!strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm)) {
		(void)snprintf(out, cap, "%s", rfc3339);
		return out;
	}
	time_t when = timegm(&tm);
	char text[40], age[16];
	(void)strftime(text, sizeof(text), "%Y/%m/%d %H:%M:%S +0000", &tm);
	(void)snprintf(out, cap, "%s (~ %s ago)", text,
		       ago(difftime(time(NULL), when), age, sizeof(age)));
	return out;
}

void
output_safe(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		(void)putchar(c < 0x20 || c == 0x7f ? '?' : c);
	}
}

/* Columns a text takes: UTF-8 continuation bytes take none. */
static size_t
width(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void
output_table(const char *const *cells, size_t n_rows, size_t n_columns)
{
	AUTO_FREE size_t *widest = calloc(n_columns, sizeof(*widest));
	for (size_t i = 0; widest && i < n_rows * n_columns; i++)
		if (width(cells[i]) > widest[i % n_columns])
			widest[i % n_columns] = width(cells[i]);
	for (size_t row = 0; row < n_rows; row++) {
		for (size_t column = 0; column < n_columns; column++) {
			const char *cell = cells[row * n_columns + column];
			output_safe(cell);
			if (column + 1 < n_columns)
				printf("%*s",
				       (int)((widest ? widest[column] : 0) - width(cell) + 2), "");
		}
		(void)putchar('\n');
	}
}

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/logs/line.h"

#define STAMP_BYTES 32 /* 2026-11-20T10:00:00.000000+00:00 */
#define DAY_US (UINT64_C(86400) * 1000000)

static const char cut_mark[] = " [cut]";

uint64_t
line_time(uint64_t claimed_us, uint64_t now_us)
{
	if (claimed_us > now_us || now_us - claimed_us > DAY_US)
		return now_us;
	return claimed_us;
}

/* ---- writing ----------------------------------------------------------------------------- */

/* The length of an escape sequence that only sets colours, at `text`; 0: it is not one. */
static size_t
colour_length(const char *text, size_t n)
{
	size_t i = 2;

	if (n < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (i < n && ((text[i] >= '0' && text[i] <= '9') || text[i] == ';' || text[i] == ':'))
		i++;
	return i < n && text[i] == 'm' ? i + 1 : 0;
}

/* The length of the UTF-8 sequence at `text` (RFC 3629) that is no control character (below
 * U+00A0); 0: there is none. `text[0]` is above 0x7f. */
static size_t
character_length(const unsigned char *text, size_t n)
{
	static const uint32_t smallest[] = {0, 0, 0xa0, 0x800, 0x10000};
	uint32_t c;
	size_t len;

	if (text[0] >= 0xc2 && text[0] <= 0xdf) {
		len = 2;
		c = text[0] & 0x1f;
	} else if ((text[0] & 0xf0) == 0xe0) {
		len = 3;
		c = text[0] & 0x0f;
	} else if (text[0] >= 0xf0 && text[0] <= 0xf4) {
		len = 4;
		c = text[0] & 0x07;
	} else {
		return 0;
	}
	if (n < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text[i] & 0x3f);
	}
	if (c < smallest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return len;
}

/* Copies text, made harmless, to `out` of LINE_TEXT_MAX + sizeof(cut_mark). Its length. */
static size_t
write_text(char *out, const char *text, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	size_t len = 0, i = 0;

	while (i < n) {
		unsigned char c = (unsigned char)text[i];
		size_t step = colour_length(text + i, n - i), size = 4;

		if (step > 0) {
			i += step;
			continue;
		}
		step = 1;
		if (c == '\t' || (c >= 0x20 && c < 0x7f)) {
			size = 1;
		} else if (c > 0x7f) {
			size_t whole = character_length((const unsigned char *)text + i, n - i);

			if (whole > 0)
				step = size = whole;
		}
		if (len + size > LINE_TEXT_MAX) {
			memcpy(out + len, cut_mark, sizeof(cut_mark) - 1);
			return len + sizeof(cut_mark) - 1;
		}
		if (size == 4 && step == 1) {
			out[len++] = '\\';
			out[len++] = 'x';
			out[len++] = hex[c >> 4];
			out[len++] = hex[c & 15];
		} else {
			memcpy(out + len, text + i, size);
			len += size;
		}
		i += step;
	}
	return len;
}

static size_t
write_stamp(char *out, uint64_t time_us)
{
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || tm.tm_year > 8000)
		memset(&tm, 0, sizeof(tm));
	return (size_t)snprintf(out, 48, "%04d-%02d-%02dT%02d:%02d:%02d.%06u+00:00 ",
				tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
				tm.tm_sec, (unsigned)(time_us % 1000000));
}

size_t
line_write(char *out, uint64_t time_us, const char *source, const char *text, size_t n)
{
	size_t len = write_stamp(out, time_us);
	size_t source_len = strnlen(source, LINE_SOURCE_MAX);

	memcpy(out + len, source, source_len);
	len += source_len;
	out[len++] = ':';
	out[len++] = ' ';
	if (n > 0 && text[n - 1] == '\r')
		n--;
	len += write_text(out + len, text, n);
	out[len++] = '\n';
	return len;
}

size_t
line_write_dropped(char *out, uint64_t time_us, uint64_t n)
{
	char text[96];
	int len = snprintf(text, sizeof(text),
			   "Error L10 (output buffer overflow): %llu messages dropped",
			   (unsigned long long)n);

	return line_write(out, time_us, "heroku[logs]", text, (size_t)len);
}

/* ---- filtering --------------------------------------------------------------------------- */

/* Is [at, at + n) the name, or one of its numbered instances when the name has no dot? */
static bool
is_instance(const char *at, size_t n, const char *name)
{
	size_t len = strlen(name);

	if (n < len || memcmp(at, name, len) != 0)
		return false;
	return n == len || (at[len] == '.' && !memchr(name, '.', len));
}

bool
line_matches(const struct line_filter *filter, const char *line, size_t n)
{
	const char *source, *open, *close, *end = line + n;

	if (!filter->source[0] && !filter->instance[0])
		return true;
	if (n < STAMP_BYTES + 1)
		return false;
	source = line + STAMP_BYTES + 1;
	open = memchr(source, '[', (size_t)(end - source));
	close = open ? memchr(open, ']', (size_t)(end - open)) : NULL;
	if (!close)
		return false;
	if (filter->source[0] && ((size_t)(open - source) != strlen(filter->source) ||
				  memcmp(source, filter->source, (size_t)(open - source)) != 0))
		return false;
	return !filter->instance[0] ||
	       is_instance(open + 1, (size_t)(close - open - 1), filter->instance);
}

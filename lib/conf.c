/*
 * Lines of `key = value`. The value goes to the end of the line; "quotes" keep outer white space
 * and know \" and \\. A comment has its own line, or follows a closing quote.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/conf.h"
#include "lib/err.h"
#include "lib/file.h"

#define CONF_MAX_FILE (256 * 1024)
#define CONF_MAX_KEY 64
#define CONF_MAX_VALUE 4096

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
is_key(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* Unquotes [at, end), whose first character is a quote. NULL or what is wrong. */
static const char *
read_quoted(const char *at, const char *end, char *value)
{
	size_t n = 0;

	for (at++; at < end && *at != '"'; at++) {
		if (*at == '\\' && at + 1 < end && (at[1] == '"' || at[1] == '\\'))
			at++;
		if (n == CONF_MAX_VALUE)
			return "the value is too long";
		value[n++] = *at;
	}
	if (at == end)
		return "the closing quote is missing";
	for (at++; at < end && is_blank(*at); at++)
		;
	if (at < end && *at != '#')
		return "there is more behind the closing quote";
	value[n] = '\0';
	return NULL;
}

static const char *
read_plain(const char *at, const char *end, char *value)
{
	size_t n = (size_t)(end - at);

	if (n > CONF_MAX_VALUE)
		return "the value is too long";
	memcpy(value, at, n);
	value[n] = '\0';
	return NULL;
}

/* One line without its end and outer blanks. NULL, or what is wrong; key[0] = 0: no pair. */
static const char *
read_line(const char *at, const char *end, char *key, char *value)
{
	const char *start = at;
	size_t n;

	key[0] = '\0';
	if (at == end || *at == '#')
		return NULL;
	for (const char *p = at; p < end; p++) {
		if ((unsigned char)*p < ' ' && *p != '\t')
			return "there is a control character";
	}
	while (at < end && is_key(*at))
		at++;
	n = (size_t)(at - start);
	while (at < end && is_blank(*at))
		at++;
	if (n == 0 || at == end || *at != '=')
		return "this is not key = value";
	if (n > CONF_MAX_KEY)
		return "the key is too long";
	memcpy(key, start, n);
	key[n] = '\0';
	for (at++; at < end && is_blank(*at); at++)
		;
	if (at < end && *at == '"')
		return read_quoted(at, end, value);
	return read_plain(at, end, value);
}

int
conf_parse(const char *text, size_t n, const char *name, conf_pair_fn *fn, void *user,
	   struct err *err)
{
	const char *end = text + n;
	unsigned line = 1;

	for (; text < end; line++) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		const char *next = eol ? eol + 1 : end;
		char key[CONF_MAX_KEY + 1], value[CONF_MAX_VALUE + 1];
		const char *last = eol ? eol : end, *wrong;
		int ret;

		while (text < last && is_blank(*text))
			text++;
		while (last > text && is_blank(last[-1]))
			last--;
		wrong = read_line(text, last, key, value);
		if (wrong)
			return err_say(err, -EINVAL, "%s:%u: %s", name, line, wrong);
		ret = key[0] ? fn(user, key, value, line, err) : 0;
		if (ret != 0)
			return ret;
		text = next;
	}
	return 0;
}

int
conf_load(const char *path, conf_pair_fn *fn, void *user, struct err *err)
{
	AUTO_BUF struct buf text;
	int ret;

	buf_init(&text, CONF_MAX_FILE);
	ret = file_read_at(AT_FDCWD, path, &text);
	if (ret < 0)
		return err_set(err, ret, "read %s", path);
	return conf_parse(buf_text(&text), text.len, path, fn, user, err);
}

/* ---- values ------------------------------------------------------------------------------ */

/* Digits at the start of `text`; *rest is what follows. 0 or -EINVAL. */
static int
read_number(const char *text, unsigned long long *out, const char **rest)
{
	unsigned long long v = 0;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (unsigned)(*text - '0'), &v))
			return -EINVAL;
	}
	*out = v;
	*rest = text;
	return 0;
}

int
conf_bytes(const char *text, unsigned long long *bytes)
{
	static const char units[] = "KMGT";
	unsigned long long v, scale = 1;
	const char *rest;

	if (read_number(text, &v, &rest) < 0)
		return -EINVAL;
	if (*rest) {
		char upper = *rest >= 'a' && *rest <= 'z' ? (char)(*rest - 'a' + 'A') : *rest;
		const char *unit = strchr(units, upper);

		if (unit) {
			scale = 1ULL << (10 * (unit - units + 1));
			rest++;
		}
	}
	if (*rest || __builtin_mul_overflow(v, scale, &v))
		return -EINVAL;
	*bytes = v;
	return 0;
}

int
conf_duration(const char *text, unsigned long long *ms)
{
	static const struct {
		const char *unit;
		unsigned scale;
	} units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}};
	unsigned long long v;
	const char *rest;

	if (read_number(text, &v, &rest) < 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(rest, units[i].unit) != 0)
			continue;
		if (__builtin_mul_overflow(v, units[i].scale, &v))
			return -EINVAL;
		*ms = v;
		return 0;
	}
	return -EINVAL;
}

int
conf_number(const char *text, long long min, long long max, long long *out)
{
	bool minus = *text == '-';
	unsigned long long v;
	const char *rest;
	long long n;

	if (read_number(text + minus, &v, &rest) < 0 || *rest || v > LLONG_MAX)
		return -EINVAL;
	n = minus ? -(long long)v : (long long)v;
	if (n < min || n > max)
		return -EINVAL;
	*out = n;
	return 0;
}

const char *
conf_bytes_text(unsigned long long bytes, char *out, size_t cap)
{
	static const char units[] = "BKMGTPE";
	unsigned long long whole = bytes, tenths;
	unsigned unit = 0, rest = 0;

	while (whole >= 1024) {
		rest = (unsigned)(whole % 1024);
		whole /= 1024;
		unit++;
	}
	/* One digit behind the point, and only below ten, where it says something. */
	tenths = rest * 10 / 1024;
	if (unit > 0 && whole < 10 && tenths > 0)
		(void)snprintf(out, cap, "%llu.%llu%c", whole, tenths, units[unit]);
	else
		(void)snprintf(out, cap, "%llu%c", whole, units[unit]);
	return out;
}

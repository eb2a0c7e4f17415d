/*
 * What may come next is one state; which container we are in is one bit per level. Escapes are
 * decoded, surrogates must come in pairs, raw control characters and bad UTF-8 are refused, and so
 * is a NUL in a string, since what we read are names.
 */
#include <stdbool.h>
#include <string.h>

#include "buildpacks/static/server/json.h"

enum state {
	WANT_VALUE,
	WANT_VALUE_OR_END, /* after '[' */
	WANT_KEY_OR_END,   /* after '{' */
	WANT_KEY,	   /* after ',' in an object */
	WANT_COMMA_OR_END,
	DONE,
	FAILED,
};

void
json_init(struct json *json, const char *text, size_t n)
{
	json->start = json->at = text;
	json->end = text + n;
	json->objects = 0;
	json->depth = 0;
	json->state = WANT_VALUE;
	json->problem = NULL;
	json->n = 0;
	json->text[0] = '\0';
}

unsigned
json_line(const struct json *json)
{
	unsigned line = 1;

	for (const char *p = json->start; p < json->at; p++)
		line += *p == '\n';
	return line;
}

static enum json_event
bad(struct json *json, const char *problem)
{
	json->state = FAILED;
	json->problem = problem;
	return JSON_BAD;
}

static void
skip_blank(struct json *json)
{
	while (json->at < json->end &&
	       (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
		json->at++;
}

static bool
in_object(const struct json *json)
{
	return json->depth > 0 && (json->objects >> (json->depth - 1) & 1);
}

/* After a complete value. */
static void
value_ended(struct json *json)
{
	json->state = json->depth ? WANT_COMMA_OR_END : DONE;
}

/* ---- strings ------------------------------------------------------------------------------- */

static bool
put(struct json *json, char c)
{
	if (json->n == JSON_MAX_STRING)
		return false;
	json->text[json->n++] = c;
	return true;
}

static bool
put_code_point(struct json *json, uint32_t c)
{
	if (c < 0x80)
		return put(json, (char)c);
	if (c < 0x800)
		return put(json, (char)(0xc0 | c >> 6)) && put(json, (char)(0x80 | (c & 0x3f)));
	if (c < 0x10000)
		return put(json, (char)(0xe0 | c >> 12)) &&
		       put(json, (char)(0x80 | (c >> 6 & 0x3f))) &&
		       put(json, (char)(0x80 | (c & 0x3f)));
	return put(json, (char)(0xf0 | c >> 18)) && put(json, (char)(0x80 | (c >> 12 & 0x3f))) &&
	       put(json, (char)(0x80 | (c >> 6 & 0x3f))) && put(json, (char)(0x80 | (c & 0x3f)));
}

/* Four hex digits at `at`, or -1. */
static long
hex4(const struct json *json)
{
	long value = 0;

	if (json->end - json->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = json->at[i];
		int digit;

		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* Behind "\u". NULL or the problem. */
static const char *
read_unicode(struct json *json)
{
	long c = hex4(json), low;

	if (c < 0)
		return "\\u without four hex digits";
	json->at += 4;
	if (c >= 0xdc00 && c <= 0xdfff)
		return "half a surrogate pair";
	if (c >= 0xd800 && c <= 0xdbff) {
		if (json->end - json->at < 6 || json->at[0] != '\\' || json->at[1] != 'u')
			return "half a surrogate pair";
		json->at += 2;
		low = hex4(json);
		if (low < 0xdc00 || low > 0xdfff)
			return "half a surrogate pair";
		json->at += 4;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	if (c == 0)
		return "a NUL in a string";
	return put_code_point(json, (uint32_t)c) ? NULL : "a string that is too long";
}

/* Behind a backslash. NULL or the problem. */
static const char *
read_escape(struct json *json)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	char c;

	if (json->at == json->end)
		return "a string that never ends";
	c = *json->at++;
	if (c == 'u')
		return read_unicode(json);
	found = c ? strchr(from, c) : NULL;
	if (!found)
		return "an escape that JSON does not know";
	return put(json, to[found - from]) ? NULL : "a string that is too long";
}

/* One code point of UTF-8 above ASCII, copied. NULL or the problem. */
static const char *
read_utf8(struct json *json)
{
	const unsigned char *p = (const unsigned char *)json->at;
	long left = json->end - json->at;
	uint32_t c = *p, min;
	int n;

	if (c >= 0xc2 && c < 0xe0) {
		n = 2;
		c &= 0x1f;
		min = 0x80;
	} else if (c >= 0xe0 && c < 0xf0) {
		n = 3;
		c &= 0x0f;
		min = 0x800;
	} else if (c >= 0xf0 && c < 0xf5) {
		n = 4;
		c &= 0x07;
		min = 0x10000;
	} else {
		return "bytes that are no UTF-8";
	}
	if (left < n)
		return "bytes that are no UTF-8";
	for (int i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return "bytes that are no UTF-8";
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return "bytes that are no UTF-8";
	for (int i = 0; i < n; i++) {
		if (!put(json, (char)p[i]))
			return "a string that is too long";
	}
	json->at += n;
	return NULL;
}

/* Behind the opening quote. NULL or the problem. */
static const char *
read_string(struct json *json)
{
	json->n = 0;
	while (json->at < json->end) {
		unsigned char c = (unsigned char)*json->at;
		const char *problem = NULL;

		if (c == '"') {
			json->at++;
			json->text[json->n] = '\0';
			return NULL;
		}
		if (c < 0x20)
			return "a control character in a string";
		if (c == '\\') {
			json->at++;
			problem = read_escape(json);
		} else if (c >= 0x80) {
			problem = read_utf8(json);
		} else {
			json->at++;
			problem = put(json, (char)c) ? NULL : "a string that is too long";
		}
		if (problem)
			return problem;
	}
	return "a string that never ends";
}

/* ---- numbers and words --------------------------------------------------------------------- */

static size_t
digits(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return (size_t)(p - start);
}

static enum json_event
read_number(struct json *json)
{
	const char *p = json->at, *end = json->end;
	size_t n;

	p += p < end && *p == '-';
	n = digits(p, end);
	if (n == 0 || (n > 1 && *p == '0'))
		return bad(json, "a number that JSON does not know");
	p += n;
	if (p < end && *p == '.') {
		n = digits(++p, end);
		if (n == 0)
			return bad(json, "a number that JSON does not know");
		p += n;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		n = digits(p, end);
		if (n == 0)
			return bad(json, "a number that JSON does not know");
		p += n;
	}
	json->n = (size_t)(p - json->at);
	if (json->n > JSON_MAX_STRING)
		return bad(json, "a number that is too long");
	memcpy(json->text, json->at, json->n);
	json->text[json->n] = '\0';
	json->at = p;
	value_ended(json);
	return JSON_NUMBER;
}

static enum json_event
read_word(struct json *json)
{
	static const struct {
		const char *word;
		enum json_event event;
	} words[] = {{"true", JSON_TRUE}, {"false", JSON_FALSE}, {"null", JSON_NULL}};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t n = strlen(words[i].word);

		if ((size_t)(json->end - json->at) >= n &&
		    memcmp(json->at, words[i].word, n) == 0) {
			json->at += n;
			value_ended(json);
			return words[i].event;
		}
	}
	return bad(json, "something that is no value");
}

/* ---- structure ----------------------------------------------------------------------------- */

static enum json_event
open_container(struct json *json, bool is_object)
{
	if (json->depth == JSON_MAX_DEPTH)
		return bad(json, "too many brackets");
	json->objects &= ~(1U << json->depth);
	json->objects |= (uint32_t)is_object << json->depth;
	json->depth++;
	json->state = is_object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
	json->at++;
	return is_object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_event
close_container(struct json *json)
{
	bool was_object = in_object(json);

	json->at++;
	json->depth--;
	value_ended(json);
	return was_object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_event
read_value(struct json *json)
{
	const char *problem;
	char c = *json->at;

	if (c == '{' || c == '[')
		return open_container(json, c == '{');
	if (c == '"') {
		json->at++;
		problem = read_string(json);
		if (problem)
			return bad(json, problem);
		value_ended(json);
		return JSON_STRING;
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return read_number(json);
	return read_word(json);
}

static enum json_event
read_key(struct json *json)
{
	const char *problem;

	if (*json->at != '"')
		return bad(json, "a key that is no string");
	json->at++;
	problem = read_string(json);
	if (problem)
		return bad(json, problem);
	skip_blank(json);
	if (json->at == json->end || *json->at != ':')
		return bad(json, "a key without a colon");
	json->at++;
	json->state = WANT_VALUE;
	return JSON_KEY;
}

static enum json_event
after_value(struct json *json)
{
	char c = *json->at;

	if (c == (in_object(json) ? '}' : ']'))
		return close_container(json);
	if (c != ',')
		return bad(json, "a value without a comma behind it");
	json->at++;
	json->state = in_object(json) ? WANT_KEY : WANT_VALUE;
	return json_next(json); /* once: neither state comes back here */
}

enum json_event
json_next(struct json *json)
{
	if (json->state == FAILED)
		return JSON_BAD;
	skip_blank(json);
	if (json->at == json->end)
		return json->state == DONE ? JSON_END : bad(json, "an end that comes too early");
	switch ((enum state)json->state) {
	case WANT_VALUE_OR_END:
		return *json->at == ']' ? close_container(json) : read_value(json);
	case WANT_VALUE:
		return read_value(json);
	case WANT_KEY_OR_END:
		return *json->at == '}' ? close_container(json) : read_key(json);
	case WANT_KEY:
		return read_key(json);
	case WANT_COMMA_OR_END:
		return after_value(json);
	case DONE:
	case FAILED:
	default:
		return bad(json, "something behind the end");
	}
}

enum json_event
json_skip(struct json *json, enum json_event event)
{
	unsigned depth = json->depth;

	if (event != JSON_OBJECT && event != JSON_ARRAY)
		return event;
	do {
		event = json_next(json);
	} while (event != JSON_BAD && json->depth >= depth);
	return event;
}

/* A strict reader of small JSON texts (RFC 8259): one event at a time, nothing allocated. */
#ifndef STATIC_JSON_H
#define STATIC_JSON_H

#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 32
#define JSON_MAX_STRING 4096

enum json_event {
	JSON_BAD, /* json->problem says what */
	JSON_END, /* the value is complete and nothing follows */
	JSON_OBJECT,
	JSON_OBJECT_END,
	JSON_ARRAY,
	JSON_ARRAY_END,
	JSON_KEY,    /* json->text; its value comes next */
	JSON_STRING, /* json->text */
	JSON_NUMBER, /* json->text, as written */
	JSON_TRUE,
	JSON_FALSE,
	JSON_NULL,
};

struct json {
	const char *start, *at, *end;
	uint32_t objects; /* bit d: the container at depth d is an object */
	unsigned depth;
	int state;
	const char *problem;
	size_t n;			/* bytes in text */
	char text[JSON_MAX_STRING + 1]; /* UTF-8, NUL-terminated, holds no other NUL */
};

/* The text is borrowed for as long as it is read. */
void json_init(struct json *json, const char *text, size_t n);
/* The next event. After JSON_BAD and JSON_END always the same again. */
enum json_event json_next(struct json *json);
/* Reads on to the end of the value that began with `event`. JSON_BAD or the event it ended with. */
enum json_event json_skip(struct json *json, enum json_event event);
/* The line reached so far, from 1. */
unsigned json_line(const struct json *json);

#endif

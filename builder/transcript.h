/* What the person who pushes sees: headings, bodies, warnings, and what buildpacks print. */
#ifndef BUILDER_TRANSCRIPT_H
#define BUILDER_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

/* Nothing is held back: every call writes at once. A reader that went away is no failure. */
struct transcript {
	int fd;
	bool in_line; /* the last byte written was no newline */
};

void transcript_init(struct transcript *t, int fd);
/* "-----> text" */
void transcript_head(struct transcript *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* "       text" */
void transcript_body(struct transcript *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* " !     text" */
void transcript_warn(struct transcript *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void transcript_blank(struct transcript *t);
/* Bytes of a buildpack, as they are. */
void transcript_relay(struct transcript *t, const void *p, size_t n);

#endif

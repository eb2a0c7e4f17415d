/*
 * Headings always begin on a line of their own, also after a buildpack that left one unfinished.
 * Write errors are ignored: a build goes on when nobody reads any more.
 */
#include <stdarg.h>
#include <stdio.h>

#include "lib/file.h"

#include "builder/transcript.h"

#define TRANSCRIPT_MAX_LINE 4096

void
transcript_init(struct transcript *t, int fd)
{
	t->fd = fd;
	t->in_line = false;
}

void
transcript_relay(struct transcript *t, const void *p, size_t n)
{
	if (n == 0)
		return;
	(void)file_write_all(t->fd, p, n);
	t->in_line = ((const char *)p)[n - 1] != '\n';
}

static __attribute__((format(printf, 3, 0))) void
put_line(struct transcript *t, const char *lead, const char *fmt, va_list args)
{
	char line[TRANSCRIPT_MAX_LINE];
	int n, more;

	n = snprintf(line, sizeof(line), "%s%s", t->in_line ? "\n" : "", lead);
	if (n < 0)
		return;
	more = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, args);
	if (more < 0)
		return;
	n += more;
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	transcript_relay(t, line, (size_t)n);
}

void
transcript_head(struct transcript *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(t, "-----> ", fmt, args);
	va_end(args);
}

void
transcript_body(struct transcript *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(t, "       ", fmt, args);
	va_end(args);
}

void
transcript_warn(struct transcript *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(t, " !     ", fmt, args);
	va_end(args);
}

void
transcript_blank(struct transcript *t)
{
	if (t->in_line)
		transcript_relay(t, "\n", 1);
	transcript_relay(t, "\n", 1);
}

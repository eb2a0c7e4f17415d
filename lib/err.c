/*
 * Sentences. Nothing here allocates or consults the locale: err_set must work in the child of a
 * fork, in a static PID 1 and when memory is gone.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"

static const char *program = "paas";

static const char *
errno_text(int code)
{
	const char *text = strerrordesc_np(code < 0 ? -code : code);

	return text ? text : "unknown error";
}

/* Adds ": <more>" behind a sentence, cutting at the end. */
static void
append(struct err *err, const char *more)
{
	size_t len = strlen(err->text), room = sizeof(err->text) - 1 - len, n;

	if (room < 3)
		return;
	n = strnlen(more, room - 2);
	memcpy(err->text + len, ": ", 2);
	memcpy(err->text + len + 2, more, n);
	err->text[len + 2 + n] = '\0';
}

int
err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	append(err, errno_text(code));
	return code;
}

int
err_say(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

int
err_prefix(struct err *err, int code, const char *fmt, ...)
{
	struct err whole;
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	(void)vsnprintf(whole.text, sizeof(whole.text), fmt, ap);
	va_end(ap);
	append(&whole, err->text);
	*err = whole;
	return code;
}

void
log_name(const char *name)
{
	program = name;
}

void
log_line(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	size_t len;

	(void)snprintf(line, sizeof(line), "%s: ", program);
	len = strlen(line);
	va_start(ap, fmt);
	(void)vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	len = strlen(line);
	if (len == sizeof(line) - 1)
		len--;

	/* A sentence may quote what a peer sent; it must stay one line and drive no terminal. */
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	line[len++] = '\n';

	/* One write, so that lines of several processes do not mix. Nowhere to report a failure. */
	ssize_t ignored = write(STDERR_FILENO, line, len);
	(void)ignored;
}

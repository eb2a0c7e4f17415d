/*
 * One line of a log as it is stored and shown:
 *
 *	2026-11-20T10:00:00.000000+00:00 app[web.1]: text
 *
 * What an app prints may end up on anybody's terminal, so it is made harmless before it is
 * stored: a stored line is valid UTF-8 without control characters but tabs. Colours (SGR escape
 * sequences) are dropped, any other control byte and all that is not UTF-8 is written as \xNN.
 */
#ifndef DAEMON_LOGS_LINE_H
#define DAEMON_LOGS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_TEXT_MAX 10000 /* bytes of text; what is longer is cut and says so */
#define LINE_SOURCE_MAX 80
#define LINE_MAX_BYTES (LINE_TEXT_MAX + LINE_SOURCE_MAX + 64)

/* The time of a line: never later than `now_us`, and `now_us` when it is older than a day. */
uint64_t line_time(uint64_t claimed_us, uint64_t now_us);

/* Writes the line of `n` bytes of text, with its \n, to `out` of LINE_MAX_BYTES. Its length. */
size_t line_write(char *out, uint64_t time_us, const char *source, const char *text, size_t n);
/* The line that says that `n` lines were lost. */
size_t line_write_dropped(char *out, uint64_t time_us, uint64_t n);

/* Which lines somebody wants to see; empty strings: all. */
struct line_filter {
	char source[16];		    /* "app" or "heroku" */
	char instance[LINE_SOURCE_MAX + 1]; /* "web.1", "router", or "web" for all of web */
};
bool line_matches(const struct line_filter *filter, const char *line, size_t n);

#endif

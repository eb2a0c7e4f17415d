/* `key = value` files: one pair a line, # comments, blank lines, values may be "quoted". */
#ifndef LIB_CONF_H
#define LIB_CONF_H

#include <stddef.h>

struct err;

/* Called per pair in file order; a non-zero result ends the parse and is returned. */
typedef int conf_pair_fn(void *user, const char *key, const char *value, unsigned line,
			 struct err *err);

/* Parses text of `n` bytes. 0, -EINVAL with "NAME:LINE: what is wrong", or fn's result. */
int conf_parse(const char *text, size_t n, const char *name, conf_pair_fn *fn, void *user,
	       struct err *err);
/* Reads and parses a file. -ENOENT is left to the caller to judge. */
int conf_load(const char *path, conf_pair_fn *fn, void *user, struct err *err);

/* "512M", "2G", "65536" (powers of 1024) to bytes. 0 or -EINVAL. */
int conf_bytes(const char *text, unsigned long long *bytes);
/* "15m", "30s", "2h", "100ms", bare number: seconds; to milliseconds. 0 or -EINVAL. */
int conf_duration(const char *text, unsigned long long *ms);
/* A whole number between min and max. 0 or -EINVAL. */
int conf_number(const char *text, long long min, long long max, long long *out);

/* "1.5G", "300M", "12K", "17B" for people; returns `out`. */
const char *conf_bytes_text(unsigned long long bytes, char *out, size_t cap);

#endif

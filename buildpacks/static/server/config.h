/*
 * static.json: a subset of what heroku-buildpack-static read.
 *   root        folder to serve, "." unless there is public/index.html and no index.html
 *   clean_urls  /about serves about.html
 *   routes      {"PATTERN": "index.html"}: what is served where no file is
 *   error_page  served with status 404
 *   headers     {"PATTERN": {"X-Frame-Options": "DENY"}}
 */
#ifndef STATIC_CONFIG_H
#define STATIC_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

struct err;

#define CONFIG_MAX_BYTES 65536
#define CONFIG_MAX_ROUTES 64
#define CONFIG_MAX_HEADERS 64
#define CONFIG_MAX_HEADER_BYTES 4096 /* all of them on the wire */
#define CONFIG_MAX_PATH 1024

struct config_route {
	char *pattern, *file;
};

struct config_header {
	char *pattern;
	char *line; /* "Name: value" */
};

struct config {
	char root[CONFIG_MAX_PATH]; /* "" when not given */
	char error_page[CONFIG_MAX_PATH];
	bool clean_urls;
	struct config_route routes[CONFIG_MAX_ROUTES];
	size_t n_routes;
	struct config_header headers[CONFIG_MAX_HEADERS];
	size_t n_headers;
	size_t header_bytes;
	char ignored[64]; /* a key that is not known, or "" */
};

/* Parses `n` bytes. 0, or -EINVAL with a sentence naming the line, or -ENOMEM. config_done in
 * either case. */
int config_parse(struct config *config, const char *text, size_t n, struct err *err);
void config_done(struct config *config);

#endif

/* One function per key; each reads exactly its value. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "buildpacks/static/server/config.h"
#include "buildpacks/static/server/json.h"

struct reader {
	struct json json;
	struct config *config;
	struct err *err;
};

static int
refuse(struct reader *r, const char *what)
{
	return err_say(r->err, -EINVAL, "static.json line %u: %s.", json_line(&r->json), what);
}

/* What is wrong is the JSON itself, or the kind of a value. */
static int
unexpected(struct reader *r, enum json_event event, const char *wanted)
{
	if (event == JSON_BAD)
		return refuse(r, r->json.problem);
	return refuse(r, wanted);
}

/* ---- paths --------------------------------------------------------------------------------- */

/* Copies json.text, without slashes at its ends, when it stays inside the app. */
static int
take_path(struct reader *r, char *out, size_t cap)
{
	const char *text = r->json.text;
	size_t n;

	text += strspn(text, "/");
	n = strlen(text);
	while (n > 0 && text[n - 1] == '/')
		n--;
	if (n >= cap)
		return refuse(r, "a path that is too long");
	for (const char *part = text; part < text + n; part += strcspn(part, "/"), part++) {
		if (strncmp(part, "..", 2) == 0 && strcspn(part, "/") == 2)
			return refuse(r, "a path must not hold \"..\"");
	}
	memcpy(out, text, n);
	out[n] = '\0';
	return 0;
}

static int
read_path(struct reader *r, char *out, size_t cap, const char *wanted)
{
	enum json_event event = json_next(&r->json);

	if (event != JSON_STRING)
		return unexpected(r, event, wanted);
	return take_path(r, out, cap);
}

/* ---- keys ---------------------------------------------------------------------------------- */

static int
read_root(struct reader *r)
{
	int ret = read_path(r, r->config->root, sizeof(r->config->root), "root must be a string");

	if (ret == 0 && !r->config->root[0])
		(void)snprintf(r->config->root, sizeof(r->config->root), ".");
	return ret;
}

static int
read_error_page(struct reader *r)
{
	return read_path(r, r->config->error_page, sizeof(r->config->error_page),
			 "error_page must be a string");
}

static int
read_clean_urls(struct reader *r)
{
	enum json_event event = json_next(&r->json);

	if (event != JSON_TRUE && event != JSON_FALSE)
		return unexpected(r, event, "clean_urls must be true or false");
	r->config->clean_urls = event == JSON_TRUE;
	return 0;
}

static int
add_route(struct reader *r, const char *pattern)
{
	struct config *config = r->config;
	struct config_route *route;
	char file[CONFIG_MAX_PATH];
	int ret = read_path(r, file, sizeof(file), "a route must lead to a file's name");

	if (ret < 0)
		return ret;
	if (config->n_routes == CONFIG_MAX_ROUTES)
		return refuse(r, "there are more than 64 routes");
	route = &config->routes[config->n_routes++];
	route->pattern = strdup(pattern);
	route->file = strdup(file);
	return route->pattern && route->file ? 0 : err_set(r->err, -ENOMEM, "static.json");
}

static bool
is_token(const char *s)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789"
				    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return *s && s[strspn(s, token)] == '\0';
}

/* Headers that say how the message is framed are the server's own. */
static bool
is_ours(const char *name)
{
	static const char *const ours[] = {
		"Accept-Ranges",  "Connection",	   "Content-Encoding",
		"Content-Length", "Content-Range", "Date",
		"ETag",		  "Last-Modified", "Transfer-Encoding",
		"Upgrade",
	};

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++) {
		if (strcasecmp(name, ours[i]) == 0)
			return true;
	}
	return false;
}

static int
add_header(struct reader *r, const char *pattern)
{
	struct config *config = r->config;
	AUTO_FREE char *name = strdup(r->json.text);
	struct config_header *header;
	enum json_event event;
	int n;

	if (!name)
		return err_set(r->err, -ENOMEM, "static.json");
	if (!is_token(name))
		return refuse(r, "that is no name of a header");
	if (is_ours(name))
		return refuse(r, "that header is set by the server itself");
	event = json_next(&r->json);
	if (event != JSON_STRING)
		return unexpected(r, event, "a header's value must be a string");
	for (const char *p = r->json.text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return refuse(r, "a header's value holds control characters");
	}
	if (config->n_headers == CONFIG_MAX_HEADERS)
		return refuse(r, "there are more than 64 headers");
	header = &config->headers[config->n_headers++];
	header->pattern = strdup(pattern);
	n = asprintf(&header->line, "%s: %s", name, r->json.text);
	if (n < 0)
		header->line = NULL;
	if (!header->pattern || !header->line)
		return err_set(r->err, -ENOMEM, "static.json");
	config->header_bytes += (size_t)n + 2;
	if (config->header_bytes > CONFIG_MAX_HEADER_BYTES)
		return refuse(r, "the headers are longer than 4096 bytes together");
	return 0;
}

/* An object: calls `fn` for each key with the key as pattern. */
static int
read_patterns(struct reader *r, const char *wanted, int (*fn)(struct reader *, const char *))
{
	enum json_event event = json_next(&r->json);

	if (event != JSON_OBJECT)
		return unexpected(r, event, wanted);
	while ((event = json_next(&r->json)) == JSON_KEY) {
		AUTO_FREE char *pattern = strdup(r->json.text);
		int ret = pattern ? fn(r, pattern) : err_set(r->err, -ENOMEM, "static.json");

		if (ret < 0)
			return ret;
	}
	return event == JSON_OBJECT_END ? 0 : unexpected(r, event, wanted);
}

static int
read_header_rule(struct reader *r, const char *pattern)
{
	enum json_event event = json_next(&r->json);

	if (event != JSON_OBJECT)
		return unexpected(r, event, "headers must be {\"/path\": {\"Name\": \"value\"}}");
	while ((event = json_next(&r->json)) == JSON_KEY) {
		int ret = add_header(r, pattern);

		if (ret < 0)
			return ret;
	}
	return event == JSON_OBJECT_END ? 0 : unexpected(r, event, "headers must be strings");
}

static int
read_routes(struct reader *r)
{
	return read_patterns(r, "routes must be {\"/path/**\": \"file\"}", add_route);
}

static int
read_headers(struct reader *r)
{
	return read_patterns(r, "headers must be {\"/path\": {\"Name\": \"value\"}}",
			     read_header_rule);
}

static int
read_key(struct reader *r)
{
	static const struct {
		const char *key;
		int (*read)(struct reader *);
	} keys[] = {
		{"root", read_root},	   {"clean_urls", read_clean_urls},
		{"routes", read_routes},   {"error_page", read_error_page},
		{"headers", read_headers},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (strcmp(r->json.text, keys[i].key) == 0)
			return keys[i].read(r);
	}
	(void)snprintf(r->config->ignored, sizeof(r->config->ignored), "%.60s", r->json.text);
	return json_skip(&r->json, json_next(&r->json)) == JSON_BAD ? refuse(r, r->json.problem)
								    : 0;
}

int
config_parse(struct config *config, const char *text, size_t n, struct err *err)
{
	AUTO_FREE struct reader *r = malloc(sizeof(*r));
	enum json_event event;

	*config = (struct config){0};
	if (!r)
		return err_set(err, -ENOMEM, "static.json");
	r->config = config;
	r->err = err;
	json_init(&r->json, text, n);
	if (n > CONFIG_MAX_BYTES)
		return err_say(err, -EINVAL, "static.json is larger than %d bytes.",
			       CONFIG_MAX_BYTES);
	event = json_next(&r->json);
	if (event != JSON_OBJECT)
		return unexpected(r, event, "it must be an object");
	while ((event = json_next(&r->json)) == JSON_KEY) {
		int ret = read_key(r);

		if (ret < 0)
			return ret;
	}
	if (event == JSON_OBJECT_END)
		event = json_next(&r->json);
	return event == JSON_END ? 0 : unexpected(r, event, "it must be one object");
}

void
config_done(struct config *config)
{
	for (size_t i = 0; i < config->n_routes; i++) {
		free(config->routes[i].pattern);
		free(config->routes[i].file);
	}
	for (size_t i = 0; i < config->n_headers; i++) {
		free(config->headers[i].pattern);
		free(config->headers[i].line);
	}
	config->n_routes = config->n_headers = 0;
}

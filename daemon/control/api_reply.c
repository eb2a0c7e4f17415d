/* What many handlers need to answer: errors by errno, JSON of small things, the end of a change. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/buf.h"
#include "lib/err.h"

#include "daemon/control/api_request.h"
#include "daemon/control/events.h"
#include "daemon/control/ident.h"
#include "daemon/control/live.h"
#include "daemon/control/query.h"
#include "daemon/control/store.h"

#define MAX_LINE 256 /* what an event holds */

int
reply_failure(struct api_request *r, int code, const struct err *err)
{
	switch (code) {
	case -ENOENT:
		return reply_error(r, 404, "not_found", err->text);
	case -EEXIST:
	case -EBUSY:
		return reply_error(r, 409, "conflict", err->text);
	case -EACCES:
		return reply_error(r, 403, "forbidden", err->text);
	case -EINVAL:
		return reply_error(r, 422, "invalid_params", err->text);
	default:
		log_line("%s %s: %s", r->method, r->path, err->text);
		return reply_error(r, code == -ENOSPC ? 507 : 500, "internal_server_error",
				   err->text);
	}
}

void
json_add(json_t **list, json_t *value)
{
	if (*list && json_array_append_new(*list, value) == 0)
		return;
	/* Without a list the value was not taken. */
	if (!*list)
		json_decref(value);
	json_decref(*list);
	*list = NULL;
}

void
json_put(json_t **object, const char *key, json_t *value)
{
	if (*object && json_object_set_new(*object, key, value) == 0)
		return;
	if (!*object)
		json_decref(value);
	json_decref(*object);
	*object = NULL;
}

/* The length of the UTF-8 character at `s`, 0 when there is none. */
static size_t
utf8_length(const char *s)
{
	unsigned char c = (unsigned char)s[0];
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;

	if (n == 4 && (c < 0xf0 || c > 0xf4))
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Longer than need be, a surrogate, beyond the last: the second byte tells. */
	if ((c == 0xe0 && (unsigned char)s[1] < 0xa0) ||
	    (c == 0xed && (unsigned char)s[1] > 0x9f) ||
	    (c == 0xf0 && (unsigned char)s[1] < 0x90) || (c == 0xf4 && (unsigned char)s[1] > 0x8f))
		return 0;
	return n;
}

json_t *
json_safe(const char *text)
{
	AUTO_BUF struct buf clean = {.max = 1024 * 1024};
	json_t *string;

	if (!text)
		return json_null();
	string = json_string(text);
	if (string)
		return string;
	while (*text) {
		size_t n = utf8_length(text);

		if (buf_add(&clean, n ? text : "\xef\xbf\xbd", n ? n : 3) < 0)
			return NULL;
		text += n ? n : 1;
	}
	return json_string(buf_text(&clean));
}

json_t *
json_time(int64_t ms)
{
	char text[40];
	struct tm tm;
	time_t seconds = (time_t)(ms / 1000);

	if (ms == 0)
		return json_null();
	(void)gmtime_r(&seconds, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

json_t *
json_app_ref(const struct app *app)
{
	char id[IDENT_TEXT_MAX];

	return json_pack("{s:s, s:s}", "id", ident_text(IDENT_APP, app->id, 0, id), "name",
			 app->name);
}

/* Persons have no mail address here; their name stands where Heroku's clients show one. */
json_t *
json_user_ref(const char *name)
{
	return json_pack("{s:s, s:s}", "id", name, "email", name);
}

int
json_text(const json_t *body, const char *key, int is_needed, const char **text, struct err *err)
{
	const json_t *value = json_object_get(body, key);

	*text = NULL;
	if (json_is_string(value)) {
		*text = json_string_value(value);
		return 0;
	}
	if (value && !json_is_null(value))
		return err_say(err, -EINVAL, "\"%s\" must be a string.", key);
	if (is_needed)
		return err_say(err, -EINVAL, "\"%s\" is missing.", key);
	return 0;
}

int
json_flag(const json_t *body, const char *key, int *flag, struct err *err)
{
	const json_t *value = json_object_get(body, key);

	*flag = json_is_true(value);
	if (value && !json_is_null(value) && !json_is_boolean(value))
		return err_say(err, -EINVAL, "\"%s\" must be true or false.", key);
	return 0;
}

/* As vsnprintf, but a cut does not leave half a character. */
static void
format_line(char *out, size_t cap, const char *fmt, va_list ap)
{
	int n = vsnprintf(out, cap, fmt, ap);
	size_t end = cap - 1;

	if (n < 0 || (size_t)n < cap)
		return;
	while (end > 0 && (out[end - 1] & 0xc0) == 0x80)
		end--;
	if (end > 0 && utf8_length(out + end - 1) == 0)
		end--;
	else
		end = cap - 1;
	out[end] = '\0';
}

int
api_event(struct api_request *r, const char *app, struct err *err, const char *fmt, ...)
{
	char line[MAX_LINE];
	va_list ap;

	va_start(ap, fmt);
	format_line(line, sizeof(line), fmt, ap);
	va_end(ap);
	return events_add(r->store, r->user, app, line, err);
}

int
api_commit(struct api_request *r, const char *app, int code, struct err *err, const char *fmt, ...)
{
	char line[MAX_LINE], logged[sizeof(line) + USER_NAME_MAX + 16];
	va_list ap;

	va_start(ap, fmt);
	format_line(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (code >= 0) {
		int told = events_add(r->store, r->user, app, line, err);

		if (told < 0)
			code = told;
	}
	code = query_finish(r->store, code, err);
	if (code >= 0 && app) {
		(void)snprintf(logged, sizeof(logged), "%s by user %s", line, r->user);
		live_log(r->live, app, "api", logged);
	}
	return code;
}

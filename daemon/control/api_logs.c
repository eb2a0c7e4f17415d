/*
 * Log sessions: POST makes a secret path, GET of that path hands the client's connection to
 * paas-logs. The secret is all that is needed, as with Heroku, whose clients send no
 * credentials there; it lives for some minutes and may be used again, since a client that tails
 * connects anew after a cut.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/err.h"
#include "lib/name.h"

#include "daemon/control/api_request.h"
#include "daemon/control/ident.h"
#include "daemon/control/live.h"
#include "daemon/control/store.h"

#define MAX_SESSIONS 128 /* the oldest is forgotten */
#define SESSION_MS (5 * 60 * 1000)
#define SECRET_BYTES 16
#define MAX_LINES 10000
#define DEFAULT_LINES 100

struct log_session {
	char secret[2 * SECRET_BYTES + 1];
	int64_t made_ms; /* 0: free */
	char app[APP_NAME_MAX + 1];
	uint32_t lines;
	int tail;
	char source[8], instance[INSTANCE_NAME_MAX + 1];
};

struct api_log_sessions {
	struct log_session slots[MAX_SESSIONS];
	size_t next;
};

struct api_log_sessions *
api_log_sessions_new(void)
{
	return calloc(1, sizeof(struct api_log_sessions));
}

void
api_log_sessions_free(struct api_log_sessions *sessions)
{
	free(sessions);
}

static int
make_secret(char *out, struct err *err)
{
	uint8_t bytes[SECRET_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_set(err, -errno, "getrandom");
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int
read_lines(const json_t *body, uint32_t *lines, struct err *err)
{
	const json_t *value = json_object_get(body, "lines");

	*lines = DEFAULT_LINES;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return err_say(err, -EINVAL, "\"lines\" must be a number of lines.");
	*lines = json_integer_value(value) > MAX_LINES ? MAX_LINES
						       : (uint32_t)json_integer_value(value);
	return 0;
}

/* "web" or "web.1"; the logs compare it as text, so only its shape matters. */
static bool
is_instance(const char *text)
{
	char type[64];
	size_t n = strcspn(text, ".");

	if (n >= sizeof(type) || strlen(text) > INSTANCE_NAME_MAX)
		return false;
	memcpy(type, text, n);
	type[n] = '\0';
	if (name_check_type(type))
		return false;
	return !text[n] ||
	       (text[n + 1] && strspn(text + n + 1, "0123456789") == strlen(text + n + 1));
}

static int
read_session(const json_t *body, struct log_session *session, struct err *err)
{
	const char *source, *instance;
	int code = read_lines(body, &session->lines, err);

	if (code == 0)
		code = json_flag(body, "tail", &session->tail, err);
	if (code == 0)
		code = json_text(body, "source", 0, &source, err);
	if (code == 0)
		code = json_text(body, "dyno", 0, &instance, err);
	if (code != 0)
		return code;
	if (source && source[0] && strcmp(source, "app") != 0 && strcmp(source, "heroku") != 0)
		return err_say(err, -EINVAL, "The source of a log is app or heroku, not %.40s.",
			       source);
	if (instance && instance[0] && !is_instance(instance))
		return err_say(err, -EINVAL,
			       "%.80s is no instance; name one such as web.1, or a process type.",
			       instance);
	(void)snprintf(session->source, sizeof(session->source), "%s", source ? source : "");
	(void)snprintf(session->instance, sizeof(session->instance), "%s",
		       instance ? instance : "");
	return 0;
}

int
api_log_session_create(struct api_request *r, struct err *err)
{
	struct api_log_sessions *sessions = api_log_sessions_of(r->api);
	struct log_session session = {0};
	char url[64];
	int code = read_session(r->body, &session, err);

	if (code == 0)
		code = make_secret(session.secret, err);
	if (code < 0)
		return code;
	(void)snprintf(session.app, sizeof(session.app), "%s", r->app.name);
	session.made_ms = store_now_ms(r->store);
	sessions->slots[sessions->next++ % MAX_SESSIONS] = session;
	(void)snprintf(url, sizeof(url), "/log-sessions/%s", session.secret);
	return reply(r, 201,
		     json_pack("{s:s, s:s, s:o, s:o}", "id", session.secret, "logplex_url", url,
			       "created_at", json_time(session.made_ms), "updated_at",
			       json_time(session.made_ms)));
}

/* Compares in the same time wherever they differ. */
static bool
is_secret(const struct log_session *session, const char *text)
{
	unsigned char differs = 0;

	if (strlen(text) != 2 * SECRET_BYTES)
		return false;
	for (size_t i = 0; i < 2 * SECRET_BYTES; i++)
		differs |= (unsigned char)(session->secret[i] ^ text[i]);
	return differs == 0;
}

static void
take_connection(struct live *live, void *user, int fd)
{
	const struct log_session *session = user;
	int code = live_log_session(live, session->app, session->lines, session->tail != 0,
				    session->source, session->instance, fd);
	struct err err;

	if (code < 0) {
		(void)err_set(&err, code, "show the log of %s", session->app);
		log_line("%s", err.text);
	}
}

int
api_log_session_read(struct api_request *r, struct err *err)
{
	struct api_log_sessions *sessions = api_log_sessions_of(r->api);
	int64_t now = store_now_ms(r->store);

	for (size_t i = 0; i < MAX_SESSIONS; i++) {
		const struct log_session *session = &sessions->slots[i];
		struct log_session *copy;

		if (!session->made_ms || now - session->made_ms > SESSION_MS ||
		    !is_secret(session, r->args[0]))
			continue;
		copy = malloc(sizeof(*copy));
		if (!copy)
			return err_say(err, -ENOMEM, "Out of memory.");
		*copy = *session;
		return reply_takeover(r, take_connection, copy);
	}
	return err_say(err, -ENOENT,
		       "This log session has ended; ask for the log again to start another.");
}

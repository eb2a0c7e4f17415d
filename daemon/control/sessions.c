/*
 * A session is in one of two states, before and after its login; lib/msg.h says what is legal in
 * which.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/core.h"
#include "daemon/control/git.h"
#include "daemon/control/keys.h"
#include "daemon/control/sessions.h"

#define SESSIONS_MAX 512
#define QUEUE_MAX 64
#define KEYS_MAX 6	  /* tried per session, like sshd's MaxAuthTries */
#define CONNECTIONS_MAX 8 /* to the API, per session */
#define LOGIN_NAME "paas"

struct session {
	struct session *next;
	struct live *live;
	struct chan chan;
	char address[80];
	char user[USER_NAME_MAX + 1]; /* once proved */
	unsigned n_keys, n_connections;
	struct git *git;
};

static void
session_free(struct session *session)
{
	struct live *live = session->live;

	for (struct session **at = &live->sessions; *at != NULL; at = &(*at)->next)
		if (*at == session) {
			*at = session->next;
			break;
		}
	live->n_sessions--;
	if (session->git != NULL)
		git_leave(session->git);
	chan_close(&session->chan);
	free(session);
}

/* The channel is in no good state any more; its end frees the session. */
static void
drop(struct session *session, const char *why)
{
	log_line("session from %s: %s", session->address, why);
	session_free(session);
}

/* ---- login ---------------------------------------------------------------------------------- */

static void
answer(struct session *session, bool accepted, const char *name)
{
	struct msg m;

	msg_begin(&m, MSG_LOGIN_ANSWER, 0);
	wire_put_u8(&m.out, accepted);
	wire_put_str(&m.out, name);
	(void)chan_send(&session->chan, &m);
}

/* Fills `key` when it belongs to somebody. An unknown ssh user name is an unknown key. */
static bool
read_login(struct session *session, struct msg *m, struct key *key, bool *is_sound)
{
	char login[64], type[64];
	AUTO_FREE char *blob = malloc(KEY_BLOB_MAX + 1);

	*is_sound = false;
	if (blob == NULL)
		return false;
	wire_get_str(&m->in, login, sizeof(login));
	wire_get_str(&m->in, type, sizeof(type));
	wire_get_str(&m->in, blob, KEY_BLOB_MAX + 1);
	*is_sound = wire_end(&m->in) == 0;
	return *is_sound && strcmp(login, LOGIN_NAME) == 0 &&
	       keys_find(session->live->store, type, blob, key, NULL) == 0;
}

static void
hear_key(struct session *session, struct msg *m)
{
	AUTO_FREE struct key *key = malloc(sizeof(*key));
	bool is_sound = false;

	if (key == NULL || session->user[0] != '\0' || ++session->n_keys > KEYS_MAX) {
		drop(session, "too many keys were tried");
		return;
	}
	bool known = read_login(session, m, key, &is_sound);

	if (!is_sound)
		drop(session, "the key it asked about is malformed");
	else
		answer(session, known, known ? key->user : "");
}

static void
hear_proof(struct session *session, struct msg *m)
{
	AUTO_FREE struct key *key = malloc(sizeof(*key));
	bool is_sound = false;

	if (key == NULL || session->user[0] != '\0' || !read_login(session, m, key, &is_sound)) {
		drop(session, "it proved a key that nobody has");
		return;
	}
	(void)snprintf(session->user, sizeof(session->user), "%s", key->user);
	session->chan.phase = PHASE_LOGIN;
	answer(session, true, key->user);
}

/* ---- git ------------------------------------------------------------------------------------ */

static void
send_number(struct session *session, enum msg_type type, uint32_t number)
{
	struct msg m;

	msg_begin(&m, type, 0);
	wire_put_u32(&m.out, number);
	(void)chan_send(&session->chan, &m);
}

static void
on_git_wait(void *user, unsigned place)
{
	send_number(user, MSG_GIT_WAIT, place);
}

static void
on_git_started(void *user)
{
	struct session *session = user;
	struct msg m;

	msg_begin(&m, MSG_GIT_STARTED, 0);
	(void)chan_send(&session->chan, &m);
}

static void
send_refusal(struct session *session, const char *why)
{
	struct msg m;

	msg_begin(&m, MSG_GIT_REFUSED, 0);
	wire_put_str(&m.out, why);
	(void)chan_send(&session->chan, &m);
}

static void
on_git_refused(void *user, const char *why)
{
	struct session *session = user;

	session->git = NULL;
	send_refusal(session, why);
}

static void
on_git_done(void *user, uint32_t status)
{
	struct session *session = user;

	session->git = NULL;
	send_number(session, MSG_GIT_DONE, status);
}

static const struct git_calls git_calls = {
	.wait = on_git_wait,
	.started = on_git_started,
	.refused = on_git_refused,
	.done = on_git_done,
};

/* Takes "/hello.git", "hello.git" and "hello" alike. */
static const char *
strip_name(char *name)
{
	size_t len = strlen(name);

	if (len > 4 && strcmp(name + len - 4, ".git") == 0)
		name[len - 4] = '\0';
	return name[0] == '/' ? name + 1 : name;
}

static void
hear_git(struct session *session, struct msg *m)
{
	char app[256], protocol[128];
	struct git_wish wish = {.person = session->user, .protocol = protocol};
	struct err err = {0};
	unsigned service = wire_get_u8(&m->in);

	wire_get_str(&m->in, app, sizeof(app));
	wire_get_str(&m->in, protocol, sizeof(protocol));
	if (wire_end(&m->in) < 0 || service > GIT_UPLOAD_PACK || session->git != NULL) {
		drop(session, "it asked for git in a way it may not");
		return;
	}
	wish.app = strip_name(app);
	wish.service = service;
	for (size_t i = 0; i < 3; i++)
		wish.fds[i] = msg_take_fd(m, i);
	session->git = git_open(session->live, &wish, &git_calls, session, &err);
	if (session->git == NULL)
		send_refusal(session, err.text);
}

/* ---- the API -------------------------------------------------------------------------------- */

static void
hear_api(struct session *session)
{
	struct msg m;
	int ends[2];

	if (++session->n_connections > CONNECTIONS_MAX) {
		drop(session, "it asked for too many connections to the API");
		return;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		drop(session, strerror(errno));
		return;
	}
	AUTO_FD int theirs_fd = ends[1];

	if (session->live->api == NULL ||
	    api_serve(session->live->api, ends[0], session->user) < 0) {
		if (session->live->api == NULL)
			(void)close(ends[0]);
		drop(session, "the API takes no connection now");
		return;
	}
	msg_begin(&m, MSG_API_READY, 0);
	msg_add_fd(&m, theirs_fd);
	(void)chan_send(&session->chan, &m);
}

/* ---- channels ------------------------------------------------------------------------------- */

static void
on_message(struct chan *chan, struct msg *m)
{
	struct session *session = chan->user;

	switch ((int)m->type) {
	case MSG_LOGIN_KEY:
		hear_key(session, m);
		break;
	case MSG_LOGIN_PROVED:
		hear_proof(session, m);
		break;
	case MSG_GIT_OPEN:
		hear_git(session, m);
		break;
	case MSG_GIT_STALLED:
		if (session->git != NULL)
			git_stalled(session->git);
		break;
	case MSG_API_OPEN:
		hear_api(session);
		break;
	default:
		break;
	}
}

static void
on_closed(struct chan *chan, const struct err *why)
{
	struct session *session = chan->user;

	if (why != NULL)
		log_line("session from %s: %s", session->address, why->text);
	session_free(session);
}

void
sessions_open(struct live *live, struct msg *m)
{
	struct session *session = NULL;
	char address[80];

	wire_get_str(&m->in, address, sizeof(address));
	if (wire_end(&m->in) < 0)
		return;
	if (live->n_sessions >= SESSIONS_MAX || (session = calloc(1, sizeof(*session))) == NULL) {
		/* The session sees the end of its channel and says that there is no room. */
		log_line("session from %s: there are %zu already", address, live->n_sessions);
		return;
	}
	session->live = live;
	(void)snprintf(session->address, sizeof(session->address), "%s", address);
	if (chan_open(&session->chan, live->loop, msg_take_fd(m, 0), ROLE_CONTROL, ROLE_SESSION,
		      QUEUE_MAX, on_message, on_closed, session) < 0) {
		free(session);
		return;
	}
	session->next = live->sessions;
	live->sessions = session;
	live->n_sessions++;
}

void
sessions_close_all(struct live *live)
{
	while (live->sessions != NULL)
		session_free(live->sessions);
}

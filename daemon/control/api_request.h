/*
 * The inside of the API: a request as its handler sees it, and the answers it can give. A
 * handler answers exactly once: at once, or later from a callback of the live side after it
 * said api_wait. What it returns negative is answered as an error for it.
 */
#ifndef CONTROL_API_REQUEST_H
#define CONTROL_API_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "daemon/control/access.h"
#include "daemon/control/apps.h"

struct api;
struct api_conn;
struct err;
struct live;
struct options;
struct release;
struct store;

#define API_MAX_PATH 2048
#define API_MAX_SEGMENTS 8
#define API_MAX_RANGE 128
#define API_MAX_FDS 3

struct api_request {
	struct api_conn *conn;
	struct api *api;
	struct store *store;
	struct live *live;
	const struct options *options;
	const char *user;			/* who asks; "root" on the server */
	const char *method, *path;		/* as they came */
	const char *range;			/* the Range header; "" */
	const char *segments[API_MAX_SEGMENTS]; /* of the path, decoded */
	size_t n_segments;
	json_t *body; /* an object, maybe empty; borrowed */

	/* the router fills these */
	struct app app;	     /* of ":app" in the pattern */
	const char *args[2]; /* of each "*" in the pattern */
};

/* 0: answered, or api_wait was called. Negative: an error with a sentence, not answered yet. */
typedef int api_handler_fn(struct api_request *r, struct err *err);

/* ---- answers ----------------------------------------------------------------------------- */

/* Takes the reference; NULL (out of memory) becomes a 500. Returns 0, for `return reply(...)`. */
int reply(struct api_request *r, int status, json_t *body);
/* Heroku's {"id": ..., "message": ...}. Returns 0. */
int reply_error(struct api_request *r, int status, const char *id, const char *message);
/* The same for a negative errno: 404 for -ENOENT, 422 for -EINVAL and so on. Returns 0. */
int reply_failure(struct api_request *r, int code, const struct err *err);
/* A plain-text head with "Connection: close"; once it is written, `take` gets the connection's
 * fd (borrowed) and the connection ends. `take_user` is freed with free(). Returns 0. */
int reply_takeover(struct api_request *r, void (*take)(struct live *live, void *user, int fd),
		   void *take_user);
/* These travel with the head of the answer that follows (duplicated). 0 or -errno. */
int api_attach_fds(struct api_request *r, const int *fds, size_t n);

/* The answer comes from a callback; `ticket` is cancelled when the client goes before it. */
void api_wait(struct api_request *r, uint64_t ticket);
/* To be called last in such a callback, after the reply. The request may be gone afterwards. */
void api_resume(struct api_request *r);
/* Cancelled when the connection ends, whatever else it does until then. */
void api_hold(struct api_request *r, uint64_t ticket);

/* ---- JSON -------------------------------------------------------------------------------- */

/* Append to a list, set a member; they take `value`. Without memory *list or *object is released
 * and NULL from then on, which reply answers as a 500: nothing is left out silently. */
void json_add(json_t **list, json_t *value);
void json_put(json_t **object, const char *key, json_t *value);
/* A text that may hold anything (a Procfile's command, a sentence that quotes): what is not UTF-8
 * shows as U+FFFD. */
json_t *json_safe(const char *text);
/* "2026-11-20T10:00:00Z"; null for 0. */
json_t *json_time(int64_t ms);
/* {"id": .., "name": ..} of an app; {"id": .., "email": ..} of a user. */
json_t *json_app_ref(const struct app *app);
json_t *json_user_ref(const char *name);
/* A string member: 0 and *text (NULL when absent or null and not needed), or -EINVAL. */
int json_text(const json_t *body, const char *key, int is_needed, const char **text,
	      struct err *err);
/* Likewise for a boolean, false when absent. */
int json_flag(const json_t *body, const char *key, int *flag, struct err *err);

/* Notes what was done, without telling the app's log. */
int api_event(struct api_request *r, const char *app, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/*
 * Ends the transaction the handler began. When `code` is not negative, the sentence (without a
 * full stop) becomes an event in it and, after the commit, a line of the app's log: "SENTENCE by
 * user ann". `app` NULL: the platform. Returns `code`, or what failed.
 */
int api_commit(struct api_request *r, const char *app, int code, struct err *err, const char *fmt,
	       ...) __attribute__((format(printf, 5, 6)));

/* ---- between the files of the API -------------------------------------------------------- */

/* Finds the handler, checks rights, calls it, answers its errors. */
void api_route(struct api_request *r);

/* "v3", "3", "current" or a release's id. */
int api_release_find(struct api_request *r, const char *text, struct release *release,
		     struct err *err);

/* Secrets under which a log session can be fetched, kept for some minutes. */
struct api_log_sessions;
struct api_log_sessions *api_log_sessions_new(void);
void api_log_sessions_free(struct api_log_sessions *sessions);
struct api_log_sessions *api_log_sessions_of(struct api *api);

#define API_HANDLERS(H)                                                                            \
	H(api_version)                                                                             \
	H(api_account)                                                                             \
	H(api_apps_list)                                                                           \
	H(api_apps_create)                                                                         \
	H(api_app_get)                                                                             \
	H(api_app_change)                                                                          \
	H(api_app_destroy)                                                                         \
	H(api_formation_list)                                                                      \
	H(api_formation_change)                                                                    \
	H(api_formation_get)                                                                       \
	H(api_formation_set)                                                                       \
	H(api_dynos_list)                                                                          \
	H(api_dynos_run)                                                                           \
	H(api_dynos_restart)                                                                       \
	H(api_dyno_get)                                                                            \
	H(api_dyno_restart)                                                                        \
	H(api_dyno_stop)                                                                           \
	H(api_dyno_wait)                                                                           \
	H(api_config_get)                                                                          \
	H(api_config_change)                                                                       \
	H(api_releases_list)                                                                       \
	H(api_releases_create)                                                                     \
	H(api_release_get)                                                                         \
	H(api_release_config)                                                                      \
	H(api_log_session_create)                                                                  \
	H(api_log_session_read)                                                                    \
	H(api_domains_list)                                                                        \
	H(api_domains_add)                                                                         \
	H(api_domain_get)                                                                          \
	H(api_domain_remove)                                                                       \
	H(api_buildpacks_list)                                                                     \
	H(api_buildpacks_put)                                                                      \
	H(api_collaborators_list)                                                                  \
	H(api_collaborators_add)                                                                   \
	H(api_collaborator_remove)                                                                 \
	H(api_users_list)                                                                          \
	H(api_keys_list)                                                                           \
	H(api_keys_add)                                                                            \
	H(api_key_remove)                                                                          \
	H(api_builds_list)                                                                         \
	H(api_app_events)                                                                          \
	H(api_events)

#define H(name) api_handler_fn name;
API_HANDLERS(H)
#undef H

#endif

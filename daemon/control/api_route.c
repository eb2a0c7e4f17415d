/*
 * Which path means what, and who may. In a pattern ":app" is an app (found, and the right
 * checked on it), "*" any segment. Rights of rows without ":app" are on the platform.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

#include "daemon/control/api_request.h"

#define MAX_PATTERN 5

struct route {
	const char *method;
	const char *pattern[MAX_PATTERN + 1];
	enum right right;
	api_handler_fn *handler;
};

/* clang-format off */
static const struct route routes[] = {
	{"GET",    {"version"}, RIGHT_NONE, api_version},
	{"GET",    {"account"}, RIGHT_NONE, api_account},
	{"GET",    {"users"}, RIGHT_NONE, api_users_list},
	{"GET",    {"users", "~", "apps"}, RIGHT_NONE, api_apps_list},
	{"GET",    {"keys"}, RIGHT_NONE, api_keys_list},
	{"POST",   {"keys"}, RIGHT_NONE, api_keys_add},
	{"DELETE", {"keys", "*"}, RIGHT_NONE, api_key_remove},
	{"GET",    {"events"}, RIGHT_ADMIN, api_events},
	{"GET",    {"log-sessions", "*"}, RIGHT_NONE, api_log_session_read},

	{"GET",    {"apps"}, RIGHT_NONE, api_apps_list},
	{"POST",   {"apps"}, RIGHT_DEPLOY, api_apps_create},
	{"GET",    {"apps", ":app"}, RIGHT_READ, api_app_get},
	{"PATCH",  {"apps", ":app"}, RIGHT_ADMIN, api_app_change},
	{"DELETE", {"apps", ":app"}, RIGHT_ADMIN, api_app_destroy},

	{"GET",    {"apps", ":app", "formation"}, RIGHT_READ, api_formation_list},
	{"PATCH",  {"apps", ":app", "formation"}, RIGHT_DEPLOY, api_formation_change},
	{"GET",    {"apps", ":app", "formation", "*"}, RIGHT_READ, api_formation_get},
	{"PATCH",  {"apps", ":app", "formation", "*"}, RIGHT_DEPLOY, api_formation_set},
	{"DELETE", {"apps", ":app", "formations", "*"}, RIGHT_DEPLOY, api_dyno_restart},
	{"POST",   {"apps", ":app", "formations", "*", "actions/stop"}, RIGHT_DEPLOY, api_dyno_stop},

	{"GET",    {"apps", ":app", "dynos"}, RIGHT_READ, api_dynos_list},
	{"POST",   {"apps", ":app", "dynos"}, RIGHT_DEPLOY, api_dynos_run},
	{"DELETE", {"apps", ":app", "dynos"}, RIGHT_DEPLOY, api_dynos_restart},
	{"GET",    {"apps", ":app", "dynos", "*"}, RIGHT_READ, api_dyno_get},
	{"DELETE", {"apps", ":app", "dynos", "*"}, RIGHT_DEPLOY, api_dyno_restart},
	{"GET",    {"apps", ":app", "dynos", "*", "wait"}, RIGHT_READ, api_dyno_wait},
	{"POST",   {"apps", ":app", "dynos", "*", "actions/stop"}, RIGHT_DEPLOY, api_dyno_stop},

	{"GET",    {"apps", ":app", "config-vars"}, RIGHT_READ, api_config_get},
	{"PATCH",  {"apps", ":app", "config-vars"}, RIGHT_DEPLOY, api_config_change},
	{"GET",    {"apps", ":app", "releases"}, RIGHT_READ, api_releases_list},
	{"POST",   {"apps", ":app", "releases"}, RIGHT_DEPLOY, api_releases_create},
	{"GET",    {"apps", ":app", "releases", "*"}, RIGHT_READ, api_release_get},
	{"GET",    {"apps", ":app", "releases", "*", "config-vars"}, RIGHT_READ, api_release_config},

	{"POST",   {"apps", ":app", "log-sessions"}, RIGHT_READ, api_log_session_create},
	{"GET",    {"apps", ":app", "domains"}, RIGHT_READ, api_domains_list},
	{"POST",   {"apps", ":app", "domains"}, RIGHT_DEPLOY, api_domains_add},
	{"GET",    {"apps", ":app", "domains", "*"}, RIGHT_READ, api_domain_get},
	{"DELETE", {"apps", ":app", "domains", "*"}, RIGHT_DEPLOY, api_domain_remove},
	{"GET",    {"apps", ":app", "buildpack-installations"}, RIGHT_READ, api_buildpacks_list},
	{"PUT",    {"apps", ":app", "buildpack-installations"}, RIGHT_DEPLOY, api_buildpacks_put},
	{"GET",    {"apps", ":app", "collaborators"}, RIGHT_READ, api_collaborators_list},
	{"POST",   {"apps", ":app", "collaborators"}, RIGHT_ADMIN, api_collaborators_add},
	{"DELETE", {"apps", ":app", "collaborators", "*"}, RIGHT_ADMIN, api_collaborator_remove},
	{"GET",    {"apps", ":app", "builds"}, RIGHT_READ, api_builds_list},
	{"GET",    {"apps", ":app", "events"}, RIGHT_READ, api_app_events},
};
/* clang-format on */

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

/* Does the path match? Fills args and *app with what stands for "*" and ":app". */
static bool
matches(const struct route *route, struct api_request *r, const char **app)
{
	size_t at = 0, n_args = 0;

	*app = NULL;
	for (size_t i = 0; route->pattern[i]; i++) {
		const char *want = route->pattern[i];

		/* The only literal of two segments. */
		if (strcmp(want, "actions/stop") == 0) {
			if (at + 2 > r->n_segments || strcmp(r->segments[at], "actions") != 0 ||
			    strcmp(r->segments[at + 1], "stop") != 0)
				return false;
			at += 2;
			continue;
		}
		if (at == r->n_segments)
			return false;
		if (strcmp(want, ":app") == 0)
			*app = r->segments[at];
		else if (strcmp(want, "*") == 0)
			r->args[n_args++] = r->segments[at];
		else if (strcmp(want, r->segments[at]) != 0)
			return false;
		at++;
	}
	return at == r->n_segments;
}

static const struct route *
find(struct api_request *r, const char **app, bool *path_exists)
{
	*path_exists = false;
	for (size_t i = 0; i < N_ROUTES; i++) {
		if (!matches(&routes[i], r, app))
			continue;
		if (strcmp(routes[i].method, r->method) == 0)
			return &routes[i];
		*path_exists = true;
	}
	return NULL;
}

static int
admit(struct api_request *r, const struct route *route, const char *app, struct err *err)
{
	int code;

	if (!app)
		return access_check(r->store, r->user, NULL, route->right, err);
	code = apps_find(r->store, app, &r->app, err);
	if (code < 0)
		return code;
	return access_check(r->store, r->user, &r->app, route->right, err);
}

void
api_route(struct api_request *r)
{
	const struct route *route;
	const char *app;
	bool path_exists;
	struct err err;
	int code;

	route = find(r, &app, &path_exists);
	if (!route && path_exists) {
		(void)err_say(&err, 0, "%s is not a method of %.200s.", r->method, r->path);
		(void)reply_error(r, 405, "method_not_allowed", err.text);
		return;
	}
	if (!route) {
		(void)err_say(&err, 0, "The API has no %.200s.", r->path);
		(void)reply_error(r, 404, "not_found", err.text);
		return;
	}
	code = admit(r, route, app, &err);
	if (code == 0)
		code = route->handler(r, &err);
	if (code < 0)
		(void)reply_failure(r, code, &err);
}

/* The platform and the account, apps, and what was built and done. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/api.h"
#include "daemon/control/api_request.h"
#include "daemon/control/builds.h"
#include "daemon/control/events.h"
#include "daemon/control/ident.h"
#include "daemon/control/live.h"
#include "daemon/control/options.h"
#include "daemon/control/query.h"
#include "daemon/control/releases.h"
#include "daemon/control/slugs.h"
#include "daemon/control/store.h"

#define MAX_BUILDS 200
#define MAX_EVENTS 200

/* The port of the first of "A:P,A:P" with its colon, or "" when it is the usual one. */
static const char *
port_of(const char *addresses, const char *usual, char *out, size_t cap)
{
	size_t n = addresses ? strcspn(addresses, ",") : 0, at = n;

	out[0] = '\0';
	while (at > 0 && addresses[at] != ':')
		at--;
	if (at > 0 && n - at < cap) {
		memcpy(out, addresses + at, n - at);
		out[n - at] = '\0';
	}
	if (strcmp(out, usual) == 0)
		out[0] = '\0';
	return out;
}

const char *
api_web_url(const struct options *options, const char *app, char *out, size_t cap)
{
	char port[8];

	(void)snprintf(out, cap, "http://%s.%s%s/", app, options->domain,
		       port_of(options->http, ":80", port, sizeof(port)));
	return out;
}

const char *
api_git_url(const struct options *options, const char *app, char *out, size_t cap)
{
	char port[8];

	(void)snprintf(out, cap, "ssh://paas@%s%s/%s.git", options->domain,
		       port_of(options->ssh, ":22", port, sizeof(port)), app);
	return out;
}

int
api_version(struct api_request *r, struct err *err)
{
	(void)err;
	return reply(r, 200,
		     json_pack("{s:s, s:s, s:s}", "version", PAAS_VERSION, "domain",
			       r->options->domain, "stack", r->options->stack_name));
}

int
api_account(struct api_request *r, struct err *err)
{
	enum right right;
	int code = access_right(r->store, r->user, 0, &right, err);

	if (code < 0)
		return code;
	return reply(r, 200,
		     json_pack("{s:s, s:s, s:s, s:s, s:b}", "id", r->user, "email", r->user, "name",
			       r->user, "role", right_name(right), "verified", 1));
}

/* ---- apps -------------------------------------------------------------------------------- */

/* What the slug in force says: its size and how it was detected. null without one. */
static int
add_slug(struct api_request *r, const struct app *app, json_t **out, struct err *err)
{
	struct release release;
	struct slug slug;
	int code;

	json_put(out, "slug_size", json_null());
	json_put(out, "buildpack_provided_description", json_null());
	if (!app->release)
		return 0;
	code = releases_find(r->store, app->id, app->release, &release, err);
	if (code < 0 || !release.slug)
		return code;
	code = slugs_find(r->store, app->id, release.slug, &slug, err);
	if (code < 0)
		return code;
	json_put(out, "slug_size", json_integer((json_int_t)slug.bytes));
	if (slug.buildpacks[0])
		json_put(out, "buildpack_provided_description", json_safe(slug.buildpacks));
	return 0;
}

static int
json_of_app(struct api_request *r, const struct app *app, json_t **out, struct err *err)
{
	char id[IDENT_TEXT_MAX], web_url[512], git_url[512];
	const char *stack = r->options->stack_name;
	int code;

	*out = json_pack(
		"{s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:{s:s}, s:{s:s}, s:{s:s}, s:b, s:b,"
		" s:n, s:n, s:n, s:n, s:n, s:n}",
		"id", ident_text(IDENT_APP, app->id, 0, id), "name", app->name, "owner",
		json_user_ref(app->owner), "web_url",
		api_web_url(r->options, app->name, web_url, sizeof(web_url)), "git_url",
		api_git_url(r->options, app->name, git_url, sizeof(git_url)), "created_at",
		json_time(app->created_ms), "updated_at", json_time(app->updated_ms), "released_at",
		json_time(app->released_ms), "region", "name", "local", "stack", "name", stack,
		"build_stack", "name", stack, "maintenance", 0, "acm", 0, "repo_size",
		"archived_at", "internal_routing", "organization", "team", "space");
	if (!*out)
		return err_say(err, -ENOMEM, "Out of memory.");
	code = add_slug(r, app, out, err);
	if (code == 0 && !*out)
		code = err_say(err, -ENOMEM, "Out of memory.");
	if (code < 0) {
		json_decref(*out);
		*out = NULL;
	}
	return code;
}

static int
reply_app(struct api_request *r, int status, const struct app *app, struct err *err)
{
	json_t *body;
	int code = json_of_app(r, app, &body, err);

	return code < 0 ? code : reply(r, status, body);
}

int
api_apps_list(struct api_request *r, struct err *err)
{
	AUTO_FREE struct app *apps = NULL;
	json_t *list, *one;
	size_t n;
	int code = apps_list_of(r->store, r->user, &apps, &n, err);

	if (code < 0)
		return code;
	list = json_array();
	for (size_t i = 0; i < n; i++) {
		code = json_of_app(r, &apps[i], &one, err);
		if (code < 0) {
			json_decref(list);
			return code;
		}
		json_add(&list, one);
	}
	return reply(r, 200, list);
}

/* "calm-river-4711", for whoever does not care. */
static void
invent_name(char *out, size_t cap)
{
	static const char *const first[] = {"calm",  "bold",  "quiet", "bright", "fresh", "gentle",
					    "lucky", "merry", "noble", "proud",	 "swift", "warm",
					    "wild",  "young", "sunny", "silver"};
	static const char *const second[] = {
		"river", "hill",   "lake",   "forest", "meadow", "stone", "cloud", "field",
		"brook", "island", "harbor", "garden", "ridge",	 "shore", "grove", "valley"};
	unsigned random = 0;

	/* It need not be secret: a name that is taken is refused. */
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random = (unsigned)time(NULL);
	(void)snprintf(out, cap, "%s-%s-%04u", first[random & 15], second[(random >> 4) & 15],
		       (random >> 8) % 10000);
}

int
api_apps_create(struct api_request *r, struct err *err)
{
	char invented[APP_NAME_MAX + 1];
	const char *name;
	struct app app;
	int code = json_text(r->body, "name", 0, &name, err);

	if (code < 0)
		return code;
	if (!name) {
		invent_name(invented, sizeof(invented));
		name = invented;
	}
	code = store_begin(r->store, err);
	if (code < 0)
		return code;
	code = apps_create(r->store, name, r->user, &app, err);
	code = api_commit(r, name, code, err, "Create app");
	if (code < 0)
		return code;
	live_app_created(r->live, app.name);
	return reply_app(r, 201, &app, err);
}

int
api_app_get(struct api_request *r, struct err *err)
{
	return reply_app(r, 200, &r->app, err);
}

/* Everything Heroku lets one change here is fixed on this platform; asking for what is, is fine. */
int
api_app_change(struct api_request *r, struct err *err)
{
	const char *name, *stack;
	int maintenance;
	int code = json_text(r->body, "name", 0, &name, err);

	if (code == 0)
		code = json_text(r->body, "build_stack", 0, &stack, err);
	if (code == 0)
		code = json_flag(r->body, "maintenance", &maintenance, err);
	if (code != 0)
		return code;
	if (name && strcmp(name, r->app.name) != 0)
		return err_say(err, -EINVAL,
			       "An app cannot be renamed; create %.30s and push there.", name);
	if (stack && strcmp(stack, r->options->stack_name) != 0)
		return err_say(err, -EINVAL, "The only stack here is %s.", r->options->stack_name);
	if (maintenance)
		return err_say(err, -EINVAL,
			       "There is no maintenance mode; scale web to 0 instead.");
	return reply_app(r, 200, &r->app, err);
}

int
api_app_destroy(struct api_request *r, struct err *err)
{
	json_t *body;
	int code = json_of_app(r, &r->app, &body, err);

	if (code < 0)
		return code;
	code = store_begin(r->store, err);
	if (code == 0) {
		code = apps_remove(r->store, r->app.id, err);
		/* No line in the app's log: that goes as well. */
		if (code == 0)
			code = events_add(r->store, r->user, r->app.name, "Destroy app", err);
		code = query_finish(r->store, code, err);
	}
	if (code < 0) {
		json_decref(body);
		return code;
	}
	live_app_removed(r->live, r->app.name);
	return reply(r, 200, body);
}

/* ---- history ----------------------------------------------------------------------------- */

static json_t *
json_of_build(const struct api_request *r, const struct build_row *build)
{
	char id[IDENT_TEXT_MAX];
	json_t *out =
		json_pack("{s:s, s:o, s:I, s:s, s:{s:s}, s:o, s:s, s:o, s:o, s:n}", "id",
			  ident_text(IDENT_BUILD, build->app_id, build->number, id), "app",
			  json_app_ref(&r->app), "number", (json_int_t)build->number, "status",
			  build_status_name(build->status), "source_blob", "version", build->commit,
			  "user", json_user_ref(build->user), "stack", r->options->stack_name,
			  "created_at", json_time(build->started_ms), "updated_at",
			  json_time(build->ended_ms ? build->ended_ms : build->started_ms),
			  "output_stream_url");

	json_put(&out, "failure", build->failure[0] ? json_safe(build->failure) : json_null());
	json_put(&out, "release",
		 build->release ? json_pack("{s:I}", "version", (json_int_t)build->release)
				: json_null());
	return out;
}

int
api_builds_list(struct api_request *r, struct err *err)
{
	AUTO_FREE struct build_row *builds = NULL;
	json_t *list;
	size_t n;
	int code = builds_list(r->store, r->app.id, MAX_BUILDS, &builds, &n, err);

	if (code < 0)
		return code;
	list = json_array();
	for (size_t i = 0; i < n; i++)
		json_add(&list, json_of_build(r, &builds[i]));
	return reply(r, 200, list);
}

static int
reply_events(struct api_request *r, const char *app, struct err *err)
{
	AUTO_FREE struct event *events = NULL;
	json_t *list;
	size_t n;
	int code = events_list(r->store, app, MAX_EVENTS, &events, &n, err);

	if (code < 0)
		return code;
	list = json_array();
	for (size_t i = 0; i < n; i++) {
		const struct event *event = &events[i];

		json_add(&list, json_pack("{s:I, s:o, s:o, s:o, s:o}", "id", (json_int_t)event->id,
					  "created_at", json_time(event->time_ms), "user",
					  json_user_ref(event->user), "app",
					  event->app[0] ? json_string(event->app) : json_null(),
					  "text", json_safe(event->text)));
	}
	return reply(r, 200, list);
}

int
api_app_events(struct api_request *r, struct err *err)
{
	return reply_events(r, r->app.name, err);
}

int
api_events(struct api_request *r, struct err *err)
{
	return reply_events(r, NULL, err);
}

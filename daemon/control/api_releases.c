/* Releases, and rolling back to one. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"

#include "daemon/control/api_request.h"
#include "daemon/control/ident.h"
#include "daemon/control/live.h"
#include "daemon/control/releases.h"
#include "daemon/control/slugs.h"
#include "daemon/control/store.h"

#define DEFAULT_MAX 200 /* as Heroku's pages */
#define MAX_MAX 1000

static int
is_eligible(struct api_request *r, const struct release *release, bool *eligible, struct err *err)
{
	struct slug slug;
	int code;

	*eligible = false;
	if (!release->slug || release->status != RELEASE_SUCCEEDED)
		return 0;
	code = slugs_find(r->store, release->app_id, release->slug, &slug, err);
	if (code == 0)
		*eligible = slug.state == SLUG_READY;
	return code;
}

static int
json_of_release(struct api_request *r, const struct release *release, json_t **out, struct err *err)
{
	char id[IDENT_TEXT_MAX], slug_id[IDENT_TEXT_MAX];
	json_t *slug;
	bool eligible;
	int code = is_eligible(r, release, &eligible, err);

	if (code < 0)
		return code;
	slug = release->slug
		       ? json_pack("{s:s, s:I, s:s}", "id",
				   ident_text(IDENT_SLUG, release->app_id, release->slug, slug_id),
				   "number", (json_int_t)release->slug, "commit", release->commit)
		       : json_null();
	*out = json_pack("{s:s, s:o, s:I, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:b, s:[], s:n}", "id",
			 ident_text(IDENT_RELEASE, release->app_id, release->version, id), "app",
			 json_app_ref(&r->app), "version", (json_int_t)release->version,
			 "description", release->description, "status",
			 release_status_name(release->status), "current",
			 release->version == r->app.release, "user", json_user_ref(release->user),
			 "created_at", json_time(release->created_ms), "updated_at",
			 json_time(release->updated_ms), "slug", slug, "eligible_for_rollback",
			 eligible, "addon_plan_names", "output_stream_url");
	return *out ? 0 : err_say(err, -ENOMEM, "Out of memory.");
}

/* The value behind `name` in "version ..; order=desc,max=1", copied; false when absent. */
static bool
range_option(const char *range, const char *name, char *out, size_t cap)
{
	const char *at = strchr(range, ';');
	size_t len = strlen(name);

	while (at && *at) {
		at += strspn(at, ";, ");
		if (strncmp(at, name, len) == 0 && at[len] == '=') {
			size_t n = strcspn(at + len + 1, ";, ");

			if (n >= cap)
				return false;
			memcpy(out, at + len + 1, n);
			out[n] = '\0';
			return true;
		}
		at += strcspn(at, ";,");
	}
	return false;
}

struct page {
	size_t max;
	bool is_desc;
	bool is_newest; /* no range was asked for: the newest ones, whatever the order */
};

static int
read_range(struct api_request *r, struct page *page, struct err *err)
{
	char text[16];
	long long number;

	*page = (struct page){.max = DEFAULT_MAX, .is_newest = r->range[0] == '\0'};
	if (range_option(r->range, "order", text, sizeof(text)))
		page->is_desc = strcmp(text, "desc") == 0;
	if (!range_option(r->range, "max", text, sizeof(text)))
		return 0;
	if (conf_number(text, 1, MAX_MAX, &number) < 0)
		return err_say(err, -EINVAL, "The max of a range is a number from 1 to %d.",
			       MAX_MAX);
	page->max = (size_t)number;
	return 0;
}

int
api_releases_list(struct api_request *r, struct err *err)
{
	AUTO_FREE struct release *releases = NULL;
	struct page page;
	json_t *list, *one;
	size_t n, n_shown;
	int code = read_range(r, &page, err);

	/* One more than asked for tells whether there are more. The newest ones in ascending order
	 * are read from the end. */
	if (code == 0)
		code = releases_list(r->store, r->app.id, 0, 0, page.is_desc || page.is_newest,
				     page.max + 1, &releases, &n, err);
	if (code != 0)
		return code;
	list = json_array();
	n_shown = n < page.max ? n : page.max;
	for (size_t i = 0; i < n_shown; i++) {
		size_t at = page.is_newest ? n_shown - 1 - i : i;

		code = json_of_release(r, &releases[at], &one, err);
		if (code < 0) {
			json_decref(list);
			return code;
		}
		json_add(&list, one);
	}
	return reply(r, n > page.max ? 206 : 200, list);
}

int
api_release_find(struct api_request *r, const char *text, struct release *release, struct err *err)
{
	int64_t app_id;
	uint64_t version;
	long long number;

	if (ident_parse(text, IDENT_RELEASE, &app_id, &version)) {
		if (app_id != r->app.id || version > UINT32_MAX)
			return err_say(err, -ENOENT, "%s is no release of %s.", text, r->app.name);
	} else if (strcmp(text, "current") == 0) {
		version = r->app.release;
	} else if (conf_number(text[0] == 'v' ? text + 1 : text, 1, UINT32_MAX, &number) == 0) {
		version = (uint64_t)number;
	} else {
		return err_say(err, -ENOENT,
			       "%.40s is no release; they are named v1, v2 and so on.", text);
	}
	return releases_find(r->store, r->app.id, (uint32_t)version, release, err);
}

static int
reply_release(struct api_request *r, int status, const struct release *release, struct err *err)
{
	json_t *body;
	int code = json_of_release(r, release, &body, err);

	return code < 0 ? code : reply(r, status, body);
}

int
api_release_get(struct api_request *r, struct err *err)
{
	struct release release;
	int code = api_release_find(r, r->args[0], &release, err);

	return code < 0 ? code : reply_release(r, 200, &release, err);
}

/* {"release": id, "v3" or 3} rolls back; promoting slugs as Heroku does is not done here. */
static int
read_target(struct api_request *r, struct release *target, struct err *err)
{
	const json_t *which = json_object_get(r->body, "release");
	char number[24];

	if (json_is_integer(which)) {
		(void)snprintf(number, sizeof(number), "%lld",
			       (long long)json_integer_value(which));
		return api_release_find(r, number, target, err);
	}
	if (!json_is_string(which))
		return err_say(
			err, -EINVAL,
			"\"release\" must name the release to roll back to, such as \"v3\".");
	return api_release_find(r, json_string_value(which), target, err);
}

int
api_releases_create(struct api_request *r, struct err *err)
{
	struct release target, release = {0};
	int code = read_target(r, &target, err);

	if (code == 0)
		code = store_begin(r->store, err);
	if (code != 0)
		return code;
	code = releases_add_rollback(r->store, &r->app, target.version, r->user, &release, err);
	code = api_commit(r, r->app.name, code, err, "%s", release.description);
	if (code < 0)
		return code;
	live_release(r->live, r->app.name, release.version);
	return reply_release(r, 201, &release, err);
}

/* Config vars. They answer with what will be in force, as Heroku does, though a roll-out follows.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/api_request.h"
#include "daemon/control/config.h"
#include "daemon/control/live.h"
#include "daemon/control/releases.h"
#include "daemon/control/store.h"

static int
reply_vars(struct api_request *r, const struct config_var *vars, size_t n)
{
	json_t *out = json_object();

	for (size_t i = 0; i < n; i++)
		json_put(&out, vars[i].key, json_string(vars[i].value));
	return reply(r, 200, out);
}

int
api_config_get(struct api_request *r, struct err *err)
{
	AUTO_FREE struct config_var *vars = NULL;
	size_t n;
	int code = config_of_app(r->store, r->app.id, &vars, &n, err);

	return code < 0 ? code : reply_vars(r, vars, n);
}

/* The body as changes, null meaning away; heap. */
static int
read_changes(const json_t *body, struct config_var **out, size_t *n, struct err *err)
{
	AUTO_FREE struct config_var *changes = NULL;
	json_t *object = (json_t *)(uintptr_t)body;
	size_t count = 0;

	*out = NULL;
	*n = json_object_size(body);
	if (*n == 0)
		return 0;
	changes = calloc(*n, sizeof(*changes));
	if (!changes)
		return err_say(err, -ENOMEM, "Out of memory.");
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
		const json_t *value = json_object_iter_value(at);

		if (!json_is_string(value) && !json_is_null(value))
			return err_say(
				err, -EINVAL,
				"The value of %.256s must be a string, or null to remove it.",
				json_object_iter_key(at));
		changes[count].key = json_object_iter_key(at);
		changes[count++].value = json_string_value(value);
	}
	*out = take_ptr(changes);
	return 0;
}

/* 1: nothing to change. */
static int
change(struct api_request *r, const struct config_var *changes, size_t n, struct release *release,
       struct err *err)
{
	int code = store_begin(r->store, err);

	if (code < 0)
		return code;
	code = config_change(r->store, &r->app, changes, n, r->user, release, err);
	if (code == 1) {
		store_rollback(r->store);
		return 1;
	}
	return api_commit(r, r->app.name, code, err, "%s", release->description);
}

int
api_config_change(struct api_request *r, struct err *err)
{
	AUTO_FREE struct config_var *changes = NULL;
	struct release release;
	size_t n;
	int code = read_changes(r->body, &changes, &n, err);

	if (code == 0)
		code = change(r, changes, n, &release, err);
	if (code < 0)
		return code;
	if (code == 0)
		live_release(r->live, r->app.name, release.version);
	return api_config_get(r, err);
}

int
api_release_config(struct api_request *r, struct err *err)
{
	AUTO_FREE struct config_var *vars = NULL;
	struct release release;
	size_t n = 0;
	int code = api_release_find(r, r->args[0], &release, err);

	if (code == 0)
		code = config_load(r->store, release.config_id, &vars, &n, err);
	return code < 0 ? code : reply_vars(r, vars, n);
}

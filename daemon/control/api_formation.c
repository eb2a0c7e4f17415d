/* How many of what: formations, Heroku's word for a process type and its quantity. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/api_request.h"
#include "daemon/control/ident.h"
#include "daemon/control/live.h"
#include "daemon/control/releases.h"
#include "daemon/control/scale.h"
#include "daemon/control/slugs.h"
#include "daemon/control/store.h"

#define MAX_UPDATES 64
#define QUANTITY_MAX 24

struct formation {
	struct scale *rows;
	size_t n_rows;
	struct process_type *types;
	size_t n_types;
};

static void
formation_done(struct formation *f)
{
	free(f->rows);
	free(f->types);
}

/* Quantities, and the commands of the slug in force. */
static int
formation_load(struct api_request *r, struct formation *f, struct err *err)
{
	struct release release = {0};
	int code = scale_list(r->store, r->app.id, &f->rows, &f->n_rows, err);

	if (code == 0 && r->app.release)
		code = releases_find(r->store, r->app.id, r->app.release, &release, err);
	if (code == 0 && release.slug)
		code = slugs_types(r->store, r->app.id, release.slug, &f->types, &f->n_types, err);
	return code;
}

static json_t *
json_of_row(const struct api_request *r, const struct formation *f, size_t i)
{
	char id[IDENT_TEXT_MAX];
	const char *command = "";

	for (size_t t = 0; t < f->n_types; t++) {
		if (strcmp(f->types[t].name, f->rows[i].type) == 0)
			command = f->types[t].command;
	}
	return json_pack("{s:s, s:o, s:s, s:i, s:s, s:o, s:o, s:o}", "id",
			 ident_text(IDENT_FORMATION, r->app.id, i, id), "app",
			 json_app_ref(&r->app), "type", f->rows[i].type, "quantity",
			 (int)f->rows[i].quantity, "size", "basic", "command", json_safe(command),
			 "created_at", json_time(r->app.created_ms), "updated_at",
			 json_time(r->app.updated_ms));
}

/* All rows, or the one of `type`. */
static int
reply_formation(struct api_request *r, const char *type, struct err *err)
{
	AUTO_CLEAN(formation_done) struct formation f = {0};
	json_t *list;
	int code = formation_load(r, &f, err);

	if (code < 0)
		return code;
	if (type) {
		for (size_t i = 0; i < f.n_rows; i++) {
			if (strcmp(f.rows[i].type, type) == 0)
				return reply(r, 200, json_of_row(r, &f, i));
		}
		return err_say(err, -ENOENT, "There is no process type %.63s.", type);
	}
	list = json_array();
	for (size_t i = 0; i < f.n_rows; i++)
		json_add(&list, json_of_row(r, &f, i));
	return reply(r, 200, list);
}

int
api_formation_list(struct api_request *r, struct err *err)
{
	return reply_formation(r, NULL, err);
}

int
api_formation_get(struct api_request *r, struct err *err)
{
	return reply_formation(r, r->args[0], err);
}

/* One update out of {"type", "quantity", "size"}; a bare number is written into `text`. */
static int
read_update(const json_t *update, const char *type, struct scale_update *out, char *text,
	    struct err *err)
{
	const json_t *quantity = json_object_get(update, "quantity");
	const char *size;
	int code = 0;

	if (!json_is_object(update))
		return err_say(err, -EINVAL, "Each of \"updates\" must be an object.");
	out->type = type;
	if (!type)
		code = json_text(update, "type", 1, &out->type, err);
	if (code == 0)
		code = json_text(update, "size", 0, &size, err);
	if (code != 0)
		return code;
	if (size && strcasecmp(size, "basic") != 0)
		return err_say(err, -EINVAL,
			       "There is no size %.40s; all instances have the size basic.", size);
	if (json_is_integer(quantity)) {
		(void)snprintf(text, QUANTITY_MAX, "%lld", (long long)json_integer_value(quantity));
		/* A negative number is one, not "so many less". */
		if (json_integer_value(quantity) < 0)
			return err_say(err, -EINVAL, "%s is not a number of instances.", text);
		out->quantity = text;
		return 0;
	}
	if (!json_is_string(quantity))
		return err_say(err, -EINVAL,
			       "\"quantity\" must be a number, or a string such as \"+1\".");
	out->quantity = json_string_value(quantity);
	return 0;
}

static int
scale(struct api_request *r, const struct scale_update *updates, size_t n, struct err *err)
{
	AUTO_FREE struct scale *rows = NULL;
	AUTO_BUF struct buf text = {.max = 200};
	size_t n_rows = 0;
	int code = store_begin(r->store, err);

	if (code < 0)
		return code;
	code = scale_change(r->store, r->app.id, updates, n, err);
	if (code == 0)
		code = scale_list(r->store, r->app.id, &rows, &n_rows, err);
	for (size_t i = 0; code == 0 && i < n_rows; i++)
		(void)buf_printf(&text, " %s@%u:Basic", rows[i].type, rows[i].quantity);
	return api_commit(r, r->app.name, code, err, "Scaled to%s", buf_text(&text));
}

int
api_formation_change(struct api_request *r, struct err *err)
{
	const json_t *list = json_object_get(r->body, "updates");
	struct scale_update updates[MAX_UPDATES];
	char numbers[MAX_UPDATES][QUANTITY_MAX];
	size_t n = json_array_size(list);
	int code;

	if (n == 0)
		return err_say(err, -EINVAL,
			       "\"updates\" must be a list of {\"type\", \"quantity\"}.");
	if (n > MAX_UPDATES)
		return err_say(err, -EINVAL, "At most %d process types can be scaled at once.",
			       MAX_UPDATES);
	for (size_t i = 0; i < n; i++) {
		code = read_update(json_array_get(list, i), NULL, &updates[i], numbers[i], err);
		if (code < 0)
			return code;
	}
	code = scale(r, updates, n, err);
	if (code < 0)
		return code;
	live_changed(r->live, r->app.name);
	return reply_formation(r, NULL, err);
}

int
api_formation_set(struct api_request *r, struct err *err)
{
	struct scale_update update;
	char number[QUANTITY_MAX];
	int code = read_update(r->body, r->args[0], &update, number, err);

	if (code == 0)
		code = scale(r, &update, 1, err);
	if (code < 0)
		return code;
	live_changed(r->live, r->app.name);
	return reply_formation(r, r->args[0], err);
}

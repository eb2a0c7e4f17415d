/* buildpacks: a list that is read, changed here and put back whole. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "cli/command.h"
#include "cli/output.h"

static int
fetch(struct context *c, json_t **list, struct err *err)
{
	return app_call(c, "GET", app_path(c, "/buildpack-installations"), NULL, list, err);
}

static const char *
name_of(const json_t *installation)
{
	const char *name = output_text2(installation, "buildpack", "name");
	return *name ? name : output_text2(installation, "buildpack", "url");
}

static int
print_list(struct context *c, const json_t *list)
{
	if (c->args.json) {
		output_json(list);
		return 0;
	}
	size_t n = json_array_size(list), i;
	if (n == 0)
		printf("%s has no buildpacks set; the next push detects one.\n", c->app);
	json_t *installation;
	json_array_foreach(list, i, installation) printf("%zu. %s\n", i + 1, name_of(installation));
	return 0;
}

/* Puts `updates`, a list of {"buildpack": name}, which it takes. */
static int
put(struct context *c, json_t *updates, struct err *err)
{
	AUTO_JSON json_t *list = NULL;
	int ret = app_call(c, "PUT", app_path(c, "/buildpack-installations"),
			   json_pack("{s:o}", "updates", updates), &list, err);
	if (ret < 0)
		return ret;
	if (!c->args.json)
		puts("Buildpacks set; the next push uses them.");
	return print_list(c, list);
}

int
command_buildpacks(struct context *c, struct err *err)
{
	AUTO_JSON json_t *list = NULL;
	int ret = fetch(c, &list, err);
	return ret < 0 ? ret : print_list(c, list);
}

int
command_buildpacks_set(struct context *c, struct err *err)
{
	json_t *updates = json_array();
	for (int i = 0; i < c->args.n_words; i++)
		(void)json_array_append_new(updates,
					    json_pack("{s:s}", "buildpack", c->args.words[i]));
	return put(c, updates, err);
}

/* The current list without `except`, in the shape of a PUT; *n_left out. */
static json_t *
without(const json_t *list, const char *except, size_t *n_left_out)
{
	json_t *updates = json_array(), *installation;
	size_t i;
	*n_left_out = 0;
	json_array_foreach(list, i, installation)
	{
		if (except && strcmp(name_of(installation), except) == 0)
			(*n_left_out)++;
		else
			(void)json_array_append_new(
				updates, json_pack("{s:s}", "buildpack", name_of(installation)));
	}
	return updates;
}

int
command_buildpacks_add(struct context *c, struct err *err)
{
	AUTO_JSON json_t *list = NULL;
	size_t n;
	int ret = fetch(c, &list, err);
	if (ret < 0)
		return ret;
	json_t *updates = without(list, NULL, &n);
	(void)json_array_append_new(updates, json_pack("{s:s}", "buildpack", c->args.words[0]));
	return put(c, updates, err);
}

int
command_buildpacks_remove(struct context *c, struct err *err)
{
	AUTO_JSON json_t *list = NULL;
	size_t n;
	int ret = fetch(c, &list, err);
	if (ret < 0)
		return ret;
	json_t *updates = without(list, c->args.words[0], &n);
	if (n == 0) {
		json_decref(updates);
		return err_say(err, -ENOENT, "%s has no buildpack %s; paas buildpacks lists them",
			       c->app, c->args.words[0]);
	}
	return put(c, updates, err);
}

int
command_buildpacks_clear(struct context *c, struct err *err)
{
	return put(c, json_array(), err);
}

/* config: list, get, set, unset, import. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include "cli/command.h"
#include "cli/input.h"
#include "cli/output.h"

#define IMPORT_MAX_BYTES (256 * 1024)

static int
fetch(struct context *c, json_t **vars, struct err *err)
{
	return app_call(c, "GET", app_path(c, "/config-vars"), NULL, vars, err);
}

int
command_config(struct context *c, struct err *err)
{
	AUTO_JSON json_t *vars = NULL;
	int ret = fetch(c, &vars, err);
	if (ret < 0)
		return ret;
	if (c->args.json) {
		output_json(vars);
		return 0;
	}
	printf("=== %s Config Vars\n", c->app);
	size_t n = json_object_size(vars);
	AUTO_FREE const char **cells = calloc(2 * n + 1, sizeof(*cells));
	AUTO_FREE char *labels = calloc(n + 1, 260);
	if (!cells || !labels)
		return err_set(err, -ENOMEM, "list the config vars");
	const char *key;
	json_t *value;
	size_t i = 0;
	json_object_foreach(vars, key, value)
	{
		(void)snprintf(labels + 260 * i, 260, "%s:", key);
		cells[2 * i] = labels + 260 * i;
		cells[2 * i + 1] = json_string_value(value) ? json_string_value(value) : "";
		i++;
	}
	output_table(cells, n, 2);
	return 0;
}

int
command_config_get(struct context *c, struct err *err)
{
	AUTO_JSON json_t *vars = NULL;
	int ret = fetch(c, &vars, err);
	if (ret < 0)
		return ret;
	const json_t *value = json_object_get(vars, c->args.words[0]);
	if (c->args.json) {
		output_json(value ? value : json_null());
		return 0;
	}
	if (!value)
		return err_say(err, -ENOENT, "%s has no config var %s; paas config lists them",
			       c->app, c->args.words[0]);
	puts(json_string_value(value));
	return 0;
}

static int
change(struct context *c, json_t *vars, const char *verb, struct err *err)
{
	AUTO_JSON json_t *after = NULL;
	AUTO_BUF struct buf list;
	buf_init(&list, 4096);
	const char *key;
	json_t *value;
	json_object_foreach(vars, key, value)(void)
		buf_printf(&list, "%s%s", list.len ? ", " : "", key);
	int ret = app_call(c, "PATCH", app_path(c, "/config-vars"), vars, &after, err);
	if (ret < 0)
		return ret;
	if (c->args.json) {
		output_json(after);
		return 0;
	}
	AUTO_JSON json_t *releases = NULL;
	ret = app_call(c, "GET", app_path(c, "/releases"), NULL, &releases, err);
	if (ret < 0)
		return ret;
	json_int_t newest = 0;
	size_t i;
	json_t *release;
	json_array_foreach(releases, i, release)
	{
		json_int_t version = json_integer_value(json_object_get(release, "version"));
		newest = version > newest ? version : newest;
	}
	printf("%s %s and restarting %s... done, v%d\n", verb, buf_text(&list), c->app,
	       (int)newest);
	return 0;
}

static int
add_pair(json_t *vars, const char *pair, struct err *err)
{
	const char *equals = strchr(pair, '=');
	if (!equals || equals == pair)
		return err_say(err, -EINVAL, "%s is no config var: write KEY=VALUE", pair);
	AUTO_FREE char *key = strndup(pair, (size_t)(equals - pair));
	json_t *value = json_string(equals + 1);
	if (!value)
		return err_say(err, -EILSEQ, "the value of %.*s is not UTF-8", (int)(equals - pair),
			       pair);
	if (!key || json_object_set_new(vars, key, value) < 0)
		return err_set(err, -ENOMEM, "set %s", pair);
	return 0;
}

int
command_config_set(struct context *c, struct err *err)
{
	json_t *vars = json_object();
	for (int i = 0; i < c->args.n_words; i++) {
		int ret = add_pair(vars, c->args.words[i], err);
		if (ret < 0) {
			json_decref(vars);
			return ret;
		}
	}
	return change(c, vars, "Setting", err);
}

int
command_config_unset(struct context *c, struct err *err)
{
	json_t *vars = json_object();
	for (int i = 0; i < c->args.n_words; i++)
		(void)json_object_set_new(vars, c->args.words[i], json_null());
	return change(c, vars, "Unsetting", err);
}

/* One line of a file as `export K="v"` shells write it. 0, or -EINVAL. */
static int
import_line(json_t *vars, char *line, unsigned number, struct err *err)
{
	line += strspn(line, " \t");
	line[strcspn(line, "\r")] = '\0';
	if (!*line || *line == '#')
		return 0;
	if (strncmp(line, "export ", 7) == 0)
		line += 7 + strspn(line + 7, " \t");
	char *equals = strchr(line, '=');
	if (!equals || equals == line)
		return err_say(err, -EINVAL, "line %u is no KEY=VALUE: %s", number, line);
	char *value = equals + 1;
	size_t n = strlen(value);
	if (n >= 2 && (*value == '"' || *value == '\'') && value[n - 1] == *value) {
		value[n - 1] = '\0';
		memmove(value, value + 1, n - 1);
	}
	return add_pair(vars, line, err);
}

int
command_config_import(struct context *c, struct err *err)
{
	const char *file = c->args.words[0];
	AUTO_BUF struct buf text;
	buf_init(&text, IMPORT_MAX_BYTES);
	int ret = input_read(file, &text, err);
	if (ret < 0)
		return ret;
	json_t *vars = json_object();
	unsigned number = 0;
	char *rest = text.data;
	for (char *line; ret == 0 && (line = strsep(&rest, "\n"));)
		ret = import_line(vars, line, ++number, err);
	if (ret == 0 && json_object_size(vars) == 0)
		ret = err_say(err, -EINVAL, "%s holds no KEY=VALUE line", file);
	if (ret < 0) {
		json_decref(vars);
		return ret;
	}
	return change(c, vars, "Setting", err);
}

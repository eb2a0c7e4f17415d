/* apps, create, destroy, info, whoami, version. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"

#include "cli/command.h"
#include "cli/output.h"

int
command_apps(struct context *c, struct err *err)
{
	AUTO_JSON json_t *apps = NULL;
	int ret = api_call(&c->api, "GET", "/apps", NULL, &apps, err);
	if (ret < 0)
		return ret;
	if (c->args.json) {
		output_json(apps);
		return 0;
	}
	if (json_array_size(apps) == 0)
		puts("No apps yet; push to one or run: paas create NAME");
	size_t i;
	json_t *app;
	json_array_foreach(apps, i, app) puts(output_text(app, "name"));
	return 0;
}

int
command_create(struct context *c, struct err *err)
{
	const char *name = c->args.n_words ? c->args.words[0] : c->args.app;
	AUTO_JSON json_t *app = NULL;
	json_t *body = name ? json_pack("{s:s}", "name", name) : json_object();
	int ret = api_call(&c->api, "POST", "/apps", body, &app, err);
	json_decref(body);
	if (ret < 0)
		return ret;
	if (c->args.json) {
		output_json(app);
		return 0;
	}
	printf("Creating %s... done\n%s | %s\n", output_text(app, "name"),
	       output_text(app, "web_url"), output_text(app, "git_url"));
	return 0;
}

/* The name typed must be the app's. 0 or -ECANCELED. */
static int
confirm(struct context *c, struct err *err)
{
	char line[128] = "";
	const char *typed = c->args.confirm;
	if (!typed) {
		fprintf(stderr,
			"This destroys %s with all its releases, config, logs and its repository.\n"
			"Type its name to go on: ",
			c->app);
		(void)fflush(stderr);
		if (fgets(line, sizeof(line), stdin))
			line[strcspn(line, "\r\n")] = '\0';
		typed = line;
	}
	if (strcmp(typed, c->app) != 0)
		return err_say(err, -ECANCELED,
			       "nothing was destroyed: confirm with the app's name, --confirm %s",
			       c->app);
	return 0;
}

int
command_destroy(struct context *c, struct err *err)
{
	if (c->args.n_words)
		c->app = c->args.words[0];
	int ret = confirm(c, err);
	if (ret == 0)
		ret = app_call(c, "DELETE", app_path(c, "%s", ""), NULL, NULL, err);
	if (ret == 0)
		printf("Destroying %s... done\n", c->app);
	return ret;
}

static void
print_formation(const json_t *formation)
{
	size_t i;
	json_t *row;
	fputs("Formation:   ", stdout);
	json_array_foreach(formation, i, row)
		printf("%s%s: %d", i ? ", " : "", output_text(row, "type"),
		       (int)json_integer_value(json_object_get(row, "quantity")));
	puts(json_array_size(formation) ? "" : "(nothing was deployed yet)");
}

int
command_info(struct context *c, struct err *err)
{
	if (c->args.n_words)
		c->app = c->args.words[0];
	AUTO_JSON json_t *app = NULL;
	AUTO_JSON json_t *formation = NULL;
	int ret = app_call(c, "GET", app_path(c, "%s", ""), NULL, &app, err);
	if (ret == 0)
		ret = app_call(c, "GET", app_path(c, "/formation"), NULL, &formation, err);
	if (ret < 0)
		return ret;
	if (c->args.json) {
		(void)json_object_set(app, "formation", formation);
		output_json(app);
		return 0;
	}
	char when[80], size[24];
	json_int_t slug = json_integer_value(json_object_get(app, "slug_size"));
	printf("=== %s\n", output_text(app, "name"));
	print_formation(formation);
	printf("Owner:       %s\nStack:       %s\nWeb URL:     %s\nGit URL:     %s\nCreated:     "
	       "%s\n",
	       output_text2(app, "owner", "email"), output_text2(app, "stack", "name"),
	       output_text(app, "web_url"), output_text(app, "git_url"),
	       output_when(output_text(app, "created_at"), when, sizeof(when)));
	if (*output_text(app, "released_at"))
		printf("Released:    %s\n",
		       output_when(output_text(app, "released_at"), when, sizeof(when)));
	if (slug > 0)
		printf("Slug size:   %s\n",
		       conf_bytes_text((unsigned long long)slug, size, sizeof(size)));
	return 0;
}

int
command_whoami(struct context *c, struct err *err)
{
	AUTO_JSON json_t *account = NULL;
	int ret = api_call(&c->api, "GET", "/account", NULL, &account, err);
	if (ret < 0)
		return ret;
	if (c->args.json)
		output_json(account);
	else
		puts(output_text(account, "email"));
	return 0;
}

int
command_version(struct context *c, struct err *err)
{
	AUTO_JSON json_t *version = NULL;
	struct err ignored;
	/* Without a platform in reach the program still tells its own. */
	if (c->api.fd < 0 || api_call(&c->api, "GET", "/version", NULL, &version, &ignored) < 0)
		version = json_object();
	(void)err;
	(void)json_object_set_new(version, "cli", json_string(PAAS_VERSION));
	if (c->args.json) {
		output_json(version);
		return 0;
	}
	printf("paas %s\n", PAAS_VERSION);
	if (*output_text(version, "version"))
		printf("platform %s\n", output_text(version, "version"));
	return 0;
}

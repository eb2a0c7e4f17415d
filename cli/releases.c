/* releases, releases info, rollback. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"

#include "cli/command.h"
#include "cli/output.h"

static int
version_of(const json_t *release)
{
	return (int)json_integer_value(json_object_get(release, "version"));
}

/* "v12" or "12" to its number. 0 or -EINVAL. */
static int
parse_version(const char *word, int *version, struct err *err)
{
	long long n;
	if (conf_number(*word == 'v' ? word + 1 : word, 1, 1000000000, &n) < 0)
		return err_say(err, -EINVAL, "%s is no release: write v3; paas releases lists them",
			       word);
	*version = (int)n;
	return 0;
}

int
command_releases(struct context *c, struct err *err)
{
	AUTO_JSON json_t *releases = NULL;
	int ret = app_call(c, "GET", app_path(c, "/releases"), NULL, &releases, err);
	if (ret < 0)
		return ret;
	size_t n = json_array_size(releases), limit = c->args.num ? (size_t)c->args.num : 15;
	if (c->args.json) {
		output_json(releases);
		return 0;
	}
	printf("=== %s Releases\n", c->app);
	if (n < limit)
		limit = n;
	AUTO_FREE const char **cells = calloc(4 * limit + 1, sizeof(*cells));
	AUTO_FREE char *texts = calloc(limit + 1, 320);
	if (!cells || !texts)
		return err_set(err, -ENOMEM, "list the releases");
	/* The platform lists the oldest first; people want the newest. */
	bool newest_first = n > 1 && version_of(json_array_get(releases, 0)) >
					     version_of(json_array_get(releases, n - 1));
	for (size_t i = 0; i < limit; i++) {
		const json_t *r = json_array_get(releases, newest_first ? i : n - 1 - i);
		char *text = texts + 320 * i;
		const char *status = output_text(r, "status");
		(void)snprintf(text, 20, "v%d%s", version_of(r),
			       json_is_true(json_object_get(r, "current")) ? " *" : "");
		(void)snprintf(text + 20, 220, "%s%s%s%s", output_text(r, "description"),
			       strcmp(status, "succeeded") ? " (" : "",
			       strcmp(status, "succeeded") ? status : "",
			       strcmp(status, "succeeded") ? ")" : "");
		(void)output_when(output_text(r, "created_at"), text + 240, 80);
		cells[4 * i] = text;
		cells[4 * i + 1] = text + 20;
		cells[4 * i + 2] = output_text2(r, "user", "email");
		cells[4 * i + 3] = text + 240;
	}
	output_table(cells, limit, 4);
	return 0;
}

int
command_release_info(struct context *c, struct err *err)
{
	AUTO_JSON json_t *releases = NULL;
	AUTO_JSON json_t *vars = NULL;
	int version = 0;
	int ret = c->args.n_words ? parse_version(c->args.words[0], &version, err) : 0;
	if (ret == 0)
		ret = app_call(c, "GET", app_path(c, "/releases"), NULL, &releases, err);
	if (ret < 0)
		return ret;
	json_t *found = NULL, *release;
	size_t i;
	json_array_foreach(releases, i,
			   release) if (version ? version_of(release) == version
						: json_is_true(json_object_get(release, "current")))
		found = release;
	if (!found)
		return err_say(err, -ENOENT, "%s has no such release; paas releases lists them",
			       c->app);
	ret = app_call(c, "GET", app_path(c, "/releases/%d/config-vars", version_of(found)), NULL,
		       &vars, err);
	if (ret < 0)
		return ret;
	if (c->args.json) {
		(void)json_object_set(found, "config_vars", vars);
		output_json(found);
		return 0;
	}
	char when[80];
	printf("=== Release v%d\nChange:  ", version_of(found));
	output_safe(output_text(found, "description"));
	printf("\nBy:      %s\nStatus:  %s\nWhen:    %s\n\n=== v%d Config Vars\n",
	       output_text2(found, "user", "email"), output_text(found, "status"),
	       output_when(output_text(found, "created_at"), when, sizeof(when)),
	       version_of(found));
	const char *key;
	json_t *value;
	json_object_foreach(vars, key, value)
	{
		printf("%s: ", key);
		output_safe(json_string_value(value) ? json_string_value(value) : "");
		(void)putchar('\n');
	}
	return 0;
}

/* The newest release before the current one that can be had again. 0 or -ENOENT. */
static int
find_previous(const json_t *releases, const char *app, int *version, struct err *err)
{
	size_t i;
	json_t *release;
	int current = 0, best = 0;
	json_array_foreach(releases, i,
			   release) if (json_is_true(json_object_get(release, "current"))) current =
		version_of(release);
	json_array_foreach(releases, i, release)
	{
		int v = version_of(release);
		if (v < current && v > best &&
		    json_is_true(json_object_get(release, "eligible_for_rollback")))
			best = v;
	}
	if (!best)
		return err_say(err, -ENOENT, "%s has no earlier release to go back to", app);
	*version = best;
	return 0;
}

int
command_rollback(struct context *c, struct err *err)
{
	AUTO_JSON json_t *releases = NULL;
	AUTO_JSON json_t *made = NULL;
	int version = 0;
	int ret;
	if (c->args.n_words) {
		ret = parse_version(c->args.words[0], &version, err);
	} else {
		ret = app_call(c, "GET", app_path(c, "/releases"), NULL, &releases, err);
		if (ret == 0)
			ret = find_previous(releases, c->app, &version, err);
	}
	if (ret == 0)
		ret = app_call(c, "POST", app_path(c, "/releases"),
			       json_pack("{s:i}", "release", version), &made, err);
	if (ret < 0)
		return ret;
	if (c->args.json)
		output_json(made);
	else
		printf("Rolling back %s to v%d... done, v%d\n", c->app, version, version_of(made));
	return 0;
}

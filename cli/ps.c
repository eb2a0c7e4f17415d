/* ps, scale, restart, stop. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include "cli/command.h"
#include "cli/output.h"

static void
print_instance(const json_t *dyno)
{
	char when[80];
	const json_t *end = json_object_get(dyno, "exit");
	printf("%s: %s %s", output_text(dyno, "name"), output_text(dyno, "state"),
	       output_when(output_text(dyno, "updated_at"), when, sizeof(when)));
	if (json_is_object(end) && *output_text(end, "reason")) {
		fputs(" - ", stdout);
		output_safe(output_text(end, "reason"));
	}
	(void)putchar('\n');
}

static size_t
count_like(const json_t *dynos, const json_t *like)
{
	size_t i, n = 0;
	json_t *dyno;
	json_array_foreach(dynos, i, dyno) n +=
		strcmp(output_text(dyno, "type"), output_text(like, "type")) == 0;
	return n;
}

int
command_ps(struct context *c, struct err *err)
{
	AUTO_JSON json_t *dynos = NULL;
	int ret = app_call(c, "GET", app_path(c, "/dynos"), NULL, &dynos, err);
	if (ret < 0)
		return ret;
	if (c->args.json) {
		output_json(dynos);
		return 0;
	}
	if (json_array_size(dynos) == 0)
		printf("No instances of %s run; paas scale web=1 starts one.\n", c->app);
	const char *last = "";
	size_t i;
	json_t *dyno;
	json_array_foreach(dynos, i, dyno)
	{
		if (strcmp(last, output_text(dyno, "type")) != 0) {
			printf("%s=== %s: ", i ? "\n" : "", output_text(dyno, "type"));
			output_safe(output_text(dyno, "command"));
			printf(" (%zu)\n", count_like(dynos, dyno));
			last = output_text(dyno, "type");
		}
		print_instance(dyno);
	}
	return 0;
}

/* "web=3", "web+1", "web-1" to {"type","quantity"}; the platform judges type and number. */
static json_t *
parse_scale(const char *word, struct err *err)
{
	/* Types may hold hyphens: the sign is the last one before nothing but digits. */
	const char *at = strchr(word, '=');
	if (!at) {
		at = word + strlen(word);
		while (at > word && isdigit((unsigned char)at[-1]))
			at--;
		at = at > word ? at - 1 : NULL;
	}
	if (!at || at == word || !strchr("=+-", *at) || !at[1] ||
	    at[1 + strspn(at + 1, "0123456789")]) {
		(void)err_say(err, -EINVAL,
			      "%s is no scale: write TYPE=N, TYPE+N or TYPE-N with a whole number, "
			      "for example web=3",
			      word);
		return NULL;
	}
	const char *quantity = *at == '=' ? at + 1 : at;
	return json_pack("{s:s%, s:s}", "type", word, (size_t)(at - word), "quantity", quantity);
}

static void
print_scale(const json_t *formation)
{
	size_t i;
	json_t *row;
	json_array_foreach(formation, i, row)
		printf("%s%s at %d", i ? ", " : "", output_text(row, "type"),
		       (int)json_integer_value(json_object_get(row, "quantity")));
	(void)putchar('\n');
}

int
command_scale(struct context *c, struct err *err)
{
	AUTO_JSON json_t *formation = NULL;
	int ret;
	if (c->args.n_words == 0) {
		ret = app_call(c, "GET", app_path(c, "/formation"), NULL, &formation, err);
	} else {
		json_t *updates = json_array();
		for (int i = 0; i < c->args.n_words; i++) {
			json_t *update = parse_scale(c->args.words[i], err);
			if (!update) {
				json_decref(updates);
				return -EINVAL;
			}
			(void)json_array_append_new(updates, update);
		}
		ret = app_call(c, "PATCH", app_path(c, "/formation"),
			       json_pack("{s:o}", "updates", updates), &formation, err);
	}
	if (ret < 0)
		return ret;
	if (c->args.json) {
		output_json(formation);
		return 0;
	}
	fputs(c->args.n_words ? "Scaling... done, now running " : "Running ", stdout);
	print_scale(formation);
	return 0;
}

/* The path of an instance, a type, or all of the app. */
static char *
target_path(const struct context *c, const char *word, const char *action)
{
	AUTO_BUF struct buf segment;
	buf_init(&segment, 1024);
	if (!word)
		return app_path(c, "/dynos");
	if (api_path_add(&segment, word) < 0)
		return NULL;
	return app_path(c, "/%s%s%s", strchr(word, '.') ? "dynos" : "formations",
			buf_text(&segment), action);
}

int
command_restart(struct context *c, struct err *err)
{
	const char *word = c->args.n_words ? c->args.words[0] : NULL;
	int ret = app_call(c, "DELETE", target_path(c, word, ""), NULL, NULL, err);
	if (ret == 0)
		printf("Restarting %s of %s... done\n", word ? word : "all instances", c->app);
	return ret;
}

int
command_stop(struct context *c, struct err *err)
{
	const char *word = c->args.words[0];
	int ret = app_call(c, "POST", target_path(c, word, "/actions/stop"), NULL, NULL, err);
	if (ret == 0)
		printf("Stopping %s of %s... done\n", word, c->app);
	return ret;
}

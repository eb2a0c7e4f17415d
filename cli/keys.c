/* Who may push: keys of users, and their roles on apps. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include "cli/command.h"
#include "cli/input.h"
#include "cli/output.h"

#define KEY_MAX_BYTES 16384

int
command_keys(struct context *c, struct err *err)
{
	AUTO_JSON json_t *keys = NULL;
	int ret = api_call(&c->api, "GET", "/keys", NULL, &keys, err);
	if (ret < 0)
		return ret;
	if (c->args.json) {
		output_json(keys);
		return 0;
	}
	size_t n = json_array_size(keys), i;
	if (n == 0)
		puts("No keys yet; add the first with: paas keys add NAME FILE.pub");
	AUTO_FREE const char **cells = calloc(4 * n + 1, sizeof(*cells));
	if (!cells)
		return err_set(err, -ENOMEM, "list the keys");
	json_t *key;
	json_array_foreach(keys, i, key)
	{
		cells[4 * i] = output_text(key, "name");
		cells[4 * i + 1] = *output_text(key, "role") ? output_text(key, "role") : "-";
		cells[4 * i + 2] = output_text(key, "fingerprint");
		cells[4 * i + 3] = output_text(key, "comment");
	}
	output_table(cells, n, 4);
	return 0;
}

/* The public key in a file; a private key is not sent anywhere. */
static int
read_key(const char *file, struct buf *text, struct err *err)
{
	int ret = input_read(file, text, err);
	if (ret < 0)
		return ret;
	if (strstr(buf_text(text), "PRIVATE KEY"))
		return err_say(
			err, -EINVAL,
			"%s is a private key, which stays with you; give the one that ends in .pub",
			file);
	return 0;
}

int
command_keys_add(struct context *c, struct err *err)
{
	AUTO_BUF struct buf text;
	buf_init(&text, KEY_MAX_BYTES);
	int ret = read_key(c->args.words[1], &text, err);
	if (ret < 0)
		return ret;
	json_t *body =
		json_pack("{s:s, s:s}", "name", c->args.words[0], "public_key", buf_text(&text));
	if (!body)
		return err_say(err, -EILSEQ, "%s is no public key", c->args.words[1]);
	if (c->args.role)
		(void)json_object_set_new(body, "role", json_string(c->args.role));
	if (c->args.app)
		(void)json_object_set_new(body, "app", json_string(c->args.app));
	AUTO_JSON json_t *key = NULL;
	ret = api_call(&c->api, "POST", "/keys", body, &key, err);
	json_decref(body);
	if (ret < 0)
		return ret;
	if (c->args.json)
		output_json(key);
	else
		printf("Adding %s for %s... done\n", output_text(key, "fingerprint"),
		       c->args.words[0]);
	return 0;
}

int
command_keys_remove(struct context *c, struct err *err)
{
	AUTO_BUF struct buf path;
	buf_init(&path, 2048);
	if (buf_add_string(&path, "/keys") < 0 || api_path_add(&path, c->args.words[0]) < 0)
		return err_set(err, -EINVAL, "%s", c->args.words[0]);
	int ret = api_call(&c->api, "DELETE", buf_text(&path), NULL, NULL, err);
	if (ret == 0)
		printf("Removing %s... done\n", c->args.words[0]);
	return ret;
}

int
command_access(struct context *c, struct err *err)
{
	AUTO_JSON json_t *people = NULL;
	int ret = app_call(c, "GET", app_path(c, "/collaborators"), NULL, &people, err);
	if (ret < 0)
		return ret;
	if (c->args.json) {
		output_json(people);
		return 0;
	}
	size_t n = json_array_size(people), i;
	AUTO_FREE const char **cells = calloc(2 * n + 1, sizeof(*cells));
	if (!cells)
		return err_set(err, -ENOMEM, "list who has access");
	json_t *person;
	json_array_foreach(people, i, person)
	{
		cells[2 * i] = output_text2(person, "user", "email");
		cells[2 * i + 1] = output_text(person, "role");
	}
	output_table(cells, n, 2);
	return 0;
}

int
command_access_add(struct context *c, struct err *err)
{
	const char *role = c->args.role ? c->args.role : "deploy";
	AUTO_JSON json_t *person = NULL;
	int ret = app_call(c, "POST", app_path(c, "/collaborators"),
			   json_pack("{s:s, s:s}", "user", c->args.words[0], "role", role), &person,
			   err);
	if (ret < 0)
		return ret;
	if (c->args.json)
		output_json(person);
	else
		printf("Giving %s the role %s on %s... done\n", c->args.words[0], role, c->app);
	return 0;
}

int
command_access_remove(struct context *c, struct err *err)
{
	AUTO_BUF struct buf segment;
	buf_init(&segment, 2048);
	if (api_path_add(&segment, c->args.words[0]) < 0)
		return err_set(err, -EINVAL, "%s", c->args.words[0]);
	int ret = app_call(c, "DELETE", app_path(c, "/collaborators%s", buf_text(&segment)), NULL,
			   NULL, err);
	if (ret == 0)
		printf("Taking %s off %s... done\n", c->args.words[0], c->app);
	return ret;
}

/* Instances, which Heroku's API calls dynos: look, restart, stop, run, wait. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"
#include "lib/name.h"

#include "daemon/control/api_request.h"
#include "daemon/control/ident.h"
#include "daemon/control/live.h"
#include "daemon/control/store.h"

#define MAX_ENV 64
#define MAX_ENV_BYTES 65536
#define MAX_COMMAND 8192

static json_t *
json_of_exit(const struct instance_exit *exit)
{
	if (!exit)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "code",
			 exit->signal ? json_null() : json_integer(exit->code), "signal",
			 exit->signal ? json_integer(exit->signal) : json_null(), "reason",
			 json_safe(exit->reason));
}

static json_t *
json_of_instance(const struct api_request *r, const struct instance_view *view)
{
	char id[IDENT_TEXT_MAX];

	return json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:{s:I}, s:s, s:o, s:o, s:n}", "id",
			 ident_text(IDENT_INSTANCE, r->app.id, view->id, id), "name", view->name,
			 "type", view->type, "command", json_safe(view->command), "state",
			 instance_state_name(view->state), "created_at",
			 json_time((int64_t)view->created_ms), "updated_at",
			 json_time((int64_t)view->updated_ms), "release", "version",
			 (json_int_t)view->version, "size", "basic", "exit",
			 json_of_exit(view->exit), "app", json_app_ref(&r->app), "attach_url");
}

/* For live_instances: the request and where its rows go. */
struct listing {
	const struct api_request *r;
	json_t *rows;
};

static void
add_instance(void *user, const struct instance_view *view)
{
	struct listing *listing = user;

	json_add(&listing->rows, json_of_instance(listing->r, view));
}

int
api_dynos_list(struct api_request *r, struct err *err)
{
	struct listing listing = {.r = r, .rows = json_array()};

	(void)err;
	live_instances(r->live, r->app.name, false, add_instance, &listing);
	return reply(r, 200, listing.rows);
}

static void
reply_instance(void *user, const struct instance_view *view)
{
	struct api_request *r = user;

	(void)reply(r, 200, json_of_instance(r, view));
}

static int
no_such_instance(const struct api_request *r, struct err *err)
{
	return err_say(err, -ENOENT, "There is no instance %.80s of %s.", r->args[0], r->app.name);
}

int
api_dyno_get(struct api_request *r, struct err *err)
{
	if (live_instance(r->live, r->app.name, r->args[0], reply_instance, r) < 0)
		return no_such_instance(r, err);
	return 0;
}

/* ---- restart and stop -------------------------------------------------------------------- */

/* The event of something that changes only what runs; it stays when the live side refuses. */
static int
note(struct api_request *r, const char *what, const char *which, struct err *err)
{
	int code = store_begin(r->store, err);

	if (code < 0)
		return code;
	return api_commit(r, r->app.name, code, err, "%s %s", what, which[0] ? which : "all");
}

static int
restart(struct api_request *r, const char *which, struct err *err)
{
	int code = live_restart(r->live, r->app.name, which, err);

	if (code == 0)
		code = note(r, "Restart", which, err);
	return code < 0 ? code : reply(r, 202, json_object());
}

int
api_dynos_restart(struct api_request *r, struct err *err)
{
	return restart(r, "", err);
}

int
api_dyno_restart(struct api_request *r, struct err *err)
{
	return restart(r, r->args[0], err);
}

int
api_dyno_stop(struct api_request *r, struct err *err)
{
	int code = live_stop(r->live, r->app.name, r->args[0], err);

	if (code == 0)
		code = note(r, "Stop", r->args[0], err);
	return code < 0 ? code : reply(r, 202, json_object());
}

/* ---- waiting for an end ------------------------------------------------------------------ */

static void
on_exit_known(void *user, const struct instance_exit *exit)
{
	struct api_request *r = user;
	struct instance_exit unknown = {.code = 1};

	if (!exit) {
		(void)snprintf(unknown.reason, sizeof(unknown.reason),
			       "The platform was restarted meanwhile; how it ended is not known.");
		exit = &unknown;
	}
	(void)reply(r, 200,
		    json_pack("{s:o, s:o, s:o}", "exit_code",
			      exit->signal ? json_null() : json_integer(exit->code), "signal",
			      exit->signal ? json_integer(exit->signal) : json_null(), "reason",
			      json_safe(exit->reason)));
	api_resume(r);
}

int
api_dyno_wait(struct api_request *r, struct err *err)
{
	uint64_t ticket = live_wait_exit(r->live, r->app.name, r->args[0], on_exit_known, r);

	if (!ticket)
		return no_such_instance(r, err);
	api_wait(r, ticket);
	return 0;
}

/* ---- run --------------------------------------------------------------------------------- */

struct run_order {
	struct live_run run;
	const char *env[MAX_ENV + 1];
	struct buf text; /* what env points into */
};

static void
run_order_done(struct run_order *order)
{
	buf_done(&order->text);
}

/* A side of the terminal; nonsense counts as not told. */
static uint16_t
read_side(const json_t *value)
{
	long long number;
	const char *text = json_string_value(value);

	if (json_is_integer(value))
		number = json_integer_value(value);
	else if (!text || conf_number(text, 1, 10000, &number) < 0)
		return 0;
	return number >= 1 && number <= 10000 ? (uint16_t)number : 0;
}

static int
add_env(struct run_order *order, size_t *offsets, size_t *n, const char *key, const char *value,
	struct err *err)
{
	const char *wrong = name_check_config(key);

	if (wrong)
		return err_say(err, -EINVAL, "%s", wrong);
	if (*n == MAX_ENV)
		return err_say(err, -EINVAL, "At most %d variables can be given to a run.",
			       MAX_ENV);
	offsets[(*n)++] = order->text.len;
	if (buf_printf(&order->text, "%s=%s", key, value) < 0 || buf_add(&order->text, "", 1) < 0)
		return err_say(err, -EINVAL,
			       "The variables given to a run may have at most %d bytes.",
			       MAX_ENV_BYTES);
	return 0;
}

/* COLUMNS and LINES size the terminal and are not passed on: they would be wrong after the first
 * resize. */
static int
read_env(const json_t *env, struct run_order *order, struct err *err)
{
	size_t offsets[MAX_ENV], n = 0;
	const char *key;
	json_t *value;

	if (env && !json_is_null(env) && !json_is_object(env))
		return err_say(err, -EINVAL, "\"env\" must be an object of strings.");
	/* The header's macro casts away const; the loop changes nothing. */
	for (void *at = json_object_iter((json_t *)(uintptr_t)env); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)env, at)) {
		int code;

		key = json_object_iter_key(at);
		value = json_object_iter_value(at);
		if (strcmp(key, "COLUMNS") == 0) {
			order->run.columns = read_side(value);
			continue;
		}
		if (strcmp(key, "LINES") == 0) {
			order->run.rows = read_side(value);
			continue;
		}
		if (!json_is_string(value))
			return err_say(err, -EINVAL, "\"env\" must be an object of strings.");
		code = add_env(order, offsets, &n, key, json_string_value(value), err);
		if (code < 0)
			return code;
	}
	for (size_t i = 0; i < n; i++)
		order->env[i] = order->text.data + offsets[i];
	order->env[n] = NULL;
	order->run.env = order->env;
	return 0;
}

static int
read_order(struct api_request *r, struct run_order *order, struct err *err)
{
	int attach = 0, no_tty = 0;
	int code = json_text(r->body, "command", 1, &order->run.command, err);

	if (code == 0)
		code = json_flag(r->body, "attach", &attach, err);
	if (code == 0)
		code = json_flag(r->body, "force_no_tty", &no_tty, err);
	if (code < 0)
		return code;
	if (strspn(order->run.command, " \t\r\n") == strlen(order->run.command))
		return err_say(err, -EINVAL, "The command is empty.");
	if (strlen(order->run.command) > MAX_COMMAND)
		return err_say(err, -EINVAL, "A command may have at most %d bytes.", MAX_COMMAND);
	order->run.app = r->app.name;
	order->run.user = r->user;
	order->run.attach = attach != 0;
	order->run.tty = attach && !no_tty;
	order->run.columns = 80;
	order->run.rows = 24;
	return read_env(json_object_get(r->body, "env"), order, err);
}

static void
on_run(void *user, const struct err *why, const struct instance_view *view, const int *fds,
       size_t n_fds)
{
	struct api_request *r = user;
	int code;

	if (why) {
		(void)reply_error(r, 422, "cannot_run", why->text);
	} else {
		code = api_attach_fds(r, fds, n_fds);
		if (code < 0)
			(void)reply_error(r, 500, "internal_server_error",
					  "The platform has too many files open.");
		else
			(void)reply(r, 201, json_of_instance(r, view));
	}
	api_resume(r);
}

int
api_dynos_run(struct api_request *r, struct err *err)
{
	AUTO_CLEAN(run_order_done) struct run_order order = {0};
	uint64_t ticket;
	int code;

	buf_init(&order.text, MAX_ENV_BYTES);
	code = read_order(r, &order, err);
	if (code < 0)
		return code;
	ticket = live_run(r->live, &order.run, on_run, r, err);
	if (!ticket)
		return -EINVAL;
	/* An attached run ends with the connection it was asked for on. */
	if (order.run.attach)
		api_hold(r, ticket);
	else
		api_wait(r, ticket);
	/* The live side tells the app's log of it. */
	code = api_event(r, r->app.name, err, "Run %s", order.run.command);
	if (code < 0)
		log_line("the run of %s by %s was not noted: %s", r->app.name, r->user, err->text);
	return 0;
}

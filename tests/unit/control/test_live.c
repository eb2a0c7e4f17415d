/* The formation as it lives: scaling, crashes, restarts, stops, config changes, runs, removal and
 * adoption, as the API asks for them. */
#include "tests/unit/control/pusher.h"

#include "daemon/control/config.h"
#include "daemon/control/domains.h"
#include "daemon/control/scale.h"

static struct instance_view view;
static struct instance_exit view_exit;
static char view_name[80];
static unsigned n_shown;

static void
on_shown(void *user, const struct instance_view *v)
{
	(void)user;
	view = *v;
	if (v->exit != NULL)
		view_exit = *v->exit;
	(void)snprintf(view_name, sizeof(view_name), "%s", v->name);
	n_shown++;
}

static enum instance_state
state_of(const char *name)
{
	assert_int_equal(live_instance(&paasd.live, "hello", name, on_shown, NULL), 0);
	return view.state;
}

static unsigned
count_shown(bool ended)
{
	n_shown = 0;
	live_instances(&paasd.live, "hello", ended, on_shown, NULL);
	return n_shown;
}

static struct app
hello(void)
{
	struct app app;

	assert_int_equal(apps_find(store, "hello", &app, &err), 0);
	return app;
}

static void
scale(const char *type, const char *quantity)
{
	struct scale_update update = {type, quantity};

	assert_int_equal(scale_change(store, hello().id, &update, 1, &err), 0);
	live_changed(&paasd.live, "hello");
	paasd_settle();
}

static const char *
route_to(const struct paasd_order *a, const struct paasd_order *b)
{
	static char text[128];

	if (b != NULL)
		(void)snprintf(text, sizeof(text), "0 %llu %llu", (unsigned long long)a->order.id,
			       (unsigned long long)b->order.id);
	else
		(void)snprintf(text, sizeof(text), "0 %llu", (unsigned long long)a->order.id);
	return text;
}

/* ---- the formation ------------------------------------------------------------------------------
 */

static void
scaling_leaves_the_others_alone(void **state)
{
	struct paasd_order *one = push_whole("hello", COMMIT_ONE, "web worker");

	(void)state;
	scale("web", "3");
	struct paasd_order *two = paasd_next(SANDBOX_APP, "v2.web.2");
	struct paasd_order *three = paasd_next(SANDBOX_APP, "v2.web.3");

	scale("worker", "1");
	struct paasd_order *worker = paasd_next(SANDBOX_APP, "v2.worker.1");

	assert_int_equal(state_of("web.2"), INSTANCE_STARTING);
	paasd_run(two, true);
	paasd_run(worker, false);
	assert_int_equal(state_of("web.2"), INSTANCE_UP);
	assert_int_equal(state_of("worker.1"), INSTANCE_UP);
	assert_string_equal(paasd_route("hello"), route_to(one, two));
	assert_int_equal(count_shown(false), 4);
	scale("web", "1");
	assert_string_equal(paasd_route("hello"), route_to(one, NULL));
	/* One was starting and has no requests; the other drains first. */
	assert_true(three->is_signalled);
	assert_false(two->is_signalled);
	paasd_router(MSG_BACKEND_DRAINED, 1, two->order.id);
	paasd_settle();
	assert_true(two->is_signalled);
	assert_int_equal(state_of("web.2"), INSTANCE_STOPPING);
	paasd_exit(two, SIGTERM, false);
	paasd_exit(three, SIGTERM, false);
	assert_int_equal(count_shown(false), 2);
	scale("web", "0");
	assert_string_equal(paasd_route("hello"), "1");
	assert_false(one->is_killed);
	paasd_no_more_orders();
}

static void
a_crash_is_restarted_at_once_and_then_later(void **state)
{
	struct paasd_order *web = push_whole("hello", COMMIT_ONE, "web");
	uint64_t before_ms;

	(void)state;
	paasd_exit(web, SIGSEGV, false);
	assert_true(paasd_logged("State changed from up to crashed"));
	web = paasd_next(SANDBOX_APP, "v2.web.1");
	assert_string_equal(paasd_route("hello"), "3"); /* booting */
	before_ms = loop_now_ms(&paasd.loop);
	paasd_run(web, true);
	assert_string_equal(paasd_route("hello"), route_to(web, NULL));
	paasd_exit(web, 0, false); /* status 0 is a crash as well */
	assert_int_equal(state_of("web.1"), INSTANCE_CRASHED);
	assert_string_equal(view_exit.reason, "Process exited with status 0");
	assert_string_equal(paasd_route("hello"), "2"); /* crashed */
	paasd_no_more_orders();
	web = paasd_next(SANDBOX_APP, "v2.web.1");
	assert_true(loop_now_ms(&paasd.loop) - before_ms >= 1000);
	paasd_fail(web, "no loop device");
	assert_int_equal(state_of("web.1"), INSTANCE_CRASHED);
	assert_string_equal(view_exit.reason, "Process could not be started: no loop device");
	/* A restart by hand does not wait. */
	assert_int_equal(live_restart(&paasd.live, "hello", "web.1", &err), 0);
	paasd_run(paasd_next(SANDBOX_APP, "v2.web.1"), true);
	assert_int_equal(state_of("web.1"), INSTANCE_UP);
}

static void
a_restart_replaces_web_without_a_gap_and_workers_one_after_the_other(void **state)
{
	struct paasd_order *one = push_whole("hello", COMMIT_ONE, "web worker");

	(void)state;
	scale("web", "2");
	struct paasd_order *two = paasd_next(SANDBOX_APP, "v2.web.2");

	paasd_run(two, true);
	scale("worker", "1");
	struct paasd_order *worker = paasd_next(SANDBOX_APP, "v2.worker.1");

	paasd_run(worker, false);
	assert_int_equal(live_restart(&paasd.live, "hello", "", &err), 0);
	paasd_settle();
	assert_true(worker->is_signalled);
	struct paasd_order *new_one = paasd_next(SANDBOX_APP, "v2.web.1");
	struct paasd_order *new_two = paasd_next(SANDBOX_APP, "v2.web.2");

	paasd_no_more_orders(); /* the worker's successor waits */
	paasd_run(new_one, true);
	assert_string_equal(paasd_route("hello"), route_to(one, two));
	paasd_run(new_two, true);
	assert_string_equal(paasd_route("hello"), route_to(new_one, new_two));
	assert_int_equal(release_in_force("hello").version, 2);
	paasd_exit(worker, SIGTERM, false);
	paasd_run(paasd_next(SANDBOX_APP, "v2.worker.1"), false);
	paasd_router(MSG_BACKEND_DRAINED, 1, one->order.id);
	paasd_router(MSG_BACKEND_DRAINED, 1, two->order.id);
	paasd_settle();
	paasd_exit(one, SIGTERM, false);
	paasd_exit(two, SIGTERM, false);
	/* One alone: the other goes on. */
	assert_int_equal(live_restart(&paasd.live, "hello", "web.1", &err), 0);
	struct paasd_order *newer = paasd_next(SANDBOX_APP, "v2.web.1");

	paasd_run(newer, true);
	assert_string_equal(paasd_route("hello"), route_to(newer, new_two));
	assert_int_equal(live_restart(&paasd.live, "hello", "nosuch", &err), -ENOENT);
	assert_says("nosuch");
	assert_int_equal(live_restart(&paasd.live, "nosuch", "", &err), -ENOENT);
}

static void
a_restart_that_fails_keeps_what_serves(void **state)
{
	struct paasd_order *web = push_whole("hello", COMMIT_ONE, "web");

	(void)state;
	assert_int_equal(live_restart(&paasd.live, "hello", "web", &err), 0);
	paasd_exit(paasd_next(SANDBOX_APP, "v2.web.1"), 1 << 8, false);
	assert_true(paasd_logged("heroku[api]: Restart failed: web.1 did not start: Process exited "
				 "with status 1"));
	assert_string_equal(paasd_route("hello"), route_to(web, NULL));
	assert_int_equal(state_of("web.1"), INSTANCE_UP);
	assert_false(web->is_signalled);
	paasd_no_more_orders();
}

static void
what_a_person_stops_stays_down(void **state)
{
	struct paasd_order *web = push_whole("hello", COMMIT_ONE, "web");

	(void)state;
	assert_int_equal(live_stop(&paasd.live, "hello", "web.1", &err), 0);
	paasd_settle();
	assert_string_equal(paasd_route("hello"), "1");
	paasd_router(MSG_BACKEND_DRAINED, 1, web->order.id);
	paasd_settle();
	assert_true(web->is_signalled);
	paasd_exit(web, SIGTERM, false);
	paasd_no_more_orders();
	assert_int_equal(state_of("web.1"), INSTANCE_DOWN);
	assert_int_equal(live_restart(&paasd.live, "hello", "", &err), 0);
	web = paasd_next(SANDBOX_APP, "v2.web.1");
	paasd_run(web, true);
	assert_int_equal(live_stop(&paasd.live, "hello", "web", &err), 0);
	paasd_router(MSG_BACKEND_DRAINED, 1, web->order.id);
	paasd_settle();
	paasd_exit(web, SIGTERM, false);
	scale("web", "2");
	(void)paasd_next(SANDBOX_APP, "v2.web.1");
	(void)paasd_next(SANDBOX_APP, "v2.web.2");
	assert_int_equal(live_stop(&paasd.live, "hello", "run.1", &err), -ENOENT);
}

/* ---- releases without a push
 * ------------------------------------------------------------------------ */

static uint32_t
set_config(const char *value)
{
	struct config_var change = {"GREETING", value};
	struct app app = hello();
	struct release release;

	assert_int_equal(config_change(store, &app, &change, 1, "me", &release, &err), 0);
	return release.version;
}

static const char *
greeting_of(struct paasd_order *o)
{
	static char value[64];
	struct spec spec;

	value[0] = '\0';
	assert_int_equal(spec_read(o->spec_fd, &spec), 0);
	for (char **item = spec.envp; *item != NULL; item++)
		if (strncmp(*item, "GREETING=", 9) == 0)
			(void)snprintf(value, sizeof(value), "%s", *item + 9);
	spec_done(&spec);
	return value;
}

static void
a_changed_config_is_rolled_out_like_a_push(void **state)
{
	struct paasd_order *old = push_whole("hello", COMMIT_ONE, "web");

	(void)state;
	live_release(&paasd.live, "hello", set_config("hi"));
	struct paasd_order *new = paasd_next(SANDBOX_APP, "v3.web.1");

	assert_string_equal(greeting_of(new), "hi");
	assert_int_equal(new->order.slug, 1);
	assert_string_equal(paasd_route("hello"), route_to(old, NULL));
	paasd_run(new, true);
	assert_string_equal(paasd_route("hello"), route_to(new, NULL));
	assert_int_equal(release_in_force("hello").version, 3);
	/* Two at once: one after the other, and the last one counts. */
	live_release(&paasd.live, "hello", set_config("a"));
	live_release(&paasd.live, "hello", set_config("b"));
	paasd_run(paasd_next(SANDBOX_APP, "v4.web.1"), true);
	new = paasd_next(SANDBOX_APP, "v5.web.1");
	assert_string_equal(greeting_of(new), "b");
	paasd_run(new, true);
	assert_int_equal(release_in_force("hello").version, 5);
}

/* It was acknowledged when it was made, so a new control finishes it. */
static void
a_changed_config_survives_the_death_of_control(void **state)
{
	struct paasd_order *old = push_whole("hello", COMMIT_ONE, "web");

	(void)state;
	live_release(&paasd.live, "hello", set_config("hi"));
	struct paasd_order *lost = paasd_next(SANDBOX_APP, "v3.web.1");

	paasd_restart_control();
	assert_string_equal(paasd_route("hello"), route_to(old, NULL));
	struct paasd_order *new = paasd_next(SANDBOX_APP, "v3.web.1");

	paasd_run(new, true);
	assert_string_equal(paasd_route("hello"), route_to(new, NULL));
	assert_int_equal(release_in_force("hello").version, 3);
	paasd_until(lost->is_signalled);
}

static void
a_rollback_unpacks_what_is_not_there_any_more(void **state)
{
	struct release release;
	struct app app;

	(void)state;
	(void)push_whole("hello", COMMIT_ONE, "web");
	(void)push_whole("hello", COMMIT_TWO, "web");
	assert_int_equal(unlink("slugs/hello/1.ready"), 0);
	paasd_until(paasd.orders[3].is_signalled || paasd.orders[3].is_killed);
	paasd_restart_control();
	for (size_t i = 0; i < paasd.n_orders; i++)
		if (!paasd.orders[i].is_gone && paasd.orders[i].order.slug == 1)
			paasd_exit(&paasd.orders[i], SIGKILL, false);
	app = hello();
	assert_int_equal(releases_add_rollback(store, &app, 2, "me", &release, &err), 0);
	live_release(&paasd.live, "hello", release.version);
	struct paasd_order *unpack = paasd_next(SANDBOX_UNPACK, "unpack");

	assert_int_equal(unpack->order.slug, 1);
	paasd_exit(unpack, 0, false);
	struct paasd_order *web = paasd_next(SANDBOX_APP, "v4.web.1");

	assert_int_equal(web->order.slug, 1);
	paasd_run(web, true);
	assert_int_equal(release_in_force("hello").slug, 1);
	assert_int_equal(access("slugs/hello/1.ready", F_OK), 0);
}

/* ---- runs
 * ---------------------------------------------------------------------------------------------- */

static struct {
	unsigned n_started, n_exits;
	bool has_failed, has_exit;
	char why[480];
	int fds[3];
	size_t n_fds;
	struct instance_exit exit;
} seen;

static void
on_started(void *user, const struct err *why, const struct instance_view *v, const int *fds,
	   size_t n_fds)
{
	(void)user;
	seen.n_started++;
	seen.has_failed = why != NULL;
	if (why != NULL)
		(void)snprintf(seen.why, sizeof(seen.why), "%s", why->text);
	if (v != NULL)
		on_shown(NULL, v);
	seen.n_fds = n_fds;
	for (size_t i = 0; i < n_fds; i++)
		seen.fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
}

static void
on_exit_seen(void *user, const struct instance_exit *exit)
{
	(void)user;
	seen.n_exits++;
	seen.has_exit = exit != NULL;
	if (exit != NULL)
		seen.exit = *exit;
}

static uint64_t
run(const char *command, bool attach, bool tty)
{
	struct live_run what = {.app = "hello",
				.user = "me",
				.command = command,
				.attach = attach,
				.tty = tty,
				.columns = 80,
				.rows = 24};

	memset(&seen, 0, sizeof(seen));
	return live_run(&paasd.live, &what, on_started, NULL, &err);
}

static void
close_seen(void)
{
	for (size_t i = 0; i < seen.n_fds; i++)
		(void)close(seen.fds[i]);
	seen.n_fds = 0;
}

static void
a_run_gives_its_streams_and_its_status(void **state)
{
	char text[16] = "";

	(void)state;
	(void)push_whole("hello", COMMIT_ONE, "web");
	uint64_t ticket = run("ls -l", true, false);

	assert_true(ticket != 0);
	assert_int_equal(seen.n_started, 0);
	struct paasd_order *o = paasd_next(SANDBOX_APP, "");

	assert_int_equal(o->order.flags, SANDBOX_STDIO);
	assert_int_equal(seen.n_started, 0);
	paasd_run(o, false);
	assert_int_equal(seen.n_started, 1);
	assert_false(seen.has_failed);
	assert_int_equal(seen.n_fds, 3);
	assert_int_equal(write(seen.fds[0], "in", 2), 2);
	assert_int_equal(read(o->stdio[0], text, sizeof(text)), 2);
	assert_int_equal(write(o->stdio[1], "out", 3), 3);
	assert_int_equal(read(seen.fds[1], text, sizeof(text)), 3);
	assert_string_equal(text, "out");
	close_seen();
	char name[80];

	(void)snprintf(name, sizeof(name), "%s", view_name);
	assert_int_equal(state_of(name), INSTANCE_UP);
	assert_true(live_wait_exit(&paasd.live, "hello", name, on_exit_seen, NULL) != 0);
	paasd_exit(o, 7 << 8, false);
	assert_int_equal(seen.n_exits, 1);
	assert_int_equal(seen.exit.code, 7);
	/* Whoever asks a little later is told as well, and the listing knows it on request. */
	assert_true(live_wait_exit(&paasd.live, "hello", name, on_exit_seen, NULL) != 0);
	assert_int_equal(seen.n_exits, 1);
	paasd_settle();
	assert_int_equal(seen.n_exits, 2);
	assert_int_equal(count_shown(false), 1);
	assert_int_equal(count_shown(true), 2);
	assert_int_equal(live_wait_exit(&paasd.live, "hello", "run.1", on_exit_seen, NULL), 0);
	live_cancel(&paasd.live, ticket);
}

static void
a_run_on_a_terminal_gives_the_terminal(void **state)
{
	(void)state;
	(void)push_whole("hello", COMMIT_ONE, "web console");
	assert_true(run("console", true, true) != 0);
	struct paasd_order *o = paasd_next(SANDBOX_APP, "");
	struct spec spec;

	assert_int_equal(o->order.flags, SANDBOX_PTY);
	assert_int_equal(o->order.columns, 80);
	assert_int_equal(spec_read(o->spec_fd, &spec), 0);
	assert_string_equal(spec.argv[4], "./console"); /* the name of a type is its command */
	spec_done(&spec);
	paasd_run(o, false);
	assert_int_equal(seen.n_started, 0);
	struct msg *m = paasd_begin(MSG_SANDBOX_PTY, 0);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	wire_put_u64(&m->out, o->order.id);
	msg_add_fd(m, fd);
	paasd_send(m);
	(void)close(fd);
	paasd_settle();
	assert_int_equal(seen.n_started, 1);
	assert_int_equal(seen.n_fds, 1);
	close_seen();
	/* Stopped by name. */
	assert_int_equal(live_stop(&paasd.live, "hello", view_name, &err), 0);
	paasd_settle();
	assert_true(o->is_signalled);
	assert_int_equal(live_stop(&paasd.live, "hello", view_name, &err), 0);
	paasd_until(o->is_killed);
	paasd_exit(o, SIGKILL, false);
}

static void
a_run_that_cannot_start_says_why(void **state)
{
	(void)state;
	assert_int_equal(run("ls", false, false), 0);
	assert_says("no app");
	(void)fixture_app("hello");
	live_app_created(&paasd.live, "hello");
	assert_int_equal(run("ls", false, false), 0);
	assert_says("no code yet");
	(void)push_whole("hello", COMMIT_ONE, "web");
	assert_true(run("ls", true, true) != 0);
	paasd_fail(paasd_next(SANDBOX_APP, ""), "out of loop devices");
	assert_int_equal(seen.n_started, 1);
	assert_true(seen.has_failed);
	assert_non_null(strstr(seen.why, "out of loop devices"));
	assert_true(run("ls", true, true) != 0);
	struct paasd_order *o = paasd_next(SANDBOX_APP, "");

	paasd_run(o, false);
	paasd_exit(o, 1 << 8, false);
	assert_int_equal(seen.n_started, 1);
	assert_non_null(strstr(seen.why, "before its terminal was open"));
}

static void
runs_have_a_limit_and_a_client_may_give_up(void **state)
{
	(void)state;
	(void)push_whole("hello", COMMIT_ONE, "web");
	uint64_t ticket = run("sleep 1", false, false);

	for (int i = 1; i < RUNS_MAX; i++)
		assert_true(run("sleep 1", false, false) != 0);
	assert_int_equal(run("sleep 1", false, false), 0);
	assert_says("50 one-off runs");
	live_cancel(&paasd.live, ticket);
	live_cancel(&paasd.live, ticket);
	live_cancel(&paasd.live, 0);
	paasd_settle();
	assert_int_equal(paasd.n_orders, 4 + RUNS_MAX);
}

/* ---- beginnings and ends
 * --------------------------------------------------------------------------------- */

static void
a_removed_app_leaves_nothing(void **state)
{
	struct paasd_order *web = push_whole("hello", COMMIT_ONE, "web");
	struct app app = hello(), other;

	(void)state;
	assert_true(run("sleep", false, false) != 0);
	struct paasd_order *o = paasd_next(SANDBOX_APP, "");

	paasd_run(o, false);
	struct push push;

	push_start(&push, "hello", COMMIT_TWO);
	struct paasd_order *build = paasd_next(SANDBOX_BUILD, "build");

	assert_int_equal(apps_remove(store, app.id, &err), 0);
	live_app_removed(&paasd.live, "hello");
	live_app_removed(&paasd.live, "hello");
	paasd_settle();
	assert_true(o->is_signalled);
	assert_true(push.git->is_killed);
	assert_int_equal(apps_create(store, "hello", "root", &other, &err), -EEXIST);
	paasd_exit(o, SIGTERM, false);
	paasd_exit(push.git, SIGKILL, false);
	assert_true(build->is_killed);
	paasd_exit(build, SIGKILL, false);
	assert_int_equal(paasd.n_removed_apps, 0);
	paasd_until(web->is_signalled);
	paasd_exit(web, SIGTERM, false);
	paasd_settle();
	assert_int_equal(paasd.n_removed_apps, 1);
	assert_int_equal(apps_create(store, "hello", "root", &other, &err), 0);
	(void)close(push.session_fd);
	(void)close(push.transcript_fd);
	paasd_no_more_orders();
}

static void
a_removal_goes_on_after_the_death_of_control(void **state)
{
	struct paasd_order *web = push_whole("hello", COMMIT_ONE, "web");
	struct app other;

	(void)state;
	assert_int_equal(apps_remove(store, hello().id, &err), 0);
	paasd_restart_control();
	assert_true(web->is_killed);
	paasd_exit(web, SIGKILL, false);
	paasd_until(paasd.n_removed_apps == 1);
	assert_int_equal(apps_create(store, "hello", "root", &other, &err), 0);
}

static void
what_runs_is_adopted(void **state)
{
	struct paasd_order *web = push_whole("hello", COMMIT_ONE, "web worker");

	(void)state;
	scale("worker", "2");
	struct paasd_order *one = paasd_next(SANDBOX_APP, "v2.worker.1");
	struct paasd_order *two = paasd_next(SANDBOX_APP, "v2.worker.2");

	paasd_run(one, false);
	paasd_run(two, false);
	assert_true(run("sleep", false, false) != 0);
	struct paasd_order *detached = paasd_next(SANDBOX_APP, "");

	assert_true(run("bash", true, false) != 0);
	struct paasd_order *attached = paasd_next(SANDBOX_APP, "");

	paasd_settle();
	close_seen();
	/* One dies while nobody looks. */
	two->is_gone = true;
	paasd_close_fds(two);
	paasd_restart_control();
	assert_string_equal(paasd_route("hello"), route_to(web, NULL));
	assert_int_equal(state_of("web.1"), INSTANCE_UP);
	assert_int_equal(state_of("worker.1"), INSTANCE_UP);
	assert_true(attached->is_killed);
	assert_false(detached->is_killed || detached->is_signalled);
	assert_int_equal(count_shown(false), 4);
	(void)paasd_next(SANDBOX_APP, "v2.worker.2");
	paasd_no_more_orders();
	/* An adopted one can be scaled away like any other. */
	scale("worker", "0");
	assert_true(one->is_signalled);
}

/* Workers go on serving what they know until it is clear who still accepts. */
static void
routes_are_not_taken_away_by_a_new_control(void **state)
{
	struct paasd_order *web = push_whole("hello", COMMIT_ONE, "web");

	(void)state;
	(void)close(web->listen_fd);
	web->listen_fd = -1;
	paasd.routes[0] = '\0';
	paasd_restart_control();
	assert_string_equal(paasd.routes, "");
	paasd_until(paasd.routes[0] != '\0'); /* after a second it is not waited for any longer */
	assert_string_equal(paasd_route("hello"), "3");
}

static void
domains_become_routes(void **state)
{
	struct domain domain;

	(void)state;
	(void)push_whole("hello", COMMIT_ONE, "web");
	assert_int_equal(
		domains_add(store, hello().id, "www.example.net", "example.org", &domain, &err), 0);
	uint64_t before = paasd.generation;

	live_changed(&paasd.live, "hello");
	paasd_settle();
	assert_int_equal(paasd.generation, before + 1);
	live_changed(&paasd.live, "hello");
	paasd_settle();
	assert_int_equal(paasd.generation, before + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PUSHER_TEST(scaling_leaves_the_others_alone),
		PUSHER_TEST(a_crash_is_restarted_at_once_and_then_later),
		PUSHER_TEST(a_restart_replaces_web_without_a_gap_and_workers_one_after_the_other),
		PUSHER_TEST(a_restart_that_fails_keeps_what_serves),
		PUSHER_TEST(what_a_person_stops_stays_down),
		PUSHER_TEST(a_changed_config_is_rolled_out_like_a_push),
		PUSHER_TEST(a_changed_config_survives_the_death_of_control),
		PUSHER_TEST(a_rollback_unpacks_what_is_not_there_any_more),
		PUSHER_TEST(a_run_gives_its_streams_and_its_status),
		PUSHER_TEST(a_run_on_a_terminal_gives_the_terminal),
		PUSHER_TEST(a_run_that_cannot_start_says_why),
		PUSHER_TEST(runs_have_a_limit_and_a_client_may_give_up),
		PUSHER_TEST(a_removed_app_leaves_nothing),
		PUSHER_TEST(a_removal_goes_on_after_the_death_of_control),
		PUSHER_TEST(what_runs_is_adopted),
		PUSHER_TEST(routes_are_not_taken_away_by_a_new_control),
		PUSHER_TEST(domains_become_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

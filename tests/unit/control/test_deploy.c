/* Pushes from the hook's word to the verdict, with every way they fail and control killed at
 * every step. */
#include "tests/unit/control/pusher.h"

#include "daemon/control/builds.h"
#include "daemon/control/push_mark.h"

static bool
has_archive(unsigned number)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "slugs/hello/%u.tar.zst", number);
	return access(path, F_OK) == 0;
}

static struct build_row
last_build(void)
{
	struct build_row *rows, row = {0};
	struct app app;
	size_t n;

	assert_int_equal(apps_find(store, "hello", &app, &err), 0);
	assert_int_equal(builds_list(store, app.id, 1, &rows, &n, &err), 0);
	if (n > 0)
		row = rows[0];
	free(rows);
	return row;
}

static void
a_push_is_live_when_git_may_end(void **state)
{
	struct push push;
	char route[64];

	(void)state;
	push_start(&push, "/hello.git", COMMIT_ONE);
	struct paasd_order *build = paasd_next(SANDBOX_BUILD, "build");

	assert_string_equal(build->order.app, "hello");
	assert_true(build->order.address != 0);
	build_succeed(build, COMMIT_ONE, "web worker");
	struct paasd_order *unpack = paasd_next(SANDBOX_UNPACK, "unpack");
	char slug[16] = "";

	assert_int_equal(read(unpack->stdio[0], slug, sizeof(slug)), 6);
	assert_string_equal(slug, "a slug");
	assert_true(has_archive(1));
	assert_int_equal(release_in_force("hello").version, 1);
	paasd_exit(unpack, 0, false);
	struct paasd_order *web = paasd_next(SANDBOX_APP, "v2.web.1");

	/* Not before the instance accepts. */
	paasd_run(web, false);
	assert_int_equal(release_in_force("hello").version, 1);
	assert_string_equal(paasd_route("hello"), "4");
	paasd_run(web, true);
	assert_int_equal(push_verdict(&push), 1);
	assert_int_equal(release_in_force("hello").version, 2);
	assert_int_equal(release_in_force("hello").status, RELEASE_SUCCEEDED);
	(void)snprintf(route, sizeof(route), "0 %llu", (unsigned long long)web->order.id);
	assert_string_equal(paasd_route("hello"), route);
	assert_non_null(strstr(push_read(&push), "-----> Launching...\n"
						 "       Released v2\n"
						 "       http://hello.example.org"));
	assert_non_null(strstr(push.said, "deployed to paas\n"));
	push_end(&push, 0);
	/* The worker type begins at 0. */
	paasd_no_more_orders();
	assert_int_equal(last_build().status, BUILD_ROW_SUCCEEDED);
	assert_int_equal(last_build().release, 2);
	assert_true(paasd_logged("heroku[web.1]: State changed from starting to up\n"));
	assert_int_equal(push_mark_get(store, 1), 0);
}

static void
the_new_stands_beside_the_old_until_it_is_drained(void **state)
{
	struct push push;
	struct paasd_order *old = push_whole("hello", COMMIT_ONE, "web");
	char route[64];

	(void)state;
	push_start(&push, "hello", COMMIT_TWO);
	build_succeed(paasd_next(SANDBOX_BUILD, "build"), COMMIT_TWO, "web");
	paasd_exit(paasd_next(SANDBOX_UNPACK, "unpack"), 0, false);
	struct paasd_order *new = paasd_next(SANDBOX_APP, "v3.web.1");

	assert_int_not_equal(new->order.address, old->order.address);
	(void)snprintf(route, sizeof(route), "0 %llu", (unsigned long long)old->order.id);
	assert_string_equal(paasd_route("hello"), route);
	/* The store follows the routers, not the other way round. */
	paasd.acks = false;
	paasd_run(new, true);
	(void)snprintf(route, sizeof(route), "0 %llu", (unsigned long long)new->order.id);
	assert_string_equal(paasd_route("hello"), route);
	assert_int_equal(release_in_force("hello").version, 2);
	assert_false(old->is_signalled);
	paasd_router(MSG_ROUTE_ACK, 1, paasd.generation);
	paasd.acks = true;
	assert_int_equal(push_verdict(&push), 1);
	assert_int_equal(release_in_force("hello").version, 3);
	assert_false(old->is_signalled);
	paasd_router(MSG_BACKEND_DRAINED, 1, old->order.id);
	paasd_settle();
	assert_true(old->is_signalled);
	assert_false(new->is_signalled);
	paasd_exit(old, SIGTERM, false);
	push_end(&push, 0);
	paasd_no_more_orders();
}

static void
an_old_one_with_requests_or_deaf_ears_ends_all_the_same(void **state)
{
	struct paasd_order *old = push_whole("hello", COMMIT_ONE, "web");

	(void)state;
	(void)push_whole("hello", COMMIT_TWO, "web");
	assert_false(old->is_signalled);
	paasd_until(old->is_signalled); /* drain-time */
	assert_false(old->is_killed);
	paasd_until(old->is_killed); /* stop-time */
	assert_true(paasd_logged("heroku[web.1]: Error R12 (Exit timeout)"));
	paasd_exit(old, SIGKILL, false);
	/* Its address is not free while the router has a connection to it. */
	assert_true(addresses_is_used(&paasd.live.addresses, old->order.address));
	paasd_router(MSG_BACKEND_DRAINED, 1, old->order.id);
	paasd_settle();
	assert_false(addresses_is_used(&paasd.live.addresses, old->order.address));
}

/* ---- what fails
 * ------------------------------------------------------------------------------------ */

static void
assert_rejected(struct push *push, const char *sentence)
{
	char expected[256];

	assert_int_equal(push_verdict(push), 0);
	(void)snprintf(expected, sizeof(expected), " !     %s", sentence);
	if (strstr(push_read(push), expected) == NULL)
		fail_msg("no \"%s\" in \"%s\"", expected, push->said);
	assert_non_null(strstr(push->said, " !     Push rejected to hello.\n"));
	push_end(push, 0);
	assert_int_equal(release_in_force("hello").version, 1);
	assert_int_equal(last_build().status, BUILD_ROW_FAILED);
	paasd_no_more_orders();
}

static void
a_failed_build_is_told_in_its_own_words(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	struct paasd_order *build = paasd_next(SANDBOX_BUILD, "build");

	(void)close(build_take_order(build, COMMIT_ONE));
	build_say(build->job_fd, MSG_BUILD_FAILED, "No buildpack wants this app.", NULL);
	paasd_exit(build, 1 << 8, false);
	assert_rejected(&push, "No buildpack wants this app.\n");
	assert_int_equal(access("slugs/hello/1.tar.zst.tmp", F_OK), -1);
}

static void
a_build_out_of_memory_is_told_limit_and_peak(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	struct paasd_order *build = paasd_next(SANDBOX_BUILD, "build");

	build_say(build->job_fd, MSG_BUILD_FAILED, "bin/compile exited with 137", NULL);
	paasd_exit(build, 1 << 8, true);
	assert_rejected(&push,
			"The build ran out of memory: its limit is 512M and its peak was 500M\n");
}

static void
a_build_without_a_result_is_told_as_such(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	paasd_exit(paasd_next(SANDBOX_BUILD, "build"), SIGSEGV, false);
	assert_rejected(&push, "The builder was killed by signal 11");
	push_start(&push, "hello", COMMIT_ONE);
	paasd_fail(paasd_next(SANDBOX_BUILD, "build"), "mount /disk: no space");
	assert_rejected(&push, "The build could not be started: mount /disk: no space\n");
	push_start(&push, "hello", COMMIT_ONE);
	struct paasd_order *build = paasd_next(SANDBOX_BUILD, "build");

	/* It says done, but the file is not what it says. */
	(void)close(build_take_order(build, COMMIT_ONE));
	build_done(build->job_fd, 1000);
	paasd_exit(build, 0, false);
	assert_rejected(&push, "the slug has 0 bytes, but the builder reported 1000\n");
	assert_false(has_archive(3));
}

static void
nonsense_of_a_builder_is_a_failed_build(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	struct paasd_order *build = paasd_next(SANDBOX_BUILD, "build");

	build_say(build->job_fd, MSG_BUILD_TYPE, "we/b", "x");
	build_done(build->job_fd, 6);
	paasd_exit(build, 0, false);
	assert_rejected(&push, "The builder named a process type that is not one\n");
	push_start(&push, "hello", COMMIT_ONE);
	build = paasd_next(SANDBOX_BUILD, "build");
	assert_int_equal(msg_send(build->job_fd, paasd_begin(MSG_APP_REMOVE, 0)), 0);
	paasd_exit(build, 0, false);
	assert_rejected(&push, "The builder broke off the conversation\n");
}

static void
a_web_process_that_ends_rejects_the_push(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	build_succeed(paasd_next(SANDBOX_BUILD, "build"), COMMIT_ONE, "web");
	paasd_exit(paasd_next(SANDBOX_UNPACK, "unpack"), 0, false);
	struct paasd_order *web = paasd_next(SANDBOX_APP, "v2.web.1");

	paasd_run(web, false);
	paasd_exit(web, 3 << 8, false);
	assert_rejected(&push, "web.1 did not start: Process exited with status 3\n");
	assert_string_equal(paasd_route("hello"), "4");
}

static void
a_web_process_that_never_listens_rejects_the_push(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	build_succeed(paasd_next(SANDBOX_BUILD, "build"), COMMIT_ONE, "web");
	paasd_exit(paasd_next(SANDBOX_UNPACK, "unpack"), 0, false);
	struct paasd_order *web = paasd_next(SANDBOX_APP, "v2.web.1");

	paasd_run(web, false);
	paasd_until(web->is_asked);
	assert_false(web->is_killed);
	struct msg *m = paasd_begin(MSG_SANDBOX_LISTENS, 0);

	wire_put_u64(&m->out, web->order.id);
	wire_put_str(&m->out, "127.0.0.1:3000");
	paasd_send(m);
	paasd_settle();
	assert_true(web->is_killed);
	paasd_exit(web, SIGKILL, false);
	assert_rejected(&push, "web.1 did not listen on port $PORT (5000) within 0 seconds; it "
			       "listens on 127.0.0.1:3000\n");
	assert_true(paasd_logged("heroku[web.1]: Error R10 (Boot timeout) -> Web process failed to "
				 "bind to $PORT"));
}

static void
a_bad_release_leaves_the_good_one_alone(void **state)
{
	struct paasd_order *old = push_whole("hello", COMMIT_ONE, "web");
	struct push push;
	char route[64];

	(void)state;
	push_start(&push, "hello", COMMIT_TWO);
	build_succeed(paasd_next(SANDBOX_BUILD, "build"), COMMIT_TWO, "web");
	paasd_exit(paasd_next(SANDBOX_UNPACK, "unpack"), 0, false);
	paasd_exit(paasd_next(SANDBOX_APP, "v3.web.1"), 1 << 8, true);
	assert_int_equal(push_verdict(&push), 0);
	assert_non_null(strstr(push_read(&push), "Error R15 (Memory quota vastly exceeded)"));
	push_end(&push, 0);
	assert_false(old->is_signalled);
	assert_int_equal(release_in_force("hello").version, 2);
	(void)snprintf(route, sizeof(route), "0 %llu", (unsigned long long)old->order.id);
	assert_string_equal(paasd_route("hello"), route);
	paasd_no_more_orders();
}

static void
the_release_command_comes_before_the_switch(void **state)
{
	struct push push;
	char said[32] = "";

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	build_succeed(paasd_next(SANDBOX_BUILD, "build"), COMMIT_ONE, "release web");
	paasd_exit(paasd_next(SANDBOX_UNPACK, "unpack"), 0, false);
	struct paasd_order *command = paasd_next(SANDBOX_APP, "");

	assert_memory_equal(command->order.label, "v2.release.", 11);
	paasd_run(command, false);
	/* Its output goes to the pusher. */
	assert_int_equal(write(command->stdio[1], "migrating\n", 10), 10);
	(void)said;
	paasd_no_more_orders();
	paasd_exit(command, 2 << 8, false);
	assert_rejected(&push, "the release command failed: Process exited with status 2\n");
	assert_non_null(
		strstr(push.said, "-----> Running release command: ./release\nmigrating\n"));
	push_start(&push, "hello", COMMIT_ONE);
	build_succeed(paasd_next(SANDBOX_BUILD, "build"), COMMIT_ONE, "release web");
	paasd_exit(paasd_next(SANDBOX_UNPACK, "unpack"), 0, false);
	paasd_exit(paasd_next(SANDBOX_APP, ""), 0, false);
	paasd_run(paasd_next(SANDBOX_APP, "v3.web.1"), true);
	assert_int_equal(push_verdict(&push), 1);
	push_end(&push, 0);
}

static void
no_web_is_no_reason_to_refuse(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	build_succeed(paasd_next(SANDBOX_BUILD, "build"), COMMIT_ONE, "worker");
	paasd_exit(paasd_next(SANDBOX_UNPACK, "unpack"), 0, false);
	assert_int_equal(push_verdict(&push), 1);
	push_end(&push, 0);
	assert_string_equal(paasd_route("hello"), "1");
	paasd_no_more_orders();
}

static void
a_slug_that_cannot_be_unpacked_is_a_failed_release(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	build_succeed(paasd_next(SANDBOX_BUILD, "build"), COMMIT_ONE, "web");
	struct paasd_order *unpack = paasd_next(SANDBOX_UNPACK, "unpack");

	assert_int_equal(write(unpack->stdio[2], "paas-build: no room\n", 20), 20);
	paasd_exit(unpack, 1 << 8, false);
	assert_rejected(&push, "the slug cannot be unpacked: paas-build: no room\n");
}

/* ---- those who go
 * --------------------------------------------------------------------------------- */

static void
a_session_that_goes_changes_nothing_once_the_push_is_there(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	(void)close(push.session_fd);
	paasd_settle();
	assert_false(push.git->is_killed);
	build_succeed(paasd_next(SANDBOX_BUILD, "build"), COMMIT_ONE, "web");
	paasd_exit(paasd_next(SANDBOX_UNPACK, "unpack"), 0, false);
	paasd_run(paasd_next(SANDBOX_APP, "v2.web.1"), true);
	assert_int_equal(push_verdict(&push), 1);
	paasd_exit(push.git, 0, false);
	(void)close(push.transcript_fd);
	assert_int_equal(release_in_force("hello").version, 2);
}

static void
a_hook_that_dies_before_the_switch_ends_the_push(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	struct paasd_order *build = paasd_next(SANDBOX_BUILD, "build");

	paasd_exit(push.git, SIGKILL, false);
	assert_int_equal(wire_get_u32(&expect_on(push.session_fd, MSG_GIT_DONE)->in), 137);
	(void)close(push.session_fd);
	(void)close(push.transcript_fd);
	assert_true(build->is_killed);
	paasd_exit(build, SIGKILL, false);
	assert_int_equal(last_build().status, BUILD_ROW_FAILED);
	(void)push_whole("hello", COMMIT_TWO, "web");
}

static void
a_receive_pack_that_dies_after_it_leaves_the_ref_to_us(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	build_succeed(paasd_next(SANDBOX_BUILD, "build"), COMMIT_ONE, "web");
	paasd_exit(paasd_next(SANDBOX_UNPACK, "unpack"), 0, false);
	paasd_run(paasd_next(SANDBOX_APP, "v2.web.1"), true);
	assert_int_equal(push_verdict(&push), 1);
	assert_int_not_equal(push_mark_get(store, 1), 0);
	push_end(&push, SIGKILL);
	struct paasd_order *repair = paasd_next(SANDBOX_GIT, "repair");
	struct spec spec;

	assert_int_equal(spec_read(repair->spec_fd, &spec), 0);
	assert_string_equal(spec.argv[4], "refs/heads/master");
	assert_string_equal(spec.argv[5], COMMIT_ONE);
	spec_done(&spec);
	/* The next push sees the refs only afterwards. */
	int fd = session_login(1);

	session_git(fd, GIT_RECEIVE_PACK, "hello");
	paasd_no_more_orders();
	paasd_exit(repair, 0, false);
	(void)paasd_next(SANDBOX_GIT, "git");
	assert_int_equal(push_mark_get(store, 1), 0);
	(void)close(fd);
	paasd_settle();
}

/* ---- the death of control
 * -------------------------------------------------------------------------- */

enum step {
	AT_HOOK,
	AT_BUILD,
	AT_UNPACK,
	AT_BOOT,
	AT_SWITCH,
	AT_VERDICT,
	STEPS,
};

/* Goes on with the second push up to a step. */
static void
go_until(struct push *push, enum step step)
{
	push_start(push, "hello", COMMIT_TWO);
	struct paasd_order *build = paasd_next(SANDBOX_BUILD, "build");

	if (step < AT_BUILD)
		return;
	if (step == AT_BUILD) {
		(void)close(build_take_order(build, COMMIT_TWO));
		return;
	}
	build_succeed(build, COMMIT_TWO, "web");
	struct paasd_order *unpack = paasd_next(SANDBOX_UNPACK, "unpack");

	if (step == AT_UNPACK)
		return;
	paasd_exit(unpack, 0, false);
	struct paasd_order *web = paasd_next(SANDBOX_APP, "v3.web.1");

	if (step == AT_BOOT)
		return;
	paasd.acks = step != AT_SWITCH;
	paasd_run(web, true);
	if (step == AT_VERDICT)
		assert_int_equal(push_verdict(push), 1);
	paasd.acks = true;
}

static void
end_killed(void)
{
	for (size_t i = 0; i < paasd.n_orders; i++)
		if (!paasd.orders[i].is_gone &&
		    (paasd.orders[i].is_killed || paasd.orders[i].is_signalled))
			paasd_exit(&paasd.orders[i], SIGKILL, false);
}

static void
at_any_step_the_state_is_the_last_acknowledged_one(void **state)
{
	for (int step = 0; step < STEPS; step++) {
		struct push push;
		char route[64];

		if (step > 0)
			(void)pusher_set_up(state);
		struct paasd_order *old = push_whole("hello", COMMIT_ONE, "web");

		go_until(&push, step);
		size_t n_before = paasd.n_orders;
		struct paasd_order *new = &paasd.orders[n_before - 1];

		(void)close(push.session_fd);
		(void)close(push.transcript_fd);
		paasd_restart_control();
		assert_true(push.git->is_killed);
		end_killed();
		bool is_released = step == AT_VERDICT;

		assert_int_equal(release_in_force("hello").version, is_released ? 3 : 2);
		(void)snprintf(route, sizeof(route), "0 %llu",
			       (unsigned long long)(is_released ? new : old)->order.id);
		assert_string_equal(paasd_route("hello"), route);
		paasd_until((is_released ? old : new)->is_killed ||
			    (is_released ? old : new)->is_signalled ||
			    (is_released ? old : new)->is_gone);
		end_killed();
		assert_false((is_released ? new : old)->is_gone);
		assert_int_equal(has_archive(2), step >= AT_UNPACK);
		assert_int_equal(access("slugs/hello/2.tar.zst.tmp", F_OK), -1);
		if (is_released)
			paasd_exit(paasd_next(SANDBOX_GIT, "repair"), 0, false);
		paasd_no_more_orders();
		/* And the next push works. */
		struct paasd_order *next = push_whole("hello", COMMIT_TWO, "web");

		assert_int_equal(next->order.slug, 3);
		assert_int_equal(release_in_force("hello").slug, 3);
		(void)n_before;
		if (step < STEPS - 1)
			(void)pusher_tear_down(state);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PUSHER_TEST(a_push_is_live_when_git_may_end),
		PUSHER_TEST(the_new_stands_beside_the_old_until_it_is_drained),
		PUSHER_TEST(an_old_one_with_requests_or_deaf_ears_ends_all_the_same),
		PUSHER_TEST(a_failed_build_is_told_in_its_own_words),
		PUSHER_TEST(a_build_out_of_memory_is_told_limit_and_peak),
		PUSHER_TEST(a_build_without_a_result_is_told_as_such),
		PUSHER_TEST(nonsense_of_a_builder_is_a_failed_build),
		PUSHER_TEST(a_web_process_that_ends_rejects_the_push),
		PUSHER_TEST(a_web_process_that_never_listens_rejects_the_push),
		PUSHER_TEST(a_bad_release_leaves_the_good_one_alone),
		PUSHER_TEST(the_release_command_comes_before_the_switch),
		PUSHER_TEST(no_web_is_no_reason_to_refuse),
		PUSHER_TEST(a_slug_that_cannot_be_unpacked_is_a_failed_release),
		PUSHER_TEST(a_session_that_goes_changes_nothing_once_the_push_is_there),
		PUSHER_TEST(a_hook_that_dies_before_the_switch_ends_the_push),
		PUSHER_TEST(a_receive_pack_that_dies_after_it_leaves_the_ref_to_us),
		PUSHER_TEST(at_any_step_the_state_is_the_last_acknowledged_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Sessions: who gets in, what they may ask for, whose turn it is. */
#include "tests/unit/control/pusher.h"

static bool
asks(int fd, const char *login, const char *line)
{
	session_key(fd, MSG_LOGIN_KEY, login, line);
	return wire_get_u8(&expect_on(fd, MSG_LOGIN_ANSWER)->in) != 0;
}

static void
a_known_key_gets_in_under_its_users_name(void **state)
{
	char name[USER_NAME_MAX + 1];
	int fd = session_open();

	(void)state;
	session_key(fd, MSG_LOGIN_KEY, "paas", fixture_key(1));
	struct msg *m = expect_on(fd, MSG_LOGIN_ANSWER);

	assert_int_equal(wire_get_u8(&m->in), 1);
	wire_get_str(&m->in, name, sizeof(name));
	assert_string_equal(name, "me");
	session_key(fd, MSG_LOGIN_PROVED, "paas", fixture_key(1));
	assert_int_equal(wire_get_u8(&expect_on(fd, MSG_LOGIN_ANSWER)->in), 1);
	/* The API on a connection of its own. */
	assert_int_equal(msg_send(fd, paasd_begin(MSG_API_OPEN, 0)), 0);
	m = expect_on(fd, MSG_API_READY);
	assert_int_equal(m->n_fds, 1);
	int api_fd = msg_take_fd(m, 0);
	static const char request[] = "GET /account HTTP/1.1\r\nHost: x\r\n\r\n";
	char reply[4096] = "";

	assert_int_equal(write(api_fd, request, sizeof(request) - 1), sizeof(request) - 1);
	paasd_settle();
	assert_true(recv(api_fd, reply, sizeof(reply) - 1, MSG_DONTWAIT) > 0);
	assert_memory_equal(reply, "HTTP/1.1 200", 12);
	assert_non_null(strstr(reply, "\"me\""));
	(void)close(api_fd);
	(void)close(fd);
	paasd_settle();
	assert_int_equal(paasd.live.n_sessions, 0);
}

static void
unknown_keys_and_names_are_refused_alike(void **state)
{
	int fd = session_open();

	(void)state;
	assert_false(asks(fd, "paas", fixture_key(2)));
	assert_false(asks(fd, "root", fixture_key(1)));
	assert_false(asks(fd, "me", fixture_key(1)));
	assert_true(asks(fd, "paas", fixture_key(1)));
	(void)close(fd);
	/* Proving what nobody has ends the session. */
	fd = session_open();
	session_key(fd, MSG_LOGIN_PROVED, "paas", fixture_key(2));
	assert_true(is_closed(fd));
	(void)close(fd);
}

static void
six_keys_and_no_more(void **state)
{
	int fd = session_open();

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		assert_false(asks(fd, "paas", fixture_key(10 + i)));
	session_key(fd, MSG_LOGIN_KEY, "paas", fixture_key(1));
	assert_true(is_closed(fd));
	(void)close(fd);
}

static void
nothing_is_had_without_a_login(void **state)
{
	int fd = session_open();

	(void)state;
	assert_int_equal(msg_send(fd, paasd_begin(MSG_API_OPEN, 0)), 0);
	assert_true(is_closed(fd));
	(void)close(fd);
	fd = session_open();
	session_git(fd, GIT_UPLOAD_PACK, "hello");
	assert_true(is_closed(fd));
	(void)close(fd);
	paasd_no_more_orders();
}

static void
a_second_proof_ends_the_session(void **state)
{
	int fd = session_login(1);

	(void)state;
	session_key(fd, MSG_LOGIN_PROVED, "paas", fixture_key(1));
	assert_true(is_closed(fd));
	(void)close(fd);
}

static void
there_is_an_end_to_sessions(void **state)
{
	int fds[512], one_more;

	(void)state;
	for (size_t i = 0; i < 512; i++)
		fds[i] = session_open();
	one_more = session_open();
	assert_true(is_closed(one_more));
	(void)close(one_more);
	for (size_t i = 0; i < 512; i++)
		(void)close(fds[i]);
	paasd_until(paasd.live.n_sessions == 0);
	(void)close(session_login(1));
	paasd_settle();
}

/* ---- git
 * ------------------------------------------------------------------------------------------ */

static const char *
refusal(int fd, enum git_service service, const char *app)
{
	static char why[480];

	session_git(fd, service, app);
	wire_get_str(&expect_on(fd, MSG_GIT_REFUSED)->in, why, sizeof(why));
	return why;
}

static void
refusals_are_sentences_that_give_nothing_away(void **state)
{
	struct key key;
	char missing[480];
	int fd = session_login(1);

	(void)state;
	(void)fixture_app("secret");
	(void)snprintf(missing, sizeof(missing), "%s", refusal(fd, GIT_UPLOAD_PACK, "nosuch"));
	assert_true(strlen(missing) > 10);
	(void)close(fd);
	/* Somebody with rights on another app only. */
	struct app other = fixture_app("other");

	assert_int_equal(keys_add(store, "you", fixture_key(2), RIGHT_READ, other.id, &key, &err),
			 0);
	fd = session_login(2);
	const char *why = refusal(fd, GIT_UPLOAD_PACK, "secret");
	const char *at = strstr(missing, "nosuch");

	assert_non_null(at);
	assert_memory_equal(why, missing, (size_t)(at - missing));
	assert_string_equal(strstr(why, "secret") + 6, at + 6);
	(void)close(fd);
	fd = session_login(2);
	assert_non_null(strstr(refusal(fd, GIT_RECEIVE_PACK, "other"), "deploy"));
	(void)close(fd);
	fd = session_login(1);
	assert_true(strlen(refusal(fd, GIT_RECEIVE_PACK, "../etc")) > 10);
	assert_true(strlen(refusal(fd, GIT_RECEIVE_PACK, "Upper")) > 10);
	(void)close(fd);
	paasd_no_more_orders();
}

static void
a_clone_needs_no_turn(void **state)
{
	struct app app = fixture_app("hello");
	int push_fd = session_login(1), fd = session_login(1);

	(void)state;
	session_git(push_fd, GIT_RECEIVE_PACK, "hello");
	(void)paasd_next(SANDBOX_GIT, "git");
	session_git(fd, GIT_UPLOAD_PACK, "/hello.git");
	struct paasd_order *git = paasd_next(SANDBOX_GIT, "git");

	assert_int_equal(git->order.uid, app.build_uid);
	assert_int_equal(git->job_fd, -1);
	paasd_run(git, false);
	(void)expect_on(fd, MSG_GIT_STARTED);
	paasd_exit(git, 0, false);
	assert_int_equal(wire_get_u32(&expect_on(fd, MSG_GIT_DONE)->in), 0);
	/* One git at a time per session. */
	session_git(push_fd, GIT_UPLOAD_PACK, "hello");
	assert_true(is_closed(push_fd));
	(void)close(push_fd);
	(void)close(fd);
}

static void
pushes_take_turns_and_are_told_their_place(void **state)
{
	int fds[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		fds[i] = session_login(1);
	session_git(fds[0], GIT_RECEIVE_PACK, "hello");
	struct paasd_order *first = paasd_next(SANDBOX_GIT, "git");

	session_git(fds[1], GIT_RECEIVE_PACK, "hello");
	assert_int_equal(wire_get_u32(&expect_on(fds[1], MSG_GIT_WAIT)->in), 1);
	session_git(fds[2], GIT_RECEIVE_PACK, "hello");
	assert_int_equal(wire_get_u32(&expect_on(fds[2], MSG_GIT_WAIT)->in), 2);
	paasd_no_more_orders();
	/* One that waits goes away. */
	(void)close(fds[1]);
	assert_int_equal(wire_get_u32(&expect_on(fds[2], MSG_GIT_WAIT)->in), 1);
	/* Another app does not wait. */
	int other_fd = session_login(1);

	session_git(other_fd, GIT_RECEIVE_PACK, "other");
	assert_string_equal(paasd_next(SANDBOX_GIT, "git")->order.app, "other");
	paasd_exit(first, 0, false);
	(void)paasd_next(SANDBOX_GIT, "git");
	(void)close(fds[0]);
	(void)close(fds[2]);
	(void)close(other_fd);
	paasd_settle();
}

static void
an_upload_that_stalls_loses_its_turn(void **state)
{
	int fd = session_login(1), next_fd = session_login(1);

	(void)state;
	session_git(fd, GIT_RECEIVE_PACK, "hello");
	struct paasd_order *git = paasd_next(SANDBOX_GIT, "git");

	paasd_run(git, false);
	(void)expect_on(fd, MSG_GIT_STARTED);
	session_git(next_fd, GIT_RECEIVE_PACK, "hello");
	assert_int_equal(msg_send(fd, paasd_begin(MSG_GIT_STALLED, 0)), 0);
	paasd_settle();
	assert_true(git->is_killed);
	paasd_exit(git, SIGKILL, false);
	assert_int_equal(wire_get_u32(&expect_on(fd, MSG_GIT_DONE)->in), 137);
	(void)paasd_next(SANDBOX_GIT, "git");
	(void)close(fd);
	(void)close(next_fd);
	/* But not one whose push is there. */
	struct push push;

	paasd_settle();
	push_start(&push, "other", COMMIT_ONE);
	assert_int_equal(msg_send(push.session_fd, paasd_begin(MSG_GIT_STALLED, 0)), 0);
	paasd_settle();
	assert_false(push.git->is_killed);
	(void)close(push.session_fd);
	(void)close(push.transcript_fd);
	paasd_settle();
}

static void
a_session_that_goes_during_its_upload_takes_git_along(void **state)
{
	int fd = session_login(1);

	(void)state;
	session_git(fd, GIT_RECEIVE_PACK, "hello");
	struct paasd_order *git = paasd_next(SANDBOX_GIT, "git");

	(void)close(fd);
	paasd_settle();
	assert_true(git->is_killed);
	paasd_exit(git, SIGKILL, false);
	fd = session_login(1);
	session_git(fd, GIT_RECEIVE_PACK, "hello");
	paasd_fail(paasd_next(SANDBOX_GIT, "git"), "mount /repo: no");
	char why[480];

	wire_get_str(&expect_on(fd, MSG_GIT_REFUSED)->in, why, sizeof(why));
	assert_string_equal(why, "git could not be started: mount /repo: no");
	(void)close(fd);
}

static void
a_hook_that_talks_nonsense_is_killed(void **state)
{
	struct push push;

	(void)state;
	push_start(&push, "hello", COMMIT_ONE);
	(void)paasd_next(SANDBOX_BUILD, "build");
	struct msg *m = paasd_begin(MSG_HOOK_PUSH, 0);

	for (int i = 0; i < 4; i++)
		wire_put_str(&m->out, "x");
	msg_add_fd(m, push.transcript_fd);
	assert_int_equal(msg_send(push.git->job_fd, m), 0);
	paasd_settle();
	assert_true(push.git->is_killed);
	(void)close(push.session_fd);
	(void)close(push.transcript_fd);
	paasd_settle();
}

static void
a_hook_with_a_strange_push_is_refused(void **state)
{
	static const char *const commits[] = {"11", "zz11111111111111111111111111111111111111",
					      "--upload-pack=x"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct push push;

		push_start(&push, "hello", commits[i]);
		assert_int_equal(push_verdict(&push), 0);
		assert_non_null(strstr(push_read(&push), "could not be understood"));
		push_end(&push, 0);
	}
	paasd_no_more_orders();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PUSHER_TEST(a_known_key_gets_in_under_its_users_name),
		PUSHER_TEST(unknown_keys_and_names_are_refused_alike),
		PUSHER_TEST(six_keys_and_no_more),
		PUSHER_TEST(nothing_is_had_without_a_login),
		PUSHER_TEST(a_second_proof_ends_the_session),
		PUSHER_TEST(there_is_an_end_to_sessions),
		PUSHER_TEST(refusals_are_sentences_that_give_nothing_away),
		PUSHER_TEST(a_clone_needs_no_turn),
		PUSHER_TEST(pushes_take_turns_and_are_told_their_place),
		PUSHER_TEST(an_upload_that_stalls_loses_its_turn),
		PUSHER_TEST(a_session_that_goes_during_its_upload_takes_git_along),
		PUSHER_TEST(a_hook_that_talks_nonsense_is_killed),
		PUSHER_TEST(a_hook_with_a_strange_push_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A person who pushes, the hook and the builder, played against the real control. */
#ifndef TESTS_CONTROL_PUSHER_H
#define TESTS_CONTROL_PUSHER_H

#include "tests/unit/control/paasd.h"

#define COMMIT_ONE "1111111111111111111111111111111111111111"
#define COMMIT_TWO "2222222222222222222222222222222222222222"

/* ---- channels of sessions, hooks and builders
 * ----------------------------------------------------- */

/* The next message on a channel of control, or NULL: it is closed, or silent. */
static inline struct msg *
hear_on(int fd)
{
	static struct msg m;

	paasd_settle();
	return msg_receive(fd, &m) == 1 ? &m : NULL;
}

static inline struct msg *
expect_on(int fd, enum msg_type type)
{
	struct msg *m = hear_on(fd);

	if (m == NULL || m->type != type) {
		fail_msg("got %s, not %s", m != NULL ? msg_name(m->type) : "nothing",
			 msg_name(type));
		abort();
	}
	return m;
}

static inline bool
is_closed(int fd)
{
	static struct msg m;

	paasd_settle();
	return msg_receive(fd, &m) == 0;
}

/* ---- sessions
 * -------------------------------------------------------------------------------------- */

static inline int
session_open(void)
{
	struct msg *m = paasd_begin(MSG_SESSION_OPEN, 0);
	int ends[2];

	assert_int_equal(msg_pair(ends, true), 0);
	wire_put_str(&m->out, "192.0.2.1:4711");
	msg_add_fd(m, ends[1]);
	paasd_send(m);
	(void)close(ends[1]);
	paasd_settle();
	return ends[0];
}

static inline void
session_key(int fd, enum msg_type type, const char *login, const char *line)
{
	struct msg *m = paasd_begin(type, 0);
	char key_type[64], blob[512];

	assert_int_equal(sscanf(line, "%63s %511s", key_type, blob), 2);
	wire_put_str(&m->out, login);
	wire_put_str(&m->out, key_type);
	wire_put_str(&m->out, blob);
	assert_int_equal(msg_send(fd, m), 0);
}

/* One whose user has key `number`. */
static inline int
session_login(unsigned number)
{
	int fd = session_open();

	session_key(fd, MSG_LOGIN_KEY, "paas", fixture_key(number));
	assert_int_equal(wire_get_u8(&expect_on(fd, MSG_LOGIN_ANSWER)->in), 1);
	session_key(fd, MSG_LOGIN_PROVED, "paas", fixture_key(number));
	assert_int_equal(wire_get_u8(&expect_on(fd, MSG_LOGIN_ANSWER)->in), 1);
	return fd;
}

static inline void
session_git(int fd, enum git_service service, const char *app)
{
	struct msg *m = paasd_begin(MSG_GIT_OPEN, 0);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(null_fd >= 0);
	wire_put_u8(&m->out, (uint8_t)service);
	wire_put_str(&m->out, app);
	wire_put_str(&m->out, "version=2");
	for (int i = 0; i < 3; i++)
		msg_add_fd(m, null_fd);
	assert_int_equal(msg_send(fd, m), 0);
	(void)close(null_fd);
	paasd_settle();
}

/* ---- the hook
 * ---------------------------------------------------------------------------------------- */

struct push {
	int session_fd;
	struct paasd_order *git;
	int transcript_fd;
	char said[16384];
};

/* Up to the commit that the hook reports. */
static inline void
push_start(struct push *push, const char *app, const char *commit)
{
	struct msg *m;
	int ends[2];

	memset(push, 0, sizeof(*push));
	push->session_fd = session_login(1);
	session_git(push->session_fd, GIT_RECEIVE_PACK, app);
	push->git = paasd_next(SANDBOX_GIT, "git");
	assert_int_equal(file_set_nonblocking(push->git->job_fd, true), 0);
	paasd_run(push->git, false);
	(void)expect_on(push->session_fd, MSG_GIT_STARTED);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	push->transcript_fd = ends[0];
	assert_int_equal(file_set_nonblocking(ends[0], true), 0);
	m = paasd_begin(MSG_HOOK_PUSH, 0);
	wire_put_str(&m->out, "refs/heads/master");
	wire_put_str(&m->out, "0000000000000000000000000000000000000000");
	wire_put_str(&m->out, commit);
	wire_put_str(&m->out, "tmp_objdir-incoming-x");
	msg_add_fd(m, ends[1]);
	assert_int_equal(msg_send(push->git->job_fd, m), 0);
	(void)close(ends[1]);
	paasd_settle();
}

static inline const char *
push_read(struct push *push)
{
	size_t len = strlen(push->said);
	ssize_t n;

	while ((n = read(push->transcript_fd, push->said + len, sizeof(push->said) - 1 - len)) > 0)
		len += (size_t)n;
	push->said[len] = '\0';
	return push->said;
}

/* 1 accepted, 0 refused, -1: none yet. */
static inline int
push_verdict(struct push *push)
{
	struct msg m;

	for (int i = 0; i < 50; i++) {
		paasd_settle();
		(void)push_read(push);
		if (msg_receive(push->git->job_fd, &m) == 1) {
			assert_int_equal(m.type, MSG_HOOK_VERDICT);
			return wire_get_u8(&m.in);
		}
	}
	return -1;
}

/* git ends with its exit status and the session hears it. */
static inline void
push_end(struct push *push, uint32_t status)
{
	uint32_t code = status < 256 && status > 0 ? 128 + status : status >> 8;

	paasd_exit(push->git, status, false);
	assert_int_equal(wire_get_u32(&expect_on(push->session_fd, MSG_GIT_DONE)->in), code);
	(void)close(push->session_fd);
	(void)close(push->transcript_fd);
	paasd_settle();
}

/* ---- the builder
 * --------------------------------------------------------------------------------------- */

static inline void
build_say(int fd, enum msg_type type, const char *a, const char *b)
{
	struct msg *m = paasd_begin(type, 0);

	wire_put_str(&m->out, a);
	if (b != NULL)
		wire_put_str(&m->out, b);
	assert_int_equal(msg_send(fd, m), 0);
}

static inline void
build_done(int fd, uint64_t bytes)
{
	struct msg *m = paasd_begin(MSG_BUILD_DONE, 0);

	wire_put_str(&m->out, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	wire_put_u64(&m->out, bytes);
	wire_put_u8(&m->out, 1);
	assert_int_equal(msg_send(fd, m), 0);
}

/* The order of a build: the fd of the slug file to write. */
static inline int
build_take_order(struct paasd_order *o, const char *commit)
{
	char text[128];
	struct msg m;

	assert_int_equal(file_set_nonblocking(o->job_fd, true), 0);
	assert_int_equal(msg_receive(o->job_fd, &m), 1);
	assert_int_equal(m.type, MSG_BUILD_ORDER);
	assert_int_equal(m.n_fds, 2);
	wire_get_str(&m.in, text, sizeof(text));
	assert_string_equal(text, commit);
	int fd = msg_take_fd(&m, 0);

	msg_done(&m);
	return fd;
}

/* A build that succeeds with the types "web worker ...", running "./TYPE". */
static inline void
build_succeed(struct paasd_order *o, const char *commit, const char *types)
{
	AUTO_FD int slug_fd = build_take_order(o, commit);
	char words[256], command[64], *save = NULL;

	paasd_run(o, false);
	assert_int_equal(write(slug_fd, "a slug", 6), 6);
	build_say(o->job_fd, MSG_BUILD_PACK, "static", "Static");
	(void)snprintf(words, sizeof(words), "%s", types);
	for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		(void)snprintf(command, sizeof(command), "./%s", w);
		build_say(o->job_fd, MSG_BUILD_TYPE, w, command);
	}
	build_done(o->job_fd, 6);
	paasd_exit(o, 0, false);
}

/* A whole push of an app with these types, web coming up. */
static inline struct paasd_order *
push_whole(const char *app, const char *commit, const char *types)
{
	struct push push;

	push_start(&push, app, commit);
	build_succeed(paasd_next(SANDBOX_BUILD, "build"), commit, types);
	paasd_exit(paasd_next(SANDBOX_UNPACK, "unpack"), 0, false);
	struct paasd_order *web = paasd_next(SANDBOX_APP, "");

	paasd_run(web, true);
	assert_int_equal(push_verdict(&push), 1);
	push_end(&push, 0);
	return web;
}

/* ---- set-up
 * ---------------------------------------------------------------------------------------------- */

static inline void
pusher_key(void)
{
	struct key key;

	assert_int_equal(keys_add(store, "me", fixture_key(1), RIGHT_ADMIN, 0, &key, &err), 0);
}

static inline int
pusher_set_up(void **state)
{
	static const char *const quick[] = {"--boot-time=300ms",  "--stop-time=200ms",
					    "--drain-time=300ms", "--build-time=5s",
					    "--builds=1",	  NULL};

	(void)signal(SIGPIPE, SIG_IGN);
	(void)fixture_set_up(state);
	pusher_key();
	paasd_start(quick);
	return 0;
}

static inline int
pusher_tear_down(void **state)
{
	paasd_stop();
	return fixture_tear_down(state);
}

#define PUSHER_TEST(f) cmocka_unit_test_setup_teardown(f, pusher_set_up, pusher_tear_down)

/* What is in force. */
static inline struct release
release_in_force(const char *name)
{
	struct release release = {0};
	struct app app;

	assert_int_equal(apps_find(store, name, &app, &err), 0);
	assert_int_equal(releases_find(store, app.id, app.release, &release, &err), 0);
	return release;
}

#endif

/* daemon/state: whose directory it is, who holds it, and where control.sock is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/err.h"
#include "lib/file.h"
#include "daemon/state.h"

static char top[] = "/tmp/test-state-XXXXXX";
static struct config config;
static struct state state_;
static struct err err;
/* Ids that need not exist. */
static const struct user_ids users[USER_COUNT] = {
	{70001, 70001}, {70002, 70002}, {70003, 70003}, {70004, 70004}};

static int
make_top(void **state)
{
	(void)state;
	return mkdtemp(top) ? 0 : -1;
}

static int
remove_top(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, top);
}

static int
setup(void **state)
{
	(void)state;
	state_init(&state_);
	memset(&config, 0, sizeof(config));
	(void)snprintf(config.state, sizeof(config.state), "%.64s/s", top);
	(void)snprintf(config.runtime, sizeof(config.runtime), "%.64s/s", top);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	state_done(&state_);
	return file_remove_tree(AT_FDCWD, config.state);
}

/* ---- the lock ------------------------------------------------------------------------------- */

/* What state_lock says in another process. */
static int
lock_elsewhere(void)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct state other;

		state_init(&other);
		_exit(-state_lock(&other, &config, NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return -WEXITSTATUS(status);
}

static void
test_lock(void **state)
{
	(void)state;
	assert_int_equal(state_lock(&state_, &config, &err), 0);
	assert_int_equal(lock_elsewhere(), -EBUSY);
	state_done(&state_);
	assert_int_equal(lock_elsewhere(), 0);
}

static void
test_lock_sentence(void **state)
{
	int ready[2], status;
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (state_lock(&state_, &config, NULL) == 0)
			(void)!write(ready[1], "", 1);
		(void)pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(state_lock(&state_, &config, &err), -EBUSY);
	assert_non_null(strstr(err.text, "in use by another paasd"));
	/* One that is just being killed is waited for. */
	state_done(&state_);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(state_lock(&state_, &config, &err), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(ready[0]);
	close(ready[1]);
}

/* A child caught between fork and exec when its paasd is killed must not hold the lock. */
static void
test_lock_is_not_inherited(void **state)
{
	int hold[2], status;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(hold), 0);
	assert_int_equal(state_lock(&state_, &config, &err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(hold[1]);
		(void)!read(hold[0], &c, 1);
		_exit(0);
	}
	state_done(&state_);
	assert_int_equal(lock_elsewhere(), 0);
	close(hold[0]);
	close(hold[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* The image we execute finds the fd, and at no moment may another process have the lock. */
static void
test_lock_is_handed_on(void **state)
{
	struct state next;
	int fd;

	(void)state;
	assert_int_equal(state_lock(&state_, &config, &err), 0);
	fd = state_.lock_fd;
	assert_int_equal(state_pass_lock(&state_), 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	state_init(&next);
	assert_int_equal(state_lock(&next, &config, &err), 0);
	assert_int_equal(next.lock_fd, fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_null(getenv(STATE_LOCK_VARIABLE));
	assert_int_equal(lock_elsewhere(), -EBUSY);
	state_.lock_fd = -1;
	state_done(&next);
}

static void
test_lock_variable_lies(void **state)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	char text[16];

	(void)state;
	(void)snprintf(text, sizeof(text), "%d", null_fd);
	assert_int_equal(setenv(STATE_LOCK_VARIABLE, text, 1), 0);
	assert_int_equal(state_lock(&state_, &config, &err), 0);
	assert_int_not_equal(state_.lock_fd, null_fd);
	assert_int_equal(fcntl(null_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(null_fd);
}

static void
test_foreign_directory(void **state)
{
	char path[160];
	int fd;

	(void)state;
	assert_int_equal(mkdir(config.state, 0700), 0);
	(void)snprintf(path, sizeof(path), "%.100s/letter.txt", config.state);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(state_lock(&state_, &config, &err), -EEXIST);
	assert_non_null(strstr(err.text, "no platform's"));
	assert_int_equal(unlink(path), 0);
	state_done(&state_);
	assert_int_equal(state_lock(&state_, &config, &err), 0);
}

/* ---- what is made -----------------------------------------------------------------------------
 */

static void
is_made(const char *name, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	assert_int_equal(fstatat(state_.dir_fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	assert_int_equal(st.st_uid, uid);
	assert_int_equal(st.st_gid, gid);
}

static void
test_layout(void **state)
{
	(void)state;
	assert_int_equal(state_lock(&state_, &config, &err), 0);
	assert_int_equal(state_make(&state_, &config, users, &err), 0);
	is_made(".", 01771, 0, 70001);
	is_made("ssh", 0700, 70002, 70002);
	is_made("logs", 0700, 70003, 70003);
	is_made("repos", 0711, 0, 0);
	is_made("slugs", 0771, 0, 70001);
	is_made("cache", 0711, 0, 0);
	is_made("disks", 0711, 0, 0);
	/* Again, with something put right. */
	assert_int_equal(fchmodat(state_.dir_fd, "ssh", 0777, 0), 0);
	state_done(&state_);
	assert_int_equal(state_lock(&state_, &config, &err), 0);
	assert_int_equal(state_make(&state_, &config, users, &err), 0);
	is_made("ssh", 0700, 70002, 70002);
}

static int
connect_to(int dir_fd)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/control.sock", dir_fd);
	ret = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static void
open_and_listen(void)
{
	assert_int_equal(state_lock(&state_, &config, &err), 0);
	assert_int_equal(state_make(&state_, &config, users, &err), 0);
	assert_int_equal(state_listen(&state_, users, &err), 0);
}

static void
test_control_socket(void **state)
{
	int dir_fd;

	(void)state;
	open_and_listen();
	is_made("control.sock", 0660, 0, 70001);
	assert_int_equal(connect_to(state_.runtime_fd), 0);

	/* A crash leaves it behind; the next one replaces it. */
	state_done(&state_);
	open_and_listen();
	assert_int_equal(connect_to(state_.runtime_fd), 0);

	dir_fd = fcntl(state_.runtime_fd, F_DUPFD_CLOEXEC, 3);
	state_unlisten(&state_);
	assert_int_equal(state_.control_fd, -1);
	assert_int_equal(connect_to(dir_fd), -ENOENT);
	close(dir_fd);
}

/* A socket's address has 107 bytes; paths may be longer. */
static void
test_long_path(void **state)
{
	char name[201] = "";

	(void)state;
	memset(name, 'd', 200);
	(void)snprintf(config.state, sizeof(config.state), "%.64s/s/%s", top, name);
	(void)snprintf(config.runtime, sizeof(config.runtime), "%s", config.state);
	open_and_listen();
	assert_int_equal(connect_to(state_.runtime_fd), 0);
	(void)snprintf(config.state, sizeof(config.state), "%.64s/s", top);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock_sentence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock_is_not_inherited, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock_is_handed_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lock_variable_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_control_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_path, setup, teardown),
	};

	return cmocka_run_group_tests_name("state", tests, make_top, remove_top);
}

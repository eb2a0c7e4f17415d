/* daemon/cradle: in the host's own cgroup2 tree, with real processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/spawn.h"
#include "daemon/cradle.h"

static char path[512];
static int register_fd = -1;

/* A directory of our own in the cgroup2 tree, if it is mounted. */
static int
setup(void **state)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *m;

	(void)state;
	while (mounts && (m = getmntent(mounts))) {
		if (strcmp(m->mnt_type, "cgroup2") == 0)
			(void)snprintf(path, sizeof(path), "%.400s/test-cradle-%d", m->mnt_dir,
				       getpid());
	}
	if (mounts)
		(void)endmntent(mounts);
	if (!path[0])
		return 0;
	if (mkdir(path, 0755) < 0)
		return -1;
	register_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return register_fd < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (register_fd < 0)
		return 0;
	close(register_fd);
	return rmdir(path);
}

static pid_t
born_in(const char *name, const char *seconds)
{
	const char *const argv[] = {"sleep", seconds, NULL};
	const char *const envp[] = {NULL};
	struct err err = {0};
	AUTO_FD int cgroup_fd = cradle_make(register_fd, name, &err);
	AUTO_FD int pid_fd = -1;
	struct spawn s = {.exe_fd = -1,
			  .path = "/bin/sleep",
			  .argv = argv,
			  .envp = envp,
			  .cwd_fd = -1,
			  .cgroup_fd = cgroup_fd,
			  .uid = (uid_t)-1};
	pid_t pid;

	if (cgroup_fd < 0 || spawn_start(&s, &pid, &pid_fd, &err) < 0)
		fail_msg("%s", err.text);
	return pid;
}

static int
signal_that_ended(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

#define NEEDS_CGROUP2()                                                                            \
	do {                                                                                       \
		(void)state;                                                                       \
		if (register_fd < 0)                                                               \
			skip();                                                                    \
	} while (0)

static void
test_await_ends_by_itself(void **state)
{
	pid_t pid;

	NEEDS_CGROUP2();
	pid = born_in("role.a", "0.1");
	assert_int_equal(cradle_await(register_fd, "role.a", 10000, true), 0);
	assert_int_equal(signal_that_ended(pid), 0);
	cradle_remove(register_fd, "role.a");
	assert_int_equal(faccessat(register_fd, "role.a", F_OK, 0), -1);
}

static void
test_await_kills(void **state)
{
	pid_t pid;

	NEEDS_CGROUP2();
	pid = born_in("role.a", "1000");
	assert_int_equal(cradle_await(register_fd, "role.a", 50, false), 0);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(cradle_await(register_fd, "role.a", 50, true), 0);
	assert_int_equal(signal_that_ended(pid), SIGKILL);
	cradle_remove(register_fd, "role.a");
}

static void
test_remove_kills(void **state)
{
	pid_t a, b;

	NEEDS_CGROUP2();
	a = born_in("router.1", "1000");
	b = born_in("router.2", "1000");
	close(cradle_make(register_fd, "role.b", NULL));
	cradle_remove_all(register_fd, "router.");
	assert_int_equal(signal_that_ended(a), SIGKILL);
	assert_int_equal(signal_that_ended(b), SIGKILL);
	assert_int_equal(faccessat(register_fd, "router.1", F_OK, 0), -1);
	assert_int_equal(faccessat(register_fd, "router.2", F_OK, 0), -1);
	assert_int_equal(faccessat(register_fd, "role.b", F_OK, 0), 0);
	cradle_remove(register_fd, "role.b");
}

static void
test_missing(void **state)
{
	NEEDS_CGROUP2();
	assert_int_equal(cradle_await(register_fd, "role.none", 10, true), 0);
	cradle_remove(register_fd, "role.none");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_await_ends_by_itself),
		cmocka_unit_test(test_await_kills),
		cmocka_unit_test(test_remove_kills),
		cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests_name("cradle", tests, setup, teardown);
}

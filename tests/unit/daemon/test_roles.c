/* daemon/roles: what a program started from the table can and cannot do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/confine.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/spawn.h"
#include "daemon/roles.h"

#define PROBE_UID 70005

/* What the started program found, sent as one struct. */
struct report {
	uid_t uid;
	gid_t gid;
	int n_groups;
	bool is_session, has_no_new_privs;
	bool stdout_is_stderr;
	int n_fds; /* from 3 to 63 */
	int write_here, read_outside, write_outside, execute_shell, fork_one;
	rlim_t max_fds, max_core;
	char cwd[128];
};

/* ---- the program ---------------------------------------------------------------------------- */

static int
try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(0);
	(void)waitpid(pid, NULL, 0);
	return 0;
}

static int
try_execute(void)
{
	const char *const argv[] = {"true", NULL};
	const char *const envp[] = {NULL};
	const struct spawn s = {.exe_fd = -1,
				.path = "/bin/true",
				.argv = argv,
				.envp = envp,
				.cwd_fd = -1,
				.uid = (uid_t)-1};
	AUTO_FD int pid_fd = -1;
	pid_t pid;
	int ret = spawn_start(&s, &pid, &pid_fd, NULL);

	if (ret == 0)
		(void)waitpid(pid, NULL, 0);
	return ret;
}

static int
probe(void)
{
	struct report r = {.uid = getuid(), .gid = getgid(), .n_groups = getgroups(0, NULL)};
	struct stat out, errs;
	struct rlimit limit;
	char line[256];
	FILE *f;

	r.is_session = getsid(0) == getpid();
	r.stdout_is_stderr = fstat(1, &out) == 0 && fstat(2, &errs) == 0 &&
			     out.st_ino == errs.st_ino && out.st_dev == errs.st_dev;
	for (int fd = 3; fd < 64; fd++)
		r.n_fds += fcntl(fd, F_GETFD) >= 0;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	r.max_fds = limit.rlim_max;
	(void)getrlimit(RLIMIT_CORE, &limit);
	r.max_core = limit.rlim_max;
	r.write_here = try_open("made", O_WRONLY | O_CREAT);
	r.read_outside = try_open("/etc/passwd", O_RDONLY);
	r.write_outside = try_open("/tmp/test-roles-outside", O_WRONLY | O_CREAT);
	r.fork_one = try_fork();
	r.execute_shell = r.fork_one == 0 ? try_execute() : -EAGAIN;
	if (!getcwd(r.cwd, sizeof(r.cwd)))
		r.cwd[0] = '\0';
	/* Landlock closes /proc to it; the flag is in no other place. */
	f = fopen("/proc/self/status", "re");
	r.has_no_new_privs = !f;
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "NoNewPrivs:\t1", 13) == 0)
			r.has_no_new_privs = true;
	}
	if (f)
		(void)fclose(f);
	return file_write_all(3, &r, sizeof(r)) < 0;
}

/* ---- starting it ------------------------------------------------------------------------------
 */

static char top[] = "/tmp/test-roles-XXXXXX";
static int libexec_fd = -1, home_fd = -1;

static int
setup(void **state)
{
	AUTO_FD int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), out = -1;
	char bytes[65536];
	ssize_t n;
	int top_fd;

	(void)state;
	if (!mkdtemp(top))
		return -1;
	/* The child may not walk through here. */
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (chmod(top, 0700) < 0 || top_fd < 0)
		return -1;
	libexec_fd = file_make_dir(top_fd, "libexec", 0755, 0, 0);
	home_fd = file_make_dir(top_fd, "home", 0700, PROBE_UID, PROBE_UID);
	close(top_fd);
	out = openat(libexec_fd, "probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	while ((n = read(in, bytes, sizeof(bytes))) > 0) {
		if (file_write_all(out, bytes, (size_t)n) < 0)
			return -1;
	}
	return n < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(libexec_fd);
	close(home_fd);
	(void)unlink("/tmp/test-roles-outside");
	return file_remove_tree(AT_FDCWD, top);
}

static void
run(enum role role, struct report *report)
{
	struct role_row row = *role_get(role);
	const char *const argv[] = {"probe", "--probe", NULL};
	AUTO_FD int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO_FD int pid_fd = -1;
	struct err err = {0};
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	row.program = "probe";
	{
		const struct spawn_fd fds[] = {{ends[1], 3}, {null_fd, 30}};
		const struct role_launch l = {.row = &row,
					      .argv = argv,
					      .fds = fds,
					      .n_fds = 2,
					      .libexec_fd = libexec_fd,
					      .bin_fd = libexec_fd,
					      .cwd_fd = home_fd,
					      .null_fd = null_fd,
					      .ids = {PROBE_UID, PROBE_UID}};

		if (role_launch(&l, &pid, &pid_fd, &err) < 0)
			fail_msg("%s", err.text);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], report, sizeof(*report)), sizeof(*report));
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* What holds for every role. */
static void
holds_always(const struct report *r, rlim_t max_fds)
{
	struct rlimit ours;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &ours), 0);
	assert_int_equal(r->uid, PROBE_UID);
	assert_int_equal(r->gid, PROBE_UID);
	assert_int_equal(r->n_groups, 0);
	assert_true(r->is_session);
	assert_true(r->has_no_new_privs);
	assert_true(r->stdout_is_stderr);
	assert_int_equal(r->n_fds, 2);
	assert_int_equal(r->max_core, 0);
	assert_int_equal(r->max_fds, max_fds < ours.rlim_max ? max_fds : ours.rlim_max);
	/* Whatever files say: it has no right to make any but in its own directory. */
	if (confine_abi() > 0)
		assert_int_equal(r->write_outside, -EACCES);
}

static void
test_control(void **state)
{
	struct report r;

	(void)state;
	run(ROLE_CONTROL, &r);
	holds_always(&r, 65536);
	assert_int_equal(r.write_here, 0);
	assert_non_null(strstr(r.cwd, "/home"));
	if (confine_abi() > 0)
		assert_int_equal(r.read_outside, -EACCES);
}

static void
test_receiver(void **state)
{
	struct report r;

	(void)state;
	run(ROLE_RECEIVER, &r);
	holds_always(&r, 4096);
	assert_int_equal(r.read_outside, 0);
	assert_int_equal(r.fork_one, 0);
	if (confine_abi() > 0) {
		assert_int_equal(r.write_here, -EACCES);
#ifndef __SANITIZE_ADDRESS__
		assert_int_equal(r.execute_shell, -EACCES);
#endif
	}
}

static void
test_router(void **state)
{
	struct report r;

	(void)state;
	run(ROLE_ROUTER, &r);
	holds_always(&r, 1048576);
	if (confine_abi() > 0) {
		assert_int_equal(r.write_here, -EACCES);
		assert_int_equal(r.read_outside, -EACCES);
	}
#ifndef __SANITIZE_ADDRESS__
	assert_int_equal(r.fork_one, -EAGAIN);
#endif
}

static void
test_no_such_program(void **state)
{
	struct role_row row = *role_get(ROLE_LOGS);
	const char *const argv[] = {"x", NULL};
	const struct role_launch l = {.row = &row,
				      .argv = argv,
				      .libexec_fd = libexec_fd,
				      .bin_fd = libexec_fd,
				      .cwd_fd = home_fd,
				      .null_fd = libexec_fd,
				      .ids = {PROBE_UID, PROBE_UID}};
	struct err err = {0};
	pid_t pid;
	int pid_fd;

	(void)state;
	row.program = "paas-nothing";
	assert_int_equal(role_launch(&l, &pid, &pid_fd, &err), -ENOENT);
	assert_non_null(strstr(err.text, "paas-nothing"));
}

static void
test_table(void **state)
{
	static const enum role all[] = {ROLE_CONTROL, ROLE_RECEIVER, ROLE_LOGS, ROLE_ROUTER,
					ROLE_SESSION};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		const struct role_row *row = role_get(all[i]);

		assert_int_equal(row->role, all[i]);
		assert_true(row->max_fds > 0);
		assert_non_null(row->oom_score_adj);
		assert_true(row->max_queued > 0 || !row->has_channel);
		assert_true(row->label || all[i] == ROLE_ROUTER);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),		cmocka_unit_test(test_control),
		cmocka_unit_test(test_receiver),	cmocka_unit_test(test_router),
		cmocka_unit_test(test_no_such_program),
	};

	if (argc == 2 && strcmp(argv[1], "--probe") == 0)
		return probe();
	return cmocka_run_group_tests_name("roles", tests, setup, teardown);
}

/* lib/spawn: real children; what they are started with, and what failed when they were not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/buf.h"
#include "lib/confine.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/spawn.h"

static const char *const no_env[] = {NULL};
static struct err err;

/* The descriptors of a shell script: what it prints on fd 1 comes back, and its exit code. */
static int
run_script(struct spawn *s, const char *script, struct buf *out)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct spawn_fd fds[16];
	int ends[2], pid_fd, status, ret;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	for (size_t i = 0; i < s->n_fds; i++)
		fds[i] = s->fds[i];
	fds[s->n_fds] = (struct spawn_fd){.from = ends[1], .to = 1};
	s->fds = fds;
	s->n_fds++;
	s->argv = argv;
	if (!s->envp)
		s->envp = no_env;
	err.text[0] = '\0';
	ret = spawn_start(s, &pid, &pid_fd, &err);
	close(ends[1]);
	if (ret == 0) {
		struct pollfd p = {.fd = pid_fd, .events = POLLIN};

		buf_init(out, 65536);
		assert_int_equal(file_read_all(ends[0], out), 0);
		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_int_equal(fcntl(pid_fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		close(pid_fd);
		ret = status;
	}
	close(ends[0]);
	return ret;
}

static struct spawn
shell(void)
{
	return (struct spawn){
		.exe_fd = -1, .path = "/bin/sh", .cwd_fd = -1, .uid = (uid_t)-1, .gid = (gid_t)-1};
}

static void
test_plain(void **state)
{
	static const char *const env[] = {"A=1", NULL};
	struct spawn s = shell();
	struct buf out;

	(void)state;
	s.envp = env;
	assert_int_equal(run_script(&s, "echo \"$A\"; exit 3", &out), 3 << 8);
	assert_string_equal(buf_text(&out), "1\n");
	buf_done(&out);
}

/* Blocked and ignored signals of ours are not the child's. */
static void
test_signals(void **state)
{
	struct spawn s = shell();
	sigset_t set, old;
	struct buf out;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, &old), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(run_script(&s, "grep -E '^Sig(Blk|Ign)' /proc/self/status", &out), 0);
	assert_string_equal(buf_text(&out),
			    "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
	buf_done(&out);
	(void)signal(SIGPIPE, SIG_DFL);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

/* Each fd of a set holds its own letter; wherever they come from and go to, the right one arrives
 * and nothing else is open. */
static void
check_fds(const struct spawn_fd *map, size_t n, const char *want)
{
	struct spawn s = shell();
	struct buf out;

	s.fds = map;
	s.n_fds = n;
	assert_int_equal(run_script(&s,
				    "for f in /proc/$$/fd/*; do n=${f##*/}; l=$(readlink $f); "
				    "case $n$l in [012]/*) ;; *[0-9]/dev/*) echo $n=$l; esac; done",
				    &out),
			 0);
	assert_string_equal(buf_text(&out), want);
	buf_done(&out);
}

static void
test_fds(void **state)
{
	int a, b, c;
	const char *files[] = {"/dev/null", "/dev/zero", "/dev/full"};

	(void)state;
	a = open(files[0], O_RDWR);
	b = open(files[1], O_RDWR);
	c = open(files[2], O_RDWR);
	/* Some that are there and not CLOEXEC must go. */
	assert_int_equal(dup2(a, 40), 40);
	assert_int_equal(dup2(b, 41), 41);
	assert_int_equal(dup2(c, 42), 42);
	check_fds(NULL, 0, "");
	check_fds((struct spawn_fd[]){{a, 3}, {b, 4}, {c, 5}}, 3,
		  "3=/dev/null\n4=/dev/zero\n5=/dev/full\n");
	/* A ring, swapped places, the same one twice, gaps. */
	check_fds((struct spawn_fd[]){{40, 41}, {41, 42}, {42, 40}}, 3,
		  "40=/dev/full\n41=/dev/null\n42=/dev/zero\n");
	check_fds((struct spawn_fd[]){{40, 41}, {41, 40}}, 2, "40=/dev/zero\n41=/dev/null\n");
	check_fds((struct spawn_fd[]){{40, 40}}, 1, "40=/dev/null\n");
	check_fds((struct spawn_fd[]){{40, 3}, {40, 30}, {41, 10}}, 3,
		  "10=/dev/zero\n3=/dev/null\n30=/dev/null\n");
	close(40);
	close(41);
	close(42);
	close(a);
	close(b);
	close(c);
}

static void
test_identity(void **state)
{
	gid_t more[] = {4, 5};
	struct spawn s = shell();
	struct buf out;

	(void)state;
	if (getuid() != 0)
		skip();
	assert_int_equal(setgroups(2, more), 0);
	s.uid = 12345;
	s.gid = 54321;
	s.cwd_fd = open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(run_script(&s,
				    "id -u; id -g; id -G; grep -E '^(NoNewPrivs|CapEff)' "
				    "/proc/self/status; pwd",
				    &out),
			 0);
	assert_string_equal(buf_text(&out), "12345\n54321\n54321\nCapEff:\t0000000000000000\n"
					    "NoNewPrivs:\t1\n/usr\n");
	buf_done(&out);
	close(s.cwd_fd);
	assert_int_equal(setgroups(0, NULL), 0);
}

/* Neither the program nor the directory needs to be reachable for the user. */
static void
test_hidden(void **state)
{
	char top[] = "/tmp/paas-spawn-XXXXXX", command[256];
	struct spawn s = shell();
	struct buf out;
	int dir_fd;

	(void)state;
	if (getuid() != 0)
		skip();
	assert_non_null(mkdtemp(top));
	(void)snprintf(command, sizeof(command),
		       "mkdir -m 755 %s/cwd && cp -L /bin/sh %s/sh && echo found >%s/cwd/file && "
		       "chmod 711 %s/sh",
		       top, top, top, top);
	assert_int_equal(system(command), 0);
	dir_fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	s.path = NULL;
	s.exe_fd = openat(dir_fd, "sh", O_PATH | O_CLOEXEC);
	s.cwd_fd = openat(dir_fd, "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	s.uid = s.gid = 12345;
	assert_int_equal(run_script(&s, "cat file; cat ../sh 2>&1 >/dev/null | wc -l", &out), 0);
	assert_string_equal(buf_text(&out), "found\n1\n");
	buf_done(&out);
	close(s.exe_fd);
	close(s.cwd_fd);
	close(dir_fd);
	assert_int_equal(file_remove_tree(AT_FDCWD, top), 0);
}

/* ---- failures ---------------------------------------------------------------------------- */

static int
refuse(void *user, struct err *e)
{
	return err_set(e, -EPERM, "confine to %s", (const char *)user);
}

static size_t
count_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
check_fails(struct spawn s, int code, const char *says)
{
	const char *argv[] = {"program", NULL};
	size_t before = count_fds();
	int pid_fd;
	pid_t pid;

	s.argv = argv;
	s.envp = no_env;
	assert_int_equal(spawn_start(&s, &pid, &pid_fd, &err), code);
	assert_string_equal(err.text, says);
	assert_int_equal(spawn_start(&s, &pid, &pid_fd, NULL), code);
	assert_int_equal(count_fds(), before);
	/* No child is left. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void
test_failures(void **state)
{
	static char where[] = "nowhere";
	struct spawn s = shell();
	struct spawn_fd bad = {.from = 777, .to = 3};

	(void)state;
	s.path = "/nonexistent/program";
	check_fails(s, -ENOENT, "execute /nonexistent/program: No such file or directory");
	s = shell();
	s.path = NULL;
	s.exe_fd = open("/etc/passwd", O_PATH | O_CLOEXEC);
	check_fails(s, -EACCES, "execute program: Permission denied");
	close(s.exe_fd);
	s = shell();
	s.fds = &bad;
	s.n_fds = 1;
	check_fails(s, -EBADF, "pass fd 777: Bad file descriptor");
	s = shell();
	s.cwd_fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	check_fails(s, -ENOTDIR, "change to its directory: Not a directory");
	close(s.cwd_fd);
	s = shell();
	s.confine = refuse;
	s.confine_user = where;
	check_fails(s, -EPERM, "confine to nowhere: Operation not permitted");
}

/* ---- Landlock, which needs a process of its own ------------------------------------------ */

static char confined_dir[] = "/tmp/paas-confine-XXXXXX";

static int
confine_here(void *user, struct err *e)
{
	const struct confine_rule rules[] = {
		{"/usr", CONFINE_READ | CONFINE_EXECUTE},
		{"/lib", CONFINE_EXECUTE},
		{"/lib64", CONFINE_EXECUTE},
		{"/bin", CONFINE_EXECUTE},
		{"/etc/ld.so.cache", CONFINE_READ},
		{"rw", CONFINE_WRITE},
		{"/nonexistent", CONFINE_READ},
		{"ro/file", CONFINE_READ},
		{"/dev/null", CONFINE_READ | CONFINE_WRITE},
	};

	(void)user;
	return confine_files(rules, sizeof(rules) / sizeof(*rules), e);
}

static void
test_confine(void **state)
{
	struct spawn s = shell();
	char command[256];
	struct buf out;

	(void)state;
	if (confine_abi() == 0 || getuid() != 0)
		skip();
	assert_non_null(mkdtemp(confined_dir));
	(void)snprintf(
		command, sizeof(command),
		"cd %s && chmod 755 . && mkdir rw ro && chmod 777 rw ro && echo x >ro/file && "
		"echo y >ro/other",
		confined_dir);
	assert_int_equal(system(command), 0);
	s.cwd_fd = open(confined_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	s.uid = s.gid = 12345;
	s.confine = confine_here;
	assert_int_equal(
		run_script(&s,
			   "exec 2>/dev/null; echo a >rw/a && mkdir rw/d && mv rw/a rw/d/b "
			   "&& cat rw/d/b && rm -r rw/d && echo written; "
			   "cat ro/file; cat ro/other || echo no; "
			   "(echo z >ro/file) || echo no; (echo z >ro/new) || echo no; "
			   "ls / || echo no; cat /etc/passwd || echo no",
			   &out),
		0);
	assert_string_equal(buf_text(&out), "a\nwritten\nx\nno\nno\nno\nno\nno\n");
	buf_done(&out);
	close(s.cwd_fd);
	assert_int_equal(file_remove_tree(AT_FDCWD, confined_dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	cmocka_unit_test(test_signals),
		cmocka_unit_test(test_fds),	cmocka_unit_test(test_identity),
		cmocka_unit_test(test_hidden),	cmocka_unit_test(test_failures),
		cmocka_unit_test(test_confine),
	};

	return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}

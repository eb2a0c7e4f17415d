/*
 * The child runs on a copy of our memory (fork), so it may use err_set and the like; it reports a
 * failed step over a CLOEXEC pipe, whose end of file therefore means that exec has happened.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/spawn.h"

#define SPAWN_MAX_FDS 64

/* What the child says when it fails. */
struct report {
	int code;
	struct err err;
};

/*
 * The kernel's own call, because glibc's sigaction refuses the two signals it keeps for itself,
 * which a posix_spawn of it (make's, say) hands on ignored.
 */
void
spawn_reset_signals(void)
{
	static const unsigned long dfl[4]; /* handler SIG_DFL, no flags, restorer or mask */
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)syscall(SYS_rt_sigaction, sig, dfl, NULL, sizeof(dfl[3]));
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* An fd above everything the map names, so that no dup2 hits it. */
static int
move_up(int fd, int above)
{
	int up = fcntl(fd, F_DUPFD_CLOEXEC, above);

	return up < 0 ? -errno : up;
}

/*
 * Puts every listed fd where it belongs and closes the rest but 0-2, *exe_fd and *report_fd, which
 * are CLOEXEC. Sources are first moved above all targets: from and to may overlap in any way.
 */
static int
place_fds(const struct spawn *s, int *exe_fd, int *cwd_fd, int *report_fd, struct err *err)
{
	int from[SPAWN_MAX_FDS], kept[SPAWN_MAX_FDS + 3];
	int above = 3, n_kept = 0, next = 3;
	int *own[] = {exe_fd, cwd_fd, report_fd};

	for (size_t i = 0; i < s->n_fds; i++) {
		if (s->fds[i].to >= above)
			above = s->fds[i].to + 1;
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		if (*own[i] < 0)
			continue;
		*own[i] = move_up(*own[i], above);
		if (*own[i] < 0)
			return err_set(err, *own[i], "move fds");
		kept[n_kept++] = *own[i];
	}
	for (size_t i = 0; i < s->n_fds; i++) {
		from[i] = move_up(s->fds[i].from, above);
		if (from[i] < 0)
			return err_set(err, from[i], "pass fd %d", s->fds[i].from);
	}
	for (size_t i = 0; i < s->n_fds; i++) {
		if (dup2(from[i], s->fds[i].to) < 0)
			return err_set(err, -errno, "pass fd %d", s->fds[i].to);
		kept[n_kept++] = s->fds[i].to;
	}

	/* Close what lies between those that stay, smallest first. */
	for (;;) {
		int lowest = INT_MAX;

		for (int i = 0; i < n_kept; i++) {
			if (kept[i] >= next && kept[i] < lowest)
				lowest = kept[i];
		}
		if (lowest == INT_MAX)
			break;
		if (lowest > next &&
		    syscall(SYS_close_range, (unsigned)next, (unsigned)lowest - 1, 0) < 0)
			return err_set(err, -errno, "close fds");
		next = lowest + 1;
	}
	if (syscall(SYS_close_range, (unsigned)next, UINT_MAX, 0) < 0)
		return err_set(err, -errno, "close fds");
	return 0;
}

static int
drop_rights(const struct spawn *s, struct err *err)
{
	if (s->uid == (uid_t)-1)
		return 0;
	if (setgroups(0, NULL) < 0)
		return err_set(err, -errno, "drop groups");
	if (setresgid(s->gid, s->gid, s->gid) < 0)
		return err_set(err, -errno, "become gid %u", s->gid);
	if (setresuid(s->uid, s->uid, s->uid) < 0)
		return err_set(err, -errno, "become uid %u", s->uid);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "give up new privileges");
	return 0;
}

char *const *
spawn_list(const char *const *list)
{
	union {
		const char *const *in;
		char *const *out;
	} u = {.in = list};

	return u.out;
}

static int
become(const struct spawn *s, int *report_fd, struct err *err)
{
	int exe_fd = s->exe_fd, cwd_fd = s->cwd_fd;
	int ret;

	spawn_reset_signals();
	ret = place_fds(s, &exe_fd, &cwd_fd, report_fd, err);
	if (ret < 0)
		return ret;
	if (cwd_fd >= 0 && fchdir(cwd_fd) < 0)
		return err_set(err, -errno, "change to its directory");
	ret = drop_rights(s, err);
	if (ret == 0 && s->confine)
		ret = s->confine(s->confine_user, err);
	if (ret < 0)
		return ret;
	if (exe_fd >= 0)
		(void)syscall(SYS_execveat, exe_fd, "", spawn_list(s->argv), spawn_list(s->envp),
			      AT_EMPTY_PATH);
	else
		(void)execve(s->path, spawn_list(s->argv), spawn_list(s->envp));
	return err_set(err, -errno, "execute %s", s->path ? s->path : s->argv[0]);
}

static _Noreturn void
run_child(const struct spawn *s, int report_fd)
{
	struct report report = {0};

	report.code = become(s, &report_fd, &report.err);
	(void)file_write_all(report_fd, &report, sizeof(report));
	_exit(127);
}

/* fork that also gives a pidfd (Linux 5.2), into a cgroup if one is given. */
static pid_t
fork_with_pidfd(int cgroup_fd, int *pid_fd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | (cgroup_fd > 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)pid_fd,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup_fd > 0 ? (uint64_t)cgroup_fd : 0,
	};

	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	/* Sandboxes answer ENOSYS, since a filter cannot see the flags of clone3. */
	if (pid < 0 && errno == ENOSYS && cgroup_fd <= 0)
		pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, pid_fd, NULL, 0);
	return pid;
}

static int
wait_for_exec(int fd, struct report *report)
{
	size_t done = 0;

	while (done < sizeof(*report)) {
		ssize_t n = read(fd, (char *)report + done, sizeof(*report) - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return done ? -EIO : 0;
		done += (size_t)n;
	}
	report->err.text[sizeof(report->err.text) - 1] = '\0';
	return report->code < 0 ? report->code : -EIO;
}

int
spawn_start(const struct spawn *s, pid_t *pid, int *pid_fd, struct err *err)
{
	AUTO_FD int read_fd = -1, write_fd = -1, child_fd = -1;
	struct report report = {0};
	int ends[2], ret;
	pid_t child;

	assert(s->n_fds <= SPAWN_MAX_FDS);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "make a pipe");
	read_fd = ends[0];
	write_fd = ends[1];
	child = fork_with_pidfd(s->cgroup_fd, &child_fd);
	if (child < 0)
		return err_set(err, -errno, "fork");
	if (child == 0)
		run_child(s, write_fd);

	(void)close(take_fd(&write_fd));
	ret = wait_for_exec(read_fd, &report);
	if (ret < 0) {
		siginfo_t si;

		(void)syscall(SYS_pidfd_send_signal, child_fd, SIGKILL, NULL, 0);
		while (waitid(P_PIDFD, (id_t)child_fd, &si, WEXITED) < 0 && errno == EINTR)
			;
		if (err && report.code < 0)
			*err = report.err;
		else
			(void)err_set(err, ret, "start %s", s->argv[0]);
		return ret;
	}
	*pid = child;
	*pid_fd = take_fd(&child_fd);
	return 0;
}

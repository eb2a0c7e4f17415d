/*
 * useradd locks /etc/passwd and fails when somebody else holds the lock or was faster, so after
 * each failure the user is looked up again before it counts.
 */
#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/spawn.h"

#include "daemon/users.h"

#define TRIES 50
#define PAUSE_MS 100

static const char *const names[USER_COUNT] = {
	[USER_CONTROL] = "paas",
	[USER_RECEIVER] = "paas-ssh",
	[USER_LOGS] = "paas-log",
	[USER_ROUTER] = "paas-router",
};

/* 1 found, 0 not there, negative errno. */
static int
look_up(const char *name, struct user_ids *ids, struct err *err)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (!pw) {
		if (errno == 0 || errno == ENOENT || errno == ESRCH)
			return 0;
		return err_set(err, -errno, "look up the user %s", name);
	}
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		return err_say(err, -EPERM,
			       "the user %s has the rights of root: give it ids of its own", name);
	*ids = (struct user_ids){.uid = pw->pw_uid, .gid = pw->pw_gid};
	return 1;
}

/* The first line of what useradd said. */
static void
read_reason(int fd, char *out, size_t cap)
{
	ssize_t n = pread(fd, out, cap - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static int
run_useradd(const char *name, struct err *err)
{
	static const char *const paths[] = {"/usr/sbin/useradd", "/sbin/useradd",
					    "/usr/bin/useradd"};
	const char *const argv[] = {"useradd",	    "--system", "--no-create-home",  "--home-dir",
				    "/nonexistent", "--shell",	"/usr/sbin/nologin", "--user-group",
				    name,	    NULL};
	const char *const envp[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", NULL};
	AUTO_FD int said_fd = memfd_create("useradd", MFD_CLOEXEC);
	AUTO_FD int pid_fd = -1;
	const struct spawn_fd fds[] = {{said_fd, 1}, {said_fd, 2}};
	struct spawn s = {.exe_fd = -1,
			  .path = paths[0],
			  .argv = argv,
			  .envp = envp,
			  .fds = fds,
			  .n_fds = 2,
			  .cwd_fd = -1,
			  .uid = (uid_t)-1};
	char reason[256];
	siginfo_t si = {0};
	pid_t pid;
	int ret;

	if (said_fd < 0)
		return err_set(err, -errno, "make a memfd");
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		if (access(paths[i], X_OK) == 0)
			s.path = paths[i];
	}
	ret = spawn_start(&s, &pid, &pid_fd, err);
	if (ret < 0)
		return err_prefix(err, ret, "make the user %s with useradd", name);
	while (waitid(P_PIDFD, (id_t)pid_fd, &si, WEXITED) < 0) {
		if (errno != EINTR)
			return err_set(err, -errno, "wait for useradd");
	}
	if (si.si_code == CLD_EXITED && si.si_status == 0)
		return 0;
	read_reason(said_fd, reason, sizeof(reason));
	return err_say(err, -EIO, "cannot make the user %s: %s", name,
		       reason[0] ? reason : "useradd failed");
}

static int
find_or_make(const char *name, struct user_ids *ids, struct err *err)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	int ret = look_up(name, ids, err);

	if (ret == 0)
		log_line("making the system user %s", name);
	for (int i = 0; ret == 0; i++) {
		int made = run_useradd(name, err);

		ret = look_up(name, ids, made < 0 ? NULL : err);
		if (ret != 0)
			break;
		if (i == TRIES)
			return made < 0 ? made
					: err_say(err, -ENOENT, "useradd made no user %s", name);
		(void)nanosleep(&pause, NULL);
	}
	return ret < 0 ? ret : 0;
}

int
users_open(struct user_ids ids[USER_COUNT], struct err *err)
{
	for (size_t i = 0; i < USER_COUNT; i++) {
		int ret = find_or_make(names[i], &ids[i], err);

		if (ret < 0)
			return ret;
	}
	return 0;
}

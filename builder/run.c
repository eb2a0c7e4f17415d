/*
 * The end of a program is the end of its process, not of its output: something it put into the
 * background may hold the pipe for ever. As child subreaper we inherit all such processes and
 * kill them, so that nobody writes into the tree while it is packed; then the pipes do end.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/spawn.h"

#include "builder/disk.h"
#include "builder/run.h"
#include "builder/transcript.h"

#define LOOK_MS 100	/* how often the disk is looked at */
#define MAX_ROUNDS 1000 /* of killing what is left */
#define GRACE_MS 500	/* for helpers such as `> >(tee log)` to write their last lines */
#define REAP_MS 50	/* and to be gone */
#define DRAIN_MS 1000	/* for pipes that nobody should hold any more */

enum { OUT, ERR, CHILD, N_POLL };

struct running {
	const struct run *run;
	struct pollfd fds[N_POLL];
	pid_t pid;
};

int
run_init(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- processes left behind ----------------------------------------------------------------- */

/* The parent of a process as /proc/PID/stat tells it, or -1. Its name may hold anything, so the
 * last parenthesis counts. */
static pid_t
parent_of(int proc_fd, const char *pid)
{
	char path[64], text[512];
	AUTO_FD int fd = -1;
	const char *at;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%.20s/stat", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	at = strrchr(text, ')');
	/* ") S PPID": one letter of state between blanks. */
	return at && strlen(at) > 4 ? (pid_t)strtol(at + 4, NULL, 10) : -1;
}

/* Kills and reaps our children. Returns how many. */
static unsigned
kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	unsigned n = 0;

	if (!proc)
		return 0;
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid <= 0 || parent_of(dirfd(proc), entry->d_name) != getpid())
			continue;
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		n++;
	}
	(void)closedir(proc);
	return n;
}

/* Reaps those that are about to end anyway, so that they do not count as left behind. */
static void
reap_ending(void)
{
	uint64_t end = now_ms() + REAP_MS;

	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 || (pid == 0 && now_ms() >= end))
			return;
		if (pid == 0)
			(void)poll(NULL, 0, 5);
	}
}

/* Children of those killed become ours, so this goes round until there are none. */
static unsigned
kill_left(void)
{
	unsigned total = 0;

	for (int round = 0; round < MAX_ROUNDS; round++) {
		siginfo_t si;
		unsigned n;

		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
			break;
		n = kill_children();
		total += n;
	}
	return total;
}

/* ---- output -------------------------------------------------------------------------------- */

static void
put(const struct run *run, bool captured, const char *bytes, size_t n)
{
	if (captured) {
		size_t room = run->capture->max - run->capture->len;

		(void)buf_add(run->capture, bytes, n < room ? n : room);
	} else {
		transcript_relay(run->out, bytes, n);
	}
}

/* Reads once from a pipe; false at its end. */
static bool
read_pipe(struct running *r, int which)
{
	const struct run *run = r->run;
	bool captured = run->capture && (which == OUT || run->joins_stderr);
	char bytes[16384];
	ssize_t n = read(r->fds[which].fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0) {
		(void)close(r->fds[which].fd);
		r->fds[which].fd = -1;
		return false;
	}
	/* Programs that run out of space say so, and then tidy up. */
	if (run->disk)
		disk_look(run->disk);
	if (which == ERR && run->is_quiet && !captured)
		return true;
	put(run, captured, bytes, (size_t)n);
	return true;
}

/* What comes out of the pipes until they end, for at most `ms`. */
static void
drain(struct running *r, uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	while (r->fds[OUT].fd >= 0 || r->fds[ERR].fd >= 0) {
		uint64_t now = now_ms();

		if (now >= end || poll(r->fds, CHILD, (int)(end - now)) <= 0)
			break;
		for (int i = OUT; i <= ERR; i++) {
			if (r->fds[i].fd >= 0 && r->fds[i].revents)
				(void)read_pipe(r, i);
		}
	}
}

static void
close_all(struct running *r)
{
	for (int i = 0; i < N_POLL; i++) {
		if (r->fds[i].fd >= 0)
			(void)close(r->fds[i].fd);
		r->fds[i].fd = -1;
	}
}

/* Until the process ends. 0 or -ETIMEDOUT. */
static int
watch(struct running *r)
{
	uint64_t end = r->run->timeout_s ? now_ms() + r->run->timeout_s * 1000ULL : UINT64_MAX;
	uint64_t look_at = 0;

	for (;;) {
		uint64_t now = now_ms();

		if (now >= end)
			return -ETIMEDOUT;
		if (r->run->disk && now >= look_at) {
			disk_look(r->run->disk);
			look_at = now + LOOK_MS;
		}
		if (poll(r->fds, N_POLL, r->run->disk ? LOOK_MS : 1000) <= 0)
			continue;
		for (int i = OUT; i <= ERR; i++) {
			if (r->fds[i].fd >= 0 && r->fds[i].revents)
				(void)read_pipe(r, i);
		}
		if (r->fds[CHILD].revents)
			return 0;
	}
}

/* ---- the program --------------------------------------------------------------------------- */

static int
start(struct running *r, struct err *err)
{
	const struct run *run = r->run;
	AUTO_FD int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	AUTO_FD int out_fd = -1, err_fd = -1;
	int ends[2], ret;

	if (null_fd < 0)
		return err_set(err, -errno, "open /dev/null");
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "make a pipe");
	r->fds[OUT].fd = ends[0];
	out_fd = ends[1];
	if (run->capture && !run->joins_stderr) {
		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_set(err, -errno, "make a pipe");
		r->fds[ERR].fd = ends[0];
		err_fd = ends[1];
	}
	struct spawn_fd fds[] = {
		{null_fd, 0},
		{out_fd, 1},
		{err_fd >= 0 ? err_fd : out_fd, 2},
	};
	struct spawn spawn = {
		.exe_fd = -1,
		.path = run->path,
		.argv = run->argv,
		.envp = run->envp,
		.fds = fds,
		.n_fds = sizeof(fds) / sizeof(*fds),
		.cwd_fd = run->cwd_fd,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
	};
	ret = spawn_start(&spawn, &r->pid, &r->fds[CHILD].fd, err);
	return ret;
}

int
run_program(const struct run *run, int *status, unsigned *n_left, struct err *err)
{
	struct running r = {
		.run = run,
		.fds = {{-1, POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}},
	};
	unsigned n;
	int ret;

	assert(run->out || run->capture);
	if (n_left)
		*n_left = 0;
	if (run->disk)
		disk_watch(run->disk);
	ret = start(&r, err);
	if (ret < 0) {
		close_all(&r);
		return ret;
	}
	ret = watch(&r);
	if (ret < 0)
		(void)kill(r.pid, SIGKILL);
	while (waitpid(r.pid, status, 0) < 0 && errno == EINTR)
		;
	drain(&r, GRACE_MS);
	reap_ending();
	n = kill_left();
	if (n_left)
		*n_left = n;
	drain(&r, DRAIN_MS);
	close_all(&r);
	if (run->disk)
		disk_look(run->disk);
	if (ret < 0)
		return err_say(err, ret, "%s did not end within %u s", run->argv[0],
			       run->timeout_s);
	return 0;
}

const char *
run_status_text(int status, char *out, size_t cap)
{
	if (WIFSIGNALED(status))
		(void)snprintf(out, cap, "killed by signal %d (%s)", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	else
		(void)snprintf(out, cap, "exit status %d", WEXITSTATUS(status));
	return out;
}

/* The last steps that may fail are the child's; it reports over a pipe that exec closes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/sandbox.h"
#include "lib/spawn.h"
#include "daemon/supervisor/init/program.h"

#define JOB_FD 5
#define JOB_ENV "PAAS_JOB_FD=5"
#define REPORT_FD 64
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

struct report {
	int code;
	struct err err;
};

/* ---- in the child ------------------------------------------------------------------------ */

/* Standard fds, the job, the report: everything else is init's business. */
static int
place_fds(const struct program *p, const int stdio[3], int report_fd, struct err *err)
{
	if (dup3(report_fd, REPORT_FD, O_CLOEXEC) < 0)
		return err_set(err, -errno, "move an fd");
	for (int i = 0; i < 3; i++) {
		if (dup2(stdio[i], i) < 0)
			return err_set(err, -errno, "pass fd %d", i);
	}
	if (p->flags & SANDBOX_JOB) {
		if (dup2(p->job_fd, JOB_FD) < 0)
			return err_set(err, -errno, "pass the job's fd");
		(void)syscall(SYS_close_range, 3U, (unsigned)JOB_FD - 1, 0);
		(void)syscall(SYS_close_range, (unsigned)JOB_FD + 1, (unsigned)REPORT_FD - 1, 0);
	} else {
		(void)syscall(SYS_close_range, 3U, (unsigned)REPORT_FD - 1, 0);
	}
	(void)syscall(SYS_close_range, (unsigned)REPORT_FD + 1, ~0U, 0);
	return 0;
}

/* The filter as an array, from the memfd. */
static int
read_filter(int fd, struct sock_fprog *program, struct err *err)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 ||
	    (size_t)st.st_size > BPF_MAXINSNS * sizeof(struct sock_filter))
		return err_say(err, -EBADMSG, "the system call filter is missing");
	program->filter = malloc((size_t)st.st_size);
	if (!program->filter)
		return err_set(err, -ENOMEM, "read the system call filter");
	n = pread(fd, program->filter, (size_t)st.st_size, 0);
	if (n != st.st_size)
		return err_say(err, -EBADMSG, "the system call filter is cut");
	program->len = (unsigned short)((size_t)n / sizeof(struct sock_filter));
	return 0;
}

static const char *
find_variable(char *const envp[], const char *key)
{
	size_t n = strlen(key);

	for (; *envp; envp++) {
		if (strncmp(*envp, key, n) == 0 && (*envp)[n] == '=')
			return *envp + n + 1;
	}
	return NULL;
}

/* The program's environment, with the job's fd in it. */
static char **
with_job(char **envp)
{
	static char job[] = JOB_ENV;
	char **out;
	size_t n = 0;

	if (find_variable(envp, "PAAS_JOB_FD"))
		return envp;
	while (envp[n])
		n++;
	out = calloc(n + 2, sizeof(*out));
	if (!out)
		return envp;
	memcpy(out, envp, n * sizeof(*out));
	out[n] = job;
	return out;
}

/* execve along PATH, like a shell; the errno that tells most. */
static int
execute(char *const argv[], char *const envp[])
{
	const char *path = find_variable(envp, "PATH");
	char file[PATH_MAX];
	int ret = -ENOENT;

	if (strchr(argv[0], '/')) {
		(void)execve(argv[0], argv, envp);
		return -errno;
	}
	for (path = path && *path ? path : DEFAULT_PATH; *path;) {
		size_t n = strcspn(path, ":");
		int len = snprintf(file, sizeof(file), "%.*s/%s", (int)n, n ? path : ".", argv[0]);

		if (len > 0 && (size_t)len < sizeof(file)) {
			(void)execve(file, argv, envp);
			if (errno != ENOENT && errno != ENOTDIR)
				ret = -errno;
		}
		path += n + (path[n] == ':');
	}
	return ret;
}

static int
become(const struct program *p, const int stdio[3], int report_fd, struct err *err)
{
	struct sock_fprog filter;
	struct spec spec;
	char **envp;
	int ret;

	ret = spec_read(p->spec_fd, &spec);
	if (ret == 0 && !spec.argv[0])
		ret = -EBADMSG;
	if (ret < 0)
		return err_set(err, ret, "read what to execute");
	ret = read_filter(p->filter_fd, &filter, err);
	if (ret < 0)
		return ret;
	(void)setsid();
	if ((p->flags & SANDBOX_PTY) && ioctl(stdio[0], TIOCSCTTY, 0) < 0)
		return err_set(err, -errno, "take the terminal");
	ret = place_fds(p, stdio, report_fd, err);
	if (ret < 0)
		return ret;
	if (chdir(spec.cwd) < 0)
		return err_set(err, -errno, "change to %s", spec.cwd);
	envp = p->flags & SANDBOX_JOB ? with_job(spec.envp) : spec.envp;
	spawn_reset_signals();
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) < 0)
		return err_set(err, -errno, "load the system call filter");
	ret = execute(spec.argv, envp);
	return err_set(err, ret, "execute %.200s", spec.argv[0]);
}

static _Noreturn void
run_child(const struct program *p, const int stdio[3], int report_fd)
{
	struct report report = {0};

	report.code = become(p, stdio, report_fd, &report.err);
	/* It may have been moved already. */
	if (file_write_all(REPORT_FD, &report, sizeof(report)) < 0)
		(void)file_write_all(report_fd, &report, sizeof(report));
	_exit(127);
}

/* ---- in init ----------------------------------------------------------------------------- */

static int
open_terminal(struct program *p, int *slave_fd, struct err *err)
{
	struct winsize size = {.ws_col = p->columns, .ws_row = p->rows};
	int unlock = 0;

	p->pty_fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (p->pty_fd < 0 || ioctl(p->pty_fd, TIOCSPTLCK, &unlock) < 0)
		return err_set(err, -errno, "open a terminal");
	if (p->columns && p->rows)
		(void)ioctl(p->pty_fd, TIOCSWINSZ, &size);
	/* The slave without its name: Linux 4.13. */
	*slave_fd = ioctl(p->pty_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *slave_fd < 0 ? err_set(err, -errno, "open the terminal's other side") : 0;
}

static int
wait_for_exec(int fd, struct report *report)
{
	size_t done = 0;

	while (done < sizeof(*report)) {
		ssize_t n = read(fd, (char *)report + done, sizeof(*report) - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done == 0)
		return 0;
	report->err.text[sizeof(report->err.text) - 1] = '\0';
	return report->code < 0 ? report->code : -EIO;
}

static int
start(struct program *p, const int stdio[3], struct err *err)
{
	AUTO_FD int read_fd = -1;
	struct report report = {0};
	int ends[2], ret;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "make a pipe");
	read_fd = ends[0];
	p->pid = fork();
	if (p->pid == 0)
		run_child(p, stdio, ends[1]);
	(void)close(ends[1]);
	if (p->pid < 0)
		return err_set(err, -errno, "fork");
	ret = wait_for_exec(read_fd, &report);
	if (ret < 0 && err)
		*err = report.err;
	return ret;
}

/* Output for the log is one pipe: the order of lines says more than which stream they were. */
static int
start_logged(struct program *p, struct err *err)
{
	AUTO_FD int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	AUTO_FD int write_fd = -1;
	int ends[2];

	if (null_fd < 0)
		return err_set(err, -errno, "open /dev/null");
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "make a pipe");
	p->output_fd = ends[0];
	write_fd = ends[1];
	(void)file_set_nonblocking(p->output_fd, true);
	return start(p, (const int[3]){null_fd, write_fd, write_fd}, err);
}

int
program_start(struct program *p, struct err *err)
{
	AUTO_FD int slave_fd = -1;
	int ret;

	p->output_fd = p->pty_fd = -1;
	if (p->flags & SANDBOX_STDIO)
		return start(p, p->stdio_fds, err);
	if (!(p->flags & SANDBOX_PTY))
		return start_logged(p, err);
	ret = open_terminal(p, &slave_fd, err);
	return ret < 0 ? ret : start(p, (const int[3]){slave_fd, slave_fd, slave_fd}, err);
}

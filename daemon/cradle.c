/* Always cgroup v2, which is there for this even on hosts whose limits are v1's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "daemon/cradle.h"

#define PIDS_MAX_BYTES (1024 * 1024)
#define PATH_BYTES 320
#define REMOVE_MS 1000

int
cradle_make(int register_fd, const char *name, struct err *err)
{
	int fd;

	if (mkdirat(register_fd, name, 0755) < 0 && errno != EEXIST)
		return err_set(err, -errno, "make the cgroup %s", name);
	fd = openat(register_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(err, -errno, "open the cgroup %s", name) : fd;
}

static void
await_pid(pid_t pid, int ms, bool kill_it)
{
	AUTO_FD int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pfd = {.fd = pid_fd, .events = POLLIN};

	if (pid_fd < 0 || poll(&pfd, 1, ms) != 0 || !kill_it)
		return;
	log_line("process %d of an earlier paasd did not end and is killed", (int)pid);
	(void)syscall(SYS_pidfd_send_signal, pid_fd, SIGKILL, NULL, 0);
	(void)poll(&pfd, 1, ms);
}

int
cradle_await(int register_fd, const char *name, int ms, bool kill_them)
{
	AUTO_BUF struct buf pids = {.max = PIDS_MAX_BYTES};
	char path[PATH_BYTES];
	int ret;

	(void)snprintf(path, sizeof(path), "%s/cgroup.procs", name);
	ret = file_read_at(register_fd, path, &pids);
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	for (const char *at = buf_text(&pids); *at;) {
		char *end;
		long pid = strtol(at, &end, 10);

		if (end == at)
			break;
		if (pid > 0)
			await_pid((pid_t)pid, ms, kill_them);
		at = end + (*end == '\n');
	}
	return 0;
}

void
cradle_remove(int register_fd, const char *name)
{
	char path[PATH_BYTES];

	if (unlinkat(register_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return;
	(void)snprintf(path, sizeof(path), "%s/cgroup.kill", name);
	(void)file_write_at(register_fd, path, "1");
	(void)cradle_await(register_fd, name, REMOVE_MS, false);
	if (unlinkat(register_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		log_line("cannot remove the cgroup %s: %s", name, strerror(errno));
}

void
cradle_remove_all(int register_fd, const char *prefix)
{
	int fd = openat(register_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!dir) {
		log_line("cannot read the register of processes: %s", strerror(errno));
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((e = readdir(dir))) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			cradle_remove(register_fd, e->d_name);
	}
	(void)closedir(dir);
}

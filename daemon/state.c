/*
 * Directories are addressed by fd from here on: paths may be longer than a socket's address, and
 * what is above them may be closed to our children.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"
#include "lib/file.h"

#include "daemon/state.h"

#define LOCK_NAME "lock"
#define LOCK_WAIT_MS 1000
#define SOCKET_NAME "control.sock"
#define SOCKET_NEW ".control.sock.new"
#define SOCKET_BACKLOG 512

void
state_init(struct state *state)
{
	*state = (struct state){-1, -1, -1, -1, -1, -1};
}

void
state_done(struct state *state)
{
	const int fds[] = {state->dir_fd,  state->runtime_fd, state->ssh_fd,
			   state->logs_fd, state->lock_fd,    state->control_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
	state_init(state);
}

/* ---- the lock ------------------------------------------------------------------------------- */

/* Ours is a directory with a lock in it, or an empty one: any other would get owners and modes
 * its own users do not expect. */
static int
check_foreign(int dir_fd, const char *path, struct err *err)
{
	AUTO_FD int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool has_lock = faccessat(dir_fd, LOCK_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	const struct dirent *e;
	bool is_empty = true;
	DIR *dir;

	if (has_lock)
		return 0;
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_set(err, -errno, "read %s", path);
	(void)take_fd(&fd);
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    strcmp(e->d_name, "lost+found") != 0)
			is_empty = false;
	}
	(void)closedir(dir);
	return is_empty ? 0
			: err_say(err, -EEXIST,
				  "%s holds files that are no platform's: name an empty or a new "
				  "directory with --state",
				  path);
}

/*
 * A record lock, not flock: it belongs to this process alone, so a child caught between fork and
 * exec when we are killed cannot hold it, and it survives our own exec. It is lost when any fd of
 * the file is closed, which is why the file is opened here only.
 */
static int
try_lock(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
}

/* Waits for the holder of the lock to end, if it is about to. Its pid, or 0. */
static pid_t
wait_for_holder(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	AUTO_FD int pid_fd = -1;
	struct pollfd pfd;

	if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK || lock.l_pid <= 0)
		return 0;
	pid_fd = (int)syscall(SYS_pidfd_open, lock.l_pid, 0);
	pfd = (struct pollfd){.fd = pid_fd, .events = POLLIN};
	if (pid_fd >= 0)
		(void)poll(&pfd, 1, LOCK_WAIT_MS);
	return lock.l_pid;
}

/* The fd that the image before us left open, if it is this directory's lock. */
static int
inherited_lock(int dir_fd)
{
	const char *text = getenv(STATE_LOCK_VARIABLE);
	bool is_fd;
	long long number;
	struct stat a, b;
	int fd;

	is_fd = text && conf_number(text, 3, INT_MAX, &number) == 0;
	(void)unsetenv(STATE_LOCK_VARIABLE);
	if (!is_fd)
		return -1;
	fd = (int)number;
	if (fstat(fd, &a) < 0 || fstatat(dir_fd, LOCK_NAME, &b, AT_SYMLINK_NOFOLLOW) < 0 ||
	    a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return -1;
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : fd;
}

int
state_lock(struct state *state, const struct config *config, struct err *err)
{
	pid_t holder;
	int ret = file_make_parents(config->state, 0755);

	if (ret < 0)
		return err_set(err, ret, "make %s", config->state);
	state->dir_fd = open(config->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->dir_fd < 0)
		return err_set(err, -errno, "open %s", config->state);
	ret = check_foreign(state->dir_fd, config->state, err);
	if (ret < 0)
		return ret;

	state->lock_fd = inherited_lock(state->dir_fd);
	if (state->lock_fd < 0)
		state->lock_fd = openat(state->dir_fd, LOCK_NAME,
					O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (state->lock_fd < 0)
		return err_set(err, -errno, "open %s/" LOCK_NAME, config->state);
	ret = try_lock(state->lock_fd);
	if (ret != -EBUSY)
		return ret < 0 ? err_set(err, ret, "lock %s", config->state) : 0;
	holder = wait_for_holder(state->lock_fd);
	ret = try_lock(state->lock_fd);
	if (ret < 0)
		return err_say(err, ret, "%s is in use by another paasd (pid %d): stop it first",
			       config->state, (int)holder);
	return 0;
}

int
state_pass_lock(struct state *state)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", state->lock_fd);
	if (setenv(STATE_LOCK_VARIABLE, text, 1) < 0 || fcntl(state->lock_fd, F_SETFD, 0) < 0)
		return -errno;
	return 0;
}

void
state_keep_lock(struct state *state)
{
	(void)unsetenv(STATE_LOCK_VARIABLE);
	(void)fcntl(state->lock_fd, F_SETFD, FD_CLOEXEC);
}

/* ---- directories ------------------------------------------------------------------------------
 */

struct layout_row {
	const char *name;
	mode_t mode;
	int owner, group; /* enum user; -1: root */
};

static const struct layout_row layout[] = {
	{"ssh", 0700, USER_RECEIVER, USER_RECEIVER},
	{"logs", 0700, USER_LOGS, USER_LOGS},
	{"repos", 0711, -1, -1},
	{"slugs", 0771, -1, USER_CONTROL},
	{"cache", 0711, -1, -1},
	{"disks", 0711, -1, -1},
};

static int
make_row(struct state *state, const struct layout_row *row, const struct user_ids *users)
{
	uid_t uid = row->owner < 0 ? 0 : users[row->owner].uid;
	gid_t gid = row->group < 0 ? 0 : users[row->group].gid;
	int fd = file_make_dir(state->dir_fd, row->name, row->mode, uid, gid);

	if (fd < 0)
		return fd;
	if (row->owner == USER_RECEIVER)
		state->ssh_fd = fd;
	else if (row->owner == USER_LOGS)
		state->logs_fd = fd;
	else
		(void)close(fd);
	return 0;
}

int
state_make(struct state *state, const struct config *config,
	   const struct user_ids users[USER_COUNT], struct err *err)
{
	int ret;

	/* Sticky: control makes files here but cannot rename or remove those of others. */
	if (fchown(state->dir_fd, 0, users[USER_CONTROL].gid) < 0 ||
	    fchmod(state->dir_fd, 01771) < 0)
		return err_set(err, -errno, "change the owner of %s", config->state);
	for (size_t i = 0; i < sizeof(layout) / sizeof(*layout); i++) {
		ret = make_row(state, &layout[i], users);
		if (ret < 0)
			return err_set(err, ret, "make %s/%s", config->state, layout[i].name);
	}

	if (strcmp(config->runtime, config->state) == 0) {
		state->runtime_fd = fcntl(state->dir_fd, F_DUPFD_CLOEXEC, 3);
	} else {
		ret = file_make_parents(config->runtime, 0755);
		if (ret < 0)
			return err_set(err, ret, "make %s", config->runtime);
		state->runtime_fd = open(config->runtime, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (state->runtime_fd < 0)
		return err_set(err, -errno, "open %s", config->runtime);
	return 0;
}

/* ---- control.sock -------------------------------------------------------------------------------
 */

int
state_listen(struct state *state, const struct user_ids users[USER_COUNT], struct err *err)
{
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	mode_t mask;
	int ret;

	if (fd < 0)
		return err_set(err, -errno, "make a socket");
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" SOCKET_NEW,
		       state->runtime_fd);
	if (unlinkat(state->runtime_fd, SOCKET_NEW, 0) < 0 && errno != ENOENT)
		return err_set(err, -errno, "remove an old " SOCKET_NEW);
	mask = umask(0177);
	ret = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	(void)umask(mask);
	if (ret < 0)
		return err_set(err, ret, "bind " SOCKET_NAME);
	if (listen(fd, SOCKET_BACKLOG) < 0 ||
	    fchownat(state->runtime_fd, SOCKET_NEW, 0, users[USER_CONTROL].gid,
		     AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(state->runtime_fd, SOCKET_NEW, 0660, 0) < 0 ||
	    renameat(state->runtime_fd, SOCKET_NEW, state->runtime_fd, SOCKET_NAME) < 0)
		return err_set(err, -errno, "make " SOCKET_NAME);
	state->control_fd = take_fd(&fd);
	return 0;
}

void
state_unlisten(struct state *state)
{
	if (state->control_fd < 0)
		return;
	(void)unlinkat(state->runtime_fd, SOCKET_NAME, 0);
	(void)close(take_fd(&state->control_fd));
}

/* A chore is a fork without exec; execve comes later, if at all, in a child of that child. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/spawn.h"
#include "daemon/supervisor/chores.h"

#define HOST_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define OUTPUT_MAX ((size_t)16 * 1024 * 1024)

struct report {
	int code;
	struct err why;
};

struct chore {
	struct chore *next;
	struct chores *owner;
	chore_fn *fn;
	chore_done_fn *done;
	void *user;
	struct loop_io io; /* the pipe */
	struct loop_timer failed;
	struct report report;
	size_t n_read;
	char what[];
};

void
chores_init(struct chores *c, struct loop *loop, const int *keep, size_t n_keep)
{
	memset(c, 0, sizeof(*c));
	c->loop = loop;
	c->waiting_end = &c->waiting;
	for (size_t i = 0; i < n_keep && i < sizeof(c->keep) / sizeof(*c->keep); i++)
		c->keep[c->n_keep++] = keep[i];
}

static void
chore_free(struct chore *chore)
{
	if (chore->io.events) {
		loop_remove(chore->owner->loop, &chore->io);
		(void)close(chore->io.fd);
	}
	loop_timer_cancel(chore->owner->loop, &chore->failed);
	free(chore);
}

static void
free_list(struct chore *list)
{
	while (list) {
		struct chore *next = list->next;

		chore_free(list);
		list = next;
	}
}

void
chores_done(struct chores *c)
{
	free_list(c->running);
	free_list(c->waiting);
	chores_init(c, c->loop, NULL, 0);
}

size_t
chores_count(const struct chores *c)
{
	return c->n_running + c->n_waiting;
}

/* ---- the child --------------------------------------------------------------------------- */

static bool
is_kept(const struct chores *c, int fd, int report_fd)
{
	for (size_t i = 0; i < c->n_keep; i++) {
		if (c->keep[i] == fd)
			return true;
	}
	return fd == report_fd;
}

/* A channel's end that lived on in here would keep its peer from noticing paasd's death. */
static void
close_others(const struct chores *c, int report_fd)
{
	int top = report_fd;

	for (size_t i = 0; i < c->n_keep; i++) {
		if (c->keep[i] > top)
			top = c->keep[i];
	}
	for (int fd = 3; fd <= top; fd++) {
		if (!is_kept(c, fd, report_fd))
			(void)close(fd);
	}
	(void)syscall(SYS_close_range, (unsigned)top + 1, ~0U, 0);
}

static _Noreturn void
run_child(const struct chore *chore, int report_fd)
{
	struct report report = {0};
	union {
		const char *in;
		char *out;
	} what = {.in = chore->what};

	spawn_reset_signals();
	close_others(chore->owner, report_fd);
	report.code = chore->fn(what.out, &report.why);
	(void)file_write_all(report_fd, &report, sizeof(report));
	_exit(0);
}

/* ---- the parent -------------------------------------------------------------------------- */

static void start_waiting(struct chores *c);

static void
finish(struct chore *chore)
{
	struct chores *c = chore->owner;
	chore_done_fn *done = chore->done;
	void *user = chore->user;
	struct report report = chore->report;

	if (chore->n_read < sizeof(report)) {
		memset(&report, 0, sizeof(report));
		report.code = err_say(&report.why, -EIO, "a chore of paasd was killed");
	}
	report.why.text[sizeof(report.why.text) - 1] = '\0';
	for (struct chore **at = &c->running; *at; at = &(*at)->next) {
		if (*at == chore) {
			*at = chore->next;
			break;
		}
	}
	c->n_running--;
	chore_free(chore);
	start_waiting(c);
	done(user, report.code, &report.why);
}

static void
on_report(struct loop_io *io, uint32_t events)
{
	struct chore *chore = container_of(io, struct chore, io);
	ssize_t n;

	(void)events;
	n = read(io->fd, (char *)&chore->report + chore->n_read,
		 sizeof(chore->report) - chore->n_read);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		chore->n_read += (size_t)n;
		if (chore->n_read < sizeof(chore->report))
			return;
	}
	finish(chore);
}

static void
on_failed(struct loop_timer *timer)
{
	finish(container_of(timer, struct chore, failed));
}

static int
fork_child(struct chore *chore)
{
	int ends[2], ret;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		run_child(chore, ends[1]);
	ret = pid < 0 ? -errno : 0;
	(void)close(ends[1]);
	if (ret == 0)
		ret = loop_add(chore->owner->loop, &chore->io, ends[0], EPOLLIN, on_report);
	if (ret < 0)
		(void)close(ends[0]);
	return ret;
}

static void
start(struct chore *chore)
{
	struct chores *c = chore->owner;
	int ret;

	chore->next = c->running;
	c->running = chore;
	c->n_running++;
	ret = fork_child(chore);
	if (ret < 0) {
		chore->report.code = err_set(&chore->report.why, ret, "start a chore");
		chore->n_read = sizeof(chore->report);
		/* Told from the loop, like every other outcome. */
		if (loop_timer_set(c->loop, &chore->failed, 0, on_failed) < 0)
			finish(chore);
	}
}

static void
start_waiting(struct chores *c)
{
	while (c->waiting && c->n_running < CHORES_AT_ONCE) {
		struct chore *chore = c->waiting;

		c->waiting = chore->next;
		if (!c->waiting)
			c->waiting_end = &c->waiting;
		c->n_waiting--;
		start(chore);
	}
}

int
chores_add(struct chores *c, chore_fn *fn, const void *what, size_t size, chore_done_fn *done,
	   void *user)
{
	struct chore *chore;

	if (c->n_waiting >= CHORES_MAX)
		return -EBUSY;
	chore = calloc(1, sizeof(*chore) + size);
	if (!chore)
		return -ENOMEM;
	*chore = (struct chore){.owner = c, .fn = fn, .done = done, .user = user};
	memcpy(chore->what, what, size);
	*c->waiting_end = chore;
	c->waiting_end = &chore->next;
	c->n_waiting++;
	start_waiting(c);
	return 0;
}

/* ---- programs of the host ---------------------------------------------------------------- */

/* A file rather than a pipe, so that nobody has to write and read at once. */
static int
input_file(const char *input)
{
	AUTO_FD int fd = -1;
	int ret;

	if (!input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("paas-input", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = file_write_all(fd, input, strlen(input));
	if (ret < 0)
		return ret;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return take_fd(&fd);
}

static void
last_line(struct buf *text, const char *program, struct err *err)
{
	char *line;

	while (text->len > 0 && text->data[text->len - 1] == '\n')
		text->data[--text->len] = '\0';
	line = text->len ? strrchr(text->data, '\n') : NULL;
	(void)err_say(err, -EIO, "%s: %s", program, line ? line + 1 : buf_text(text));
}

int
chore_execute(const char *const argv[], const char *input, struct buf *output, struct err *err)
{
	static const char *const envp[] = {HOST_PATH, "LC_ALL=C", NULL};
	AUTO_FD int in_fd = input_file(input);
	AUTO_FD int out_fd = -1;
	AUTO_BUF struct buf text;
	int ends[2], status, ret;
	pid_t pid;

	buf_init(&text, OUTPUT_MAX);
	if (in_fd < 0)
		return err_set(err, in_fd, "prepare the input of %s", argv[0]);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "make a pipe");
	out_fd = ends[0];
	pid = fork();
	if (pid == 0) {
		if (dup2(in_fd, 0) < 0 || dup2(ends[1], 1) < 0 || dup2(ends[1], 2) < 0)
			_exit(126);
		(void)putenv(strdup(HOST_PATH));
		(void)execvpe(argv[0], spawn_list(argv), spawn_list(envp));
		(void)dprintf(2, "%s", errno == ENOENT ? "it is not installed" : strerror(errno));
		_exit(127);
	}
	(void)close(ends[1]);
	if (pid < 0)
		return err_set(err, -errno, "fork for %s", argv[0]);
	ret = file_read_all(out_fd, output ? output : &text);
	(void)close(take_fd(&out_fd));
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return err_set(err, -errno, "wait for %s", argv[0]);
	}
	if (ret < 0)
		return err_set(err, ret, "read from %s", argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		last_line(output ? output : &text, argv[0], err);
		return -EIO;
	}
	return 0;
}

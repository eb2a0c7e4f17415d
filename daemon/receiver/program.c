/*
 * Not a shell: argv comes from our own splitter, and the program is the one we hold on an fd. It
 * can do what its API connection may do, as the user who logged in, and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/spawn.h"

#include "daemon/receiver/program.h"
#include "daemon/receiver/session.h"
#include "daemon/receiver/stream.h"

/* From SIGHUP, when the client is gone, to SIGKILL. */
#define HANGUP_MS 5000

struct program {
	struct stream *stream;
	bool waits_for_api;
	pid_t pid;
	int pid_fd;    /* -1: not running */
	int master_fd; /* of its terminal; -1: none */
	struct loop_io io;
	struct loop_timer hangup_timer;
};

/* Its end of each of 0, 1, 2; ours are in the stream. */
struct ends {
	int fds[3];
};

static void
ends_close(struct ends *e)
{
	for (size_t i = 0; i < 3; i++) {
		if (e->fds[i] >= 0)
			(void)close(take_fd(&e->fds[i]));
	}
}

static void
send_signal(const struct program *p, int signal)
{
	if (p->pid_fd >= 0)
		(void)syscall(SYS_pidfd_send_signal, p->pid_fd, signal, NULL, 0);
}

/* ---- streams ------------------------------------------------------------------------------- */

static int
open_pipes(struct stream *st, struct ends *e)
{
	struct loop *loop = &st->session->loop;

	for (size_t i = 0; i < 3; i++) {
		int pair[2], ret;

		if (pipe2(pair, O_CLOEXEC) < 0)
			return -errno;
		e->fds[i] = pair[i == 0 ? 0 : 1];
		if (i == 0)
			ret = inlet_open(&st->in, loop, pair[1]);
		else
			ret = outlet_open(i == 1 ? &st->out : &st->err, loop, pair[0]);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static struct winsize
size_of(const struct stream *st)
{
	return (struct winsize){.ws_col = st->columns, .ws_row = st->rows};
}

static int
open_terminal(struct stream *st, struct ends *e)
{
	struct program *p = st->state;
	struct loop *loop = &st->session->loop;
	struct winsize size = size_of(st);
	struct termios mode;
	int slave, in, out, ret;

	if (openpty(&p->master_fd, &slave, NULL, NULL, &size) < 0)
		return -errno;
	e->fds[0] = slave;
	(void)fcntl(p->master_fd, F_SETFD, FD_CLOEXEC);
	(void)fcntl(slave, F_SETFD, FD_CLOEXEC);
	if (tcgetattr(slave, &mode) == 0) {
		mode.c_iflag |= IUTF8;
		(void)tcsetattr(slave, TCSANOW, &mode);
	}
	e->fds[1] = fcntl(slave, F_DUPFD_CLOEXEC, 3);
	e->fds[2] = fcntl(slave, F_DUPFD_CLOEXEC, 3);
	in = fcntl(p->master_fd, F_DUPFD_CLOEXEC, 3);
	out = fcntl(p->master_fd, F_DUPFD_CLOEXEC, 3);
	if (e->fds[1] < 0 || e->fds[2] < 0 || in < 0 || out < 0) {
		if (in >= 0)
			(void)close(in);
		if (out >= 0)
			(void)close(out);
		return -EMFILE;
	}
	ret = inlet_open(&st->in, loop, in);
	if (ret < 0) {
		(void)close(out);
		return ret;
	}
	return outlet_open(&st->out, loop, out);
}

/* ---- the program ----------------------------------------------------------------------------- */

static void
on_exit_of(struct loop_io *io, uint32_t events)
{
	struct program *p = container_of(io, struct program, io);
	struct stream *st = p->stream;
	siginfo_t si = {0};

	(void)events;
	if (waitid(P_PIDFD, (id_t)p->pid_fd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return;
	loop_remove(&st->session->loop, &p->io);
	loop_timer_cancel(&st->session->loop, &p->hangup_timer);
	(void)close(take_fd(&p->pid_fd));
	inlet_close(&st->in);
	if (p->master_fd >= 0)
		(void)close(take_fd(&p->master_fd));
	outlet_last(&st->out);
	outlet_last(&st->err);
	if (si.si_code == CLD_EXITED)
		stream_finish(st, si.si_status);
	else
		stream_finish_signal(st, si.si_status);
}

/* In the child, last before exec: the terminal becomes its own. */
static int
take_terminal(void *user, struct err *err)
{
	(void)user;
	if (setsid() < 0)
		return err_set(err, -errno, "begin a session");
	if (ioctl(0, TIOCSCTTY, 0) < 0)
		return err_set(err, -errno, "take the terminal");
	return 0;
}

static int
execute(struct program *p, struct ends *e, int api_fd, struct err *err)
{
	struct stream *st = p->stream;
	struct session *s = st->session;
	char term[sizeof(st->term) + 8];
	const char *envp[] = {
		"PAAS_API_FD=3", "PAAS_REMOTE=1", "LANG=C.UTF-8", "PATH=/usr/bin:/bin",
		"HOME=/",	 NULL /* TERM */, NULL,
	};
	struct spawn_fd fds[] = {
		{e->fds[0], 0},
		{e->fds[1], 1},
		{e->fds[2], 2},
		{api_fd, 3},
	};
	struct spawn spawn = {
		.exe_fd = s->program_fd,
		.argv = (const char *const *)st->command.argv,
		.envp = envp,
		.fds = fds,
		.n_fds = sizeof(fds) / sizeof(*fds),
		.cwd_fd = -1,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
		.confine = st->has_pty ? take_terminal : NULL,
	};
	int ret;

	if (st->has_pty) {
		(void)snprintf(term, sizeof(term), "TERM=%s", st->term[0] ? st->term : "dumb");
		envp[5] = term;
	}
	ret = spawn_start(&spawn, &p->pid, &p->pid_fd, err);
	if (ret < 0)
		return ret;
	ret = loop_add(&s->loop, &p->io, p->pid_fd, EPOLLIN, on_exit_of);
	return ret < 0 ? err_set(err, ret, "watch the program") : 0;
}

static void
give_up(struct stream *st)
{
	inlet_close(&st->in);
	outlet_close(&st->out);
	outlet_close(&st->err);
	stream_finish(st, 1);
}

static void
run(struct program *p, int api_fd)
{
	struct stream *st = p->stream;
	struct ends e = {.fds = {-1, -1, -1}};
	struct err err;
	int ret;

	ret = st->has_pty ? open_terminal(st, &e) : open_pipes(st, &e);
	if (ret < 0)
		(void)err_set(&err, ret, "open %s", st->has_pty ? "a terminal" : "pipes");
	else
		ret = execute(p, &e, api_fd, &err);
	ends_close(&e);
	if (ret < 0) {
		log_line("paas could not be started: %s", err.text);
		stream_say(st,
			   "the command could not be started; tell the admin to look at the log");
		give_up(st);
	}
}

/* ---- the service ------------------------------------------------------------------------------
 */

static size_t
input(struct stream *st, const void *p, size_t n)
{
	const struct program *program = st->state;

	return program->waits_for_api ? 0 : inlet_write(&st->in, p, n);
}

static void
ended(struct stream *st)
{
	const struct program *p = st->state;

	if (p->waits_for_api)
		st->is_ended = false; /* the stream asks again */
	else if (p->master_fd < 0)
		inlet_end(&st->in);
}

static void
signalled(struct stream *st, int signal)
{
	send_signal(st->state, signal);
}

static void
resized(struct stream *st)
{
	const struct program *p = st->state;
	struct winsize size = size_of(st);

	if (p->master_fd >= 0)
		(void)ioctl(p->master_fd, TIOCSWINSZ, &size);
}

static void
on_hangup(struct loop_timer *timer)
{
	send_signal(container_of(timer, struct program, hangup_timer), SIGKILL);
}

static void
left(struct stream *st)
{
	struct program *p = st->state;

	inlet_close(&st->in);
	outlet_close(&st->out);
	outlet_close(&st->err);
	if (p->master_fd >= 0)
		(void)close(take_fd(&p->master_fd));
	if (p->pid_fd >= 0) {
		send_signal(p, SIGHUP);
		(void)loop_timer_set(&st->session->loop, &p->hangup_timer, HANGUP_MS, on_hangup);
	}
}

/* As a pipe without a reader: the next write ends most programs. */
static void
unread(struct stream *st)
{
	const struct program *p = st->state;

	if (p->master_fd < 0) {
		outlet_drop(&st->out);
		outlet_close(&st->out);
	}
}

static void
settle(struct stream *st)
{
	(void)st;
}

static bool
is_done(const struct stream *st)
{
	const struct program *p = st->state;

	return !p->waits_for_api && p->pid_fd < 0;
}

static void
program_free(struct stream *st)
{
	struct program *p = st->state;

	if (p->pid_fd >= 0) {
		loop_remove(&st->session->loop, &p->io);
		send_signal(p, SIGKILL);
		(void)close(p->pid_fd);
	}
	loop_timer_cancel(&st->session->loop, &p->hangup_timer);
	if (p->master_fd >= 0)
		(void)close(p->master_fd);
	free(p);
	st->state = NULL;
}

static const struct stream_service program_service = {
	.input = input,
	.ended = ended,
	.signalled = signalled,
	.resized = resized,
	.unread = unread,
	.settle = settle,
	.left = left,
	.is_done = is_done,
	.free = program_free,
};

void
program_start(struct stream *st)
{
	struct program *p = calloc(1, sizeof(*p));
	static struct msg m;

	if (!p) {
		stream_say(st, "out of memory; try again");
		stream_finish(st, 1);
		return;
	}
	p->stream = st;
	p->pid_fd = p->master_fd = -1;
	st->state = p;
	st->service = &program_service;
	msg_begin(&m, MSG_API_OPEN, 0);
	if (chan_send(&st->session->control, &m) < 0) {
		stream_say(st, "the platform is restarting; try again in a moment");
		stream_finish(st, 1);
		return;
	}
	p->waits_for_api = true;
}

static struct program *
longest_waiting(const struct session *s)
{
	struct stream *first = NULL;

	for (struct stream *st = s->streams; st; st = st->next) {
		const struct program *p = st->state;

		if (st->service == &program_service && p->waits_for_api &&
		    (!first || st->ticket < first->ticket))
			first = st;
	}
	return first ? first->state : NULL;
}

void
program_api_ready(struct session *s, int api_fd)
{
	struct program *p = longest_waiting(s);

	if (p) {
		p->waits_for_api = false;
		/* Its client may have gone meanwhile. */
		if (p->stream->ssh)
			run(p, api_fd);
	}
	(void)close(api_fd);
}

void
program_control_gone(struct session *s)
{
	struct program *p;

	while ((p = longest_waiting(s))) {
		p->waits_for_api = false;
		stream_say(p->stream, "the platform is restarting; try again in a moment");
		stream_finish(p->stream, 1);
	}
}

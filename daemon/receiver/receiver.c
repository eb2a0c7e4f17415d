/*
 * paas-receiver: accepts ssh connections and gives each a process of its own. fd 3 leads to paasd,
 * fd 5 is the paas-session program, fd 6 the paas program, listeners begin at fd 30. No byte of a
 * client is read here. Sessions outlive their receiver: a new one counts from zero.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/chan.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "lib/msg.h"
#include "lib/spawn.h"

#include "daemon/receiver/limits.h"

#define PARENT_FD 3
#define SESSION_PROGRAM_FD 5
#define PAAS_PROGRAM_FD 6
#define LISTENER_FD 30
#define LISTENERS_MAX 8
#define PARENT_QUEUE 256
/* How long nothing is accepted when the host is out of something. */
#define PAUSE_MS 500

struct session {
	struct session *next, **link; /* in the receiver's list */
	struct loop_io exit_io, login_io;
	int pid_fd;
	int login_fd; /* -1: logged in */
	struct limits_source *source;
};

static struct {
	struct loop loop;
	struct chan parent;
	struct limits *limits;
	struct loop_io listeners[LISTENERS_MAX];
	size_t n_listeners;
	struct session *sessions;
	struct loop_timer pause_timer;
	uint64_t n_refused, told_ms;
} receiver;

/* ---- sessions ------------------------------------------------------------------------------ */

static void
end_login(struct session *s)
{
	loop_remove(&receiver.loop, &s->login_io);
	(void)close(take_fd(&s->login_fd));
	limits_login(receiver.limits, s->source);
}

/* The session closes its end when somebody has logged in, or by ending. */
static void
on_login(struct loop_io *io, uint32_t events)
{
	(void)events;
	end_login(container_of(io, struct session, login_io));
}

static void
on_exit_of_session(struct loop_io *io, uint32_t events)
{
	struct session *s = container_of(io, struct session, exit_io);
	siginfo_t si = {0};

	(void)events;
	if (waitid(P_PIDFD, (id_t)s->pid_fd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return;
	if (si.si_code != CLD_EXITED)
		log_line("a session was killed by signal %d", si.si_status);
	loop_remove(&receiver.loop, &s->exit_io);
	if (s->login_fd >= 0)
		end_login(s);
	limits_leave(receiver.limits, s->source, 1);
	(void)close(s->pid_fd);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	free(s);
}

static int
execute_session(struct session *s, int client_fd, int channel_fd, int login_fd, struct err *err)
{
	static const char *const argv[] = {"paas-session", NULL};
	static const char *const envp[] = {"LANG=C.UTF-8", "PATH=/usr/bin:/bin", NULL};
	struct spawn_fd fds[] = {
		{channel_fd, 3},
		{client_fd, 4},
		{login_fd, 5},
		{PAAS_PROGRAM_FD, 6},
	};
	struct spawn spawn = {
		.exe_fd = SESSION_PROGRAM_FD,
		.argv = argv,
		.envp = envp,
		.fds = fds,
		.n_fds = sizeof(fds) / sizeof(*fds),
		.cwd_fd = -1,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
	};
	pid_t pid;

	return spawn_start(&spawn, &pid, &s->pid_fd, err);
}

/* Tells control of the session, whose channel's other end it gets. */
static int
announce(const struct addr *from, int control_fd)
{
	static struct msg m;
	char text[ADDR_TEXT_MAX];

	msg_begin(&m, MSG_SESSION_OPEN, 0);
	wire_put_str(&m.out, addr_text(from, text));
	msg_add_fd(&m, control_fd);
	return chan_send(&receiver.parent, &m);
}

static int
start_session(int client_fd, const struct addr *from, struct limits_source *source, struct err *err)
{
	AUTO_FD int ours = -1, theirs = -1, login_read = -1, login_write = -1;
	struct session *s = calloc(1, sizeof(*s));
	int ends[2], ret;

	if (!s)
		return err_set(err, -ENOMEM, "start a session");
	s->pid_fd = s->login_fd = -1;
	s->source = source;
	ret = msg_pair(ends, false);
	if (ret == 0) {
		ours = ends[0];
		theirs = ends[1];
		ret = pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
	}
	if (ret < 0) {
		free(s);
		return err_set(err, ret, "open the channel of a session");
	}
	login_read = ends[0];
	login_write = ends[1];
	ret = execute_session(s, client_fd, ours, login_write, err);
	if (ret < 0) {
		free(s);
		return ret;
	}
	s->login_fd = take_fd(&login_read);
	s->next = receiver.sessions;
	s->link = &receiver.sessions;
	if (s->next)
		s->next->link = &s->next;
	receiver.sessions = s;
	if (loop_add(&receiver.loop, &s->exit_io, s->pid_fd, EPOLLIN, on_exit_of_session) < 0 ||
	    loop_add(&receiver.loop, &s->login_io, s->login_fd, EPOLLIN, on_login) < 0) {
		/* Out of memory for good: paasd starts another receiver, sessions live on. */
		log_line("out of memory");
		exit(1);
	}
	/* Without control it ends by itself, since nobody has the channel's other end. */
	ret = announce(from, theirs);
	if (ret < 0)
		log_line("control cannot be told of a session: %s", strerrordesc_np(-ret));
	return 0;
}

/* ---- listeners ----------------------------------------------------------------------------- */

/* Before the version exchange a server may send lines of its own (RFC 4253 4.2). */
static void
refuse(int client_fd, const char *why)
{
	char line[128] = "paas: ";
	size_t n;

	(void)strncat(line, why, sizeof(line) - strlen(line) - 3);
	n = strlen(line);
	memcpy(line + n, "\r\n", 2);
	(void)send(client_fd, line, n + 2, MSG_DONTWAIT | MSG_NOSIGNAL);
	receiver.n_refused++;
	/* Once a minute is often enough for the log. */
	if (receiver.told_ms == 0 || loop_now_ms(&receiver.loop) - receiver.told_ms > 60000) {
		receiver.told_ms = loop_now_ms(&receiver.loop);
		log_line("refused %llu connections so far: %s",
			 (unsigned long long)receiver.n_refused, why);
	}
}

static void
welcome(int fd, const struct addr *from)
{
	AUTO_FD int client_fd = fd;
	struct limits_source *source;
	struct err err;
	const char *why;

	why = limits_enter(receiver.limits, from, loop_now_ms(&receiver.loop), &source);
	if (why) {
		refuse(client_fd, why);
		return;
	}
	if (start_session(client_fd, from, source, &err) < 0) {
		log_line("%s", err.text);
		limits_leave(receiver.limits, source, 0);
	}
}

static void
watch_listeners(uint32_t events)
{
	for (size_t i = 0; i < receiver.n_listeners; i++)
		(void)loop_change(&receiver.loop, &receiver.listeners[i], events);
}

static void
on_pause_over(struct loop_timer *timer)
{
	(void)timer;
	watch_listeners(EPOLLIN);
}

static void
on_connection(struct loop_io *io, uint32_t events)
{
	struct addr from = {.len = sizeof(from.sa)};
	int fd = accept4(io->fd, (struct sockaddr *)&from.sa, &from.len, SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0) {
		welcome(fd, &from);
		return;
	}
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
		return;
	/* The connection stays in the queue; trying again at once would only spin. */
	log_line("accept: %s", strerrordesc_np(errno));
	watch_listeners(0);
	(void)loop_timer_set(&receiver.loop, &receiver.pause_timer, PAUSE_MS, on_pause_over);
}

static int
open_listeners(struct err *err)
{
	for (int fd = LISTENER_FD; receiver.n_listeners < LISTENERS_MAX; fd++) {
		int is_listener = 0, ret;
		socklen_t len = sizeof(is_listener);

		if (fcntl(fd, F_GETFD) < 0)
			break;
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listener, &len) < 0 ||
		    !is_listener)
			return err_say(err, -EINVAL, "fd %d is no listening socket", fd);
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		ret = loop_add(&receiver.loop, &receiver.listeners[receiver.n_listeners++], fd,
			       EPOLLIN, on_connection);
		if (ret < 0)
			return err_set(err, ret, "watch fd %d", fd);
	}
	if (receiver.n_listeners == 0)
		return err_say(err, -EINVAL, "there is no listening socket on fd %d", LISTENER_FD);
	return 0;
}

/* ---- paasd --------------------------------------------------------------------------------- */

static void
on_parent(struct chan *chan, struct msg *m)
{
	(void)chan;
	log_line("paasd sent a %s that does not belong here", msg_name(m->type));
}

static void
on_parent_closed(struct chan *chan, const struct err *why)
{
	(void)chan;
	if (why)
		log_line("paasd: %s", why->text);
	loop_stop(&receiver.loop);
}

static int
begin(struct err *err)
{
	static struct msg m;
	int ret = loop_init(&receiver.loop);

	if (ret < 0)
		return err_set(err, ret, "make a loop");
	receiver.limits = limits_new(&limits_default);
	if (!receiver.limits)
		return err_set(err, -ENOMEM, "begin");
	for (int fd = SESSION_PROGRAM_FD; fd <= PAAS_PROGRAM_FD; fd++) {
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return err_set(err, -errno, "fd %d is not there", fd);
	}
	(void)fcntl(PARENT_FD, F_SETFD, FD_CLOEXEC);
	ret = open_listeners(err);
	if (ret < 0)
		return ret;
	ret = chan_open(&receiver.parent, &receiver.loop, PARENT_FD, ROLE_RECEIVER, ROLE_PARENT,
			PARENT_QUEUE, on_parent, on_parent_closed, NULL);
	if (ret < 0)
		return err_set(err, ret, "fd 3 is no channel");
	msg_begin(&m, MSG_RECEIVER_READY, 0);
	ret = chan_send(&receiver.parent, &m);
	return ret < 0 ? err_set(err, ret, "reach paasd") : 0;
}

int
main(void)
{
	struct err err;

	log_name("paas-receiver");
	(void)signal(SIGPIPE, SIG_IGN);
	if (begin(&err) < 0) {
		log_line("%s", err.text);
		return 1;
	}
	return loop_run(&receiver.loop) < 0 ? 1 : 0;
}

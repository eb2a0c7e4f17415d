/*
 * paas-session: one SSH connection. fd 3 leads to control, fd 4 is the connection, fd 5 tells
 * the receiver of the login by being closed, fd 6 is the paas program. `--host-keys` makes the
 * host keys in the current directory and ends.
 *
 * libssh's poll loop runs inside ours: whenever its socket is ready, ssh_event_dopoll takes one
 * turn without waiting. Everything its callbacks noted is acted on afterwards, in settle.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/confine.h"
#include "lib/err.h"
#include "lib/file.h"

#include "daemon/receiver/git.h"
#include "daemon/receiver/hostkeys.h"
#include "daemon/receiver/program.h"
#include "daemon/receiver/session.h"
#include "daemon/receiver/stream.h"

#define CONTROL_FD 3
#define CLIENT_FD 4
#define LOGIN_FD 5
#define PROGRAM_FD 6
#define CONTROL_QUEUE 64
#define MEMORY_MAX (1024UL * 1024 * 1024)
#ifdef __SANITIZE_ADDRESS__
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

static struct session session;

bool
session_can_write(const struct session *s)
{
	return !s->is_lost && !(ssh_get_poll_flags(s->ssh) & SSH_WRITE_PENDING);
}

/* ---- the end ------------------------------------------------------------------------------- */

/* The connection is gone, or has to be: every stream is told. */
static void
lose(struct session *s)
{
	s->is_lost = true;
	for (struct stream *st = s->streams; st; st = st->next)
		stream_lose(st);
	loop_timer_cancel(&s->loop, &s->login_timer);
	s->is_dirty = true;
}

static void
hang_up(struct session *s)
{
	if (s->client_fd < 0)
		return;
	loop_remove(&s->loop, &s->client_io);
	loop_timer_cancel(&s->loop, &s->login_timer);
	(void)close(take_fd(&s->client_fd));
	s->is_dirty = true;
}

static void
on_farewell(struct loop_io *io, uint32_t events)
{
	struct session *s = container_of(io, struct session, client_io);
	char nowhere[4096];
	ssize_t n = read(io->fd, nowhere, sizeof(nowhere));

	(void)events;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		hang_up(s);
}

static void
on_farewell_over(struct loop_timer *timer)
{
	hang_up(container_of(timer, struct session, login_timer));
}

/*
 * Says why and closes. What the client has still in flight is read for a moment: a reset in answer
 * to it would take the sentence away.
 */
static void
disconnect(struct session *s)
{
	lose(s);
	/* libssh only writes when its last poll said that it can, and takes one turn for each. */
	for (int i = 0; i < 4 && ssh_get_poll_flags(s->ssh) & SSH_WRITE_PENDING; i++)
		(void)ssh_event_dopoll(s->event, 0);
	(void)ssh_session_set_disconnect_message(s->ssh, s->give_up);
	ssh_disconnect(s->ssh);
	(void)shutdown(s->client_fd, SHUT_WR);
	loop_remove(&s->loop, &s->client_io);
	if (loop_add(&s->loop, &s->client_io, s->client_fd, EPOLLIN, on_farewell) < 0 ||
	    loop_timer_set(&s->loop, &s->login_timer, s->linger_ms, on_farewell_over) < 0)
		hang_up(s);
}

/* ---- control ------------------------------------------------------------------------------- */

static void
on_control(struct chan *chan, struct msg *m)
{
	struct session *s = chan->user;

	switch ((int)m->type) {
	case MSG_GIT_WAIT:
	case MSG_GIT_STARTED:
	case MSG_GIT_REFUSED:
	case MSG_GIT_DONE:
		git_message(s, m);
		break;
	case MSG_API_READY:
		program_api_ready(s, msg_take_fd(m, 0));
		break;
	default:
		log_line("control sent a %s that does not belong here", msg_name(m->type));
		break;
	}
}

static void
on_control_closed(struct chan *chan, const struct err *why)
{
	struct session *s = chan->user;

	if (why)
		log_line("control: %s", why->text);
	s->is_control_gone = true;
	git_control_gone(s);
	program_control_gone(s);
}

static void
begin_login(struct session *s)
{
	int ret;

	s->is_logged_in = true;
	loop_timer_cancel(&s->loop, &s->login_timer);
	if (s->login_fd >= 0)
		(void)close(take_fd(&s->login_fd));
	ret = chan_open(&s->control, &s->loop, take_fd(&s->control_fd), ROLE_SESSION, ROLE_CONTROL,
			CONTROL_QUEUE, on_control, on_control_closed, s);
	s->control.phase = PHASE_LOGIN;
	if (ret < 0)
		s->give_up = "paas: out of memory; try again";
	log_line("%s: %s logged in", s->address, s->auth.person);
}

/* ---- libssh -------------------------------------------------------------------------------- */

static ssh_channel
on_open(ssh_session ssh, void *userdata)
{
	struct session *s = userdata;
	struct stream *st;

	(void)ssh;
	if (s->n_streams >= SESSION_STREAMS_MAX)
		return NULL;
	st = stream_new(s);
	return st ? st->ssh : NULL;
}

/*
 * OpenSSH's "eow@openssh.com": its stdout was closed, as in `ssh HOST logs --tail | head`. libssh
 * does not name requests it does not know, but this is the only one OpenSSH sends after
 * the command.
 */
static void
note_unread(struct session *s, ssh_message message)
{
	const char *client = ssh_get_clientbanner(s->ssh);
	ssh_channel ssh = ssh_message_channel_request_channel(message);

	if (!client || strncmp(client, "SSH-2.0-OpenSSH", strlen("SSH-2.0-OpenSSH")) != 0)
		return;
	for (struct stream *st = s->streams; st; st = st->next) {
		if (st->ssh == ssh && st->request != STREAM_NOTHING) {
			st->is_unread = true;
			s->is_dirty = true;
		}
	}
}

/* What libssh has no callback for. 1: it answers with its refusal; 0: there is no answer. */
static int
on_message(ssh_session ssh, ssh_message message, void *userdata)
{
	struct session *s = userdata;

	(void)ssh;
	if (auth_message(&s->auth, message))
		return 1;
	if (ssh_message_type(message) == SSH_REQUEST_CHANNEL &&
	    ssh_message_subtype(message) == SSH_CHANNEL_REQUEST_UNKNOWN)
		note_unread(s, message);
	/* Only a client without any command would never learn why its forward does not work. */
	if (ssh_message_type(message) == SSH_REQUEST_CHANNEL_OPEN && s->n_streams == 0) {
		s->give_up = "paas: ports are not forwarded here";
		s->is_dirty = true;
		return 0;
	}
	return 1;
}

static void
on_client(struct loop_io *io, uint32_t events)
{
	struct session *s = container_of(io, struct session, client_io);

	(void)events;
	s->is_dirty = true;
	if (ssh_event_dopoll(s->event, 0) == SSH_ERROR)
		s->is_broken = true;
}

static bool
is_connected(const struct session *s)
{
	return !s->is_broken && ssh_is_connected(s->ssh) &&
	       !(ssh_get_status(s->ssh) & (SSH_CLOSED | SSH_CLOSED_ERROR));
}

static void
on_login_timeout(struct loop_timer *timer)
{
	struct session *s = container_of(timer, struct session, login_timer);

	s->give_up = "paas: the login took too long";
	s->is_dirty = true;
}

static void
on_no_departure(struct loop_timer *timer)
{
	struct session *s = container_of(timer, struct session, login_timer);

	s->give_up = "paas: the platform is restarting; try again in a moment";
	s->is_dirty = true;
}

/* Without control nothing can begin here. A client that has just got its exit status goes by
 * itself; to disconnect it at once would make it report that instead. */
static void
await_departure(struct session *s)
{
	if (s->login_timer.slot == 0 &&
	    loop_timer_set(&s->loop, &s->login_timer, s->linger_ms, on_no_departure) < 0)
		s->is_broken = true;
}

/* ---- a turn -------------------------------------------------------------------------------- */

static void
settle_streams(struct session *s)
{
	struct stream **at = &s->streams;

	for (struct stream *st = s->streams; st; st = st->next)
		stream_settle(st);
	while (*at) {
		struct stream *st = *at;

		if (!stream_is_over(st)) {
			at = &st->next;
			continue;
		}
		*at = st->next;
		s->n_streams--;
		s->is_dirty = true;
		stream_free(st);
	}
}

static void
settle(struct session *s)
{
	do {
		s->is_dirty = false;
		if (!s->is_logged_in && s->auth.is_done)
			begin_login(s);
		if (s->auth.give_up)
			s->give_up = s->auth.give_up;
		if (s->is_control_gone && s->n_streams == 0 && !s->is_lost)
			await_departure(s);
		if (!s->is_lost && !is_connected(s)) {
			lose(s);
			hang_up(s);
		}
		if (!s->is_lost && s->give_up)
			disconnect(s);
		settle_streams(s);
	} while (s->is_dirty);
	if (!s->is_lost && loop_change(&s->loop, &s->client_io,
				       session_can_write(s) ? EPOLLIN : EPOLLIN | EPOLLOUT) < 0)
		lose(s);
	if (s->is_lost && s->n_streams == 0 && s->client_fd < 0)
		loop_stop(&s->loop);
}

/* ---- the beginning ------------------------------------------------------------------------- */

/* A client that vanished is noticed within two minutes. */
static void
prepare_socket(int fd)
{
	static const struct {
		int level, option, value;
	} options[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},		 {IPPROTO_TCP, TCP_KEEPIDLE, 60},
		{IPPROTO_TCP, TCP_KEEPINTVL, 15},	 {IPPROTO_TCP, TCP_KEEPCNT, 4},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, 120000}, {IPPROTO_TCP, TCP_NODELAY, 1},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		(void)setsockopt(fd, options[i].level, options[i].option, &options[i].value,
				 sizeof(options[i].value));
}

static void
find_address(struct session *s)
{
	struct addr peer = {.len = sizeof(peer.sa)};
	char text[ADDR_TEXT_MAX];

	if (getpeername(s->client_fd, (struct sockaddr *)&peer.sa, &peer.len) == 0)
		(void)snprintf(s->address, sizeof(s->address), "%s", addr_text(&peer, text));
	else
		(void)snprintf(s->address, sizeof(s->address), "somebody");
}

/*
 * What libssh and the program need of the file system, once the keys are read. A stranger who took
 * this process over finds neither the keys nor another session's memory.
 */
static int
confine(struct err *err)
{
	static const struct confine_rule rules[] = {
		{"/proc/self/fd/6", CONFINE_READ | CONFINE_EXECUTE},
		{"/usr", CONFINE_READ | CONFINE_EXECUTE},
		{"/lib", CONFINE_READ | CONFINE_EXECUTE},
		{"/lib64", CONFINE_READ | CONFINE_EXECUTE},
		{"/etc/ld.so.cache", CONFINE_READ},
		{"/etc/ld.so.preload", CONFINE_READ},
		{"/etc/localtime", CONFINE_READ},
		{"/dev/null", CONFINE_WRITE},
		{"/dev/tty", CONFINE_WRITE},
		{"/dev/ptmx", CONFINE_WRITE},
		{"/dev/pts", CONFINE_WRITE},
	};

	/* A sanitizer looks at /proc when its program ends. */
	if (HAS_SANITIZER)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "give up new privileges");
	return confine_files(rules, sizeof(rules) / sizeof(*rules), err);
}

static int
begin_ssh(struct session *s, struct err *err)
{
	ssh_bind bind = ssh_bind_new();
	int fd = fcntl(CLIENT_FD, F_DUPFD_CLOEXEC, 7);
	int ret = bind && fd >= 0 ? hostkeys_load(bind, err) : err_set(err, -ENOMEM, "begin");

	s->ssh = ssh_new();
	s->event = ssh_event_new();
	if (ret == 0 && (!s->ssh || !s->event))
		ret = err_set(err, -ENOMEM, "begin");
	if (ret == 0 && ssh_bind_accept_fd(bind, s->ssh, fd) != SSH_OK)
		ret = err_say(err, -EIO, "libssh: %s", ssh_get_error(bind));
	ssh_bind_free(bind);
	if (ret < 0)
		return ret;

	ssh_set_blocking(s->ssh, 0);
	auth_init(&s->auth, s->ssh, s->control_fd, on_open, s);
	ssh_set_message_callback(s->ssh, on_message, s);
	if (ssh_handle_key_exchange(s->ssh) == SSH_ERROR ||
	    ssh_event_add_session(s->event, s->ssh) != SSH_OK)
		return err_say(err, -EIO, "libssh: %s", ssh_get_error(s->ssh));
	ret = loop_add(&s->loop, &s->client_io, s->client_fd, EPOLLIN, on_client);
	return ret < 0 ? err_set(err, ret, "watch the connection") : 0;
}

static int
begin(struct session *s, struct err *err)
{
	int ret = loop_init(&s->loop);

	if (ret < 0)
		return err_set(err, ret, "make a loop");
	prepare_socket(CLIENT_FD);
	find_address(s);
	ret = file_set_nonblocking(CLIENT_FD, true);
	if (ret < 0)
		return err_set(err, ret, "fd 4 is no connection");
	ret = begin_ssh(s, err);
	if (ret == 0)
		ret = confine(err);
	if (ret == 0 &&
	    loop_timer_set(&s->loop, &s->login_timer, s->login_ms, on_login_timeout) < 0)
		ret = err_set(err, -ENOMEM, "set a timer");
	return ret;
}

static int
make_host_keys(void)
{
	AUTO_FD int dir_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;
	int ret = dir_fd < 0 ? err_set(&err, -errno, "open the current directory")
			     : hostkeys_make(dir_fd, &err);

	if (ret < 0)
		log_line("%s", err.text);
	return ret < 0 ? 1 : 0;
}

/* Nobody of the same user may look into this process, and nothing of it reaches a disk. */
static void
close_curtains(void)
{
	struct rlimit none = {0, 0}, memory = {MEMORY_MAX, MEMORY_MAX};

	(void)prctl(PR_SET_DUMPABLE, HAS_SANITIZER);
	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* whose shadow counts as ours */
	(void)setrlimit(RLIMIT_DATA, &memory);
#else
	(void)memory;
#endif
	(void)signal(SIGPIPE, SIG_IGN);
}

static int
read_options(struct session *s, int argc, char **argv, bool *only_host_keys)
{
	enum { HOST_KEYS = 1, LOGIN_TIME, STALL_TIME, IDLE_TIME };
	static const struct option options[] = {
		{"host-keys", no_argument, NULL, HOST_KEYS},
		{"login-time", required_argument, NULL, LOGIN_TIME},
		{"stall-time", required_argument, NULL, STALL_TIME},
		{"idle-time", required_argument, NULL, IDLE_TIME},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned long long ms = 0;

		if (option == HOST_KEYS) {
			*only_host_keys = true;
			continue;
		}
		if (option == '?' || conf_duration(optarg, &ms) < 0 || ms == 0)
			return -EINVAL;
		if (option == LOGIN_TIME)
			s->login_ms = ms;
		else if (option == STALL_TIME)
			s->stall_ms = ms;
		else
			s->idle_ms = ms;
	}
	return optind == argc ? 0 : -EINVAL;
}

int
main(int argc, char **argv)
{
	struct session *s = &session;
	bool only_host_keys = false;
	struct err err;
	int ret;

	log_name("paas-session");
	*s = (struct session){
		.control_fd = CONTROL_FD,
		.client_fd = CLIENT_FD,
		.login_fd = LOGIN_FD,
		.program_fd = PROGRAM_FD,
		.login_ms = 30000,
		.stall_ms = 60000,
		.idle_ms = 300000,
		.linger_ms = 2000,
	};
	if (read_options(s, argc, argv, &only_host_keys) < 0) {
		(void)fprintf(stderr, "usage: paas-session [--host-keys] [--login-time=TIME] "
				      "[--stall-time=TIME] [--idle-time=TIME]\n");
		return 2;
	}
	close_curtains();
	if (ssh_init() != SSH_OK) {
		log_line("libssh does not start");
		return 1;
	}
	if (only_host_keys)
		return make_host_keys();
	if (begin(s, &err) < 0) {
		log_line("%s: %s", s->address, err.text);
		return 1;
	}
	settle(s);
	do {
		ret = loop_turn(&s->loop, -1);
		settle(s);
	} while (ret >= 0 && !s->loop.stopped);
	return 0;
}

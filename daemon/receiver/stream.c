#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

#include "daemon/receiver/stream.h"
#include "daemon/receiver/git.h"
#include "daemon/receiver/program.h"
#include "daemon/receiver/sentence.h"
#include "daemon/receiver/session.h"

/* libssh lets a client send beyond its window (1.28 MB); we do not keep it. */
#define BACKLOG_MAX (4 * 1024 * 1024)

static const struct {
	const char *name;
	int number;
} signal_names[] = {
	{"ABRT", SIGABRT}, {"ALRM", SIGALRM}, {"FPE", SIGFPE},	 {"HUP", SIGHUP},
	{"ILL", SIGILL},   {"INT", SIGINT},   {"KILL", SIGKILL}, {"PIPE", SIGPIPE},
	{"QUIT", SIGQUIT}, {"SEGV", SIGSEGV}, {"TERM", SIGTERM}, {"USR1", SIGUSR1},
	{"USR2", SIGUSR2},
};

/* ---- what libssh tells us ---------------------------------------------------------------- */

static void
note(struct stream *st)
{
	st->session->is_dirty = true;
}

/* True for text made of letters, digits and `more`, short enough, which is then in `out`. */
static bool
copy_word(const char *text, const char *more, char *out, size_t cap)
{
	size_t n = strlen(text);

	if (n >= cap)
		return false;
	for (size_t i = 0; i < n; i++) {
		char ch = text[i];

		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
		      (ch >= '0' && ch <= '9') || strchr(more, ch)))
			return false;
	}
	memcpy(out, text, n + 1);
	return true;
}

static uint16_t
size_of(int n)
{
	return n < 1 ? 0 : n > 1000 ? 1000 : (uint16_t)n;
}

/* How much of the client's bytes could be handed on. */
static size_t
take(struct stream *st, const void *p, size_t n)
{
	if (st->is_finishing)
		return n;
	if (!st->service)
		return 0;
	return st->service->input(st, p, n);
}

static int
on_data(ssh_session ssh, ssh_channel channel, void *data, uint32_t len, int is_stderr,
	void *userdata)
{
	struct stream *st = userdata;
	size_t taken;

	(void)ssh;
	(void)channel;
	if (is_stderr)
		return (int)len;
	if (len > BACKLOG_MAX) {
		st->session->give_up = "paas: more data than the window allows";
		note(st);
		return (int)len;
	}
	taken = st->has_backlog ? 0 : take(st, data, len);
	st->has_backlog = taken < len;
	note(st);
	return (int)taken;
}

static void
on_eof(ssh_session ssh, ssh_channel channel, void *userdata)
{
	struct stream *st = userdata;

	(void)ssh;
	(void)channel;
	st->has_eof = true;
	note(st);
}

static void
on_close(ssh_session ssh, ssh_channel channel, void *userdata)
{
	struct stream *st = userdata;

	(void)ssh;
	(void)channel;
	st->is_closed = true;
	note(st);
}

static void
on_signal(ssh_session ssh, ssh_channel channel, const char *name, void *userdata)
{
	struct stream *st = userdata;

	(void)ssh;
	(void)channel;
	for (size_t i = 0; i < sizeof(signal_names) / sizeof(*signal_names); i++) {
		if (strcmp(name, signal_names[i].name) == 0)
			st->signals |= UINT64_C(1) << signal_names[i].number;
	}
	note(st);
}

static int
on_pty(ssh_session ssh, ssh_channel channel, const char *term, int columns, int rows, int px,
       int py, void *userdata)
{
	struct stream *st = userdata;

	(void)ssh;
	(void)channel;
	(void)px;
	(void)py;
	if (st->request != STREAM_NOTHING)
		return 1;
	if (!copy_word(term, "-._+", st->term, sizeof(st->term)))
		st->term[0] = '\0';
	st->has_pty = true;
	st->columns = size_of(columns);
	st->rows = size_of(rows);
	return 0;
}

static int
on_resize(ssh_session ssh, ssh_channel channel, int columns, int rows, int px, int py,
	  void *userdata)
{
	struct stream *st = userdata;

	(void)ssh;
	(void)channel;
	(void)px;
	(void)py;
	st->columns = size_of(columns);
	st->rows = size_of(rows);
	st->is_resized = true;
	note(st);
	return 0;
}

static int
on_env(ssh_session ssh, ssh_channel channel, const char *name, const char *value, void *userdata)
{
	struct stream *st = userdata;

	(void)ssh;
	(void)channel;
	if (strcmp(name, "GIT_PROTOCOL") != 0)
		return 1;
	return copy_word(value, "=:-._", st->protocol, sizeof(st->protocol)) ? 0 : 1;
}

/* One request per channel (RFC 4254 6.5). */
static int
note_request(struct stream *st, enum stream_request request, const char *line)
{
	if (st->request != STREAM_NOTHING || buf_add_string(&st->line, line) < 0)
		return 1;
	st->request = request;
	note(st);
	return 0;
}

static int
on_shell(ssh_session ssh, ssh_channel channel, void *userdata)
{
	(void)ssh;
	(void)channel;
	return note_request(userdata, STREAM_SHELL, "");
}

static int
on_exec(ssh_session ssh, ssh_channel channel, const char *command, void *userdata)
{
	(void)ssh;
	(void)channel;
	return note_request(userdata, STREAM_COMMAND, command);
}

static int
on_subsystem(ssh_session ssh, ssh_channel channel, const char *name, void *userdata)
{
	(void)ssh;
	(void)channel;
	return note_request(userdata, STREAM_SUBSYSTEM, name);
}

/* ---- life -------------------------------------------------------------------------------- */

struct stream *
stream_new(struct session *session)
{
	struct stream *st = calloc(1, sizeof(*st));

	if (!st)
		return NULL;
	st->session = session;
	st->ticket = session->next_ticket++;
	buf_init(&st->line, COMMAND_MAX_BYTES + 1);
	buf_init(&st->carry, BACKLOG_MAX);
	inlet_init(&st->in);
	outlet_init(&st->out);
	outlet_init(&st->err);
	st->ssh = ssh_channel_new(session->ssh);
	if (!st->ssh) {
		free(st);
		return NULL;
	}
	ssh_callbacks_init(&st->callbacks);
	st->callbacks.userdata = st;
	st->callbacks.channel_data_function = on_data;
	st->callbacks.channel_eof_function = on_eof;
	st->callbacks.channel_close_function = on_close;
	st->callbacks.channel_signal_function = on_signal;
	st->callbacks.channel_pty_request_function = on_pty;
	st->callbacks.channel_pty_window_change_function = on_resize;
	st->callbacks.channel_env_request_function = on_env;
	st->callbacks.channel_shell_request_function = on_shell;
	st->callbacks.channel_exec_request_function = on_exec;
	st->callbacks.channel_subsystem_request_function = on_subsystem;
	(void)ssh_set_channel_callbacks(st->ssh, &st->callbacks);
	st->next = session->streams;
	session->streams = st;
	session->n_streams++;
	return st;
}

/* libssh keeps the channel until the client closed it too, but must not call us any more. */
static void
release_ssh(struct stream *st)
{
	if (!st->ssh)
		return;
	(void)ssh_remove_channel_callbacks(st->ssh, &st->callbacks);
	ssh_channel_free(st->ssh);
	st->ssh = NULL;
}

void
stream_free(struct stream *st)
{
	if (!st)
		return;
	if (st->service)
		st->service->free(st);
	release_ssh(st);
	inlet_close(&st->in);
	outlet_close(&st->out);
	outlet_close(&st->err);
	buf_done(&st->in.waiting);
	buf_done(&st->out.pending);
	buf_done(&st->err.pending);
	buf_done(&st->line);
	buf_done(&st->carry);
	command_done(&st->command);
	free(st);
}

bool
stream_is_over(const struct stream *st)
{
	return !st->ssh && (!st->service || st->service->is_done(st));
}

void
stream_say(struct stream *st, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (st->ssh)
		(void)buf_printf(&st->err.pending, "paas: %s%s\n", text, st->has_pty ? "\r" : "");
}

void
stream_finish(struct stream *st, int exit_code)
{
	st->is_finishing = true;
	st->exit_code = exit_code;
}

void
stream_finish_signal(struct stream *st, int signal)
{
	stream_finish(st, 128 + signal);
	for (size_t i = 0; i < sizeof(signal_names) / sizeof(*signal_names); i++) {
		if (signal_names[i].number == signal)
			st->exit_signal = signal_names[i].name;
	}
}

/* ---- a turn ------------------------------------------------------------------------------ */

static void
start_command(struct stream *st)
{
	struct err err;

	if (command_parse(&st->command, buf_text(&st->line), st->line.len, &err) < 0) {
		stream_say(st, "%s", err.text);
		stream_finish(st, 1);
	} else if (st->command.kind == COMMAND_PAAS) {
		program_start(st);
	} else {
		git_start(st);
	}
	buf_done(&st->line);
}

static void
start(struct stream *st)
{
	char name[40];

	st->is_started = true;
	switch (st->request) {
	case STREAM_COMMAND:
		start_command(st);
		return;
	case STREAM_SHELL:
		stream_say(st,
			   "hello %s, there is no shell here; give a command, like: ssh -p PORT "
			   "paas@HOST apps",
			   st->session->auth.person);
		break;
	case STREAM_SUBSYSTEM:
		(void)sentence_quote(buf_text(&st->line), st->line.len, name, sizeof(name));
		stream_say(st, "there is no %s here; files travel by git push", name);
		break;
	case STREAM_NOTHING:
		break;
	}
	stream_finish(st, 1);
}

/*
 * Hands on what libssh keeps for us since nobody could take it. It is read out as a whole and only
 * when all that was read before is gone: each read opens the client's window again, however
 * much libssh still holds.
 */
static void
pull(struct stream *st)
{
	while (st->has_backlog) {
		int n;

		if (st->carry.len > 0) {
			buf_consume(&st->carry, take(st, st->carry.data, st->carry.len));
			if (st->carry.len > 0)
				return;
		}
		n = ssh_channel_poll(st->ssh, 0);
		if (n > 0 && buf_reserve(&st->carry, (size_t)n) == 0)
			n = ssh_channel_read_nonblocking(st->ssh, st->carry.data, (uint32_t)n, 0);
		if (n <= 0) {
			st->has_backlog = false;
			buf_done(&st->carry);
			return;
		}
		st->carry.len = (size_t)n;
		st->carry.data[n] = '\0';
	}
}

static void
deliver(struct stream *st)
{
	if (st->is_resized) {
		st->is_resized = false;
		if (st->service)
			st->service->resized(st);
	}
	if (st->is_unread && st->service)
		st->service->unread(st);
	st->is_unread = false;
	while (st->signals) {
		int number = __builtin_ctzll(st->signals);

		st->signals &= st->signals - 1;
		if (st->service)
			st->service->signalled(st, number);
	}
	if (st->has_eof && !st->has_backlog && !st->is_ended && st->service) {
		st->is_ended = true;
		st->service->ended(st);
	}
}

/* Writes what fits the window. 0, or negative: the client is gone. */
static int
flush(struct stream *st, struct outlet *out, bool is_stderr)
{
	while (out->pending.len > 0 && session_can_write(st->session)) {
		uint32_t room = ssh_channel_window_size(st->ssh);
		uint32_t n = room < out->pending.len ? room : (uint32_t)out->pending.len;
		int done;

		if (n == 0)
			break;
		if (n > OUTLET_AHEAD)
			n = OUTLET_AHEAD;
		done = is_stderr ? ssh_channel_write_stderr(st->ssh, out->pending.data, n)
				 : ssh_channel_write(st->ssh, out->pending.data, n);
		if (done < 0)
			return -EPIPE;
		if (done == 0)
			break;
		buf_consume(&out->pending, (size_t)done);
	}
	return 0;
}

static void
watch(struct stream *st)
{
	bool may_write =
		st->ssh && session_can_write(st->session) && ssh_channel_window_size(st->ssh) > 0;
	int out = outlet_watch(&st->out, may_write && st->out.pending.len == 0);
	int err = outlet_watch(&st->err, may_write && st->err.pending.len == 0);

	if (out < 0 || err < 0)
		st->session->give_up = "paas: out of memory";
}

/* The last words, which are short enough for libssh to keep. */
static void
say_goodbye(struct stream *st)
{
	if (st->exit_signal)
		(void)ssh_channel_request_send_exit_signal(st->ssh, st->exit_signal, 0, "", "");
	else
		(void)ssh_channel_request_send_exit_status(st->ssh, st->exit_code);
	(void)ssh_channel_send_eof(st->ssh);
	(void)ssh_channel_close(st->ssh);
	release_ssh(st);
}

void
stream_lose(struct stream *st)
{
	if (!st->ssh)
		return;
	release_ssh(st);
	st->has_backlog = false;
	buf_done(&st->out.pending);
	buf_done(&st->err.pending);
	if (st->service)
		st->service->left(st);
}

void
stream_settle(struct stream *st)
{
	if (st->ssh && !st->is_started && st->request != STREAM_NOTHING)
		start(st);
	if (st->ssh)
		pull(st);
	deliver(st);
	if (st->service)
		st->service->settle(st);
	if (st->ssh &&
	    (flush(st, &st->out, false) < 0 || flush(st, &st->err, true) < 0 || st->is_closed))
		stream_lose(st);
	watch(st);
	if (st->ssh && st->is_finishing && outlet_is_done(&st->out) && outlet_is_done(&st->err))
		say_goodbye(st);
}

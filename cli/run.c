/*
 * run: the platform passes us the instance's terminal (one fd) or its three streams, and we
 * copy bytes between them and our own until the command has ended. The exit status is asked
 * for afterwards on the same connection.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "cli/command.h"
#include "cli/output.h"

static volatile sig_atomic_t resized;

static void
on_resize(int signo)
{
	(void)signo;
	resized = 1;
}

static void
pass_size(int terminal_fd)
{
	struct winsize size;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		(void)ioctl(terminal_fd, TIOCSWINSZ, &size);
}

/* One read and a full write. Bytes, 0 at the end of `from`, -EPIPE when `to` is gone. */
static ssize_t
copy(int from, int to)
{
	char bytes[16384];
	ssize_t n = read(from, bytes, sizeof(bytes));
	if (n < 0)
		return errno == EINTR || errno == EAGAIN
			       ? 1
			       : 0; /* EIO: the terminal's other side is gone */
	if (n > 0 && file_write_all(to, bytes, (size_t)n) < 0)
		return -EPIPE;
	return n;
}

static void
relay_terminal(int master_fd)
{
	struct pollfd p[2] = {{.fd = master_fd, .events = POLLIN},
			      {.fd = STDIN_FILENO, .events = POLLIN}};
	for (;;) {
		if (resized) {
			resized = 0;
			pass_size(master_fd);
		}
		if (poll(p, 2, -1) < 0) {
			if (errno != EINTR)
				return;
			continue;
		}
		if (p[0].revents && copy(master_fd, STDOUT_FILENO) <= 0)
			return;
		if (p[1].revents && copy(STDIN_FILENO, master_fd) <= 0) {
			/* A terminal has no end of file; Ctrl-D at a line's start is one. */
			(void)!write(master_fd, "\4", 1);
			p[1].fd = -1;
		}
	}
}

static void
relay_streams(struct api *api)
{
	struct pollfd p[3] = {{.fd = STDIN_FILENO, .events = POLLIN},
			      {.fd = api->fds[1], .events = POLLIN},
			      {.fd = api->fds[2], .events = POLLIN}};
	while (p[1].fd >= 0 || p[2].fd >= 0) {
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			return;
		if (p[0].revents && copy(STDIN_FILENO, api->fds[0]) <= 0) {
			(void)close(api->fds[0]);
			api->fds[0] = -1;
			p[0].fd = -1;
		}
		for (int i = 1; i <= 2; i++)
			if (p[i].revents && copy(p[i].fd, i) <= 0)
				p[i].fd = -1;
	}
}

static void
attach(struct api *api, bool tty)
{
	struct termios before, raw;
	if (!tty) {
		relay_streams(api);
		return;
	}
	struct sigaction sa = {.sa_handler = on_resize};
	(void)sigaction(SIGWINCH, &sa, NULL);
	pass_size(api->fds[0]);
	bool is_raw = tcgetattr(STDIN_FILENO, &before) == 0;
	if (is_raw) {
		raw = before;
		cfmakeraw(&raw);
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	relay_terminal(api->fds[0]);
	if (is_raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

/* The words as one command line that a shell splits back into the same words. One word is
 * taken as a command line already: paas run "ls | wc -l". NULL: out of memory. */
static char *
command_line(char **words, int n)
{
	AUTO_BUF struct buf line;
	buf_init(&line, 65536);
	if (n == 1)
		return strdup(words[0]);
	for (int i = 0; i < n; i++) {
		if (i > 0 && buf_add(&line, " ", 1) < 0)
			return NULL;
		if (*words[i] &&
		    !words[i][strspn(words[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
					       "UVWXYZ0123456789-_./=:,@%+")]) {
			if (buf_add_string(&line, words[i]) < 0)
				return NULL;
			continue;
		}
		(void)buf_add(&line, "'", 1);
		for (const char *at = words[i]; *at; at++)
			if (*at == '\'' ? buf_add_string(&line, "'\\''") < 0
					: buf_add(&line, at, 1) < 0)
				return NULL;
		(void)buf_add(&line, "'", 1);
	}
	return buf_take(&line);
}

/* "A=1;B=2" into an object. */
static int
add_env(json_t *env, const char *pairs, struct err *err)
{
	AUTO_FREE char *copy_of = strdup(pairs ? pairs : "");
	char *rest = copy_of;
	for (char *pair; rest && (pair = strsep(&rest, ";"));) {
		char *equals = strchr(pair, '=');
		if (!*pair)
			continue;
		if (!equals || equals == pair)
			return err_say(err, -EINVAL, "-e takes KEY=VALUE;KEY=VALUE, not %s", pair);
		*equals = '\0';
		(void)json_object_set_new(env, pair, json_string(equals + 1));
	}
	return 0;
}

static int
exit_status(struct context *c, const char *name, struct err *err)
{
	AUTO_JSON json_t *end = NULL;
	AUTO_BUF struct buf segment;
	buf_init(&segment, 1024);
	if (api_path_add(&segment, name) < 0)
		return -ENOMEM;
	int ret = app_call(c, "GET", app_path(c, "/dynos%s/wait", buf_text(&segment)), NULL, &end,
			   err);
	if (ret < 0)
		return ret;
	const json_t *signal_number = json_object_get(end, "signal");
	if (json_is_integer(signal_number))
		return 128 + (int)json_integer_value(signal_number);
	return (int)json_integer_value(json_object_get(end, "exit_code"));
}

static int
run(struct context *c, bool detached, struct err *err)
{
	bool tty = !detached && !c->args.no_tty && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	AUTO_FREE char *line = command_line(c->args.words, c->args.n_words);
	json_t *env = json_object();
	int ret = add_env(env, c->args.env, err);
	struct winsize size = {0};
	if (tty && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		(void)json_object_set_new(env, "COLUMNS", json_sprintf("%d", size.ws_col));
		(void)json_object_set_new(env, "LINES", json_sprintf("%d", size.ws_row));
	}
	if (tty)
		(void)json_object_set_new(env, "TERM",
					  json_string(getenv("TERM") ? getenv("TERM") : "xterm"));
	if (ret < 0 || !line) {
		json_decref(env);
		return ret < 0 ? ret : err_set(err, -ENOMEM, "run");
	}
	AUTO_JSON json_t *dyno = NULL;
	json_t *body = json_pack("{s:s, s:b, s:b, s:o}", "command", line, "attach", !detached,
				 "force_no_tty", !tty, "env", env);
	ret = app_call(c, "POST", app_path(c, "/dynos"), body, &dyno, err);
	if (ret < 0)
		return ret;
	const char *name = output_text(dyno, "name");
	if (detached) {
		if (c->args.json)
			output_json(dyno);
		else
			printf("Running %s on %s... done, %s\nIts output: paas logs -a %s --dyno "
			       "%s\n",
			       line, c->app, name, c->app, name);
		return 0;
	}
	size_t wanted = tty ? 1 : 3;
	if (c->api.n_fds != wanted)
		return err_say(err, -EPROTO, "the platform did not attach %s; try again", name);
	attach(&c->api, tty);
	return exit_status(c, name, err);
}

int
command_run(struct context *c, struct err *err)
{
	return run(c, c->args.detached, err);
}

int
command_run_detached(struct context *c, struct err *err)
{
	return run(c, true, err);
}

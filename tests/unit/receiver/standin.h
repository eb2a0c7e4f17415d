/*
 * A platform around the receiver for its tests: a real paas-receiver on a loopback port, and in
 * place of paasd and control a process that knows one key, runs git without a sandbox, and plays
 * hooks' and API's other ends. What it does to a push depends on the app's name. Every step is a
 * line in DIR/events, which tests wait for.
 */
#ifndef TESTS_RECEIVER_STANDIN_H
#define TESTS_RECEIVER_STANDIN_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/addr.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/spawn.h"

#define STANDIN_SESSIONS 64

static struct {
	char dir[64];
	char libexec[512];
	int port;
	pid_t control, receiver;
	int parent_fd; /* our copy of paasd's end, so that it stays open */
} standin;

/* ---- control's side, in a child ----------------------------------------------------------- */

struct standin_session {
	int fd; /* -1: gone */
	char app[40];
	pid_t git_pid;
	int git_fd;  /* pidfd; -1: none */
	int job_fd;  /* the hook's other end; -1: none */
	int held_fd; /* a transcript that waits for DIR/go; -1: none */
};

static struct standin_session standin_sessions[STANDIN_SESSIONS];

__attribute__((format(printf, 1, 2))) static void
standin_event(const char *fmt, ...)
{
	char line[600];
	va_list ap;
	int fd = open("events", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	strcat(line, "\n");
	(void)file_write_all(fd, line, strlen(line));
	(void)close(fd);
}

static void
standin_simple(int fd, enum msg_type type, uint32_t number)
{
	static struct msg m;

	msg_begin(&m, type, 0);
	if (type == MSG_GIT_DONE || type == MSG_GIT_WAIT)
		wire_put_u32(&m.out, number);
	else if (type == MSG_HOOK_VERDICT)
		wire_put_u8(&m.out, (uint8_t)number);
	(void)msg_send(fd, &m);
}

static void
standin_login(struct standin_session *s, struct msg *m)
{
	char user[256], type[64], key[8192], known[8192], mine[8300];
	FILE *f = fopen("known_key", "r");
	static struct msg answer;
	bool accepted;

	wire_get_str(&m->in, user, sizeof(user));
	wire_get_str(&m->in, type, sizeof(type));
	wire_get_str(&m->in, key, sizeof(key));
	assert_non_null(f);
	accepted = false;
	(void)snprintf(mine, sizeof(mine), "%s %s", type, key);
	while (fgets(known, sizeof(known), f))
		accepted |= strncmp(known, mine, strlen(mine)) == 0 && strcmp(user, "paas") == 0;
	(void)fclose(f);
	standin_event("%s %s %s", m->type == MSG_LOGIN_KEY ? "key" : "proved", user, type);
	msg_begin(&answer, MSG_LOGIN_ANSWER, 0);
	wire_put_u8(&answer.out, accepted);
	wire_put_str(&answer.out, accepted ? "me" : "");
	(void)msg_send(s->fd, &answer);
}

static void
standin_git(struct standin_session *s, struct msg *m)
{
	uint8_t service = wire_get_u8(&m->in);
	char protocol[300], env_protocol[320], repo[100];
	static struct msg refused;
	int job[2];

	wire_get_str(&m->in, s->app, sizeof(s->app));
	wire_get_str(&m->in, protocol, sizeof(protocol));
	assert_int_equal(wire_end(&m->in), 0);
	standin_event("open %s %s %s", service == GIT_RECEIVE_PACK ? "push" : "fetch", s->app,
		      protocol);
	if (strcmp(s->app, "refused") == 0) {
		msg_begin(&refused, MSG_GIT_REFUSED, 0);
		wire_put_str(&refused.out, "you may not push to refused; ask its owner");
		(void)msg_send(s->fd, &refused);
		return;
	}
	/* Its turn never comes. */
	if (strcmp(s->app, "never") == 0)
		return;
	if (strcmp(s->app, "busy") == 0) {
		standin_simple(s->fd, MSG_GIT_WAIT, 2);
		standin_simple(s->fd, MSG_GIT_WAIT, 1);
	}
	(void)snprintf(repo, sizeof(repo), "%s.git", s->app);
	(void)snprintf(env_protocol, sizeof(env_protocol), "GIT_PROTOCOL=%s", protocol);
	assert_int_equal(msg_pair(job, false), 0);
	const char *const receive[] = {"git",
				       "-c",
				       "core.hooksPath=../hooks",
				       "-c",
				       "receive.shallowUpdate=true",
				       "-c",
				       "receive.fsckObjects=true",
				       "-c",
				       "receive.unpackLimit=1",
				       "-c",
				       "safe.directory=*",
				       "receive-pack",
				       repo,
				       NULL};
	const char *const upload[] = {"git", "-c", "safe.directory=*", "upload-pack", repo, NULL};
	const char *const envp[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/", env_protocol,
				    NULL};
	struct spawn_fd fds[] = {{m->fds[0], 0}, {m->fds[1], 1}, {m->fds[2], 2}, {job[1], 5}};
	struct spawn spawn = {
		.exe_fd = -1,
		.path = "/usr/bin/git",
		.argv = service == GIT_RECEIVE_PACK ? receive : upload,
		.envp = envp,
		.fds = fds,
		.n_fds = 4,
		.cwd_fd = -1,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
	};
	struct err err;
	if (spawn_start(&spawn, &s->git_pid, &s->git_fd, &err) < 0)
		standin_event("cannot start git: %s", err.text);
	(void)close(job[1]);
	s->job_fd = job[0];
	standin_simple(s->fd, MSG_GIT_STARTED, 0);
}

static void
standin_api(struct standin_session *s)
{
	static const char greeting[] = "this is the API\n";
	static struct msg m;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	(void)file_write_all(ends[0], greeting, strlen(greeting));
	msg_begin(&m, MSG_API_READY, 0);
	msg_add_fd(&m, ends[1]);
	(void)msg_send(s->fd, &m);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void
standin_session_message(struct standin_session *s)
{
	static struct msg m;
	int ret = msg_receive(s->fd, &m);

	if (ret <= 0) {
		standin_event("session ends");
		(void)close(s->fd);
		s->fd = -1;
		return;
	}
	switch ((int)m.type) {
	case MSG_LOGIN_KEY:
	case MSG_LOGIN_PROVED:
		standin_login(s, &m);
		break;
	case MSG_GIT_OPEN:
		standin_git(s, &m);
		break;
	case MSG_GIT_STALLED:
		standin_event("stalled %s", s->app);
		(void)kill(s->git_pid, SIGKILL);
		break;
	case MSG_API_OPEN:
		standin_event("api");
		standin_api(s);
		break;
	default:
		standin_event("unexpected %s", msg_name(m.type));
		break;
	}
	msg_done(&m);
}

static void
standin_hook_message(struct standin_session *s)
{
	static struct msg m;
	char ref[300], old_id[70], new_id[70], quarantine[100];
	int ret = msg_receive(s->job_fd, &m), fd;

	if (ret <= 0) {
		(void)close(s->job_fd);
		s->job_fd = -1;
		return;
	}
	wire_get_str(&m.in, ref, sizeof(ref));
	wire_get_str(&m.in, old_id, sizeof(old_id));
	wire_get_str(&m.in, new_id, sizeof(new_id));
	wire_get_str(&m.in, quarantine, sizeof(quarantine));
	standin_event("deploy %s %s %s %s", s->app, ref, new_id, quarantine);
	fd = msg_take_fd(&m, 0);
	msg_done(&m);
	if (strcmp(s->app, "crash") == 0) {
		(void)close(s->job_fd);
		s->job_fd = -1;
		(void)close(fd);
		return;
	}
	if (strcmp(s->app, "slow") == 0) {
		s->held_fd = fd;
		return;
	}
	(void)dprintf(fd, "-----> Building on the test stack\n");
	if (strcmp(s->app, "escapes") == 0)
		(void)dprintf(fd,
			      "a\033[31mred\033[0m b\033]0;title\007c\x01 d\xc2\x9bJe \xc3\xa4\n");
	if (strcmp(s->app, "long") == 0) {
		for (int i = 0; i < 2000; i++)
			(void)dprintf(fd, "line %d of a long transcript\n", i);
	}
	(void)close(fd);
	standin_simple(s->job_fd, MSG_HOOK_VERDICT, strcmp(s->app, "fails") != 0);
}

static void
standin_git_exit(struct standin_session *s)
{
	siginfo_t si = {0};

	if (waitid(P_PIDFD, (id_t)s->git_fd, &si, WEXITED) < 0)
		return;
	(void)close(s->git_fd);
	s->git_fd = -1;
	standin_event("git done %s %d", s->app, si.si_code == CLD_EXITED ? si.si_status : 255);
	if (s->fd >= 0)
		standin_simple(s->fd, MSG_GIT_DONE,
			       si.si_code == CLD_EXITED ? (uint32_t)si.si_status : 255);
}

/* A push to "slow" goes on when the test makes DIR/go; it fills the transcript first. */
static void
standin_release(struct standin_session *s)
{
	static char noise[200000];

	if (s->held_fd < 0 || access("go", F_OK) < 0)
		return;
	memset(noise, 'x', sizeof(noise));
	(void)file_write_all(s->held_fd, noise, sizeof(noise));
	(void)close(s->held_fd);
	s->held_fd = -1;
	standin_simple(s->job_fd, MSG_HOOK_VERDICT, 1);
}

static void
standin_parent_message(int parent_fd)
{
	static struct msg m;
	char address[100];

	if (msg_receive(parent_fd, &m) <= 0)
		_exit(0);
	if (m.type == MSG_RECEIVER_READY) {
		standin_event("ready");
	} else if (m.type == MSG_SESSION_OPEN) {
		wire_get_str(&m.in, address, sizeof(address));
		standin_event("session %s", address);
		for (size_t i = 0; i < STANDIN_SESSIONS; i++) {
			struct standin_session *s = &standin_sessions[i];

			if (s->fd >= 0 || s->git_fd >= 0 || s->job_fd >= 0)
				continue;
			*s = (struct standin_session){.fd = msg_take_fd(&m, 0),
						      .git_fd = -1,
						      .job_fd = -1,
						      .held_fd = -1};
			break;
		}
	}
	msg_done(&m);
}

static _Noreturn void
standin_control(int parent_fd)
{
	for (size_t i = 0; i < STANDIN_SESSIONS; i++)
		standin_sessions[i] = (struct standin_session){-1, "", 0, -1, -1, -1};
	(void)signal(SIGPIPE, SIG_IGN);
	for (;;) {
		struct pollfd fds[1 + 3 * STANDIN_SESSIONS];

		fds[0] = (struct pollfd){.fd = parent_fd, .events = POLLIN};
		for (size_t i = 0; i < STANDIN_SESSIONS; i++) {
			struct standin_session *s = &standin_sessions[i];

			fds[1 + 3 * i] = (struct pollfd){.fd = s->fd, .events = POLLIN};
			fds[2 + 3 * i] = (struct pollfd){.fd = s->job_fd, .events = POLLIN};
			fds[3 + 3 * i] = (struct pollfd){.fd = s->git_fd, .events = POLLIN};
		}
		(void)poll(fds, sizeof(fds) / sizeof(*fds), 20);
		for (size_t i = 0; i < STANDIN_SESSIONS; i++) {
			struct standin_session *s = &standin_sessions[i];

			if (s->job_fd >= 0 && fds[2 + 3 * i].revents)
				standin_hook_message(s);
			if (s->git_fd >= 0 && fds[3 + 3 * i].revents)
				standin_git_exit(s);
			if (s->fd >= 0 && fds[1 + 3 * i].revents)
				standin_session_message(s);
			standin_release(s);
		}
		if (fds[0].revents)
			standin_parent_message(parent_fd);
	}
}

/* ---- the test's side ---------------------------------------------------------------------- */

/* Runs a shell command with the output of both kinds in `out`; its exit status. */
__attribute__((format(printf, 2, 3))) static int
run(struct buf *out, const char *fmt, ...)
{
	char *command = NULL;
	va_list ap;
	int ends[2], status;
	pid_t pid;

	va_start(ap, fmt);
	assert_true(vasprintf(&command, fmt, ap) > 0);
	va_end(ap);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(ends[1], 1);
		(void)dup2(ends[1], 2);
		(void)execlp("timeout", "timeout", "--foreground", "100", "bash", "-c", command,
			     NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	buf_done(out);
	assert_int_equal(file_read_all(ends[0], out), 0);
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	free(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
assert_says(const struct buf *out, const char *text)
{
	if (!strstr(buf_text(out), text))
		fail_msg("no \"%s\" in: %s", text, buf_text(out));
}

static void
assert_silent(const struct buf *out, const char *text)
{
	if (strstr(buf_text(out), text))
		fail_msg("there is \"%s\" in: %s", text, buf_text(out));
}

static bool
has_event(const char *text)
{
	char path[128];
	struct buf all;
	bool found;

	(void)snprintf(path, sizeof(path), "%s/events", standin.dir);
	buf_init(&all, 1 << 20);
	(void)file_read_at(AT_FDCWD, path, &all);
	found = strstr(buf_text(&all), text) != NULL;
	buf_done(&all);
	return found;
}

/* The stand-in writes a file, which gives no event to wait on. */
static void
await_event(const char *text)
{
	for (int i = 0; i < 1500 && !has_event(text); i++)
		(void)poll(NULL, 0, 10);
	if (!has_event(text))
		fail_msg("it never came to \"%s\"", text);
}

static void
forget_events(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/events", standin.dir);
	if (truncate(path, 0) < 0 && errno != ENOENT)
		fail_msg("cannot empty %s", path);
}

/* A file of the test's directory with these contents. */
static void
put_file(const char *name, const char *text, mode_t mode)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", standin.dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
	(void)close(fd);
}

/* With `through_us` the receiver starts this program as paas-session, which can add options. */
static void
standin_exec_receiver(int parent_fd, int listener_fd, bool through_us)
{
	static const char *const argv[] = {"paas-receiver", NULL};
	static const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
	char path[600];
	int session_fd, program_fd, cwd_fd;
	int pid_fd;
	struct err err;

	(void)snprintf(path, sizeof(path), "%s/paas-session", standin.libexec);
	put_file("session_path", path, 0600);
	session_fd = open(through_us ? "/proc/self/exe" : path, O_PATH | O_CLOEXEC);
	program_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	cwd_fd = open(standin.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(session_fd >= 0 && program_fd >= 0 && cwd_fd >= 0);
	(void)snprintf(path, sizeof(path), "%s/paas-receiver", standin.libexec);
	struct spawn_fd fds[] = {
		{parent_fd, 3}, {session_fd, 5}, {program_fd, 6}, {listener_fd, 30}};
	struct spawn spawn = {
		.exe_fd = -1,
		.path = path,
		.argv = argv,
		.envp = envp,
		.fds = fds,
		.n_fds = 4,
		.cwd_fd = cwd_fd,
		.uid = (uid_t)-1,
		.gid = (gid_t)-1,
	};
	if (spawn_start(&spawn, &standin.receiver, &pid_fd, &err) < 0)
		fail_msg("%s", err.text);
	(void)close(pid_fd);
	(void)close(session_fd);
	(void)close(program_fd);
	(void)close(cwd_fd);
}

/* As paas-session: the real one with the words of ./session_options. */
static int
standin_session_main(void)
{
	char path[600] = "", options[200] = "";
	char *argv[8] = {NULL};
	struct buf text;
	int n = 1;

	buf_init(&text, 1000);
	if (file_read_at(AT_FDCWD, "session_path", &text) == 0)
		(void)snprintf(path, sizeof(path), "%s", buf_text(&text));
	buf_done(&text);
	if (file_read_at(AT_FDCWD, "session_options", &text) == 0)
		(void)snprintf(options, sizeof(options), "%s", buf_text(&text));
	buf_done(&text);
	argv[0] = path;
	for (char *word = strtok(options, " "); word && n < 7; word = strtok(NULL, " "))
		argv[n++] = word;
	(void)execv(path, argv);
	return 127;
}

static int
standin_start(void **state)
{
	struct buf out;
	struct addr addr;
	struct err err;
	int ends[2], listener_fd;
	char top[256];
	const char *build = getenv("B");

	(void)state;
	buf_init(&out, 1 << 20);
	strcpy(standin.dir, "/tmp/receiver.XXXXXX");
	assert_non_null(mkdtemp(standin.dir));
	assert_non_null(getcwd(top, sizeof(top)));
	(void)snprintf(standin.libexec, sizeof(standin.libexec), "%s/%s/libexec/paas", top,
		       build ? build : "build");
	assert_int_equal(
		run(&out,
		    "cd %s && %s/paas-session --host-keys && mkdir home hooks &&"
		    " for k in known other third; do ssh-keygen -q -t ed25519 -N '' -C $k -f "
		    "key_$k; done && ssh-keygen -q -t rsa -b 2048 -N '' -f key_rsa &&"
		    " cat key_known.pub key_rsa.pub >known_key &&"
		    " for h in pre-receive update; do ln -s %s/paas-hook hooks/$h; done",
		    standin.dir, standin.libexec, standin.libexec),
		0);
	assert_int_equal(addr_parse("127.0.0.1:0", &addr, &err), 0);
	listener_fd = addr_listen(&addr, 64, &err);
	assert_true(listener_fd >= 0);
	assert_int_equal(addr_of_socket(listener_fd, &addr), 0);
	standin.port = addr_port(&addr);
	(void)snprintf(top, sizeof(top),
		       "Host paas\nHostName 127.0.0.1\nPort %d\nUser paas\n"
		       "IdentityFile %s/key_known\nIdentitiesOnly yes\n"
		       "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n",
		       standin.port, standin.dir);
	put_file("ssh_config", top, 0600);
	(void)snprintf(top, sizeof(top),
		       "[user]\nname = T\nemail = t@example.org\n"
		       "[init]\ndefaultBranch = master\n");
	put_file("home/.gitconfig", top, 0600);
	(void)snprintf(top, sizeof(top), "ssh -q -F %s/ssh_config", standin.dir);
	(void)setenv("GIT_SSH_COMMAND", top, 1);
	(void)snprintf(top, sizeof(top), "%s/home", standin.dir);
	(void)setenv("HOME", top, 1);
	(void)setenv("GIT_TERMINAL_PROMPT", "0", 1);
	(void)unsetenv("SSH_AUTH_SOCK");

	assert_int_equal(msg_pair(ends, false), 0);
	standin.control = fork();
	assert_true(standin.control >= 0);
	if (standin.control == 0) {
		assert_int_equal(chdir(standin.dir), 0);
		(void)close(ends[1]);
		(void)close(listener_fd);
		standin_control(ends[0]);
	}
	standin_exec_receiver(ends[1], listener_fd, true);
	(void)close(ends[0]);
	(void)close(ends[1]);
	(void)close(listener_fd);
	await_event("ready");
	buf_done(&out);
	return 0;
}

static int
standin_stop(void **state)
{
	struct buf out;
	int status;

	(void)state;
	/* control's death is the end of the receiver's fd 3, and of every session's. */
	(void)kill(standin.control, SIGKILL);
	(void)waitpid(standin.control, &status, 0);
	(void)waitpid(standin.receiver, &status, 0);
	buf_init(&out, 1 << 20);
	if (!getenv("KEEP"))
		(void)run(&out, "rm -rf %s", standin.dir);
	buf_done(&out);
	return 0;
}

#endif

/*
 * paas-init FLAGS COLUMNS ROWS - process 1 of a sandbox.
 *
 * It starts the program, relays what that prints, reaps, signals, and says how it ended. Its
 * fds are listed in enter.h. It outlives paasd: whatever becomes of the other end of its
 * channel, which it holds itself on fd 4, it goes on and waits for the next paasd to take it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/file.h"
#include "lib/msg.h"
#include "lib/sandbox.h"
#include "daemon/supervisor/enter.h"
#include "daemon/supervisor/init/ports.h"
#include "daemon/supervisor/init/program.h"
#include "daemon/supervisor/init/relay.h"

#define PARTIAL_MS 200 /* a line without its end is shown after this long */
#define DRAIN_MS 1000  /* for paas-logs to take the last lines */
#define REAP_MS 5000   /* for the killed to die */

enum stage {
	STAGE_RUNNING,
	STAGE_REAPING,	/* the program ended, the rest was killed */
	STAGE_DRAINING, /* all are dead, their last lines are on the way */
	STAGE_TELLING,	/* the exit, or failure, is to be sent */
	STAGE_WAITING,	/* for INIT_BYE */
};

struct init {
	enum stage stage;
	struct program program;
	struct relay relay;
	bool was_given[INIT_FD_END];
	int signal_fd;
	int status;
	uint64_t deadline_ms; /* of this stage */
	bool has_failed;
	struct err why;
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000U + (uint64_t)ts.tv_nsec / 1000000U;
}

/* ---- to paasd ---------------------------------------------------------------------------- */

static void
send_listens(void)
{
	char text[PORTS_TEXT_MAX + 1];
	struct msg m;

	ports_list(text, sizeof(text));
	msg_begin(&m, MSG_INIT_LISTENS, 0);
	wire_put_str(&m.out, text);
	(void)msg_send(INIT_FD_CHAN, &m);
}

/* Nothing but our few messages is ever in the socket, so these fit. */
static void
send_started(int pty_fd)
{
	struct msg m;

	if (pty_fd >= 0) {
		msg_begin(&m, MSG_INIT_PTY, 0);
		msg_add_fd(&m, pty_fd);
		(void)msg_send(INIT_FD_CHAN, &m);
	}
	msg_begin(&m, MSG_INIT_STARTED, 0);
	(void)msg_send(INIT_FD_CHAN, &m);
}

static int
send_outcome(const struct init *init)
{
	struct msg m;

	if (init->has_failed) {
		msg_begin(&m, MSG_INIT_FAILED, 0);
		wire_put_str(&m.out, init->why.text);
	} else {
		msg_begin(&m, MSG_INIT_EXIT, 0);
		wire_put_u32(&m.out, (uint32_t)init->status);
	}
	return msg_send(INIT_FD_CHAN, &m);
}

/* ---- from paasd -------------------------------------------------------------------------- */

static void
on_message(struct init *init, struct msg *m)
{
	uint8_t signal;

	if (msg_check(m->type, ROLE_PARENT, ROLE_INIT, PHASE_ANY, m->n_fds, NULL) < 0)
		return;
	switch ((int)m->type) {
	case MSG_INIT_LOG:
		if (init->relay.data) {
			int fd = msg_take_fd(m, 0);

			(void)file_set_nonblocking(fd, true);
			relay_set_log(&init->relay, fd);
		}
		break;
	case MSG_INIT_SIGNAL:
		signal = wire_get_u8(&m->in);
		if (wire_end(&m->in) == 0 && init->stage == STAGE_RUNNING)
			(void)kill(-1, signal);
		break;
	case MSG_INIT_PORTS:
		send_listens();
		break;
	case MSG_INIT_BYE:
		_exit(0);
	default:
		break;
	}
}

/* A message lies on this frame, so that its pages are not touched by an idle init. */
static __attribute__((noinline)) void
read_messages(struct init *init)
{
	struct msg m;

	while (msg_receive(INIT_FD_CHAN, &m) > 0) {
		on_message(init, &m);
		msg_done(&m);
	}
}

/* ---- processes --------------------------------------------------------------------------- */

static void
set_stage(struct init *init, enum stage stage, uint64_t ms)
{
	init->stage = stage;
	init->deadline_ms = now_ms() + ms;
}

static void
reap(struct init *init)
{
	struct signalfd_siginfo si;
	int status;
	pid_t pid;

	while (read(init->signal_fd, &si, sizeof(si)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == init->program.pid && init->stage == STAGE_RUNNING) {
			init->status = status;
			set_stage(init, STAGE_REAPING, REAP_MS);
			(void)kill(-1, SIGKILL);
		}
	}
	if (pid < 0 && errno == ECHILD && init->stage == STAGE_REAPING)
		set_stage(init, STAGE_DRAINING, DRAIN_MS);
}

/* Moves on where a stage has done its work or has had its time. */
static void
advance(struct init *init)
{
	bool is_late = now_ms() >= init->deadline_ms;

	/* Stuck in the kernel, perhaps; paasd's kill of the whole cgroup comes after the exit. */
	if (init->stage == STAGE_REAPING && is_late)
		set_stage(init, STAGE_DRAINING, DRAIN_MS);
	if (init->stage == STAGE_DRAINING) {
		relay_read(&init->relay);
		if (relay_has_partial(&init->relay))
			relay_flush(&init->relay);
		if (relay_is_empty(&init->relay) || is_late)
			init->stage = STAGE_TELLING;
	}
	if (init->stage == STAGE_TELLING && send_outcome(init) == 0)
		init->stage = STAGE_WAITING;
}

/* ---- the loop ---------------------------------------------------------------------------- */

static int
timeout_of(const struct init *init)
{
	uint64_t now = now_ms();

	if (init->stage == STAGE_REAPING || init->stage == STAGE_DRAINING)
		return init->deadline_ms > now ? (int)(init->deadline_ms - now) : 0;
	return init->stage == STAGE_RUNNING && relay_has_partial(&init->relay) &&
			       !init->relay.is_blocked && init->relay.log_fd >= 0
		       ? PARTIAL_MS
		       : -1;
}

static void
turn(struct init *init)
{
	struct relay *relay = &init->relay;
	struct pollfd fds[] = {
		{.fd = INIT_FD_CHAN, .events = POLLIN},
		{.fd = init->signal_fd, .events = POLLIN},
		{.fd = relay->in_fd, .events = POLLIN},
		{.fd = relay->is_blocked ? relay->log_fd : -1, .events = POLLOUT},
	};
	int n;

	if (init->stage == STAGE_TELLING)
		fds[0].events |= POLLOUT;
	n = poll(fds, sizeof(fds) / sizeof(*fds), timeout_of(init));
	if (n == 0 && init->stage == STAGE_RUNNING)
		relay_flush(relay);
	if (n > 0) {
		if (fds[0].revents & (POLLIN | POLLERR))
			read_messages(init);
		if (fds[2].revents)
			relay_read(relay);
		if (fds[3].revents)
			relay_send(relay);
		if (fds[1].revents)
			reap(init);
	}
	advance(init);
}

static int
number(const char *text)
{
	return text ? (int)strtol(text, NULL, 10) : 0;
}

static void
start(struct init *init)
{
	int ret = program_start(&init->program, &init->why);

	for (int fd = INIT_FD_SPEC; fd < INIT_FD_END; fd++) {
		if (fd != INIT_FD_LOG && init->was_given[fd])
			(void)close(fd);
	}
	if (ret == 0)
		ret = relay_init(&init->relay, init->program.output_fd,
				 init->was_given[INIT_FD_LOG] ? INIT_FD_LOG : -1);
	if (ret < 0) {
		init->has_failed = true;
		set_stage(init, STAGE_TELLING, 0);
		(void)kill(-1, SIGKILL);
	} else {
		send_started(init->program.pty_fd);
	}
	/* Its end is the terminal's: whoever holds the master decides when it hangs up. */
	if (init->program.pty_fd >= 0)
		(void)close(init->program.pty_fd);
}

int
main(int argc, char *argv[])
{
	static struct init init;
	sigset_t all, child;

	/* Before anything of the app runs: nobody of its uid may look into us or trace us. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NAME, "paas-init", 0, 0, 0);
	/* Numbers that were not given are free, and may soon belong to something of our own. */
	for (int fd = INIT_FD_CHAN; fd < INIT_FD_END; fd++)
		init.was_given[fd] = fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
	(void)file_set_nonblocking(INIT_FD_CHAN, true);
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	init.signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	init.relay.in_fd = init.relay.log_fd = -1;
	init.program = (struct program){
		.flags = argc > 1 ? (unsigned)number(argv[1]) : 0,
		.columns = argc > 2 ? (uint16_t)number(argv[2]) : 0,
		.rows = argc > 3 ? (uint16_t)number(argv[3]) : 0,
		.spec_fd = INIT_FD_SPEC,
		.filter_fd = INIT_FD_FILTER,
		.job_fd = INIT_FD_JOB,
		.stdio_fds = {INIT_FD_STDIO, INIT_FD_STDIO + 1, INIT_FD_STDIO + 2},
	};
	start(&init);
	for (;;)
		turn(&init);
}

/*
 * What always holds: pid is 0 exactly while pid_fd is -1; the timer means "kill" while the child
 * runs and "start" while it does not. The end of a child is its pidfd becoming readable, never
 * the end of its channel, which a living one may bring about as well.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/child.h"

#define GOOD_RUN_MS 30000
#define DELAY_FIRST_MS 100
#define DELAY_MAX_MS 10000
/* Between the end of the channel and the end of the process. */
#define HANGUP_MS 2000

static void schedule_start(struct child *child);

void
child_init(struct child *child, struct loop *loop, const struct role_row *row,
	   const struct child_hooks *hooks, uint32_t number, void *user)
{
	*child = (struct child){.row = row,
				.hooks = hooks,
				.loop = loop,
				.user = user,
				.number = number,
				.pid_fd = -1,
				.status = -1};
}

bool
child_is_up(const struct child *child)
{
	return child->pid != 0 && chan_is_open(&child->chan);
}

void
child_send(struct child *child, struct msg *m)
{
	/* Dropped while it is down or failing: who replaces it is told everything anew. */
	if (child_is_up(child))
		(void)chan_send(&child->chan, m);
}

/* ---- ending --------------------------------------------------------------------------------- */

static void
send_signal(struct child *child, int sig)
{
	if (child->pid_fd >= 0)
		(void)syscall(SYS_pidfd_send_signal, child->pid_fd, sig, NULL, 0);
}

static void
on_kill_timer(struct loop_timer *timer)
{
	struct child *child = container_of(timer, struct child, timer);

	log_line("%s (pid %d) did not end and is killed", child->row->program, (int)child->pid);
	send_signal(child, SIGKILL);
}

static void
kill_after(struct child *child, uint64_t ms)
{
	if (ms == 0 || loop_timer_set(child->loop, &child->timer, ms, on_kill_timer) < 0)
		send_signal(child, SIGKILL);
}

static void
describe_status(int status, char *out, size_t cap)
{
	if (status == -1)
		(void)snprintf(out, cap, "ended");
	else if (WIFSIGNALED(status))
		(void)snprintf(out, cap, "was ended by signal %d (%s)", WTERMSIG(status),
			       sigdescr_np(WTERMSIG(status)) ? sigdescr_np(WTERMSIG(status))
							     : "unknown");
	else
		(void)snprintf(out, cap, "ended with exit status %d", WEXITSTATUS(status));
}

static void
log_end(const struct child *child)
{
	char how[96];

	if ((child->is_stopping && (child->status == 0 || child->status == -1)) ||
	    (!child->row->has_channel && child->status == 0))
		return;
	if (child->is_stopping && WIFSIGNALED(child->status))
		return;
	describe_status(child->status, how, sizeof(how));
	log_line("%s (pid %d) %s", child->row->program, (int)child->pid, how);
}

/* Nobody else waits for a child by its pidfd, but paasd reaps all pids on SIGCHLD, and one it
 * adopted may never have been ours. */
static void
find_status(struct child *child)
{
	siginfo_t si = {0};

	if (child->status != -1)
		return;
	if (waitid(P_PIDFD, (id_t)child->pid_fd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return;
	child->status = si.si_code == CLD_EXITED ? W_EXITCODE(si.si_status & 0xff, 0)
						 : W_EXITCODE(0, si.si_status & 0x7f);
}

static void
on_exit_event(struct loop_io *io, uint32_t events)
{
	struct child *child = container_of(io, struct child, exit_io);

	(void)events;
	find_status(child);
	loop_remove(child->loop, &child->exit_io);
	loop_timer_cancel(child->loop, &child->timer);
	chan_close(&child->chan);
	if (!child->is_condemned)
		log_end(child);
	(void)close(take_fd(&child->pid_fd));
	child->pid = 0;
	child->is_ready = child->is_condemned = false;
	child->hooks->down(child);
	if (!child->is_stopping && child->pid == 0 && child->timer.slot == 0)
		schedule_start(child);
}

void
child_reaped(struct child *child, int status)
{
	child->status = status;
}

void
child_condemn(struct child *child, const struct err *why)
{
	log_line("%s (pid %d) is replaced: %s", child->row->program, (int)child->pid, why->text);
	child->is_condemned = true;
	send_signal(child, SIGKILL);
	chan_close(&child->chan);
}

static void
on_closed(struct chan *chan, const struct err *why)
{
	struct child *child = container_of(chan, struct child, chan);

	if (why)
		child_condemn(child, why);
	else if (!child->is_stopping)
		kill_after(child, HANGUP_MS);
}

void
child_stop(struct child *child, uint64_t grace_ms)
{
	bool was_stopping = child->is_stopping;

	child->is_stopping = true;
	if (child->pid == 0) {
		loop_timer_cancel(child->loop, &child->timer);
		return;
	}
	if (was_stopping)
		return;
	if (child->row->role == ROLE_ROUTER)
		send_signal(child, SIGTERM);
	else
		chan_close(&child->chan);
	kill_after(child, grace_ms);
}

void
child_limit(struct child *child, uint64_t ms)
{
	if (child->pid != 0)
		kill_after(child, ms);
}

void
child_kill(struct child *child)
{
	child->is_stopping = true;
	if (child->pid == 0)
		loop_timer_cancel(child->loop, &child->timer);
	send_signal(child, SIGKILL);
}

void
child_done(struct child *child)
{
	loop_timer_cancel(child->loop, &child->timer);
	loop_remove(child->loop, &child->exit_io);
	chan_close(&child->chan);
	if (child->pid_fd >= 0)
		(void)close(take_fd(&child->pid_fd));
	child->pid = 0;
}

/* ---- starting ------------------------------------------------------------------------------- */

static void
on_message(struct chan *chan, struct msg *m)
{
	struct child *child = container_of(chan, struct child, chan);

	child->hooks->message(child, m);
}

/* Takes pid_fd and channel_fd (-1: none). */
static int
watch(struct child *child, pid_t pid, int pid_fd, int channel_fd)
{
	int ret = 0;

	child->pid = pid;
	child->pid_fd = pid_fd;
	child->status = -1;
	child->is_ready = false;
	child->started_ms = loop_now_ms(child->loop);
	if (channel_fd >= 0)
		ret = chan_open(&child->chan, child->loop, channel_fd, ROLE_PARENT,
				child->row->role, child->row->max_queued, on_message, on_closed,
				child);
	child->chan.is_hub = true;
	if (ret == 0)
		ret = loop_add(child->loop, &child->exit_io, pid_fd, EPOLLIN, on_exit_event);
	if (ret < 0) {
		send_signal(child, SIGKILL);
		child_done(child);
	}
	return ret;
}

static int
launch(struct child *child, struct err *err)
{
	AUTO_FD int ours_fd = -1, theirs_fd = -1, pid_fd = -1;
	int ends[2] = {-1, -1}, ret;
	pid_t pid = 0;

	if (child->row->has_channel) {
		ret = msg_pair(ends, true);
		if (ret < 0)
			return err_set(err, ret, "make a channel");
		ours_fd = ends[0];
		theirs_fd = ends[1];
	}
	ret = child->hooks->launch(child, ends, &pid, &pid_fd, err);
	if (ret < 0)
		return ret;
	ret = watch(child, pid, take_fd(&pid_fd), take_fd(&ours_fd));
	return ret < 0 ? err_set(err, ret, "watch %s", child->row->program) : 0;
}

static void
on_start_timer(struct loop_timer *timer)
{
	child_start(container_of(timer, struct child, timer));
}

static void
schedule_start(struct child *child)
{
	uint64_t delay_ms = 0;

	if (loop_now_ms(child->loop) - child->started_ms >= GOOD_RUN_MS)
		child->n_failures = 0;
	if (child->n_failures > 0)
		delay_ms = child->n_failures > 7 ? DELAY_MAX_MS
						 : DELAY_FIRST_MS << (child->n_failures - 1);
	child->n_failures++;
	if (loop_timer_set(child->loop, &child->timer, delay_ms, on_start_timer) < 0)
		log_line("%s cannot be started again: no memory for a timer", child->row->program);
}

void
child_start(struct child *child)
{
	struct err err = {0};

	child->is_stopping = false;
	child->started_ms = loop_now_ms(child->loop);
	if (launch(child, &err) < 0) {
		log_line("%s", err.text);
		schedule_start(child);
		return;
	}
	if (child->hooks->up)
		child->hooks->up(child);
}

int
child_adopt(struct child *child, pid_t pid, int pid_fd, int channel_fd)
{
	int ret = watch(child, pid, pid_fd, channel_fd);

	if (ret < 0)
		return ret;
	child->is_ready = true;
	if (child->hooks->up)
		child->hooks->up(child);
	return 0;
}

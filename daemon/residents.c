/*
 * Children of which there is one each. Their arguments are made anew for every start: the
 * addresses may be known only then.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/cradle.h"
#include "daemon/hub.h"
#include "daemon/platform.h"
#include "daemon/residents.h"
#include "daemon/stop.h"
#include "daemon/supervisor/supervisor.h"

#define PREDECESSOR_MS 2000

/* ---- arguments ----------------------------------------------------------------------------------
 */

#define ARGS_MAX 40

struct args {
	const char *v[ARGS_MAX + 1];
	size_t n;
	bool failed;
};

static void args_add(struct args *args, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
args_add(struct args *args, const char *fmt, ...)
{
	va_list ap;
	char *one = NULL;

	va_start(ap, fmt);
	if (vasprintf(&one, fmt, ap) < 0)
		one = NULL;
	va_end(ap);
	if (!one || args->n == ARGS_MAX) {
		free(one);
		args->failed = true;
		return;
	}
	args->v[args->n++] = one;
}

static void
args_done(struct args *args)
{
	for (size_t i = 0; i < args->n; i++) {
		union {
			const char *in;
			void *out;
		} u = {.in = args->v[i]};

		free(u.out);
	}
}

static void
control_args(const struct platform *p, struct args *args)
{
	const struct config *c = &p->config;
	char text[LISTENERS_TEXT_MAX];

	args_add(args, "paas-control");
	args_add(args, "--domain=%s", c->domain);
	args_add(args, "--subnet=%s", c->subnet_text);
	args_add(args, "--uid-base=%" PRIu64, c->uid_base);
	args_add(args, "--http=%s", listeners_text(&p->listeners, LISTENER_HTTP, text));
	args_add(args, "--ssh=%s", listeners_text(&p->listeners, LISTENER_SSH, text));
	args_add(args, "--stack-name=%s", c->stack_name);
	args_add(args, "--instance-memory=%" PRIu64, c->instance_memory);
	args_add(args, "--instance-pids=%" PRIu64, c->instance_pids);
	args_add(args, "--instance-disk=%" PRIu64, c->instance_disk);
	args_add(args, "--build-memory=%" PRIu64, c->build_memory);
	args_add(args, "--build-pids=%" PRIu64, c->build_pids);
	args_add(args, "--build-disk=%" PRIu64, c->build_disk);
	args_add(args, "--build-time=%" PRIu64 "ms", c->build_time_ms);
	args_add(args, "--builds=%" PRIu64, c->builds);
	args_add(args, "--build-env=%s", c->build_env);
	args_add(args, "--slug-size=%" PRIu64, c->slug_size);
	args_add(args, "--push-size=%" PRIu64, c->push_size);
	args_add(args, "--boot-time=%" PRIu64 "ms", c->boot_time_ms);
	args_add(args, "--stop-time=%" PRIu64 "ms", c->stop_time_ms);
	args_add(args, "--drain-time=%" PRIu64 "ms", c->drain_time_ms);
	args_add(args, "--restart-max=%" PRIu64 "ms", c->restart_max_ms);
}

/* ---- starting -----------------------------------------------------------------------------------
 */

static int
launch_with(struct child *child, const struct args *args, int cwd_fd, const struct spawn_fd *fds,
	    size_t n_fds, pid_t *pid, int *pid_fd, struct err *err)
{
	struct platform *p = child->user;
	AUTO_FD int cgroup_fd =
		cradle_make(supervisor_register_fd(p->supervisor), child->row->label, err);
	struct role_launch launch = {.row = child->row,
				     .argv = args->v,
				     .fds = fds,
				     .n_fds = n_fds,
				     .libexec_fd = p->libexec_fd,
				     .bin_fd = p->bin_fd,
				     .cwd_fd = cwd_fd,
				     .cgroup_fd = cgroup_fd,
				     .null_fd = p->null_fd,
				     .ids = p->users[child->row->user]};

	if (cgroup_fd < 0)
		return cgroup_fd;
	if (args->failed)
		return err_set(err, -ENOMEM, "start %s", child->row->program);
	return role_launch(&launch, pid, pid_fd, err);
}

static int
launch_control(struct child *child, const int ends[2], pid_t *pid, int *pid_fd, struct err *err)
{
	struct platform *p = child->user;
	AUTO_CLEAN(args_done) struct args args = {0};
	const struct spawn_fd fds[] = {{ends[1], 3}, {p->state.control_fd, 4}};

	control_args(p, &args);
	return launch_with(child, &args, p->state.dir_fd, fds, 2, pid, pid_fd, err);
}

static int
launch_logs(struct child *child, const int ends[2], pid_t *pid, int *pid_fd, struct err *err)
{
	struct platform *p = child->user;
	AUTO_CLEAN(args_done) struct args args = {0};
	const struct spawn_fd fds[] = {{ends[1], 3}};

	args_add(&args, "paas-logs");
	return launch_with(child, &args, p->state.logs_fd, fds, 1, pid, pid_fd, err);
}

static int
launch_receiver(struct child *child, const int ends[2], pid_t *pid, int *pid_fd, struct err *err)
{
	struct platform *p = child->user;
	AUTO_CLEAN(args_done) struct args args = {0};
	AUTO_FD int session_fd = openat(p->libexec_fd, "paas-session", O_PATH | O_CLOEXEC);
	AUTO_FD int cli_fd = openat(p->bin_fd, "paas", O_PATH | O_CLOEXEC);
	struct spawn_fd fds[3 + CONFIG_LISTENERS_MAX] = {
		{ends[1], 3}, {session_fd, 5}, {cli_fd, 6}};
	size_t n = 3;

	if (session_fd < 0 || cli_fd < 0)
		return err_set(err, -errno, "open the programs of ssh sessions");
	for (size_t i = 0; i < p->listeners.n[LISTENER_SSH]; i++)
		fds[n++] = (struct spawn_fd){p->listeners.of[LISTENER_SSH][i].fd,
					     listener_child_fd(LISTENER_SSH, i)};
	args_add(&args, "paas-receiver");
	return launch_with(child, &args, p->state.ssh_fd, fds, n, pid, pid_fd, err);
}

static int
launch_host_keys(struct child *child, const int ends[2], pid_t *pid, int *pid_fd, struct err *err)
{
	struct platform *p = child->user;
	AUTO_CLEAN(args_done) struct args args = {0};

	(void)ends;
	args_add(&args, "paas-session");
	args_add(&args, "--host-keys");
	return launch_with(child, &args, p->state.ssh_fd, NULL, 0, pid, pid_fd, err);
}

/* ---- their lives
 * ---------------------------------------------------------------------------------- */

static void
on_message(struct child *child, struct msg *m)
{
	hub_message(child->user, child, m);
}

static void
control_up(struct child *child)
{
	hub_control_up(child->user);
}

static void
control_down(struct child *child)
{
	hub_control_down(child->user);
	stop_progress(child->user);
}

static void
logs_up(struct child *child)
{
	hub_logs_up(child->user);
}

static void
resident_down(struct child *child)
{
	stop_progress(child->user);
}

static void
host_keys_down(struct child *child)
{
	struct platform *p = child->user;

	if (!child->is_stopping && child->status == 0) {
		child_stop(child, 0);
		child_start(&p->receiver);
	}
	stop_progress(p);
}

static const struct child_hooks control_hooks = {launch_control, control_up, on_message,
						 control_down};
static const struct child_hooks logs_hooks = {launch_logs, logs_up, on_message, resident_down};
static const struct child_hooks receiver_hooks = {launch_receiver, NULL, on_message, resident_down};
static const struct child_hooks host_keys_hooks = {launch_host_keys, NULL, NULL, host_keys_down};

void
residents_init(struct platform *p)
{
	child_init(&p->control, &p->loop, role_get(ROLE_CONTROL), &control_hooks, 0, p);
	child_init(&p->logs, &p->loop, role_get(ROLE_LOGS), &logs_hooks, 0, p);
	child_init(&p->receiver, &p->loop, role_get(ROLE_RECEIVER), &receiver_hooks, 0, p);
	child_init(&p->host_keys, &p->loop, role_get(ROLE_SESSION), &host_keys_hooks, 0, p);
}

void
residents_start(struct platform *p)
{
	child_start(&p->logs);
	child_start(&p->control);
	child_start(&p->host_keys);
}

bool
residents_are_ready(const struct platform *p)
{
	return p->control.is_ready && p->logs.is_ready && p->receiver.is_ready;
}

/* ---- the register ---------------------------------------------------------------------------- */

int
residents_await_predecessors(struct platform *p, struct err *err)
{
	const struct child *writers[] = {&p->control, &p->logs};
	int register_fd = supervisor_register_fd(p->supervisor);

	for (size_t i = 0; i < sizeof(writers) / sizeof(*writers); i++) {
		const struct role_row *row = writers[i]->row;
		int ret = cradle_await(register_fd, row->label, PREDECESSOR_MS, true);

		if (ret < 0)
			return err_set(err, ret, "look for an earlier %s", row->program);
	}
	return 0;
}

/* Sessions have lost control and end by themselves; those that hang do not. */
void
residents_remove(struct platform *p)
{
	cradle_remove_all(supervisor_register_fd(p->supervisor), "role.");
}

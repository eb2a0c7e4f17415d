/*
 * Born into its pid, ipc and uts namespaces and its v2 cgroup, still root of the host: network,
 * mounts and cgroup view are made with all rights, then the user namespace takes them away.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/spawn.h"
#include "daemon/supervisor/enter.h"
#include "daemon/supervisor/ids.h"
#include "daemon/supervisor/net.h"
#include "daemon/supervisor/perform.h"
#include "daemon/supervisor/platform.h"

#define NOFILE_WANTED 65536
/* The host's own services are worth more than any app. */
#define OOM_SCORE_ADJ "300"

static int
set_host_name(const struct enter *e, struct err *err)
{
	char name[64];

	plan_host_name(e->order, name, sizeof(name));
	if (sethostname(name, strlen(name)) < 0)
		return err_set(err, -errno, "set the host name");
	return 0;
}

static int
enter_network(const struct enter *e, struct err *err)
{
	const struct platform *p = e->platform;
	const struct sandbox_order *order = e->order;
	struct net net = {
		.name = p->name,
		.offset = order->flags & SANDBOX_NO_NET ? 0 : order->address,
		.address = subnet_address(&p->subnet, order->address),
		.gateway = subnet_address(&p->subnet, 1),
		.mtu = p->mtu,
		.is_resolver_local = p->resolv.forward != 0,
	};

	return net_enter(&net, err);
}

static int
enter_mounts(const struct enter *e, struct err *err)
{
	const struct platform *p = e->platform;
	struct perform perform = {
		.source_fds =
			{
				[PLAN_STACK] = p->stack_fd,
				[PLAN_STATE] = p->state_fd,
				[PLAN_RUNTIME] = p->runtime_fd,
				[PLAN_LIBEXEC] = p->libexec_fd,
			},
		.uid = e->order->uid,
	};
	struct plan_input in = {.order = e->order, .stack = &p->stack};
	struct plan plan;
	int ret;

	for (size_t i = 0; i < e->cgroup->n_views; i++) {
		in.view_names[in.n_views++] = e->cgroup->views[i].name;
		perform.view_fds[i] = e->cgroup->views[i].fd;
	}
	ret = plan_make(&in, &plan, err);
	return ret < 0 ? ret : perform_plan(&plan, &perform, err);
}

/* Best effort: a container's root may lack CAP_SYS_RESOURCE, and then the hard limit rules. */
static void
set_limits(const struct enter *e)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		struct rlimit wanted = {NOFILE_WANTED, NOFILE_WANTED};

		if (setrlimit(RLIMIT_NOFILE, &wanted) < 0) {
			limit.rlim_cur = limit.rlim_max;
			(void)setrlimit(RLIMIT_NOFILE, &limit);
		}
	}
	limit = (struct rlimit){0, 0};
	(void)setrlimit(RLIMIT_CORE, &limit);
	if (e->order->disk_bytes) {
		limit = (struct rlimit){e->order->disk_bytes, e->order->disk_bytes};
		(void)setrlimit(RLIMIT_FSIZE, &limit);
	}
	(void)file_write_at(e->platform->proc_fd, "self/oom_score_adj", OOM_SCORE_ADJ);
}

/* Waits until paasd has mapped our ids. Its death is ours: nobody knows of us yet. */
static int
ask_for_ids(int sync_fd, struct err *err)
{
	char byte = ENTER_IDS;
	ssize_t n;

	if (unshare(CLONE_NEWUSER) < 0)
		return err_set(err, -errno, "make a user namespace");
	if (send(sync_fd, &byte, 1, MSG_NOSIGNAL) != 1)
		return err_set(err, -errno, "ask paasd for ids");
	do {
		n = recv(sync_fd, &byte, 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n != 1 || byte != ENTER_GO)
		_exit(1);
	return 0;
}

/* Puts the fds where init expects them; all others close when it is executed. */
static int
place_fds(const struct enter *e, int *sync_fd, int *init_fd, struct err *err)
{
	const struct {
		int from, to;
	} map[] = {
		{e->chan_fd, INIT_FD_CHAN},
		{e->other_fd, INIT_FD_OTHER},
		{e->spec_fd, INIT_FD_SPEC},
		{e->platform->filter_fd, INIT_FD_FILTER},
		{e->log_fd, INIT_FD_LOG},
		{e->stdio_fds[0], INIT_FD_STDIO},
		{e->stdio_fds[1], INIT_FD_STDIO + 1},
		{e->stdio_fds[2], INIT_FD_STDIO + 2},
		{e->job_fd, INIT_FD_JOB},
	};
	int moved[sizeof(map) / sizeof(*map)];
	int null_fd;

	*sync_fd = fcntl(*sync_fd, F_DUPFD_CLOEXEC, INIT_FD_END);
	*init_fd = fcntl(e->platform->init_fd, F_DUPFD_CLOEXEC, INIT_FD_END);
	if (*sync_fd < 0 || *init_fd < 0)
		return err_set(err, -errno, "move fds");
	for (size_t i = 0; i < sizeof(map) / sizeof(*map); i++) {
		moved[i] = map[i].from < 0 ? -1 : fcntl(map[i].from, F_DUPFD_CLOEXEC, INIT_FD_END);
		if (moved[i] < 0 && map[i].from >= 0)
			return err_set(err, -errno, "pass fd %d", map[i].to);
	}
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		return err_set(err, -errno, "open /dev/null");
	for (int i = 0; i < 3; i++) {
		if (dup2(null_fd, i) < 0)
			return err_set(err, -errno, "pass fd %d", i);
	}
	for (size_t i = 0; i < sizeof(map) / sizeof(*map); i++) {
		if (moved[i] < 0)
			(void)close(map[i].to);
		else if (dup2(moved[i], map[i].to) < 0)
			return err_set(err, -errno, "pass fd %d", map[i].to);
	}
	if (syscall(SYS_close_range, (unsigned)INIT_FD_END, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_set(err, -errno, "mark fds to be closed");
	return 0;
}

static int
enter(const struct enter *e, int *sync_fd, struct err *err)
{
	char flags[8], columns[8], rows[8], program[] = "paas-init";
	char *argv[] = {program, flags, columns, rows, NULL};
	char *envp[] = {NULL};
	int init_fd = -1, ret;

	ret = e->platform->cgroups.backend->join(e->cgroup);
	if (ret < 0)
		return err_set(err, ret, "join the cgroup of the sandbox");
	(void)setsid();
	ret = set_host_name(e, err);
	if (ret == 0)
		ret = enter_network(e, err);
	if (ret == 0)
		ret = enter_mounts(e, err);
	if (ret < 0)
		return ret;
	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_set(err, -errno, "make a cgroup namespace");
	set_limits(e);
	ret = ask_for_ids(*sync_fd, err);
	if (ret == 0)
		ret = ids_become(e->platform->proc_fd, err);
	if (ret == 0)
		ret = place_fds(e, sync_fd, &init_fd, err);
	if (ret < 0)
		return ret;
	(void)snprintf(flags, sizeof(flags), "%u", (unsigned)e->order->flags);
	(void)snprintf(columns, sizeof(columns), "%u", (unsigned)e->order->columns);
	(void)snprintf(rows, sizeof(rows), "%u", (unsigned)e->order->rows);
	(void)syscall(SYS_execveat, init_fd, "", argv, envp, AT_EMPTY_PATH);
	return err_set(err, -errno, "execute paas-init");
}

_Noreturn void
enter_sandbox(const struct enter *e)
{
	struct enter_report report = {0};
	int sync_fd = e->sync_fd;

	spawn_reset_signals();
	report.code = enter(e, &sync_fd, &report.err);
	(void)send(sync_fd, &report, sizeof(report), MSG_NOSIGNAL);
	_exit(1);
}

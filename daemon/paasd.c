/*
 * paasd: root, and the parent of everything. It binds the sockets, makes and kills sandboxes,
 * starts the platform's other processes and passes their messages on. It parses nothing but
 * those messages, never waits for a child, and never ends because of one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/err.h"

#include "daemon/hub.h"
#include "daemon/platform.h"
#include "daemon/reload.h"
#include "daemon/residents.h"
#include "daemon/stop.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/workers.h"

#define KERNEL_MAJOR 6
#define KERNEL_MINOR 1
#define MAX_FDS 1048576

static struct platform platform;

/* ---- what must hold before anything is touched --------------------------------------------------
 */

/* A closed fd 0-2 would be given to some socket, and written to by a child. */
static void
open_stdio(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

static int
check_host(struct err *err)
{
	struct utsname name;
	unsigned major = 0, minor = 0;

	if (geteuid() != 0)
		return err_say(err, -EPERM,
			       "paasd must be run as root: it makes namespaces, cgroups and "
			       "network interfaces");
	if (uname(&name) < 0)
		return err_set(err, -errno, "ask for the kernel's version");
	if (sscanf(name.release, "%u.%u", &major, &minor) != 2 || major < KERNEL_MAJOR ||
	    (major == KERNEL_MAJOR && minor < KERNEL_MINOR))
		return err_say(err, -ENOSYS, "this kernel is Linux %s; paasd needs %d.%d or later",
			       name.release, KERNEL_MAJOR, KERNEL_MINOR);
	return 0;
}

/* Three fds per sandbox, and the routers inherit the limit. Best effort. */
static void
raise_limits(void)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		return;
	if (now.rlim_max < MAX_FDS) {
		struct rlimit more = {.rlim_cur = MAX_FDS, .rlim_max = MAX_FDS};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	now.rlim_cur = now.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &now);
}

/* ---- signals
 * ------------------------------------------------------------------------------------- */

static void
give_status(struct platform *p, pid_t pid, int status)
{
	struct child *const all[] = {&p->control, &p->receiver, &p->logs, &p->host_keys,
				     &p->self_test};
	struct child *worker = workers_find(p, pid);

	if (worker)
		child_reaped(worker, status);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (all[i]->pid == pid)
			child_reaped(all[i], status);
	}
}

/* All of them: chores, inits of sandboxes, and after a reload the children of who we were. */
static void
reap(struct platform *p)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid <= 0)
			return;
		give_status(p, pid, status);
	}
}

static void
on_signal(void *user, const struct signalfd_siginfo *si)
{
	struct platform *p = user;

	switch (si->ssi_signo) {
	case SIGCHLD:
		reap(p);
		break;
	case SIGHUP:
		reload_begin(p);
		break;
	default:
		stop_begin(p);
		break;
	}
}

static int
watch_signals(struct platform *p, struct err *err)
{
	sigset_t set;
	int ret;

	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	ret = loop_signals(&p->loop, &set, on_signal, p);
	return ret < 0 ? err_set(err, ret, "watch signals") : 0;
}

/* ---- a platform's life
 * ----------------------------------------------------------------------------- */

static int
open_supervisor(struct platform *p, struct err *err)
{
	const struct supervisor_config config = {
		.loop = &p->loop,
		.name = p->config.name,
		.stack = p->config.stack,
		.state_fd = p->state.dir_fd,
		.runtime_fd = p->state.runtime_fd,
		.libexec_fd = p->libexec_fd,
		.subnet = p->config.subnet,
		.control_gid = p->users[USER_CONTROL].gid,
		.send_control = hub_send_control,
		.open_logs = hub_open_logs,
		.user = p,
	};

	return supervisor_open(&config, &p->supervisor, err);
}

static int
start(struct platform *p, struct err *err)
{
	int ret = loop_init(&p->loop);

	if (ret < 0)
		return err_set(err, ret, "make an event loop");
	residents_init(p);
	reload_init(p);
	ret = watch_signals(p, err);
	if (ret == 0)
		ret = listeners_init(&p->listeners, &p->config, err);
	if (ret == 0)
		ret = state_lock(&p->state, &p->config, err);
	if (ret == 0)
		ret = users_open(p->users, err);
	if (ret == 0)
		ret = state_make(&p->state, &p->config, p->users, err);
	if (ret == 0)
		ret = open_supervisor(p, err);
	if (ret == 0)
		ret = workers_adopt(p, err);
	if (ret == 0)
		ret = supervisor_adopt(p->supervisor, err);
	if (ret == 0)
		ret = state_listen(&p->state, p->users, err);
	if (ret == 0)
		ret = residents_await_predecessors(p, err);
	if (ret < 0)
		return ret;
	workers_start(p);
	residents_start(p);
	reap(p);
	return 0;
}

/* Nothing of ours runs any more: nothing of ours stays. */
static void
remove_all(struct platform *p)
{
	residents_remove(p);
	workers_remove(p);
	supervisor_remove(p->supervisor);
}

static void
let_go(struct platform *p)
{
	workers_done(p);
	child_done(&p->control);
	child_done(&p->receiver);
	child_done(&p->logs);
	child_done(&p->host_keys);
	child_done(&p->self_test);
	if (p->supervisor)
		supervisor_close(p->supervisor);
	listeners_done(&p->listeners);
	state_done(&p->state);
	loop_done(&p->loop);
}

static int
run(struct platform *p)
{
	struct err err = {0};
	int ret;

	state_init(&p->state);
	raise_limits();
	role_protect_self();
	ret = start(p, &err);
	if (ret < 0) {
		log_line("%s", err.text);
		/* Apps that an earlier paasd left stay; a platform that never was leaves nothing.
		 */
		if (p->supervisor && supervisor_count(p->supervisor) == 0 && workers_are_gone(p)) {
			stop_unstarted(p);
			remove_all(p);
		}
		let_go(p);
		return 1;
	}
	ret = loop_run(&p->loop);
	if (ret < 0) {
		log_line("cannot wait for events: %s", strerror(-ret));
		return 1;
	}
	state_unlisten(&p->state);
	remove_all(p);
	let_go(p);
	log_line("stopped");
	return 0;
}

int
main(int argc, char **argv)
{
	struct platform *p = &platform;
	enum config_mode mode;
	struct err err = {0};

	log_name("paasd");
	open_stdio();
	(void)umask(022);
	p->argv = argv;
	if (config_load(&p->config, argc, argv, &mode, &err) < 0) {
		log_line("%s", err.text);
		return 2;
	}
	if (mode == CONFIG_HELP) {
		config_help(stdout);
		return 0;
	}
	if (mode == CONFIG_VERSION) {
		(void)printf("paasd %s\n", PAAS_VERSION);
		return 0;
	}
	if (check_host(&err) < 0 || platform_find_programs(p, &err) < 0 ||
	    (mode == CONFIG_SELF_TEST && reload_self_test(p, &err) < 0)) {
		log_line("%s", err.text);
		return 1;
	}
	return mode == CONFIG_SELF_TEST ? 0 : run(p);
}

/*
 * Nothing is handed over but the lock: all other fds close when we execute, which ends control,
 * receiver and logs; routers and sandboxes keep their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/spawn.h"

#include "daemon/notify.h"
#include "daemon/platform.h"
#include "daemon/reload.h"

#define SELF_TEST_MS 30000
#define ARGS_MAX 128

int
reload_self_test(const struct platform *p, struct err *err)
{
	static const char *const programs[] = {"paas-control", "paas-receiver", "paas-session",
					       "paas-hook",    "paas-logs",	"paas-router",
					       "paas-build",   "paas-init"};

	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		if (faccessat(p->libexec_fd, programs[i], X_OK, 0) < 0)
			return err_set(err, -errno, "find the program %s", programs[i]);
	}
	if (strcmp(p->config.stack, "host") != 0 && access(p->config.stack, R_OK | X_OK) < 0)
		return err_set(err, -errno, "open the stack %s", p->config.stack);
	if (faccessat(p->bin_fd, "paas", X_OK, 0) < 0)
		return err_set(err, -errno, "find the program paas");
	return 0;
}

static int
launch(struct child *child, const int ends[2], pid_t *pid, int *pid_fd, struct err *err)
{
	extern char **environ;
	struct platform *p = child->user;
	const char *argv[ARGS_MAX + 2] = {p->argv[0], "--self-test"};
	const struct spawn_fd fds[] = {{p->null_fd, STDIN_FILENO}, {STDERR_FILENO, STDOUT_FILENO}};
	struct spawn s = {.exe_fd = -1,
			  .path = p->exe,
			  .argv = argv,
			  .envp = (const char *const *)environ,
			  .fds = fds,
			  .n_fds = 2,
			  .cwd_fd = -1,
			  .uid = (uid_t)-1};

	(void)ends;
	for (size_t i = 1; p->argv[i]; i++) {
		if (i == ARGS_MAX)
			return err_say(err, -E2BIG, "too many arguments");
		argv[i + 1] = p->argv[i];
	}
	return spawn_start(&s, pid, pid_fd, err);
}

static void
become_new(struct platform *p)
{
	struct timespec now;
	char state[96];
	int ret;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		       (unsigned long long)now.tv_sec * 1000000 +
			       (unsigned long long)now.tv_nsec / 1000);
	notify_send(state);
	ret = state_pass_lock(&p->state);
	if (ret == 0) {
		(void)execv(p->exe, p->argv);
		ret = -errno;
	}
	state_keep_lock(&p->state);
	notify_send("READY=1");
	log_line("cannot execute %s: %s; nothing has changed", p->exe, strerror(-ret));
}

static void
on_down(struct child *child)
{
	struct platform *p = child->user;
	bool passed = child->status == 0 && !child->is_stopping;

	child_stop(child, 0);
	if (p->phase >= PHASE_STOPPING_FRONT)
		return;
	if (passed)
		become_new(p);
	else
		log_line("%s did not pass its self-test; nothing has changed", p->exe);
}

void
reload_init(struct platform *p)
{
	static const struct role_row row = {.program = "paasd --self-test"};
	static const struct child_hooks hooks = {.launch = launch, .down = on_down};

	child_init(&p->self_test, &p->loop, &row, &hooks, 0, p);
}

void
reload_begin(struct platform *p)
{
	if (p->phase >= PHASE_STOPPING_FRONT || p->self_test.pid != 0)
		return;
	log_line("executing %s anew", p->exe);
	child_start(&p->self_test);
	child_limit(&p->self_test, SELF_TEST_MS);
}

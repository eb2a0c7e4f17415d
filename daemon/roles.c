/*
 * Starting a program of the table. Landlock wants paths and the child may not walk to ours, so
 * the program directories are named through fds that the child closes again when it executes.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "daemon/roles.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

#define MAX_FDS 48
/* Above everything a role is given: 30 + the listeners. */
#define LIBEXEC_FD 50
#define BIN_FD 51

static const struct role_row rows[] = {
	{
		.role = ROLE_CONTROL,
		.program = "paas-control",
		.label = "role.control",
		.user = USER_CONTROL,
		.place = PLACE_STATE,
		.has_channel = true,
		.max_queued = 65536,
		.max_fds = 65536,
		.oom_score_adj = "-600",
		.rules = {{".", CONFINE_WRITE}},
	},
	{
		/* What it executes for a connection lives under the same rules. */
		.role = ROLE_RECEIVER,
		.program = "paas-receiver",
		.label = "role.receiver",
		.user = USER_RECEIVER,
		.place = PLACE_SSH,
		.has_channel = true,
		.may_fork = true,
		.may_execute = true,
		.max_queued = 4096,
		.max_fds = 4096,
		.oom_score_adj = "0",
		.rules = {{".", CONFINE_READ},
			  {"/etc", CONFINE_READ},
			  {"/usr/share", CONFINE_READ},
			  {"/dev/ptmx", CONFINE_WRITE},
			  {"/dev/pts", CONFINE_WRITE},
			  {"/dev/tty", CONFINE_WRITE}},
	},
	{
		.role = ROLE_LOGS,
		.program = "paas-logs",
		.label = "role.logs",
		.user = USER_LOGS,
		.place = PLACE_LOGS,
		.has_channel = true,
		.max_queued = 16384,
		.max_fds = 65536,
		.oom_score_adj = "-600",
		.rules = {{".", CONFINE_WRITE}},
	},
	{
		.role = ROLE_ROUTER,
		.program = "paas-router",
		.user = USER_ROUTER,
		.place = PLACE_ROOT,
		.has_channel = true,
		.max_queued = 65536,
		.max_fds = 1048576,
		.oom_score_adj = "-500",
	},
	{
		.role = ROLE_SESSION,
		.program = "paas-session",
		.label = "role.receiver",
		.user = USER_RECEIVER,
		.place = PLACE_SSH,
		.max_fds = 256,
		.oom_score_adj = "0",
		.rules = {{".", CONFINE_WRITE}, {"/etc", CONFINE_READ}},
	},
};

/* What the dynamic linker, libc and libcrypto open before and after main. */
static const struct confine_rule common_rules[] = {
	{"/lib", CONFINE_READ},
	{"/lib64", CONFINE_READ},
	{"/usr/lib", CONFINE_READ},
	{"/usr/lib64", CONFINE_READ},
	{"/usr/local/lib", CONFINE_READ},
	{"/lib64/ld-linux-x86-64.so.2", CONFINE_EXECUTE},
	{"/lib/ld-linux-aarch64.so.1", CONFINE_EXECUTE},
	{"/etc/ld.so.cache", CONFINE_READ},
	{"/etc/ld.so.preload", CONFINE_READ},
	{"/etc/localtime", CONFINE_READ},
	{"/etc/ssl/openssl.cnf", CONFINE_READ},
	{"/usr/share/zoneinfo", CONFINE_READ},
	{"/dev/null", CONFINE_READ | CONFINE_WRITE},
	{"/dev/urandom", CONFINE_READ},
#if HAS_SANITIZER
	{"/proc", CONFINE_READ},
	{"/usr/bin", CONFINE_EXECUTE},
#endif
};
#define N_COMMON (sizeof(common_rules) / sizeof(common_rules[0]))

const struct role_row *
role_get(enum role role)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].role == role)
			return &rows[i];
	}
	assert(!"a role without a row");
	return NULL;
}

/* ---- in the child -----------------------------------------------------------------------------
 */

/* Lowers a limit; one that is lower already stays. */
static int
limit(__rlimit_resource_t resource, rlim_t max, struct err *err)
{
	struct rlimit now;

	if (getrlimit(resource, &now) < 0)
		return err_set(err, -errno, "read limits");
	if (now.rlim_max != RLIM_INFINITY && now.rlim_max < max)
		max = now.rlim_max;
	now = (struct rlimit){.rlim_cur = max, .rlim_max = max};
	return setrlimit(resource, &now) < 0 ? err_set(err, -errno, "set limits") : 0;
}

static int
confine_to_row(const struct role_row *row, struct err *err)
{
	struct confine_rule rules[N_COMMON + ROLE_RULES_MAX + 2];
	size_t n = 0;

	memcpy(rules, common_rules, sizeof(common_rules));
	n += N_COMMON;
	for (size_t i = 0; i < ROLE_RULES_MAX && row->rules[i].path; i++)
		rules[n++] = row->rules[i];
	rules[n++] = (struct confine_rule){"/proc/self/fd/50", CONFINE_EXECUTE};
	if (row->may_execute)
		rules[n++] = (struct confine_rule){"/proc/self/fd/51", CONFINE_EXECUTE};
	return confine_files(rules, n, err);
}

static int
settle(void *user, struct err *err)
{
	const struct role_row *row = user;
	int ret;

	/* Ctrl-C at a terminal is for paasd alone. */
	if (setsid() < 0)
		return err_set(err, -errno, "begin a session");
	ret = limit(RLIMIT_NOFILE, row->max_fds, err);
	if (ret == 0)
		ret = limit(RLIMIT_CORE, 0, err);
	/* LeakSanitizer forks. */
	if (ret == 0 && !row->may_fork && !HAS_SANITIZER)
		ret = limit(RLIMIT_NPROC, 0, err);
	if (ret == 0)
		ret = confine_to_row(row, err);
	if (ret < 0)
		return ret;
	if (fcntl(LIBEXEC_FD, F_SETFD, FD_CLOEXEC) < 0 || fcntl(BIN_FD, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(err, -errno, "close fds");
	return 0;
}

/* ---- in paasd -----------------------------------------------------------------------------------
 */

/* A child inherits ours, and could not read its own /proc after the drop. */
static void
set_oom_score_adj(pid_t pid, const char *value)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	(void)file_write_at(AT_FDCWD, path, value);
}

void
role_protect_self(void)
{
	set_oom_score_adj(getpid(), "-900");
}

int
role_launch(const struct role_launch *launch, pid_t *pid, int *pid_fd, struct err *err)
{
	static const char *const envp[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8",
					   NULL};
	const struct role_row *row = launch->row;
	AUTO_FD int exe_fd = openat(launch->libexec_fd, row->program, O_PATH | O_CLOEXEC);
	struct spawn_fd fds[MAX_FDS] = {{launch->null_fd, STDIN_FILENO},
					{STDERR_FILENO, STDOUT_FILENO},
					{launch->libexec_fd, LIBEXEC_FD},
					{launch->bin_fd, BIN_FD}};
	struct spawn s = {.exe_fd = exe_fd,
			  .argv = launch->argv,
			  .envp = envp,
			  .fds = fds,
			  .n_fds = 4,
			  .cwd_fd = launch->cwd_fd,
			  .cgroup_fd = launch->cgroup_fd,
			  .uid = launch->ids.uid,
			  .gid = launch->ids.gid,
			  .confine = settle};
	union {
		const struct role_row *in;
		void *out;
	} user = {.in = row};
	int ret;

	if (exe_fd < 0)
		return err_set(err, -errno, "open the program %s", row->program);
	assert(s.n_fds + launch->n_fds <= MAX_FDS);
	for (size_t i = 0; i < launch->n_fds; i++)
		fds[s.n_fds++] = launch->fds[i];
	s.confine_user = user.out;
	ret = spawn_start(&s, pid, pid_fd, err);
	if (ret < 0)
		return err_prefix(err, ret, "start %s", row->program);
	set_oom_score_adj(*pid, row->oom_score_adj);
	return 0;
}

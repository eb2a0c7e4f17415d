/*
 * Runs paas-build as control does: a job socket on fd 5, a transcript on stdout, real git
 * repositories, and buildpacks that the test writes. Everything lies below one directory.
 */
#ifndef TESTS_UNIT_BUILDER_DRIVER_H
#define TESTS_UNIT_BUILDER_DRIVER_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/msg.h"
#include "lib/sandbox.h"
#include "lib/spawn.h"

struct fixture {
	char dir[64];	    /* holds work (a clone), repo.git, disk, app, packs, slug */
	char slug[96];	    /* the file of the last build */
	bool on_small_disk; /* disk is a tmpfs of its own, in our mount namespace */
};

struct result {
	int status; /* of waitpid */
	char transcript[65536];
	char packs[512];  /* "SPEC=NAME;" each */
	char types[2048]; /* "TYPE=COMMAND;" each */
	char failed[512], sha256[128];
	uint64_t bytes;
	bool is_done, has_profile;
};

struct order {
	const char *commit;	/* NULL: HEAD of the work tree, pushed */
	const char *quarantine; /* NULL: none */
	const char *const *packs;
	const char *const *config; /* "K=V" */
	uint64_t slug_max, disk_bytes;
};

/* Runs a shell command in the fixture's directory; its status. */
static __attribute__((format(printf, 2, 3))) int
sh(const struct fixture *fx, const char *fmt, ...)
{
	char command[8192];
	va_list args;
	int n = snprintf(command, sizeof(command),
			 "cd '%s' && export HOME=$PWD GIT_CONFIG_GLOBAL=/dev/null "
			 "GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a "
			 "GIT_COMMITTER_EMAIL=a@b GIT_COMMITTER_DATE='1700000000 +0000' && ",
			 fx->dir);

	va_start(args, fmt);
	(void)vsnprintf(command + n, sizeof(command) - (size_t)n, fmt, args);
	va_end(args);
	return system(command);
}

/* The first line that a command prints. */
static __attribute__((unused)) const char *
sh_line(const struct fixture *fx, const char *command)
{
	static char line[1024];
	char path[128];
	FILE *f;

	if (sh(fx, "(%s) > line", command) != 0)
		abort();
	(void)snprintf(path, sizeof(path), "%s/line", fx->dir);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f))
		line[0] = '\0';
	if (f)
		(void)fclose(f);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void
fixture_init(struct fixture *fx)
{
	*fx = (struct fixture){.dir = "/tmp/paas-build-test.XXXXXX"};
	if (!mkdtemp(fx->dir))
		abort();
	(void)snprintf(fx->slug, sizeof(fx->slug), "%s/slug", fx->dir);
	if (sh(fx, "mkdir disk app packs && git init -q --bare -b main repo.git && "
		   "git init -q -b main work && git -C work remote add origin ../repo.git") != 0)
		abort();
}

static void
fixture_done(struct fixture *fx)
{
	if (fx->on_small_disk)
		(void)sh(fx, "umount disk");
	(void)sh(fx, "chmod -R u+rwx . ; rm -rf \"$PWD\"");
}

/* Commits all of work/ and pushes it. */
static __attribute__((unused)) void
commit(const struct fixture *fx)
{
	if (sh(fx, "cd work && git add -A -f . && git commit -q --allow-empty -m x && "
		   "git push -q -f origin main") != 0)
		abort();
}

/* A buildpack with these three programs (bodies of bash scripts; NULL: none). */
static __attribute__((unused)) void
make_pack(const struct fixture *fx, const char *name, const char *detect, const char *compile,
	  const char *release)
{
	const char *bodies[] = {detect, compile, release};
	const char *names[] = {"detect", "compile", "release"};

	if (sh(fx, "mkdir -p packs/%s/bin", name) != 0)
		abort();
	for (int i = 0; i < 3; i++) {
		char path[256];
		FILE *f;

		if (!bodies[i])
			continue;
		(void)snprintf(path, sizeof(path), "%s/packs/%s/bin/%s", fx->dir, name, names[i]);
		f = fopen(path, "w");
		if (!f)
			abort();
		(void)fprintf(f, "#!/bin/bash\n%s\n", bodies[i]);
		(void)fclose(f);
		if (chmod(path, 0755) < 0)
			abort();
	}
}

static void
send_order(const struct fixture *fx, const struct order *order, int fd)
{
	static const char *const none[] = {NULL};
	const char *const *packs = order->packs ? order->packs : none;
	int slug_fd = open(fx->slug, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int config_fd = spec_write("/", none, order->config ? order->config : none);
	uint16_t n = 0;
	struct msg m;

	while (packs[n])
		n++;
	msg_begin(&m, MSG_BUILD_ORDER, 0);
	wire_put_str(&m.out,
		     order->commit ? order->commit : sh_line(fx, "git -C work rev-parse HEAD"));
	wire_put_str(&m.out, order->quarantine);
	wire_put_u64(&m.out, order->slug_max ? order->slug_max : 500 << 20);
	wire_put_u64(&m.out, order->disk_bytes ? order->disk_bytes : 2ULL << 30);
	wire_put_u16(&m.out, n);
	for (uint16_t i = 0; i < n; i++)
		wire_put_str(&m.out, packs[i]);
	msg_add_fd(&m, slug_fd);
	msg_add_fd(&m, config_fd);
	if (slug_fd < 0 || config_fd < 0 || msg_send(fd, &m) < 0)
		abort();
	(void)close(slug_fd);
	(void)close(config_fd);
}

static void
append(char *to, size_t cap, const char *a, const char *b)
{
	size_t n = strlen(to);

	(void)snprintf(to + n, cap - n, "%s=%s;", a, b);
}

/* Reads one report. False at the end. */
static bool
take_report(struct result *r, int fd)
{
	static char a[16384], b[16384];
	struct msg m;

	if (msg_receive(fd, &m) <= 0)
		return false;
	if (msg_check(m.type, ROLE_BUILD, ROLE_CONTROL, PHASE_ANY, m.n_fds, NULL) < 0)
		abort();
	if (m.type == MSG_BUILD_PACK || m.type == MSG_BUILD_TYPE) {
		wire_get_str(&m.in, a, sizeof(a));
		wire_get_str(&m.in, b, sizeof(b));
		if (m.type == MSG_BUILD_PACK)
			append(r->packs, sizeof(r->packs), a, b);
		else
			append(r->types, sizeof(r->types), a, b);
	} else if (m.type == MSG_BUILD_DONE) {
		wire_get_str(&m.in, r->sha256, sizeof(r->sha256));
		r->bytes = wire_get_u64(&m.in);
		r->has_profile = wire_get_u8(&m.in);
		r->is_done = true;
	} else {
		wire_get_str(&m.in, r->failed, sizeof(r->failed));
	}
	if (wire_end(&m.in) < 0)
		abort();
	msg_done(&m);
	return true;
}

/* Until both the transcript and the socket have ended. */
static void
collect(struct result *r, int out_fd, int job_fd)
{
	struct pollfd fds[] = {{out_fd, POLLIN, 0}, {job_fd, POLLIN, 0}};
	size_t len = 0;

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		char bytes[4096];
		ssize_t n;

		if (poll(fds, 2, 120000) <= 0)
			abort();
		if (fds[0].fd >= 0 && fds[0].revents) {
			n = read(out_fd, bytes, sizeof(bytes));
			if (n <= 0)
				fds[0].fd = -1;
			for (ssize_t i = 0; i < n && len < sizeof(r->transcript) - 1; i++)
				r->transcript[len++] = bytes[i];
		}
		if (fds[1].fd >= 0 && fds[1].revents && !take_report(r, job_fd))
			fds[1].fd = -1;
	}
	r->transcript[len] = '\0';
}

/* Starts paas-build with the job socket's end and a pipe for its output. */
static pid_t
start_builder(const struct fixture *fx, const char *packs, int job_fd, int out_fd, int *pid_fd)
{
	const char *b = getenv("B");
	char program[128], home[5][160];
	struct spawn_fd fds[] = {{job_fd, 5}, {out_fd, 1}};
	struct err err;
	pid_t pid;

	(void)snprintf(program, sizeof(program), "%s/libexec/paas/paas-build", b ? b : "build");
	(void)snprintf(home[0], sizeof(home[0]), "--repo=%s/repo.git", fx->dir);
	(void)snprintf(home[1], sizeof(home[1]), "--disk=%s/disk", fx->dir);
	(void)snprintf(home[2], sizeof(home[2]), "--app=%s/app", fx->dir);
	(void)snprintf(home[3], sizeof(home[3]), "--buildpacks=%s%s",
		       packs[0] == '/' ? "" : fx->dir, packs);
	(void)snprintf(home[4], sizeof(home[4]), "--programs=%s/libexec/paas", b ? b : "build");
	struct spawn spawn = {
		.exe_fd = -1,
		.path = program,
		.argv = (const char *const[]){"paas-build", home[0], home[1], home[2], home[3],
					      home[4], NULL},
		.envp = (const char *const[]){"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8",
					      "STACK=test-24", "PAAS_JOB_FD=5", "GIT_DIR=/nowhere",
					      "FROM_BUILD_ENV=yes", NULL},
		.fds = fds,
		.n_fds = 2,
		.cwd_fd = -1,
		.uid = (uid_t)-1,
	};
	if (spawn_start(&spawn, &pid, pid_fd, &err) < 0) {
		(void)fprintf(stderr, "# %s\n", err.text);
		abort();
	}
	return pid;
}

/* One build, from order to exit. */
static __attribute__((unused)) void
build(const struct fixture *fx, const struct order *order, struct result *r)
{
	int ends[2], out[2], pid_fd;
	char packs[96];
	pid_t pid;

	*r = (struct result){0};
	if (msg_pair(ends, false) < 0 || pipe2(out, O_CLOEXEC) < 0)
		abort();
	(void)snprintf(packs, sizeof(packs), "%s/packs", fx->dir);
	pid = start_builder(fx, packs, ends[1], out[1], &pid_fd);
	(void)close(ends[1]);
	(void)close(out[1]);
	send_order(fx, order, ends[0]);
	collect(r, out[0], ends[0]);
	if (waitpid(pid, &r->status, 0) != pid)
		abort();
	(void)close(pid_fd);
	(void)close(ends[0]);
	(void)close(out[0]);
	if (getenv("V"))
		(void)fprintf(stderr, "%s\n## failed: %s\n", r->transcript, r->failed);
}

#endif

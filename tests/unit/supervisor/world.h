/*
 * A supervisor with a state directory of its own, and the test in control's place: orders are
 * given as messages, reports are collected, everything really runs.
 */
#ifndef TESTS_UNIT_SUPERVISOR_WORLD_H
#define TESTS_UNIT_SUPERVISOR_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/addr.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/loop.h"
#include "lib/msg.h"
#include "lib/sandbox.h"
#include "daemon/supervisor/supervisor.h"

#define RUN_UID 1999000000U
#define BUILD_UID 1999000001U
#define WAIT_MS 20000
#define MAX_REPORTS 256

/* Several runs may share a host: the platform's name, and the first three numbers of its /24. */
static char world_name[8], world_net[16];

__attribute__((constructor)) static void
world_set_names(void)
{
	unsigned pid = (unsigned)getpid();

	(void)snprintf(world_name, sizeof(world_name), "u%x", pid % 0x100000);
	(void)snprintf(world_net, sizeof(world_net), "10.%u.%u", 192 + pid / 256 % 32, pid % 256);
}

struct report {
	enum msg_type type;
	uint64_t id;
	uint32_t status; /* of an exit, or a chore's code */
	bool had_oom;
	uint64_t peak_bytes, limit_bytes;
	uint32_t token;
	char text[512];
	int fd;
};

struct world {
	struct loop loop;
	struct supervisor *s;
	char dir[64];
	int state_fd, libexec_fd;
	uint64_t next_id;
	uint32_t next_token;
	struct report reports[MAX_REPORTS];
	size_t n_reports;
	int log_fd; /* the logs' end of the last stream; -1 */
	bool has_logs, is_control_away, is_stopped;
};

static inline int
world_send_control(void *user, struct msg *m)
{
	struct world *w = user;
	struct report *r = &w->reports[w->n_reports];

	if (w->is_control_away)
		return -EPIPE;
	assert_true(w->n_reports < MAX_REPORTS);
	memset(r, 0, sizeof(*r));
	r->type = m->type;
	r->fd = -1;
	/* What was written is what would be read. */
	wire_read_init(&m->in, m->out.data, m->out.len);
	if (m->type == MSG_CHORE_DONE) {
		r->token = wire_get_u32(&m->in);
		r->status = wire_get_u32(&m->in);
		wire_get_str(&m->in, r->text, sizeof(r->text));
	} else if (m->type != MSG_SANDBOX_FOUND_END) {
		r->id = wire_get_u64(&m->in);
	}
	if (m->type == MSG_SANDBOX_EXITED) {
		r->status = wire_get_u32(&m->in);
		r->had_oom = wire_get_u8(&m->in);
		r->peak_bytes = wire_get_u64(&m->in);
		r->limit_bytes = wire_get_u64(&m->in);
	} else if (m->type == MSG_SANDBOX_FAILED || m->type == MSG_SANDBOX_LISTENS) {
		wire_get_str(&m->in, r->text, sizeof(r->text));
	} else if (m->type == MSG_SANDBOX_PTY) {
		r->fd = fcntl(m->fds[0], F_DUPFD_CLOEXEC, 3);
	} else if (m->type == MSG_SANDBOX_FOUND) {
		(void)wire_get_u8(&m->in);
		(void)wire_get_u32(&m->in);
		wire_get_str(&m->in, r->text, 64);
		wire_get_str(&m->in, r->text + strlen(r->text), 128);
		(void)wire_get_u64(&m->in);
	}
	assert_int_equal(wire_end(&m->in), 0);
	w->n_reports++;
	return 0;
}

static inline int
world_open_logs(void *user, const char *app, const char *source)
{
	struct world *w = user;
	int ends[2];

	(void)app;
	(void)source;
	if (!w->has_logs)
		return -ENOTCONN;
	assert_int_equal(msg_pair(ends, false), 0);
	if (w->log_fd >= 0)
		(void)close(w->log_fd);
	w->log_fd = ends[0];
	return ends[1];
}

static inline void
world_stopped(void *user)
{
	((struct world *)user)->is_stopped = true;
}

static inline void
world_on_child(void *user, const struct signalfd_siginfo *si)
{
	siginfo_t info;

	(void)user;
	(void)si;
	do {
		info.si_pid = 0;
	} while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0);
}

static inline void
world_open_supervisor(struct world *w)
{
	struct supervisor_config config = {
		.loop = &w->loop,
		.name = world_name,
		.stack = "host",
		.state_fd = w->state_fd,
		.runtime_fd = w->state_fd,
		.libexec_fd = w->libexec_fd,
		.control_gid = 0,
		.send_control = world_send_control,
		.open_logs = world_open_logs,
		.user = w,
	};
	struct err err = {0};
	char subnet[24];
	sigset_t child;

	(void)snprintf(subnet, sizeof(subnet), "%s.0/24", world_net);
	assert_int_equal(loop_init(&w->loop), 0);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	assert_int_equal(loop_signals(&w->loop, &child, world_on_child, w), 0);
	assert_int_equal(subnet_parse(subnet, &config.subnet, &err), 0);
	if (supervisor_open(&config, &w->s, &err) < 0)
		fail_msg("%s", err.text);
	if (supervisor_adopt(w->s, &err) < 0)
		fail_msg("%s", err.text);
}

/* The directory of the programs built beside this test. */
static inline int
world_open_libexec(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);

	assert_true(n > 0);
	path[n] = '\0';
	for (int i = 0; i < 4; i++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/libexec/paas");
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline struct world *
world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	strcpy(w->dir, "/tmp/paas test, odd:name\\.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chmod(w->dir, 0711), 0);
	w->state_fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->libexec_fd = world_open_libexec();
	assert_true(w->state_fd >= 0 && w->libexec_fd >= 0);
	w->log_fd = -1;
	w->next_id = (uint64_t)getpid() << 20;
	return w;
}

/* A report of this type for this id (or token), or NULL: not yet. */
static inline struct report *
world_find(struct world *w, enum msg_type type, uint64_t id)
{
	for (size_t i = 0; i < w->n_reports; i++) {
		struct report *r = &w->reports[i];

		if (r->type == type && (r->type == MSG_CHORE_DONE ? r->token == id : r->id == id))
			return r;
	}
	return NULL;
}

static inline uint64_t
world_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000U + (uint64_t)ts.tv_nsec / 1000000U;
}

/* Turns the loop until `type` was reported of `id`. A failure of `id` fails the test, unless
 * that is what is waited for. */
static inline struct report *
world_wait(struct world *w, enum msg_type type, uint64_t id)
{
	uint64_t end = world_now_ms() + WAIT_MS;

	for (;;) {
		struct report *r = world_find(w, type, id);

		if (r)
			return r;
		r = world_find(w, MSG_SANDBOX_FAILED, id);
		if (r && type != MSG_CHORE_DONE)
			fail_msg("instead of %s: failed: %s", msg_name(type), r->text);
		r = world_find(w, MSG_SANDBOX_EXITED, id);
		if (r && type != MSG_CHORE_DONE)
			fail_msg("instead of %s: exited %#x", msg_name(type), r->status);
		if (world_now_ms() > end)
			fail_msg("no %s within %d ms", msg_name(type), WAIT_MS);
		assert_true(loop_turn(&w->loop, 100) >= 0);
	}
}

/* Turns the loop until nothing is left of any sandbox. */
static inline void
world_wait_empty(struct world *w)
{
	uint64_t end = world_now_ms() + WAIT_MS;

	while (supervisor_count(w->s) > 0) {
		assert_true(world_now_ms() < end);
		assert_true(loop_turn(&w->loop, 100) >= 0);
	}
}

static inline void
world_message(struct world *w, struct msg *m)
{
	struct err err = {0};

	wire_read_init(&m->in, m->out.data, m->out.len);
	/* Passed on a channel, every fd becomes the receiver's own. */
	for (size_t i = 0; i < m->n_fds; i++)
		m->fds[i] = fcntl(m->fds[i], F_DUPFD_CLOEXEC, 3);
	if (supervisor_message(w->s, m, &err) < 0)
		fail_msg("%s", err.text);
	msg_done(m);
}

static inline void
world_simple(struct world *w, enum msg_type type, uint64_t id)
{
	struct msg m;

	msg_begin(&m, type, 0);
	wire_put_u64(&m.out, id);
	world_message(w, &m);
}

static inline void
world_signal(struct world *w, uint64_t id, int signal)
{
	struct msg m;

	msg_begin(&m, MSG_SANDBOX_SIGNAL, 0);
	wire_put_u64(&m.out, id);
	wire_put_u8(&m.out, (uint8_t)signal);
	world_message(w, &m);
}

static inline uint32_t
world_chore(struct world *w, enum msg_type type, const char *app, uint32_t slug)
{
	uint32_t token = ++w->next_token;
	struct msg m;

	msg_begin(&m, type, 0);
	wire_put_u32(&m.out, token);
	wire_put_str(&m.out, app);
	if (type == MSG_APP_CREATE) {
		wire_put_u32(&m.out, RUN_UID);
		wire_put_u32(&m.out, BUILD_UID);
	} else if (type == MSG_SLUG_REMOVE) {
		wire_put_u32(&m.out, slug);
	}
	world_message(w, &m);
	return token;
}

static inline void
world_create_app(struct world *w, const char *app)
{
	struct report *r = world_wait(w, MSG_CHORE_DONE, world_chore(w, MSG_APP_CREATE, app, 0));

	if (r->status)
		fail_msg("%s", r->text);
}

/* An empty slug number 1 with one file. */
static inline void
world_create_slug(struct world *w, const char *app)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "slugs/%s/1", app);
	assert_int_equal(mkdirat(w->state_fd, path, 0755), 0);
	assert_int_equal(fchownat(w->state_fd, path, RUN_UID, RUN_UID, 0), 0);
	strcat(path, "/hello.txt");
	fd = openat(w->state_fd, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, "hello\n", 6), 0);
	assert_int_equal(fchown(fd, RUN_UID, RUN_UID), 0);
	(void)close(fd);
}

static inline struct sandbox_order
world_order(struct world *w, enum sandbox_kind kind, uint32_t address)
{
	struct sandbox_order order = {
		.id = ++w->next_id,
		.kind = kind,
		.slug = 1,
		.uid = kind == SANDBOX_APP || kind == SANDBOX_UNPACK ? RUN_UID : BUILD_UID,
		.address = address,
		.memory_bytes = 256UL << 20,
		.disk_bytes = 64UL << 20,
		.pids = 64,
		.cpu_weight = 100,
	};

	strcpy(order.app, "hello");
	strcpy(order.label, "v3.web.1");
	strcpy(order.source, "app[web.1]");
	return order;
}

/* Orders `sh -c script`; fds may be NULL (the log) or three; job_fd -1: none. */
static inline uint64_t
world_start(struct world *w, struct sandbox_order *order, const char *script, const int *fds,
	    int job_fd)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	const char *const envp[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/app", NULL};
	struct msg m;
	int spec_fd = spec_write("/", argv, envp);

	assert_true(spec_fd >= 0);
	if (fds)
		order->flags |= SANDBOX_STDIO;
	if (job_fd >= 0)
		order->flags |= SANDBOX_JOB;
	msg_begin(&m, MSG_SANDBOX_START, 0);
	sandbox_order_write(&m.out, order);
	msg_add_fd(&m, spec_fd);
	for (size_t i = 0; fds && i < 3; i++)
		msg_add_fd(&m, fds[i]);
	if (job_fd >= 0)
		msg_add_fd(&m, job_fd);
	world_message(w, &m);
	(void)close(spec_fd);
	return order->id;
}

/* Runs a script to its end; its output to `out`. The wait status. */
static inline uint32_t
world_run(struct world *w, struct sandbox_order *order, const char *script, char *out, size_t cap)
{
	int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC), ends[2];
	size_t len = 0;
	uint64_t id;
	ssize_t n;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	id = world_start(w, order, script, (const int[3]){null_fd, ends[1], ends[1]}, -1);
	(void)close(ends[1]);
	(void)close(null_fd);
	(void)world_wait(w, MSG_SANDBOX_EXITED, id);
	while (len < cap - 1 && (n = read(ends[0], out + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	(void)close(ends[0]);
	return world_wait(w, MSG_SANDBOX_EXITED, id)->status;
}

/* Stops everything and checks that nothing is left on the host. */
static inline void
world_free(struct world *w)
{
	uint64_t end = world_now_ms() + WAIT_MS;

	supervisor_stop_all(w->s, 2000, world_stopped);
	while (!w->is_stopped) {
		assert_true(world_now_ms() < end);
		assert_true(loop_turn(&w->loop, 100) >= 0);
	}
	supervisor_remove(w->s);
	supervisor_close(w->s);
	loop_done(&w->loop);
	for (size_t i = 0; i < w->n_reports; i++) {
		if (w->reports[i].type == MSG_SANDBOX_PTY && w->reports[i].fd >= 0)
			(void)close(w->reports[i].fd);
	}
	if (w->log_fd >= 0)
		(void)close(w->log_fd);
	(void)close(w->state_fd);
	(void)close(w->libexec_fd);
	assert_int_equal(file_remove_tree(AT_FDCWD, w->dir), 0);
	free(w);
}

#endif

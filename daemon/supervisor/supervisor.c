/* The ledger of sandboxes, and both directions of the conversation with control. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/map.h"
#include "lib/msg.h"
#include "lib/name.h"
#include "daemon/supervisor/app_files.h"
#include "daemon/supervisor/net.h"
#include "daemon/supervisor/platform.h"
#include "daemon/supervisor/sandbox.h"
#include "daemon/supervisor/seccomp.h"
#include "daemon/supervisor/supervisor.h"

#define STOP_POLL_MS 10
#define RESOLV_FILE "resolv.conf"

struct supervisor {
	struct supervisor_config config;
	struct platform platform;
	struct map sandboxes; /* by id */
	uint64_t resolv_stamp;
	bool is_control_up;
	bool is_firewall_stale; /* load it again when the running load is done */
	bool is_stopping;
	void (*stopped)(void *user);
	struct loop_timer stop_timer, stopped_timer;
};

/* A chore that control waits for. */
struct errand {
	struct supervisor *s;
	uint32_t token;
};

/* ---- to control -------------------------------------------------------------------------- */

static int
send_control(struct supervisor *s, struct msg *m)
{
	if (!s->is_control_up)
		return -ENOTCONN;
	return s->config.send_control(s->config.user, m);
}

/* A message that is only an id so far. */
static void
begin(struct msg *m, enum msg_type type, const struct sandbox *sb)
{
	msg_begin(m, type, 0);
	wire_put_u64(&m->out, sb->order.id);
}

static void
send_started(struct sandbox *sb)
{
	struct supervisor *s = sb->user;
	struct msg m;

	begin(&m, MSG_SANDBOX_STARTED, sb);
	(void)send_control(s, &m);
}

static void
send_pty(struct sandbox *sb, int fd)
{
	struct supervisor *s = sb->user;
	struct msg m;

	begin(&m, MSG_SANDBOX_PTY, sb);
	msg_add_fd(&m, fd);
	(void)send_control(s, &m);
}

static void
send_listens(struct sandbox *sb, const char *text)
{
	struct supervisor *s = sb->user;
	struct msg m;

	begin(&m, MSG_SANDBOX_LISTENS, sb);
	wire_put_str(&m.out, text);
	(void)send_control(s, &m);
}

static void
send_failed(struct supervisor *s, uint64_t id, const char *why)
{
	struct msg m;

	msg_begin(&m, MSG_SANDBOX_FAILED, 0);
	wire_put_u64(&m.out, id);
	wire_put_str(&m.out, why);
	(void)send_control(s, &m);
}

static void
on_failed(struct sandbox *sb)
{
	/* A control that starts later does not find it, which says the same. */
	send_failed(sb->user, sb->order.id, sb->why.text);
}

/* An exit counts once control was told; until then init, or the ledger, keeps it. */
static void
on_exited(struct sandbox *sb)
{
	struct supervisor *s = sb->user;
	struct msg m;

	begin(&m, MSG_SANDBOX_EXITED, sb);
	wire_put_u32(&m.out, sb->status);
	wire_put_u8(&m.out, sb->usage.had_oom);
	wire_put_u64(&m.out, sb->usage.peak_bytes);
	wire_put_u64(&m.out, sb->usage.limit_bytes);
	if (send_control(s, &m) == 0 || s->is_stopping)
		sandbox_recorded(sb);
}

static void
forget(struct supervisor *s, struct sandbox *sb)
{
	(void)map_remove_id(&s->sandboxes, sb->order.id);
	sandbox_free(sb);
}

static void
on_gone(struct sandbox *sb)
{
	if (sb->is_recorded)
		forget(sb->user, sb);
}

static const struct sandbox_events sandbox_events = {
	.on_started = send_started,
	.on_pty = send_pty,
	.on_listens = send_listens,
	.on_failed = on_failed,
	.on_exited = on_exited,
	.on_gone = on_gone,
};

static void
send_found(struct supervisor *s, const struct sandbox *sb)
{
	struct msg m;

	begin(&m, MSG_SANDBOX_FOUND, sb);
	wire_put_u8(&m.out, (uint8_t)sb->order.kind);
	wire_put_u32(&m.out, sb->order.address);
	wire_put_str(&m.out, sb->order.app);
	wire_put_str(&m.out, sb->order.label);
	/* Ids begin with the time control made them. */
	wire_put_u64(&m.out, sb->order.id >> 20);
	(void)send_control(s, &m);
}

void
supervisor_control_up(struct supervisor *s)
{
	struct sandbox *sb;
	struct msg m;
	size_t at = 0;

	s->is_control_up = true;
	while ((sb = map_next(&s->sandboxes, &at)) != NULL) {
		if (!sb->is_recorded)
			send_found(s, sb);
	}
	msg_begin(&m, MSG_SANDBOX_FOUND_END, 0);
	(void)send_control(s, &m);
	at = 0;
	while ((sb = map_next(&s->sandboxes, &at)) != NULL) {
		if (sb->is_recorded)
			continue;
		if (sb->has_started && !sb->has_outcome)
			send_started(sb);
		if (sb->has_outcome)
			on_exited(sb);
		if (sb->state == SANDBOX_GONE && sb->is_recorded)
			forget(s, sb);
	}
}

void
supervisor_control_down(struct supervisor *s)
{
	s->is_control_up = false;
}

/* ---- what all share ---------------------------------------------------------------------- */

static int
write_resolv(struct supervisor *s, const struct buf *text)
{
	/* In place: running sandboxes have this very file mounted. */
	AUTO_FD int fd = openat(s->platform.runtime_fd, RESOLV_FILE,
				O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0644) < 0)
		return -errno;
	return file_write_all(fd, text->data, text->len);
}

static int
refresh_resolv(struct supervisor *s, struct err *err)
{
	struct platform *p = &s->platform;
	uint64_t stamp = resolv_stamp();
	AUTO_BUF struct buf text;
	int ret;

	buf_init(&text, 4096);
	if (stamp == s->resolv_stamp)
		return 0;
	ret = resolv_generate(subnet_address(&p->subnet, 1), &p->resolv, &text);
	if (ret == 0)
		ret = write_resolv(s, &text);
	if (ret < 0)
		return err_set(err, ret, "generate the resolv.conf of instances");
	s->resolv_stamp = stamp;
	return 0;
}

static void load_firewall(struct supervisor *s);

static void
on_firewall_loaded(void *user, int code, const struct err *why)
{
	struct supervisor *s = user;
	struct sandbox *sb;
	size_t at = 0;

	s->platform.firewall = code < 0 ? FIREWALL_FAILED : FIREWALL_READY;
	if (code < 0) {
		s->platform.firewall_why = *why;
		log_line("the firewall could not be loaded, so nothing with a network is started: "
			 "%s",
			 why->text);
	}
	if (s->is_firewall_stale)
		load_firewall(s);
	while ((sb = map_next(&s->sandboxes, &at)) != NULL)
		sandbox_advance(sb);
}

static struct firewall_order
firewall_order(const struct supervisor *s)
{
	struct firewall_order order = {
		.subnet = s->platform.subnet,
		.forward = s->platform.resolv.forward,
	};

	(void)snprintf(order.name, sizeof(order.name), "%s", s->platform.name);
	return order;
}

static void
load_firewall(struct supervisor *s)
{
	struct platform *p = &s->platform;
	struct firewall_order order = firewall_order(s);
	int ret =
		chores_add(&p->chores, firewall_load, &order, sizeof(order), on_firewall_loaded, s);

	s->is_firewall_stale = false;
	if (ret < 0) {
		p->firewall = FIREWALL_FAILED;
		(void)err_set(&p->firewall_why, ret, "start nft");
	} else {
		p->firewall = FIREWALL_LOADING;
	}
}

/* The host's resolver may change while we run; its forward is part of the firewall. */
static void
follow_resolver(struct supervisor *s)
{
	struct platform *p = &s->platform;
	uint32_t forward = p->resolv.forward;
	struct err why = {0};

	if (refresh_resolv(s, &why) < 0)
		log_line("%s", why.text);
	if (p->resolv.forward == forward)
		return;
	if (p->firewall == FIREWALL_LOADING)
		s->is_firewall_stale = true;
	else
		load_firewall(s);
}

static int
open_path(int dir_fd, const char *path, int flags, struct err *err)
{
	int fd = openat(dir_fd, path, flags | O_CLOEXEC);

	return fd < 0 ? err_set(err, -errno, "open %s", path) : fd;
}

static int
open_platform(struct supervisor *s, struct err *err)
{
	const struct supervisor_config *c = &s->config;
	struct platform *p = &s->platform;
	const char *stack = strcmp(c->stack, "host") == 0 ? "/" : c->stack;
	int ret;

	p->stack_fd = open_path(AT_FDCWD, stack, O_PATH | O_DIRECTORY, err);
	if (p->stack_fd < 0)
		return p->stack_fd;
	ret = stack_read(p->stack_fd, &p->stack, err);
	if (ret < 0)
		return ret;
	p->proc_fd = open_path(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, err);
	if (p->proc_fd < 0)
		return p->proc_fd;
	p->init_fd = open_path(c->libexec_fd, "paas-init", O_PATH, err);
	if (p->init_fd < 0)
		return p->init_fd;
	p->filter_fd = seccomp_filter(err);
	if (p->filter_fd < 0)
		return p->filter_fd;
	p->mtu = net_default_mtu();
	ret = refresh_resolv(s, err);
	return ret < 0 ? ret : cgroups_open(&p->cgroups, p->name, err);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(take_fd(fd));
}

static void
free_supervisor(struct supervisor *s)
{
	struct platform *p = &s->platform;

	loop_timer_cancel(p->loop, &s->stop_timer);
	loop_timer_cancel(p->loop, &s->stopped_timer);
	disks_done(&p->disks);
	chores_done(&p->chores);
	cgroups_close(&p->cgroups);
	close_fd(&p->stack_fd);
	close_fd(&p->proc_fd);
	close_fd(&p->init_fd);
	close_fd(&p->filter_fd);
	map_done(&s->sandboxes);
	free(s);
}

int
supervisor_open(const struct supervisor_config *config, struct supervisor **ret_supervisor,
		struct err *err)
{
	struct supervisor *s = calloc(1, sizeof(*s));
	struct platform *p;
	int ret;

	if (!s)
		return err_set(err, -ENOMEM, "start the supervisor");
	assert(!name_check_platform(config->name));
	s->config = *config;
	map_init(&s->sandboxes);
	p = &s->platform;
	*p = (struct platform){
		.name = config->name,
		.loop = config->loop,
		.subnet = config->subnet,
		.state_fd = config->state_fd,
		.runtime_fd = config->runtime_fd,
		.libexec_fd = config->libexec_fd,
		.control_gid = config->control_gid,
		.stack_fd = -1,
		.proc_fd = -1,
		.init_fd = -1,
		.filter_fd = -1,
		.cgroups = {.reg = {.root_fd = -1, .fd = -1}, .v1_fds = {-1, -1, -1}},
	};
	chores_init(&p->chores, p->loop, &p->state_fd, 1);
	disks_init(&p->disks, p->loop, &p->chores, p->state_fd);
	ret = open_platform(s, err);
	if (ret < 0) {
		free_supervisor(s);
		return ret;
	}
	log_line("limits by cgroup %s", p->cgroups.backend->name);
	load_firewall(s);
	*ret_supervisor = s;
	return 0;
}

void
supervisor_close(struct supervisor *s)
{
	struct sandbox *sb;
	size_t at = 0;

	if (!s)
		return;
	while ((sb = map_next(&s->sandboxes, &at)) != NULL) {
		/* What stays mounted belongs to the next paasd. */
		sb->disk.disk = NULL;
		sandbox_free(sb);
	}
	free_supervisor(s);
}

size_t
supervisor_count(const struct supervisor *s)
{
	return s->sandboxes.n;
}

/* ---- adoption ---------------------------------------------------------------------------- */

static int
adopt_entry(void *user, const char *entry)
{
	struct supervisor *s = user;
	struct sandbox_order order;
	struct sandbox *sb;

	if (sandbox_name_read(entry, &order) < 0)
		return 0;
	/* "v3.web.1" logs as "app[web.1]". */
	if (order.kind == SANDBOX_APP) {
		const char *label = order.label;
		const char *dot = label[0] == 'v' ? strchr(label, '.') : NULL;

		(void)snprintf(order.source, sizeof(order.source), "app[%.70s]",
			       dot ? dot + 1 : label);
	}
	sb = sandbox_adopt(&s->platform, &order, entry, &sandbox_events, s);
	if (!sb)
		return 0;
	if (map_set_id(&s->sandboxes, order.id, sb) < 0) {
		sandbox_free(sb);
		return -ENOMEM;
	}
	return 0;
}

int
supervisor_adopt(struct supervisor *s, struct err *err)
{
	int ret = register_walk(&s->platform.cgroups.reg, adopt_entry, s);

	if (ret < 0)
		return err_set(err, ret, "walk the register of sandboxes");
	disks_sweep(&s->platform.disks);
	if (s->sandboxes.n)
		log_line("adopted %zu sandboxes", s->sandboxes.n);
	return 0;
}

/* ---- from control ------------------------------------------------------------------------ */

static void
take_fds(struct msg *m, const struct sandbox_order *order, int *spec_fd, int stdio_fds[3],
	 int *job_fd)
{
	size_t at = 0;

	*spec_fd = msg_take_fd(m, at++);
	for (size_t i = 0; i < 3; i++)
		stdio_fds[i] = order->flags & SANDBOX_STDIO ? msg_take_fd(m, at++) : -1;
	*job_fd = order->flags & SANDBOX_JOB ? msg_take_fd(m, at++) : -1;
}

static void
give_log(struct supervisor *s, struct sandbox *sb)
{
	AUTO_FD int fd = -1;

	if (!sandbox_wants_log(sb) || !sb->order.source[0])
		return;
	/* While paas-logs is away init keeps what it can; supervisor_logs_up comes. */
	fd = s->config.open_logs(s->config.user, sb->order.app, sb->order.source);
	if (fd >= 0)
		sandbox_set_log(sb, fd);
}

static int
start_sandbox(struct supervisor *s, struct msg *m, struct err *err)
{
	struct sandbox_order order;
	struct sandbox *sb;
	int spec_fd, stdio_fds[3], job_fd;
	size_t n_fds;
	int ret;

	ret = sandbox_order_read(&m->in, &order, err);
	if (ret < 0)
		return ret;
	if (wire_end(&m->in) < 0)
		return err_say(err, -EBADMSG, "an order is longer than it should be");
	n_fds = 1 + (order.flags & SANDBOX_STDIO ? 3 : 0) + (order.flags & SANDBOX_JOB ? 1 : 0);
	if (m->n_fds != n_fds)
		return err_say(err, -EBADMSG, "an order came with %zu fds instead of %zu", m->n_fds,
			       n_fds);
	if (map_find_id(&s->sandboxes, order.id))
		return err_say(err, -EBADMSG, "the sandbox %llu was ordered twice",
			       (unsigned long long)order.id);
	if (order.address &&
	    (order.address < 2 || order.address > subnet_size(&s->platform.subnet)))
		return err_say(err, -EBADMSG, "the subnet has no address number %u", order.address);

	if (s->is_stopping) {
		send_failed(s, order.id, "the platform is stopping");
		return 0;
	}
	follow_resolver(s);
	take_fds(m, &order, &spec_fd, stdio_fds, &job_fd);
	sb = sandbox_new(&s->platform, &order, spec_fd, stdio_fds, job_fd, &sandbox_events, s);
	if (!sb || map_set_id(&s->sandboxes, order.id, sb) < 0) {
		sandbox_free(sb);
		send_failed(s, order.id, "paasd is out of memory");
		return 0;
	}
	give_log(s, sb);
	sandbox_advance(sb);
	return 0;
}

/* The sandbox a message is about; NULL: it ended meanwhile, which control will learn. */
static struct sandbox *
find(struct supervisor *s, struct msg *m, uint8_t *value, struct err *err, int *ret)
{
	uint64_t id = wire_get_u64(&m->in);

	*ret = 0;
	if (value)
		*value = wire_get_u8(&m->in);
	if (wire_end(&m->in) < 0) {
		*ret = err_say(err, -EBADMSG, "%s is malformed", msg_name(m->type));
		return NULL;
	}
	return map_find_id(&s->sandboxes, id);
}

static void
reply_chore(struct supervisor *s, uint32_t token, int code, const char *why)
{
	struct msg m;

	msg_begin(&m, MSG_CHORE_DONE, 0);
	wire_put_u32(&m.out, token);
	wire_put_u32(&m.out, (uint32_t)-code);
	wire_put_str(&m.out, why);
	(void)send_control(s, &m);
}

static void
on_errand_done(void *user, int code, const struct err *why)
{
	struct errand *errand = user;

	reply_chore(errand->s, errand->token, code, code < 0 ? why->text : "");
	free(errand);
}

static bool
has_sandboxes(const struct supervisor *s, const char *app)
{
	const struct sandbox *sb;
	size_t at = 0;

	while ((sb = map_next(&s->sandboxes, &at)) != NULL) {
		if (strcmp(sb->order.app, app) == 0)
			return true;
	}
	return false;
}

static void
run_errand(struct supervisor *s, uint32_t token, const struct app_files *files, chore_fn *fn)
{
	struct errand *errand = malloc(sizeof(*errand));
	int ret = -ENOMEM;

	if (errand) {
		*errand = (struct errand){.s = s, .token = token};
		ret = chores_add(&s->platform.chores, fn, files, sizeof(*files), on_errand_done,
				 errand);
	}
	if (ret < 0) {
		free(errand);
		reply_chore(s, token, ret, "paasd cannot start another chore");
	}
}

static int
start_errand(struct supervisor *s, struct msg *m, struct err *err)
{
	struct app_files files = {
		.state_fd = s->platform.state_fd,
		.control_gid = s->platform.control_gid,
	};
	uint32_t token = wire_get_u32(&m->in);

	wire_get_str(&m->in, files.app, sizeof(files.app));
	if (m->type == MSG_APP_CREATE) {
		files.run_uid = wire_get_u32(&m->in);
		files.build_uid = wire_get_u32(&m->in);
	} else if (m->type == MSG_SLUG_REMOVE) {
		files.slug = wire_get_u32(&m->in);
	}
	if (wire_end(&m->in) < 0 || name_check_app(files.app))
		return err_say(err, -EBADMSG, "%s is malformed", msg_name(m->type));
	if (m->type == MSG_APP_CREATE) {
		if (!files.run_uid || !files.build_uid)
			return err_say(err, -EBADMSG, "an app may not have root's id");
		run_errand(s, token, &files, app_files_create);
	} else if (m->type == MSG_SLUG_REMOVE) {
		run_errand(s, token, &files, app_files_remove_slug);
	} else if (has_sandboxes(s, files.app) || disks_forget(&s->platform.disks, files.app) < 0) {
		reply_chore(s, token, -EBUSY, "something of the app still runs");
	} else {
		run_errand(s, token, &files, app_files_remove);
	}
	return 0;
}

int
supervisor_message(struct supervisor *s, struct msg *m, struct err *err)
{
	struct sandbox *sb;
	uint8_t value;
	int ret;

	switch ((int)m->type) {
	case MSG_SANDBOX_START:
		return start_sandbox(s, m, err);
	case MSG_SANDBOX_SIGNAL:
		sb = find(s, m, &value, err, &ret);
		if (ret == 0 && (value < 1 || value > SIGRTMAX))
			return err_say(err, -EBADMSG, "there is no signal %u", value);
		if (sb)
			sandbox_signal(sb, value);
		return ret;
	case MSG_SANDBOX_KILL:
		sb = find(s, m, NULL, err, &ret);
		if (sb)
			sandbox_kill(sb);
		return ret;
	case MSG_SANDBOX_PORTS:
		sb = find(s, m, NULL, err, &ret);
		if (sb)
			sandbox_ask_ports(sb);
		return ret;
	case MSG_APP_CREATE:
	case MSG_APP_REMOVE:
	case MSG_SLUG_REMOVE:
		return start_errand(s, m, err);
	default:
		return err_say(err, -EBADMSG, "%s is not for the supervisor", msg_name(m->type));
	}
}

void
supervisor_logs_up(struct supervisor *s)
{
	struct sandbox *sb;
	size_t at = 0;

	while ((sb = map_next(&s->sandboxes, &at)) != NULL)
		give_log(s, sb);
}

/* ---- the end ----------------------------------------------------------------------------- */

/* A sandbox may be forgotten inside; map_next allows that for the one it just gave. */
static void
for_each(struct supervisor *s, void (*fn)(struct sandbox *sb, int value), int value)
{
	struct sandbox *sb;
	size_t at = 0;

	while ((sb = map_next(&s->sandboxes, &at)) != NULL)
		fn(sb, value);
}

static void
kill_one(struct sandbox *sb, int unused)
{
	(void)unused;
	sandbox_kill(sb);
}

static void
record_one(struct sandbox *sb, int unused)
{
	(void)unused;
	if (!sb->has_outcome || sb->is_recorded)
		return;
	sandbox_recorded(sb);
	if (sb->state == SANDBOX_GONE)
		forget(sb->user, sb);
}

static void
on_grace_over(struct loop_timer *timer)
{
	for_each(container_of(timer, struct supervisor, stop_timer), kill_one, 0);
}

static void
on_stopped_poll(struct loop_timer *timer)
{
	struct supervisor *s = container_of(timer, struct supervisor, stopped_timer);
	struct platform *p = &s->platform;

	if (s->sandboxes.n == 0)
		disks_close(&p->disks);
	if (s->sandboxes.n == 0 && disks_are_idle(&p->disks) && chores_count(&p->chores) == 0) {
		loop_timer_cancel(p->loop, &s->stop_timer);
		s->stopped(s->config.user);
		return;
	}
	(void)loop_timer_set(p->loop, &s->stopped_timer, STOP_POLL_MS, on_stopped_poll);
}

void
supervisor_stop_all(struct supervisor *s, uint64_t grace_ms, void (*done)(void *user))
{
	struct loop *loop = s->platform.loop;

	s->is_stopping = true;
	s->stopped = done;
	for_each(s, record_one, 0);
	for_each(s, sandbox_signal, SIGTERM);
	if (loop_timer_set(loop, &s->stop_timer, grace_ms, on_grace_over) < 0)
		for_each(s, kill_one, 0);
	(void)loop_timer_set(loop, &s->stopped_timer, 0, on_stopped_poll);
}

void
supervisor_remove(struct supervisor *s)
{
	struct firewall_order order = firewall_order(s);
	struct err why = {0};

	if (firewall_remove(&order, &why) < 0)
		log_line("the firewall's table stays: %s", why.text);
	net_remove_all(s->platform.name);
	(void)unlinkat(s->platform.runtime_fd, RESOLV_FILE, 0);
	cgroups_remove_root(&s->platform.cgroups);
}

/* ---- routers ----------------------------------------------------------------------------- */

int
supervisor_register_fd(const struct supervisor *s)
{
	return s->platform.cgroups.reg.fd;
}

static void
router_entry(uint32_t worker, char out[32])
{
	(void)snprintf(out, 32, "router.%u", worker);
}

int
supervisor_router_add(struct supervisor *s, uint32_t worker, pid_t pid, struct err *err)
{
	AUTO_FD int fd = -1;
	char entry[32], text[16];
	int ret;

	router_entry(worker, entry);
	fd = register_add(&s->platform.cgroups.reg, entry);
	if (fd < 0)
		return err_set(err, fd, "register router worker %u", worker);
	(void)snprintf(text, sizeof(text), "%d", pid);
	ret = file_write_at(fd, "cgroup.procs", text);
	return ret < 0 ? err_set(err, ret, "register router worker %u", worker) : 0;
}

void
supervisor_router_remove(struct supervisor *s, uint32_t worker)
{
	char entry[32];

	router_entry(worker, entry);
	(void)register_remove(&s->platform.cgroups.reg, entry);
}

struct router_walk {
	struct supervisor *s;
	struct supervisor_router *routers;
	size_t n, max;
};

static int
take_router(void *user, const char *entry)
{
	struct router_walk *walk = user;
	struct sandbox_register *reg = &walk->s->platform.cgroups.reg;
	AUTO_FD int fd = -1;
	char again[32], *end;
	unsigned long worker;
	pid_t pid;
	int pid_fd;

	if (strncmp(entry, "router.", 7) != 0 || walk->n == walk->max)
		return 0;
	worker = strtoul(entry + 7, &end, 10);
	router_entry((uint32_t)worker, again);
	/* What strtoul is lenient about does not come back. */
	if (*end || strcmp(again, entry) != 0)
		return 0;
	fd = register_find(reg, entry);
	if (fd < 0)
		return 0;
	if (register_pids(fd, &pid, 1) != 1) {
		(void)register_remove(reg, entry);
		return 0;
	}
	pid_fd = register_open_pid(fd, pid);
	if (pid_fd >= 0)
		walk->routers[walk->n++] = (struct supervisor_router){
			.worker = (uint32_t)worker, .pid = pid, .pid_fd = pid_fd};
	return 0;
}

int
supervisor_routers(struct supervisor *s, struct supervisor_router *routers, size_t max)
{
	struct router_walk walk = {.s = s, .routers = routers, .max = max};
	int ret = register_walk(&s->platform.cgroups.reg, take_router, &walk);

	return ret < 0 ? ret : (int)walk.n;
}

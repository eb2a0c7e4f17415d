/*
 * The live side of control with a paasd that is a test: a real store in a directory of its own, a
 * real loop, and at the other end of the channel a program that sees every order, answers it when
 * told to, and plays builder, hook and session on the channels that come with it.
 */
#ifndef TESTS_CONTROL_PAASD_H
#define TESTS_CONTROL_PAASD_H

#include "tests/unit/control/fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/loop.h"
#include "lib/msg.h"
#include "lib/sandbox.h"

#include "daemon/control/core.h"
#include "daemon/control/live_app.h"
#include "daemon/control/options.h"
#include "daemon/control/start.h"

#define PAASD_MAX 256

struct paasd_order {
	struct sandbox_order order;
	int spec_fd, stdio[3], job_fd;
	bool is_signalled, is_killed, is_asked, is_gone;
	int listen_fd; /* a web instance that accepts */
};

static struct {
	struct loop loop;
	struct options options;
	struct live live;
	int fd; /* our end of the channel */
	struct paasd_order orders[PAASD_MAX];
	size_t n_orders, n_seen;
	char log[65536];    /* what control wrote into the apps' logs */
	char routes[16384]; /* "hello:up web.1 web.2;" the last state of each app, newest last */
	uint64_t generation;
	bool acks, is_ready;
	unsigned n_removed_slugs, n_removed_apps;
} paasd;

/* ---- sending ----------------------------------------------------------------------------------
 */

static inline struct msg *
paasd_begin(enum msg_type type, uint32_t peer)
{
	static struct msg m;

	msg_begin(&m, type, peer);
	return &m;
}

static inline void
paasd_send(struct msg *m)
{
	assert_int_equal(msg_send(paasd.fd, m), 0);
}

static inline void
paasd_say_id(enum msg_type type, uint64_t id)
{
	struct msg *m = paasd_begin(type, 0);

	wire_put_u64(&m->out, id);
	paasd_send(m);
}

static inline void
paasd_router(enum msg_type type, uint32_t peer, uint64_t number)
{
	struct msg *m = paasd_begin(type, peer);

	if (type != MSG_ROUTER_UP && type != MSG_ROUTER_DOWN)
		wire_put_u64(&m->out, number);
	paasd_send(m);
}

/* ---- hearing ----------------------------------------------------------------------------------
 */

static inline void
paasd_hear_order(struct msg *m)
{
	struct paasd_order *o = &paasd.orders[paasd.n_orders];
	size_t at = 1;

	assert_true(paasd.n_orders < PAASD_MAX);
	memset(o, 0, sizeof(*o));
	assert_int_equal(sandbox_order_read(&m->in, &o->order, &err), 0);
	assert_int_equal(wire_end(&m->in), 0);
	o->job_fd = o->listen_fd = o->stdio[0] = o->stdio[1] = o->stdio[2] = -1;
	o->spec_fd = msg_take_fd(m, 0);
	for (int i = 0; (o->order.flags & SANDBOX_STDIO) && i < 3; i++)
		o->stdio[i] = msg_take_fd(m, at++);
	if (o->order.flags & SANDBOX_JOB)
		o->job_fd = msg_take_fd(m, at++);
	assert_int_equal(at, m->n_fds);
	paasd.n_orders++;
}

static inline void paasd_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline void
paasd_note(const char *fmt, ...)
{
	size_t len = strlen(paasd.routes);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(paasd.routes + len, sizeof(paasd.routes) - len, fmt, ap);
	va_end(ap);
}

static inline void
paasd_hear_route(struct msg *m)
{
	char name[128];

	(void)wire_get_u32(&m->in);
	wire_get_str(&m->in, name, sizeof(name));
	paasd_note("%s:%u", name, wire_get_u8(&m->in));
	for (unsigned n = wire_get_u16(&m->in); n > 0; n--) {
		unsigned long long instance = wire_get_u64(&m->in);

		(void)wire_get_u32(&m->in);
		(void)wire_get_u16(&m->in);
		wire_get_str(&m->in, name, sizeof(name));
		paasd_note(" %llu", instance);
	}
	paasd_note(";");
}

static inline struct paasd_order *
paasd_find(uint64_t id)
{
	for (size_t i = 0; i < paasd.n_orders; i++)
		if (paasd.orders[i].order.id == id)
			return &paasd.orders[i];
	fail_msg("no sandbox %llu", (unsigned long long)id);
	abort();
}

static inline void
paasd_done(uint32_t token)
{
	struct msg *m = paasd_begin(MSG_CHORE_DONE, 0);

	wire_put_u32(&m->out, token);
	wire_put_u32(&m->out, 0);
	wire_put_str(&m->out, "");
	paasd_send(m);
}

static inline void
paasd_hear_chore(struct msg *m)
{
	uint32_t token = wire_get_u32(&m->in);
	char app[64], path[128];

	wire_get_str(&m->in, app, sizeof(app));
	(void)snprintf(path, sizeof(path), "slugs/%s", app);
	if (m->type == MSG_APP_CREATE) {
		(void)mkdir("slugs", 0700);
		(void)mkdir(path, 0700);
	} else if (m->type == MSG_APP_REMOVE) {
		assert_int_equal(file_remove_tree(AT_FDCWD, path), 0);
		paasd.n_removed_apps++;
	} else {
		paasd.n_removed_slugs++;
	}
	paasd_done(token);
}

static inline void
paasd_hear(struct msg *m)
{
	char app[64], source[128], text[1024];

	switch ((int)m->type) {
	case MSG_SANDBOX_START:
		paasd_hear_order(m);
		break;
	case MSG_SANDBOX_SIGNAL:
		paasd_find(wire_get_u64(&m->in))->is_signalled = true;
		assert_int_equal(wire_get_u8(&m->in), SIGTERM);
		break;
	case MSG_SANDBOX_KILL:
		paasd_find(wire_get_u64(&m->in))->is_killed = true;
		break;
	case MSG_SANDBOX_PORTS:
		paasd_find(wire_get_u64(&m->in))->is_asked = true;
		break;
	case MSG_APP_CREATE:
	case MSG_APP_REMOVE:
	case MSG_SLUG_REMOVE:
		paasd_hear_chore(m);
		break;
	case MSG_LOGS_WRITE:
		wire_get_str(&m->in, app, sizeof(app));
		wire_get_str(&m->in, source, sizeof(source));
		wire_get_str(&m->in, text, sizeof(text));
		size_t len = strlen(paasd.log);

		(void)snprintf(paasd.log + len, sizeof(paasd.log) - len, "%s: %s\n", source, text);
		break;
	case MSG_ROUTE_APP:
		paasd_hear_route(m);
		break;
	case MSG_ROUTE_DONE:
		paasd.generation = wire_get_u64(&m->in);
		if (paasd.acks)
			paasd_router(MSG_ROUTE_ACK, 1, paasd.generation);
		break;
	case MSG_CONTROL_READY:
		paasd.is_ready = true;
		break;
	default:
		break;
	}
}

/* Lets control work and hears what it says, until it is silent. */
static inline void
paasd_settle(void)
{
	static struct msg m;
	int quiet = 0;

	while (quiet < 3) {
		assert_int_equal(loop_turn(&paasd.loop, 3), 0);
		int ret = msg_receive(paasd.fd, &m);

		if (ret == -EAGAIN) {
			quiet++;
			continue;
		}
		assert_int_equal(ret, 1);
		quiet = 0;
		paasd_hear(&m);
		msg_done(&m);
	}
}

/* Settles until a condition holds; for things that take a timer of control. */
#define paasd_until(condition)                                                                     \
	do {                                                                                       \
		for (int tries_ = 0; tries_ < 2000 && !(condition); tries_++)                      \
			paasd_settle();                                                            \
		assert_true(condition);                                                            \
	} while (0)

/* ---- sandboxes --------------------------------------------------------------------------------
 */

/* The next order nobody has looked at; its kind must be this, its label too ("": any). */
static inline struct paasd_order *
paasd_next(enum sandbox_kind kind, const char *label)
{
	paasd_until(paasd.n_seen < paasd.n_orders);
	struct paasd_order *o = &paasd.orders[paasd.n_seen++];

	assert_int_equal(o->order.kind, kind);
	if (label[0] != '\0')
		assert_string_equal(o->order.label, label);
	return o;
}

static inline void
paasd_no_more_orders(void)
{
	paasd_settle();
	assert_int_equal(paasd.n_seen, paasd.n_orders);
}

static inline void
paasd_close_fds(struct paasd_order *o)
{
	int *fds[] = {&o->spec_fd,  &o->stdio[0], &o->stdio[1],
		      &o->stdio[2], &o->job_fd,	  &o->listen_fd};

	for (size_t i = 0; i < 6; i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
}

static inline void
paasd_exit(struct paasd_order *o, uint32_t status, bool oom)
{
	struct msg *m = paasd_begin(MSG_SANDBOX_EXITED, 0);

	assert_false(o->is_gone);
	o->is_gone = true;
	paasd_close_fds(o);
	wire_put_u64(&m->out, o->order.id);
	wire_put_u32(&m->out, status);
	wire_put_u8(&m->out, oom);
	wire_put_u64(&m->out, 500 << 20);
	wire_put_u64(&m->out, 512 << 20);
	paasd_send(m);
	paasd_settle();
}

static inline void
paasd_fail(struct paasd_order *o, const char *why)
{
	struct msg *m = paasd_begin(MSG_SANDBOX_FAILED, 0);

	o->is_gone = true;
	paasd_close_fds(o);
	wire_put_u64(&m->out, o->order.id);
	wire_put_str(&m->out, why);
	paasd_send(m);
	paasd_settle();
}

/* It runs; a web instance listens too. */
static inline void
paasd_run(struct paasd_order *o, bool listens)
{
	if (listens) {
		struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(5000)};

		sa.sin_addr.s_addr = htonl(subnet_address(&paasd.options.subnet, o->order.address));
		o->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_true(o->listen_fd >= 0);
		int one = 1;

		assert_int_equal(
			setsockopt(o->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
		assert_int_equal(bind(o->listen_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
		assert_int_equal(listen(o->listen_fd, 100), 0);
	}
	paasd_say_id(MSG_SANDBOX_STARTED, o->order.id);
	paasd_settle();
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static inline void
paasd_add_option(char *argv[], int *argc, const char *text)
{
	argv[*argc] = strdup(text);
	assert_non_null(argv[*argc]);
	(*argc)++;
}

/* Leaks the strings of argv into `options`, as a process does. */
static char *paasd_argv[32];
static int paasd_argc;

static inline void
paasd_connect(void)
{
	int ends[2];

	assert_int_equal(msg_pair(ends, true), 0);
	paasd.fd = ends[0];
	paasd.is_ready = false;
	assert_int_equal(loop_init(&paasd.loop), 0);
	assert_int_equal(
		live_start(&paasd.live, &paasd.loop, store, &paasd.options, ends[1], -1, &err), 0);
}

/* Starts control; nothing is running, one router is there. */
static inline void
paasd_start(const char *const *more)
{
	unsigned pid = (unsigned)getpid();
	char subnet[40];

	/* Instances listen on the host's loopback, which other runs share. */
	(void)snprintf(subnet, sizeof(subnet), "--subnet=127.%u.%u.0/22", 16 + pid / 64 % 200,
		       pid % 64 * 4);
	memset(&paasd, 0, sizeof(paasd));
	paasd.acks = true;
	paasd_argc = 0;
	paasd_add_option(paasd_argv, &paasd_argc, "control");
	paasd_add_option(paasd_argv, &paasd_argc, subnet);
	paasd_add_option(paasd_argv, &paasd_argc, "--domain=example.org");
	for (; more != NULL && *more != NULL; more++)
		paasd_add_option(paasd_argv, &paasd_argc, *more);
	assert_int_equal(options_parse(&paasd.options, paasd_argc, paasd_argv, &err), 0);
	paasd_connect();
	paasd_send(paasd_begin(MSG_SANDBOX_FOUND_END, 0));
	paasd_router(MSG_ROUTER_UP, 1, 0);
	paasd_settle();
	assert_true(paasd.is_ready);
}

static inline void
paasd_found(const struct paasd_order *o)
{
	struct msg *m = paasd_begin(MSG_SANDBOX_FOUND, 0);

	wire_put_u64(&m->out, o->order.id);
	wire_put_u8(&m->out, (uint8_t)o->order.kind);
	wire_put_u32(&m->out, o->order.address);
	wire_put_str(&m->out, o->order.app);
	wire_put_str(&m->out, o->order.label);
	wire_put_u64(&m->out, 1790000000000);
	paasd_send(m);
}

/* kill -9 of control: a new one meets what runs. */
static inline void
paasd_restart_control(void)
{
	live_end(&paasd.live);
	loop_done(&paasd.loop);
	(void)close(paasd.fd);
	fixture_reopen();
	paasd_connect();
	for (size_t i = 0; i < paasd.n_orders; i++)
		if (!paasd.orders[i].is_gone)
			paasd_found(&paasd.orders[i]);
	paasd_send(paasd_begin(MSG_SANDBOX_FOUND_END, 0));
	for (size_t i = 0; i < paasd.n_orders; i++)
		if (!paasd.orders[i].is_gone)
			paasd_say_id(MSG_SANDBOX_STARTED, paasd.orders[i].order.id);
	paasd_router(MSG_ROUTER_UP, 1, 0);
	paasd_settle();
	assert_true(paasd.is_ready);
}

static inline void
paasd_stop(void)
{
	for (size_t i = 0; i < paasd.n_orders; i++)
		paasd_close_fds(&paasd.orders[i]);
	live_end(&paasd.live);
	loop_done(&paasd.loop);
	options_done(&paasd.options);
	(void)close(paasd.fd);
	for (int i = 0; i < paasd_argc; i++)
		free(paasd_argv[i]);
}

/* The route of an app as the routers were told last, "up 123 456". */
static inline const char *
paasd_route(const char *app)
{
	const char *found = "", *at = paasd.routes;
	static char text[512];
	char prefix[64];

	(void)snprintf(prefix, sizeof(prefix), "%s:", app);
	for (; *at != '\0'; at = strchr(at, ';') + 1)
		if (strncmp(at, prefix, strlen(prefix)) == 0)
			found = at + strlen(prefix);
	(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(found, ";"), found);
	return text;
}

static inline bool
paasd_logged(const char *text)
{
	return strstr(paasd.log, text) != NULL;
}

#endif

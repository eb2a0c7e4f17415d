/* Every message is addressed by its type alone; only routers are several, and have numbers. */
#include <errno.h>

#include "lib/chan.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/msg.h"

#include "daemon/hub.h"
#include "daemon/platform.h"
#include "daemon/ready.h"
#include "daemon/supervisor/supervisor.h"

/* ---- passing on ------------------------------------------------------------------------------ */

static void
forward(struct child *to, struct msg *m, uint32_t peer)
{
	if (child_is_up(to))
		(void)chan_forward(&to->chan, m, peer);
}

/* From one who parses what the network sends: a flood is its own fault, not the receiver's. */
static void
forward_from_outside(struct child *from, struct child *to, struct msg *m)
{
	struct err why = {0};

	if (child_is_up(to) && to->chan.n_queued >= to->chan.max_queued / 2) {
		(void)err_say(&why, -ENOBUFS, "it sends more than %s can read", to->row->program);
		child_condemn(from, &why);
		return;
	}
	forward(to, m, from->number);
}

static void
forward_to_routers(struct platform *p, struct msg *m)
{
	uint32_t peer = m->peer; /* forwarding writes another one into the message */

	for (size_t i = 0; i < WORKERS_MAX; i++) {
		struct child *worker = p->workers[i];

		if (worker && (peer == 0 || peer == worker->number))
			forward(worker, m, worker->number);
	}
}

static void
on_own_message(struct platform *p, struct child *from, struct msg *m)
{
	struct err why = {0};
	int ret = 0;

	switch ((int)m->type) {
	case MSG_CONTROL_READY:
	case MSG_RECEIVER_READY:
	case MSG_LOGS_READY:
	case MSG_ROUTER_READY:
		ret = wire_end(&m->in);
		if (ret < 0)
			(void)err_say(&why, ret, "its %s is not well formed", msg_name(m->type));
		else
			from->is_ready = true;
		ready_check(p);
		break;
	default:
		ret = supervisor_message(p->supervisor, m, &why);
		break;
	}
	if (ret < 0)
		child_condemn(from, &why);
}

void
hub_message(struct platform *p, struct child *from, struct msg *m)
{
	/* switch-enum wants every role; those without a channel of ours cannot be addressed. */
	switch ((int)msg_to(m->type)) {
	case ROLE_PARENT:
		on_own_message(p, from, m);
		break;
	case ROLE_CONTROL:
		forward_from_outside(from, &p->control, m);
		break;
	case ROLE_LOGS:
		if (from == &p->control)
			forward(&p->logs, m, 0);
		else
			forward_from_outside(from, &p->logs, m);
		break;
	case ROLE_RECEIVER:
		forward(&p->receiver, m, from->number);
		break;
	case ROLE_ROUTER:
		forward_to_routers(p, m);
		break;
	default: {
		struct err why = {0};

		(void)err_say(&why, -EPROTO, "it sent %s, which paasd does not pass on",
			      msg_name(m->type));
		child_condemn(from, &why);
	}
	}
}

/* ---- greetings ---------------------------------------------------------------------------------
 */

int
hub_send_control(void *user, struct msg *m)
{
	struct platform *p = user;

	if (!child_is_up(&p->control))
		return -EPIPE;
	return chan_send(&p->control.chan, m);
}

static void
tell_control(struct platform *p, enum msg_type type, uint32_t peer)
{
	struct msg m;

	msg_begin(&m, type, peer);
	(void)hub_send_control(p, &m);
}

int
hub_open_logs(void *user, const char *app, const char *source)
{
	struct platform *p = user;
	AUTO_FD int write_fd = -1, read_fd = -1;
	struct msg m;
	int ends[2], ret;

	if (!child_is_up(&p->logs))
		return -EPIPE;
	ret = msg_pair(ends, true);
	if (ret < 0)
		return ret;
	read_fd = ends[0];
	write_fd = ends[1];
	msg_begin(&m, MSG_LOGS_STREAM, 0);
	wire_put_str(&m.out, app);
	wire_put_str(&m.out, source);
	msg_add_fd(&m, read_fd);
	ret = chan_send(&p->logs.chan, &m);
	return ret < 0 ? ret : take_fd(&write_fd);
}

static void
give_router_logs(struct platform *p, struct child *worker)
{
	AUTO_FD int fd = hub_open_logs(p, "", "");
	struct msg m;

	if (fd < 0)
		return; /* the next paas-logs will be announced to it */
	msg_begin(&m, MSG_ROUTER_LOGS, worker->number);
	msg_add_fd(&m, fd);
	child_send(worker, &m);
}

void
hub_control_up(struct platform *p)
{
	supervisor_control_up(p->supervisor);
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (p->workers[i] && child_is_up(p->workers[i]))
			tell_control(p, MSG_ROUTER_UP, p->workers[i]->number);
	}
	if (child_is_up(&p->logs))
		tell_control(p, MSG_LOGS_UP, 0);
}

void
hub_control_down(struct platform *p)
{
	supervisor_control_down(p->supervisor);
}

void
hub_logs_up(struct platform *p)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (p->workers[i] && child_is_up(p->workers[i]))
			give_router_logs(p, p->workers[i]);
	}
	supervisor_logs_up(p->supervisor);
	tell_control(p, MSG_LOGS_UP, 0);
}

void
hub_router_up(struct platform *p, struct child *worker)
{
	give_router_logs(p, worker);
	tell_control(p, MSG_ROUTER_UP, worker->number);
}

void
hub_router_down(struct platform *p, struct child *worker)
{
	tell_control(p, MSG_ROUTER_DOWN, worker->number);
}

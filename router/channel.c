#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/file.h"

#include "router/access.h"
#include "router/channel.h"
#include "router/router.h"
#include "router/table.h"

/* Messages taken per readiness: requests must not wait for a long list of routes. */
#define CHANNEL_BATCH 16
/* Beyond this nobody has listened for so long that the next RESET tells it all anyway. */
#define CHANNEL_WAITING_MAX 65536

/* A message whose only field is a number, or that has none. */
struct channel_waiting {
	struct channel_waiting *next;
	enum msg_type type;
	uint64_t number;
};

static void on_event(struct loop_io *io, uint32_t events);

/* ---- out ------------------------------------------------------------------------------------- */

static int
send_number(struct channel *channel, enum msg_type type, uint64_t number)
{
	struct msg m;

	msg_begin(&m, type, 0);
	if (type != MSG_ROUTER_READY)
		wire_put_u64(&m.out, number);
	return msg_send(channel->io.fd, &m);
}

/* Whoever reads the other end may be gone for a while, or for good; -EPIPE waits as well. */
static void
say(struct channel *channel, enum msg_type type, uint64_t number)
{
	struct channel_waiting *w;

	if (!channel->first && send_number(channel, type, number) == 0)
		return;
	w = channel->n_waiting < CHANNEL_WAITING_MAX ? malloc(sizeof(*w)) : NULL;
	if (!w) {
		log_line("a %s message was dropped: nobody reads the channel", msg_name(type));
		return;
	}
	*w = (struct channel_waiting){.type = type, .number = number};
	*channel->last = w;
	channel->last = &w->next;
	channel->n_waiting++;
	if (channel->io.events)
		(void)loop_change(&channel->router->loop, &channel->io, EPOLLIN | EPOLLOUT);
}

static void
send_waiting(struct channel *channel)
{
	while (channel->first) {
		struct channel_waiting *w = channel->first;

		if (send_number(channel, w->type, w->number) < 0)
			return;
		channel->first = w->next;
		if (!channel->first)
			channel->last = &channel->first;
		channel->n_waiting--;
		free(w);
	}
	(void)loop_change(&channel->router->loop, &channel->io, EPOLLIN);
}

void
channel_say_ready(struct channel *channel)
{
	say(channel, MSG_ROUTER_READY, 0);
}

void
channel_say_drained(struct channel *channel, uint64_t instance)
{
	say(channel, MSG_BACKEND_DRAINED, instance);
}

/* ---- in -------------------------------------------------------------------------------------- */

static int
on_route_app(struct channel *channel, struct msg *m)
{
	char name[APP_NAME_MAX + 1];
	uint32_t id = wire_get_u32(&m->in);
	uint8_t state;
	uint16_t n;

	wire_get_str(&m->in, name, sizeof(name));
	state = wire_get_u8(&m->in);
	n = wire_get_u16(&m->in);
	if (m->in.failed || state > ROUTE_BLANK || n > TABLE_MAX_BACKENDS)
		return -EBADMSG;
	for (uint16_t i = 0; i < n; i++) {
		struct table_row *row = &channel->rows[i];

		row->instance = wire_get_u64(&m->in);
		row->ipv4 = wire_get_u32(&m->in);
		row->port = wire_get_u16(&m->in);
		wire_get_str(&m->in, row->name, sizeof(row->name));
	}
	if (wire_end(&m->in) < 0)
		return -EBADMSG;
	return table_set_app(&channel->router->table, id, name, (enum route_state)state,
			     channel->rows, n);
}

static int
on_route_host(struct channel *channel, struct msg *m)
{
	struct table *table = &channel->router->table;
	char host[TABLE_HOST_MAX + 1];
	uint32_t app = 0;

	wire_get_str(&m->in, host, sizeof(host));
	if (m->type == MSG_ROUTE_HOST)
		app = wire_get_u32(&m->in);
	if (wire_end(&m->in) < 0)
		return -EBADMSG;
	if (m->type == MSG_ROUTE_HOST)
		return table_set_host(table, host, app);
	table_remove_host(table, host);
	return 0;
}

/* From the acknowledgement of a reset on, whoever has forgotten can tell what is still in use. */
static int
on_route_done(struct channel *channel, struct msg *m)
{
	struct table *table = &channel->router->table;
	uint64_t generation = wire_get_u64(&m->in);

	if (wire_end(&m->in) < 0)
		return -EBADMSG;
	if (table->is_resetting) {
		table_reset_end(table);
		for (struct backend *b = table->leaving; b; b = b->next_leaving)
			say(channel, MSG_BACKEND_DRAINING, b->instance);
	}
	say(channel, MSG_ROUTE_ACK, generation);
	return 0;
}

static int
on_message(struct channel *channel, struct msg *m)
{
	struct table *table = &channel->router->table;
	uint32_t app;

	/* The other messages never pass the check. */
	if (m->type == MSG_ROUTER_LOGS) {
		if (wire_end(&m->in) < 0)
			return -EBADMSG;
		access_open(&channel->router->access, msg_take_fd(m, 0));
		return 0;
	}
	if (m->type == MSG_ROUTE_RESET) {
		if (wire_end(&m->in) < 0)
			return -EBADMSG;
		table_reset_begin(table);
		return 0;
	}
	if (m->type == MSG_ROUTE_APP)
		return on_route_app(channel, m);
	if (m->type == MSG_ROUTE_APP_GONE) {
		app = wire_get_u32(&m->in);
		if (wire_end(&m->in) < 0)
			return -EBADMSG;
		table_remove_app(table, app);
		return 0;
	}
	if (m->type == MSG_ROUTE_HOST || m->type == MSG_ROUTE_HOST_GONE)
		return on_route_host(channel, m);
	if (m->type == MSG_ROUTE_DONE)
		return on_route_done(channel, m);
	return -EPROTO;
}

/* Takes one message. False: there is none now. */
static bool
take_message(struct channel *channel)
{
	struct err err;
	struct msg m;
	int ret = msg_receive(channel->io.fd, &m);

	if (ret == -EAGAIN)
		return false;
	if (ret == -EBADMSG) {
		log_line("a message that is none was ignored");
		return true;
	}
	if (ret <= 0) {
		/* Cannot happen while both ends are kept; routes stay as they are. */
		log_line("the channel ended; serving on the last routes");
		loop_remove(&channel->router->loop, &channel->io);
		return false;
	}
	if (msg_check(m.type, ROLE_PARENT, ROLE_ROUTER, PHASE_ANY, m.n_fds, &err) < 0) {
		log_line("%s", err.text);
	} else {
		ret = on_message(channel, &m);
		if (ret < 0)
			log_line("%s was ignored: %s", msg_name(m.type), strerror(-ret));
	}
	msg_done(&m);
	return true;
}

static void
on_event(struct loop_io *io, uint32_t events)
{
	struct channel *channel = container_of(io, struct channel, io);

	if (events & EPOLLOUT)
		send_waiting(channel);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	for (int i = 0; i < CHANNEL_BATCH; i++)
		if (!take_message(channel))
			return;
}

int
channel_open(struct channel *channel, struct router *router, int fd)
{
	int ret;

	*channel = (struct channel){.router = router};
	channel->last = &channel->first;
	channel->rows = calloc(TABLE_MAX_BACKENDS, sizeof(*channel->rows));
	if (!channel->rows)
		return -ENOMEM;
	ret = file_set_nonblocking(fd, true);
	if (ret == 0)
		ret = loop_add(&router->loop, &channel->io, fd, EPOLLIN, on_event);
	return ret;
}

void
channel_close(struct channel *channel)
{
	loop_remove(&channel->router->loop, &channel->io);
	while (channel->first) {
		struct channel_waiting *w = channel->first;

		channel->first = w->next;
		free(w);
	}
	free(channel->rows);
	channel->rows = NULL;
}

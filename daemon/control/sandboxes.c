/* A record lives as long as its sandbox or its address is in use; its owner may go before. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/sandboxes.h"

struct sandbox_record {
	uint64_t id;
	uint32_t address;
	struct sandbox *owner; /* NULL: nobody asks any more */
	bool is_gone;	       /* only its address is still held */
};

static struct sandbox_record *
record_new(struct sandboxes *all, uint64_t id, uint32_t address, struct sandbox *owner)
{
	struct sandbox_record *record = malloc(sizeof(*record));

	if (record == NULL)
		return NULL;
	*record = (struct sandbox_record){.id = id, .address = address, .owner = owner};
	if (map_set_id(&all->records, id, record) < 0) {
		free(record);
		return NULL;
	}
	return record;
}

static void
record_free(struct sandboxes *all, struct sandbox_record *record)
{
	if (record == NULL)
		return;
	addresses_give(all->addresses, record->address);
	(void)map_remove_id(&all->records, record->id);
	free(record);
}

/* The process is gone; the address may have to wait. */
static void
record_end(struct sandboxes *all, struct sandbox_record *record)
{
	if (record->owner != NULL)
		record->owner->id = 0;
	record->owner = NULL;
	record->is_gone = true;
	if (record->address == 0 || !all->holds(all->user, record->id))
		record_free(all, record);
}

static void
send_id(struct sandboxes *all, enum msg_type type, uint64_t id, int signal)
{
	struct msg m;

	msg_begin(&m, type, 0);
	wire_put_u64(&m.out, id);
	if (type == MSG_SANDBOX_SIGNAL)
		wire_put_u8(&m.out, (uint8_t)signal);
	/* A channel to paasd that fails has ended, and we with it. */
	(void)all->send(all->user, &m);
}

void
sandboxes_init(struct sandboxes *all, struct addresses *addresses,
	       int (*send)(void *user, struct msg *m), bool (*holds)(void *user, uint64_t id),
	       void *user)
{
	*all = (struct sandboxes){
		.addresses = addresses, .send = send, .holds = holds, .user = user};
	map_init(&all->records);
}

void
sandboxes_done(struct sandboxes *all)
{
	struct sandbox_record *record;

	for (size_t at = 0; (record = map_next(&all->records, &at)) != NULL;)
		free(record);
	map_done(&all->records);
}

uint64_t
sandboxes_new_id(struct sandboxes *all)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	uint64_t ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	uint64_t id = ms << 20;

	/* Unique for ever, even when the clock was set back. */
	all->last_id = id > all->last_id ? id : all->last_id + 1;
	return all->last_id;
}

static bool
needs_address(const struct sandbox_order *order)
{
	return (order->kind == SANDBOX_APP || order->kind == SANDBOX_BUILD) &&
	       (order->flags & SANDBOX_NO_NET) == 0;
}

static int
send_order(struct sandboxes *all, const struct sandbox_order *order, int spec_fd,
	   const int stdio[3], int job_fd, struct err *err)
{
	struct msg m;

	msg_begin(&m, MSG_SANDBOX_START, 0);
	sandbox_order_write(&m.out, order);
	msg_add_fd(&m, spec_fd);
	for (int i = 0; (order->flags & SANDBOX_STDIO) != 0 && i < 3; i++)
		msg_add_fd(&m, stdio[i]);
	if ((order->flags & SANDBOX_JOB) != 0)
		msg_add_fd(&m, job_fd);
	int ret = all->send(all->user, &m);

	return ret < 0 ? err_set(err, ret, "ask for a sandbox") : 0;
}

int
sandbox_start(struct sandboxes *all, struct sandbox *sandbox, struct sandbox_order *order,
	      int spec_fd, const int stdio[3], int job_fd, sandbox_fn *fn, struct err *err)
{
	order->address = 0;
	if (needs_address(order)) {
		int ret = addresses_take(all->addresses, &order->address, err);

		if (ret < 0)
			return ret;
	}
	order->id = sandboxes_new_id(all);
	*sandbox =
		(struct sandbox){.all = all, .id = order->id, .address = order->address, .fn = fn};
	struct sandbox_record *record = record_new(all, order->id, order->address, sandbox);

	if (record == NULL) {
		addresses_give(all->addresses, order->address);
		sandbox->id = 0;
		return err_set(err, -ENOMEM, "note the sandbox");
	}
	int ret = send_order(all, order, spec_fd, stdio, job_fd, err);

	if (ret < 0) {
		sandbox->id = 0;
		record_free(all, record);
	}
	return ret;
}

void
sandbox_signal(struct sandbox *sandbox, int signal)
{
	if (sandbox->id != 0)
		send_id(sandbox->all, MSG_SANDBOX_SIGNAL, sandbox->id, signal);
}

void
sandbox_kill(struct sandbox *sandbox)
{
	if (sandbox->id != 0)
		send_id(sandbox->all, MSG_SANDBOX_KILL, sandbox->id, 0);
}

void
sandbox_ask_ports(struct sandbox *sandbox)
{
	if (sandbox->id != 0)
		send_id(sandbox->all, MSG_SANDBOX_PORTS, sandbox->id, 0);
}

void
sandbox_abandon(struct sandbox *sandbox)
{
	if (sandbox->id == 0)
		return;
	struct sandbox_record *record = map_find_id(&sandbox->all->records, sandbox->id);

	if (record != NULL)
		record->owner = NULL;
	sandbox_kill(sandbox);
	sandbox->id = 0;
}

int
sandboxes_adopt(struct sandboxes *all, uint64_t id, uint32_t address, struct sandbox *sandbox,
		sandbox_fn *fn)
{
	if (record_new(all, id, address, sandbox) == NULL)
		return -ENOMEM;
	addresses_mark(all->addresses, address);
	if (id > all->last_id)
		all->last_id = id;
	if (sandbox != NULL)
		*sandbox = (struct sandbox){.all = all, .id = id, .address = address, .fn = fn};
	else
		send_id(all, MSG_SANDBOX_KILL, id, 0);
	return 0;
}

static bool
read_news(struct msg *m, struct sandbox_news *news, char *text, size_t cap)
{
	*news = (struct sandbox_news){.text = text, .fd = -1};
	text[0] = '\0';
	switch ((int)m->type) {
	case MSG_SANDBOX_STARTED:
		news->report = SANDBOX_RAN;
		break;
	case MSG_SANDBOX_PTY:
		news->report = SANDBOX_TTY;
		news->fd = msg_take_fd(m, 0);
		break;
	case MSG_SANDBOX_LISTENS:
		news->report = SANDBOX_HEARS;
		wire_get_str(&m->in, text, cap);
		break;
	case MSG_SANDBOX_FAILED:
		news->report = SANDBOX_BROKEN;
		wire_get_str(&m->in, text, cap);
		break;
	case MSG_SANDBOX_EXITED:
		news->report = SANDBOX_ENDED;
		news->status = wire_get_u32(&m->in);
		news->is_oom = wire_get_u8(&m->in) != 0;
		news->peak_bytes = wire_get_u64(&m->in);
		news->limit_bytes = wire_get_u64(&m->in);
		break;
	default:
		return false;
	}
	return wire_end(&m->in) == 0;
}

bool
sandboxes_hear(struct sandboxes *all, struct msg *m)
{
	char text[sizeof(((struct err *)0)->text)];
	struct sandbox_news news;

	if (m->type < MSG_SANDBOX_STARTED || m->type > MSG_SANDBOX_EXITED)
		return false;
	uint64_t id = wire_get_u64(&m->in);
	bool good = read_news(m, &news, text, sizeof(text));
	AUTO_FD int fd = news.fd;
	struct sandbox_record *record = map_find_id(&all->records, id);

	if (!good || record == NULL || record->is_gone)
		return true;
	struct sandbox *owner = record->owner;

	if (news.report == SANDBOX_BROKEN || news.report == SANDBOX_ENDED)
		record_end(all, record);
	if (owner != NULL) {
		owner->fn(owner, &news);
		fd = news.fd;
	}
	return true;
}

void
sandboxes_released(struct sandboxes *all, uint64_t id)
{
	struct sandbox_record *record = map_find_id(&all->records, id);

	if (record != NULL && record->is_gone)
		record_free(all, record);
}

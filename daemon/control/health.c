/*
 * A running probe either has a connection under way or an armed timer, and its timer is in the heap
 * from the start, so that arming it anew cannot fail.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/control/health.h"

#define FIRST_MS 1
#define LONGEST_MS 100
#define ATTEMPT_MS 1000 /* an unanswered SYN is given up and sent anew */

static void on_timer(struct loop_timer *timer);

static void
close_attempt(struct probe *probe)
{
	if (!probe->is_open)
		return;
	loop_remove(probe->health->loop, &probe->io);
	(void)close(probe->io.fd);
	probe->is_open = false;
	probe->health->n_open--;
}

static void
try_again(struct probe *probe)
{
	uint64_t delay_ms = probe->delay_ms;

	close_attempt(probe);
	/* A quarter of the wait so far: nobody learns later than that that it accepts. */
	probe->waited_ms += delay_ms;
	probe->delay_ms = probe->waited_ms / 4;
	if (probe->delay_ms < FIRST_MS)
		probe->delay_ms = FIRST_MS;
	if (probe->delay_ms > LONGEST_MS)
		probe->delay_ms = LONGEST_MS;
	/* The timer is part of the loop's heap since probe_start, so this cannot fail. */
	(void)loop_timer_set(probe->health->loop, &probe->timer, delay_ms, on_timer);
}

static void
accepted(struct probe *probe)
{
	probe_stop(probe);
	probe->fn(probe);
}

static void
on_io(struct loop_io *io, uint32_t events)
{
	struct probe *probe = container_of(io, struct probe, io);
	int code = 0;
	socklen_t len = sizeof(code);

	(void)events;
	if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0 || code != 0)
		try_again(probe);
	else
		accepted(probe);
}

/* Opens a connection; a failure to even try counts like a refusal. */
static void
attempt(struct probe *probe)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(probe->port),
		.sin_addr.s_addr = htonl(probe->ipv4),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		try_again(probe);
		return;
	}
	probe->io.fd = fd;
	probe->is_open = true;
	probe->health->n_open++;
	int code = connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;

	if (code == 0)
		accepted(probe);
	else if (code != EINPROGRESS ||
		 loop_add(probe->health->loop, &probe->io, fd, EPOLLOUT, on_io) < 0)
		try_again(probe);
	else
		(void)loop_timer_set(probe->health->loop, &probe->timer, ATTEMPT_MS, on_timer);
}

static void
on_timer(struct loop_timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);

	if (probe->is_open || probe->health->n_open >= probe->health->max_open)
		try_again(probe);
	else
		attempt(probe);
}

void
health_init(struct health *health, struct loop *loop, unsigned max_open)
{
	*health = (struct health){.loop = loop, .max_open = max_open};
}

int
probe_start(struct health *health, struct probe *probe, uint32_t ipv4, uint16_t port, probe_fn *fn)
{
	*probe = (struct probe){
		.health = health, .ipv4 = ipv4, .port = port, .delay_ms = FIRST_MS, .fn = fn};
	int ret = loop_timer_set(health->loop, &probe->timer, 0, on_timer);

	if (ret < 0)
		probe->health = NULL;
	return ret;
}

void
probe_stop(struct probe *probe)
{
	if (probe->health == NULL)
		return;
	close_attempt(probe);
	loop_timer_cancel(probe->health->loop, &probe->timer);
	probe->health = NULL;
}

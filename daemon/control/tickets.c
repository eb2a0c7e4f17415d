/* A list: at most a few waiting clients. */
#include <stdlib.h>

#include "daemon/control/tickets.h"

#define TICKETS_MAX 4096

struct ticket {
	struct ticket *next;
	uint64_t number;
	uint64_t sandbox; /* 0: it is answered, `exit` says what */
	live_exit_fn *fn; /* NULL: only attends */
	void *user;
	bool has_exit;
	struct instance_exit exit;
};

static void
on_timer(struct loop_timer *timer)
{
	struct tickets *tickets = container_of(timer, struct tickets, timer);
	struct ticket **at = &tickets->head;

	while (*at != NULL) {
		struct ticket *ticket = *at;

		if (ticket->sandbox != 0) {
			at = &ticket->next;
			continue;
		}
		*at = ticket->next;
		tickets->n--;
		if (ticket->fn != NULL)
			ticket->fn(ticket->user, ticket->has_exit ? &ticket->exit : NULL);
		free(ticket);
		/* The callback may have changed the list anywhere. */
		at = &tickets->head;
	}
}

static void
answer_soon(struct tickets *tickets)
{
	(void)loop_timer_set(tickets->loop, &tickets->timer, 0, on_timer);
}

static struct ticket *
ticket_new(struct tickets *tickets, uint64_t sandbox, live_exit_fn *fn, void *user)
{
	struct ticket *ticket = tickets->n < TICKETS_MAX ? calloc(1, sizeof(*ticket)) : NULL;

	if (ticket == NULL)
		return NULL;
	ticket->number = ++tickets->last;
	ticket->sandbox = sandbox;
	ticket->fn = fn;
	ticket->user = user;
	ticket->next = tickets->head;
	tickets->head = ticket;
	tickets->n++;
	return ticket;
}

void
tickets_init(struct tickets *tickets, struct loop *loop,
	     void (*unattended)(void *user, uint64_t sandbox), void *user)
{
	*tickets = (struct tickets){.loop = loop, .unattended = unattended, .user = user};
}

void
tickets_done(struct tickets *tickets)
{
	loop_timer_cancel(tickets->loop, &tickets->timer);
	while (tickets->head != NULL) {
		struct ticket *ticket = tickets->head;

		tickets->head = ticket->next;
		free(ticket);
	}
	tickets->n = 0;
}

uint64_t
tickets_attend(struct tickets *tickets, uint64_t sandbox)
{
	return tickets_wait(tickets, sandbox, NULL, NULL);
}

uint64_t
tickets_wait(struct tickets *tickets, uint64_t sandbox, live_exit_fn *fn, void *user)
{
	struct ticket *ticket = ticket_new(tickets, sandbox, fn, user);

	return ticket != NULL ? ticket->number : 0;
}

uint64_t
tickets_answer(struct tickets *tickets, const struct instance_exit *exit, live_exit_fn *fn,
	       void *user)
{
	struct ticket *ticket = ticket_new(tickets, 0, fn, user);

	if (ticket == NULL)
		return 0;
	ticket->has_exit = true;
	ticket->exit = *exit;
	answer_soon(tickets);
	return ticket->number;
}

bool
tickets_has(const struct tickets *tickets, uint64_t sandbox)
{
	for (const struct ticket *ticket = tickets->head; ticket != NULL; ticket = ticket->next)
		if (ticket->sandbox == sandbox)
			return true;
	return false;
}

void
tickets_ended(struct tickets *tickets, uint64_t sandbox, const struct instance_exit *exit)
{
	bool any = false;

	for (struct ticket *ticket = tickets->head; ticket != NULL; ticket = ticket->next) {
		if (ticket->sandbox != sandbox)
			continue;
		ticket->sandbox = 0;
		ticket->has_exit = exit != NULL;
		if (exit != NULL)
			ticket->exit = *exit;
		any = true;
	}
	if (any)
		answer_soon(tickets);
}

void
tickets_cancel(struct tickets *tickets, uint64_t number)
{
	for (struct ticket **at = &tickets->head; *at != NULL; at = &(*at)->next) {
		struct ticket *ticket = *at;
		uint64_t sandbox = ticket->sandbox;

		if (ticket->number != number)
			continue;
		*at = ticket->next;
		tickets->n--;
		free(ticket);
		if (sandbox != 0 && !tickets_has(tickets, sandbox))
			tickets->unattended(tickets->user, sandbox);
		return;
	}
}

/* n_running never exceeds limit, and nobody waits while there is room. */
#include <stddef.h>

#include "daemon/control/turns.h"

static void
grant(struct turns *turns)
{
	/* The queue is read anew each time: a callback may give its turn back at once. */
	while (turns->n_running < turns->limit && turns->head != NULL) {
		struct turn *turn = turns->head;

		turns->head = turn->next;
		if (turns->head == NULL)
			turns->tail = NULL;
		turn->next = NULL;
		turn->is_running = true;
		turns->n_running++;
		turn->fn(turn, 0);
	}
}

static void
tell_places(struct turns *turns)
{
	unsigned place = turns->n_running;

	for (struct turn *turn = turns->head; turn != NULL; turn = turn->next)
		turn->fn(turn, place++);
}

void
turns_init(struct turns *turns, unsigned limit)
{
	*turns = (struct turns){.limit = limit};
}

void
turn_take(struct turns *turns, struct turn *turn, turn_fn *fn)
{
	*turn = (struct turn){.turns = turns, .fn = fn};
	if (turns->tail != NULL)
		turns->tail->next = turn;
	else
		turns->head = turn;
	turns->tail = turn;
	if (turns->n_running < turns->limit) {
		grant(turns);
		return;
	}
	unsigned place = turns->n_running;

	for (struct turn *t = turns->head; t != turn; t = t->next)
		place++;
	turn->fn(turn, place);
}

void
turn_take_first(struct turns *turns, struct turn *turn, turn_fn *fn)
{
	*turn = (struct turn){.turns = turns, .fn = fn, .next = turns->head};
	turns->head = turn;
	if (turns->tail == NULL)
		turns->tail = turn;
	grant(turns);
	if (turn->turns == turns && !turn->is_running)
		tell_places(turns);
}

static void
unlink_waiting(struct turns *turns, struct turn *turn)
{
	struct turn *before = NULL;

	for (struct turn *t = turns->head; t != turn; t = t->next)
		before = t;
	if (before != NULL)
		before->next = turn->next;
	else
		turns->head = turn->next;
	if (turns->tail == turn)
		turns->tail = before;
}

void
turn_give(struct turn *turn)
{
	struct turns *turns = turn->turns;

	if (turns == NULL)
		return;
	if (turn->is_running)
		turns->n_running--;
	else
		unlink_waiting(turns, turn);
	*turn = (struct turn){0};
	grant(turns);
	tell_places(turns);
}

/*
 * A queue with a number of places at its head: the pushes of an app (one at a time), its
 * roll-outs, the build slots of the platform. First come, first served; who waits is told
 * how many are before it.
 */
#ifndef CONTROL_TURNS_H
#define CONTROL_TURNS_H

#include <stdbool.h>

struct turn;
/* `place` 0: it is your turn now (may be called from inside turn_take, and may give turns back);
 * otherwise the number of those before you (may not touch the queue). */
typedef void turn_fn(struct turn *turn, unsigned place);

struct turns {
	unsigned limit, n_running;
	struct turn *head, *tail; /* those who wait */
};

struct turn {
	struct turns *turns; /* NULL: neither waits nor runs */
	struct turn *next;
	turn_fn *fn;
	bool is_running;
};

void turns_init(struct turns *turns, unsigned limit);
/* Queues up; `turn` is zeroed or was given back. */
void turn_take(struct turns *turns, struct turn *turn, turn_fn *fn);
/* Likewise, but before all who wait already. */
void turn_take_first(struct turns *turns, struct turn *turn, turn_fn *fn);
/* Gives a turn back, or leaves the queue; others may get theirs from inside this call. A turn
 * that is neither waiting nor running is left alone. */
void turn_give(struct turn *turn);

#endif

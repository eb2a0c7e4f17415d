/* control, receiver and logs: how each is started, and what its death means to the others. */
#ifndef DAEMON_RESIDENTS_H
#define DAEMON_RESIDENTS_H

#include <stdbool.h>

struct err;
struct platform;

void residents_init(struct platform *p);

/*
 * An earlier paasd's control and logs end on their own when it dies; two of a kind must never
 * write the same files. Waits for those still there, a moment, then kills them. Blocks for at
 * most a few seconds. 0 or -errno with a sentence.
 */
int residents_await_predecessors(struct platform *p, struct err *err);
/* Starts logs, control and the making of host keys, which starts the receiver. */
void residents_start(struct platform *p);
/* All three have said that they serve. */
bool residents_are_ready(const struct platform *p);
/* Ends whatever the receiver left running for its connections, and removes the directories of
 * the register. Blocks for at most a second. */
void residents_remove(struct platform *p);

#endif

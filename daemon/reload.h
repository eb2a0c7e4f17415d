/*
 * SIGHUP: becomes the program that is installed now, with the configuration as it is now. What
 * runs is adopted as after a crash, only that everybody knew it was coming.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

struct err;
struct platform;

void reload_init(struct platform *p);
/* Starts the self-test of the new program; if it passes, this one ends by executing it. */
void reload_begin(struct platform *p);

/* The self-test: the programs and the stack are there. 0 or -errno with a sentence. */
int reload_self_test(const struct platform *p, struct err *err);

#endif

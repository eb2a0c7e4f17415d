/*
 * The start of the live side, and what paasd tells it: first what outlived an earlier control,
 * then, for as long as both live, what happens.
 */
#ifndef CONTROL_START_H
#define CONTROL_START_H

struct err;
struct live;
struct loop;
struct options;
struct store;

/*
 * Takes the channel to paasd (`parent_fd`) and serves the API on `listen_fd` (borrowed) once all
 * that runs was adopted. The loop is stopped when paasd is gone. 0 or a negative errno.
 */
int live_start(struct live *live, struct loop *loop, struct store *store,
	       const struct options *options, int parent_fd, int listen_fd, struct err *err);
/* Forgets everything without touching what runs. */
void live_end(struct live *live);

#endif

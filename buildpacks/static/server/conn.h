/* One client: reads heads, sends answers, one after the other. */
#ifndef STATIC_CONN_H
#define STATIC_CONN_H

#include <stdbool.h>

#include "lib/loop.h"

#include "buildpacks/static/server/answer.h"

struct site;
struct conn;

/* What all connections share. */
struct server {
	struct loop *loop;
	const struct site *site;
	struct conn *first; /* all of them */
	unsigned n, max;
	bool is_ending;				  /* no answer keeps its connection alive */
	void (*on_closed)(struct server *server); /* one went away: there is room */
};

/* Takes the non-blocking `fd`. 0, or -errno (closed then). */
int conn_open(struct server *server, int fd);
/* Ends those that wait for a request; the others end behind their answer. */
void conn_end_idle(struct server *server);
/* Ends all. */
void conn_end_all(struct server *server);

#endif

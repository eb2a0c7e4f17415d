/*
 * Streams of messages from paas-init and the routers: what apps print, and one line per request.
 * Nothing in them is trusted. A message that breaks a rule ends its stream; a stream that says
 * too much is not read for a moment, so that its sender is the one who drops.
 */
#ifndef DAEMON_LOGS_STREAM_H
#define DAEMON_LOGS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct msg;
struct store;
struct stream;

#define STREAM_MAX 8192

struct streams {
	struct loop *loop;
	struct store *store;
	struct stream *head;
	size_t n;
};

void streams_init(struct streams *streams, struct loop *loop, struct store *store);
/* Reads what has arrived, once more, and closes all of them. */
void streams_done(struct streams *streams);

/* Reads from `fd`, which is taken: lines of `app` as `source`, or with both empty those of a
 * router, each of which names its app. 0; -EMFILE; -errno. The fd is closed then too. */
int stream_open(struct streams *streams, int fd, const char *app, const char *source);
/* Ends all streams of an app. */
void stream_close_app(struct streams *streams, const char *app);

/* Stores what one message says, sent by an init as `source` of `app`, or by a router (both
 * empty). 0 or -EBADMSG. For the tests; streams do this for all they read. */
int stream_message(struct store *store, const char *app, const char *source, struct msg *m);

#endif

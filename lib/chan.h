/*
 * A message channel on a loop: checks every message against the table, queues what the
 * socket does not take (bounded), and ends the channel - never the process - when the peer
 * breaks a rule, closes, or lets the queue overflow.
 */
#ifndef LIB_CHAN_H
#define LIB_CHAN_H

#include "lib/loop.h"
#include "lib/msg.h"

struct chan;
struct chan_packet;

/* `m` is valid during the call; fds not taken are closed after it. */
typedef void chan_message_fn(struct chan *chan, struct msg *m);
/* The channel is already closed; `why` is NULL when the peer hung up. May free the chan. */
typedef void chan_closed_fn(struct chan *chan, const struct err *why);

struct chan {
	struct loop *loop;
	struct loop_io io;
	enum role self, other;
	enum msg_phase phase;
	bool is_hub; /* paasd: messages for others are delivered too, to be forwarded */
	struct chan_packet *out_head, *out_tail;
	size_t n_queued, max_queued; /* messages */
	chan_message_fn *on_message;
	chan_closed_fn *on_closed;
	void *user;
	struct loop_timer end_timer;
	int failed; /* -errno of a send; the loop ends the channel next */
	bool *gone; /* set while a callback runs, so that it may free us */
};

/* Takes `fd`, makes it non-blocking, watches it. max_queued is the number of unsent messages
 * at which the channel ends. 0 or -errno (fd is closed then too). */
int chan_open(struct chan *chan, struct loop *loop, int fd, enum role self, enum role other,
	      size_t max_queued, chan_message_fn *on_message, chan_closed_fn *on_closed,
	      void *user);
/* Closes without calling on_closed; a closed or zeroed channel is left alone. */
void chan_close(struct chan *chan);
bool chan_is_open(const struct chan *chan);
/* Sends or queues. 0; -EPIPE on a closed channel; -EMSGSIZE; -ENOBUFS or a socket error, in
 * which case the channel has ended and on_closed is called from the loop, not from here. */
int chan_send(struct chan *chan, struct msg *m);
/* Passes a received message on as it is, with another peer number. As chan_send. */
int chan_forward(struct chan *chan, struct msg *m, uint32_t peer);

#endif

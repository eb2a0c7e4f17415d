/*
 * One SSH session channel: what the client asked for on it, its streams, and its end. libssh calls
 * us from inside its packet parser, where nothing may be written (a flush there parses packets
 * again, behind its own back), so its callbacks only note things; stream_settle acts on them.
 */
#ifndef RECEIVER_STREAM_H
#define RECEIVER_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include "lib/buf.h"

#include "daemon/receiver/command.h"
#include "daemon/receiver/pump.h"

struct stream;
struct session;

/* What runs on a channel. */
struct stream_service {
	/* Takes what the client sent; how much. May be called from inside libssh. */
	size_t (*input)(struct stream *st, const void *p, size_t n);
	/* The client sends no more, and all it sent was taken. */
	void (*ended)(struct stream *st);
	/* SSH "signal": a signal number. */
	void (*signalled)(struct stream *st, int signal);
	/* columns and rows changed */
	void (*resized)(struct stream *st);
	/* The client will not look at any more output. */
	void (*unread)(struct stream *st);
	/* Once per turn, after the client's bytes and before its own go out. */
	void (*settle)(struct stream *st);
	/* The client closed the channel, or is gone altogether; st->ssh is no more. */
	void (*left)(struct stream *st);
	/* Nothing of it is left to wait for. */
	bool (*is_done)(const struct stream *st);
	void (*free)(struct stream *st);
};

enum stream_request {
	STREAM_NOTHING,
	STREAM_COMMAND,
	STREAM_SHELL,
	STREAM_SUBSYSTEM,
};

struct stream {
	struct session *session;
	struct stream *next;
	uint64_t ticket; /* order of arrival */

	ssh_channel ssh; /* NULL: closed */
	struct ssh_channel_callbacks_struct callbacks;

	/* noted by callbacks */
	enum stream_request request;
	struct buf line;    /* of STREAM_COMMAND, or the subsystem's name */
	char protocol[256]; /* GIT_PROTOCOL */
	bool has_pty;
	char term[64];
	uint16_t columns, rows;
	bool is_resized, has_eof, is_closed, is_unread, has_backlog;
	uint64_t signals; /* a bit each */

	bool is_started;
	const struct stream_service *service;
	void *state; /* the service's */
	struct command command;

	struct buf carry; /* taken from libssh, not yet by the service */
	bool is_ended;	  /* ended was called */
	struct inlet in;
	struct outlet out, err;
	bool is_finishing;
	int exit_code;
	const char *exit_signal; /* "TERM"; NULL: none */
};

/* A channel for a client that opens one, in the session's list. NULL: out of memory. */
struct stream *stream_new(struct session *session);
/* Gives back everything, whatever still runs. */
void stream_free(struct stream *st);
/* Does all that can be done now. */
void stream_settle(struct stream *st);
/* The connection is gone: like the client closing the channel. */
void stream_lose(struct stream *st);
/* Nothing of it is left: it can be freed. */
bool stream_is_over(const struct stream *st);

/* Prints "paas: <sentence>" at the client. Not from callbacks of libssh. */
void stream_say(struct stream *st, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Ends with this exit code once both outlets are done. */
void stream_finish(struct stream *st, int exit_code);
/* Likewise, as killed by a signal. */
void stream_finish_signal(struct stream *st, int signal);

#endif

/* One connection: what its channels share. */
#ifndef RECEIVER_SESSION_H
#define RECEIVER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/chan.h"
#include "lib/loop.h"

#include "daemon/receiver/auth.h"

struct stream;

#define SESSION_STREAMS_MAX 8

struct session {
	struct loop loop;
	int control_fd; /* until the login; then the channel has it */
	struct chan control;
	bool is_control_gone;

	ssh_session ssh;
	ssh_event event;
	int client_fd; /* our own duplicate of what libssh has */
	struct loop_io client_io;
	bool is_broken;	     /* libssh reported an error of the connection */
	bool is_lost;	     /* the client is gone */
	bool is_dirty;	     /* something was noted that channels have to act on */
	const char *give_up; /* the connection is to end with this sentence */

	struct auth auth;
	bool is_logged_in;
	int login_fd; /* closing it tells the receiver that the login is done; -1: done */
	struct loop_timer login_timer;
	char address[64];

	int program_fd; /* paas, for execveat */
	uint64_t login_ms, stall_ms, idle_ms, linger_ms;

	struct stream *streams;
	unsigned n_streams;
	uint64_t next_ticket;
	struct stream *git; /* which the messages about git are for */
};

/* May something be written to the client now, without piling it up in memory? */
bool session_can_write(const struct session *s);

#endif

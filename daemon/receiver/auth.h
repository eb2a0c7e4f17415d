/*
 * Who is it? Public keys only; control knows them. Until the login is done the session says just
 * two messages, LOGIN_KEY and LOGIN_PROVED, and waits for the answer to each.
 */
#ifndef RECEIVER_AUTH_H
#define RECEIVER_AUTH_H

#include <stdbool.h>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

struct auth {
	int control_fd;
	ssh_session ssh;
	struct ssh_server_callbacks_struct callbacks;
	ssh_channel_open_request_session_callback open_channel;
	void *user; /* open_channel's */
	unsigned n_offered;
	char fingerprint[80]; /* of the key offered last */
	bool was_told;	      /* the client got its sentence */
	bool is_done;
	char person[80];     /* whom control knows the key as */
	const char *give_up; /* the connection is to end with this sentence */
};

/* Prepares `ssh` for logins; `auth` must outlive it. Once somebody is logged in, open_channel is
 * called with `user` for every session channel. */
void auth_init(struct auth *auth, ssh_session ssh, int control_fd,
	       ssh_channel_open_request_session_callback open_channel, void *user);
/* Looks at a message libssh has no callback for. True when it was the client's last way to log
 * in, and was answered with the sentence; libssh still sends the refusal. */
bool auth_message(struct auth *auth, ssh_message message);

#endif

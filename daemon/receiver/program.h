/* The `paas` program on a channel: with pipes or a terminal, and a connection to the API on fd 3.
 */
#ifndef RECEIVER_PROGRAM_H
#define RECEIVER_PROGRAM_H

struct stream;
struct session;

/* Begins st->command: asks control for a connection; the program starts when it is there. */
void program_start(struct stream *st);
/* API_READY: the connection the program that waits longest gets. Takes the fd. */
void program_api_ready(struct session *s, int api_fd);
/* control is gone: those that wait end. */
void program_control_gone(struct session *s);

#endif

/*
 * The SSH sessions: whose key is it, and what may they do? One channel each; a session that
 * breaks a rule loses its channel and nothing else happens.
 */
#ifndef CONTROL_SESSIONS_H
#define CONTROL_SESSIONS_H

struct live;
struct msg;

/* SESSION_OPEN of the receiver. */
void sessions_open(struct live *live, struct msg *m);
void sessions_close_all(struct live *live);

#endif

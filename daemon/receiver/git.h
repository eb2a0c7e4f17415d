/*
 * git on a channel: receive-pack and upload-pack run in a sandbox that control starts; here
 * are the other ends of their stdio. One at a time has control's ear per connection; others wait.
 */
#ifndef RECEIVER_GIT_H
#define RECEIVER_GIT_H

#include "lib/msg.h"

struct stream;
struct session;

/* Begins what st->command says. */
void git_start(struct stream *st);
/* A GIT_* message for the one that has control's ear. */
void git_message(struct session *s, struct msg *m);
/* control is gone and will say nothing more. */
void git_control_gone(struct session *s);

#endif

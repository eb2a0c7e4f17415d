/*
 * The middle of the star: what one child says to another passes through here, and a child that
 * comes up is told what the others are.
 */
#ifndef DAEMON_HUB_H
#define DAEMON_HUB_H

struct child;
struct msg;
struct platform;

/* A message from any child: handled here, or passed on to whom it is for. One for a child that
 * is down is dropped and its fds are closed. */
void hub_message(struct platform *p, struct child *from, struct msg *m);

/* A new control: what runs, which routers there are, whether logs serve. */
void hub_control_up(struct platform *p);
void hub_control_down(struct platform *p);
/* A new paas-logs: every writer gets a new stream to it. */
void hub_logs_up(struct platform *p);
/* A new or adopted router worker: control shall send it routes; it gets a stream to logs. */
void hub_router_up(struct platform *p, struct child *worker);
void hub_router_down(struct platform *p, struct child *worker);

/* What the supervisor calls; `user` is the platform. */
int hub_send_control(void *user, struct msg *m);
int hub_open_logs(void *user, const char *app, const char *source);

#endif

/* What systemd wants to hear from a Type=notify service (sd_notify(3), without the library). */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* Sends "READY=1\nSTATUS=..." and the like to $NOTIFY_SOCKET. Without one nothing happens; a
 * failure is ignored, since nobody who could be told is listening. */
void notify_send(const char *state);

#endif

/* What listens inside, for the sentence that tells an app's owner why its web never came up. */
#ifndef DAEMON_SUPERVISOR_INIT_PORTS_H
#define DAEMON_SUPERVISOR_INIT_PORTS_H

#include <stddef.h>

#define PORTS_TEXT_MAX 200

/* Appends the listening sockets in `text`, of /proc/net/tcp's (or tcp6's) format, to `out`:
 * "127.0.0.1:3000 [::]:8080", as many as fit, each once. */
void ports_parse(const char *text, char *out, size_t cap);
/* Those of our network namespace. */
void ports_list(char *out, size_t cap);

#endif

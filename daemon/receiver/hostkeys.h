/* The receiver's own keys, ./ed25519_key and ./rsa_key in OpenSSH's format, and the algorithms. */
#ifndef RECEIVER_HOSTKEYS_H
#define RECEIVER_HOSTKEYS_H

#include <libssh/server.h>

struct err;

/* Makes what is missing in `dir_fd`: mode 0600, in one step that survives power loss. A key that is
 * there is never touched. 0 or negative errno. */
int hostkeys_make(int dir_fd, struct err *err);
/* Gives the keys in the current directory and our choice of algorithms to `bind`. 0 or -errno. */
int hostkeys_load(ssh_bind bind, struct err *err);

#endif

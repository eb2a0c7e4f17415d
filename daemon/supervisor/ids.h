/* Who a sandbox's processes are: one id of the host's, seen as 1000 inside, and no rights. */
#ifndef DAEMON_SUPERVISOR_IDS_H
#define DAEMON_SUPERVISOR_IDS_H

#include <stdint.h>
#include <sys/types.h>

struct err;

#define IDS_INSIDE 1000

/* By paasd, once the child is in its new user namespace: maps 1000 to `id`, uid and gid. */
int ids_map(pid_t pid, uint32_t id, struct err *err);

/*
 * By the child, after ids_map: becomes 1000, forbids further user namespaces (through the
 * host's /proc, since the sandbox's own is read-only), gives up every capability and ever
 * getting one. 0 or -errno with a sentence.
 */
int ids_become(int proc_fd, struct err *err);

#endif

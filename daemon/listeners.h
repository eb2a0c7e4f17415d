/*
 * The listening sockets of the configuration. Each is found where it already is - at a router
 * worker that outlived us, or passed by systemd - or bound anew.
 */
#ifndef DAEMON_LISTENERS_H
#define DAEMON_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/addr.h"

#include "daemon/config.h"

struct err;

enum listener_kind {
	LISTENER_HTTP,
	LISTENER_HTTPS,
	LISTENER_SSH,
	LISTENER_KINDS,
};

struct listener {
	struct addr wanted;
	int fd; /* -1: not there yet */
};

struct listeners {
	struct listener of[LISTENER_KINDS][CONFIG_LISTENERS_MAX];
	size_t n[LISTENER_KINDS];
};

#define LISTENERS_TEXT_MAX (CONFIG_LISTENERS_MAX * ADDR_TEXT_MAX)

/* The fd at which children find listener `i` of that kind: 10.., 20.., 30... */
int listener_child_fd(enum listener_kind kind, size_t i);

/* The wanted addresses, none of them open yet. 0 or -EINVAL. */
int listeners_init(struct listeners *l, const struct config *config, struct err *err);
void listeners_done(struct listeners *l);

/*
 * Keeps `fd` when it is a listening TCP socket made by root at an address of that kind still
 * wanted (a wanted port 0 is any port): true, and it is ours. False: it is still the caller's.
 */
bool listeners_offer(struct listeners *l, enum listener_kind kind, int fd);
/* Is `fd` the very socket held as that listener? */
bool listeners_is(const struct listeners *l, enum listener_kind kind, size_t i, int fd);
/* Offers what systemd passed (LISTEN_FDS), closes what nobody wants with a line in the log, and
 * removes the variables, which our children and successors must not see. */
void listeners_from_systemd(struct listeners *l);
/* Binds what is still missing. A wildcard IPv6 address on a host without IPv6 is left out with
 * a line in the log. 0 or negative errno with a sentence. */
int listeners_bind(struct listeners *l, struct err *err);

/* "A:P,A:P" as bound; "" when there is none. Returns `out`, of LISTENERS_TEXT_MAX bytes. */
const char *listeners_text(const struct listeners *l, enum listener_kind kind, char *out);

#endif

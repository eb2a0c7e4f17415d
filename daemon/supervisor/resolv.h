/* Which name servers a sandbox asks: the host's real upstreams, or the gateway as a forward. */
#ifndef DAEMON_SUPERVISOR_RESOLV_H
#define DAEMON_SUPERVISOR_RESOLV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

#define RESOLV_MAX_SERVERS 3 /* MAXNS of resolv.conf(5) */

struct resolv {
	uint32_t forward; /* IPv4 in host order: a resolver that only the host itself reaches; 0:
			     none */
	size_t n_servers;
};

/* Is this IPv4 address (host order) one of the host's own? */
typedef bool resolv_local_fn(uint32_t address);
bool resolv_is_local(uint32_t address);

/*
 * Reads resolv.conf(5) text and writes the one for inside to `out`. `upstream` is what
 * systemd-resolved keeps as its real upstreams (NULL: not there): it is used when `text` only
 * names the host's own addresses. Without any other server the gateway (host order) is named.
 * 0 or -errno.
 */
int resolv_translate(const char *text, const char *upstream, uint32_t gateway,
		     resolv_local_fn *is_local, struct resolv *resolv, struct buf *out);

/* The same with the host's files. */
int resolv_generate(uint32_t gateway, struct resolv *resolv, struct buf *out);

/* Changes when the host's files do: compare it with an earlier one. */
uint64_t resolv_stamp(void);

#endif

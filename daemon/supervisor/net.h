/* A sandbox's network: its own namespace, one point-to-point veth to the host. */
#ifndef DAEMON_SUPERVISOR_NET_H
#define DAEMON_SUPERVISOR_NET_H

#include <stdbool.h>
#include <stdint.h>

struct err;

struct net {
	const char *name; /* of the platform; the host's end is NAME-%x of `offset` */
	uint32_t offset;  /* of the address in the subnet; 0: loopback only */
	uint32_t address; /* IPv4, host byte order */
	uint32_t gateway;
	uint32_t mtu;		/* 0: the kernel's choice */
	bool is_resolver_local; /* the gateway forwards DNS to a resolver on the host's loopback */
};

#define NET_NAME_MAX 16 /* IFNAMSIZ */

/* The name of the host's end; returns `out`. */
const char *net_host_name(const char *platform, uint32_t offset, char out[NET_NAME_MAX]);

/*
 * Moves the calling process into a new network namespace and builds both ends of its veth,
 * over one netlink socket opened before the move and one after it. 0 or -errno.
 */
int net_enter(const struct net *net, struct err *err);

/* Deletes the host's ends that the kernel has not come to yet. Takes some 20 ms for each: only
 * for a platform that ends. */
void net_remove_all(const char *platform);

/* The MTU of the device that the default route leads to; 1500 when there is none. */
uint32_t net_default_mtu(void);

#endif

/*
 * One static nftables table per platform, told from others by the interface prefix: outbound
 * NAT, no way from a sandbox to another one, to the host's services or to link-local addresses.
 */
#ifndef DAEMON_SUPERVISOR_FIREWALL_H
#define DAEMON_SUPERVISOR_FIREWALL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

struct buf;
struct err;
struct chores;

enum firewall_state {
	FIREWALL_LOADING, /* sandboxes with a network wait */
	FIREWALL_READY,
	FIREWALL_FAILED, /* ... and are refused with `why` */
};

/* What the host's other rules ask of ours. */
struct firewall_host {
	bool has_docker;    /* a DOCKER-USER chain: forwarding is only allowed through it */
	bool drops_forward; /* some other chain drops forwarded packets by policy */
	char dropping[96];  /* "table inet filter, chain forward" */
	bool filters_input; /* some chain filters input: it must be able to know our replies */
};

/* Reads what `nft list ruleset` prints; our own table `own` does not count. */
void firewall_read_host(const char *ruleset, const char *own, struct firewall_host *host);

/* The whole table as nft reads it. `forward` is the host's resolver to forward DNS to, or 0. */
int firewall_rules(const char *name, const struct subnet *subnet, uint32_t forward,
		   const struct firewall_host *host, struct buf *out);

struct firewall_order {
	char name[8];
	struct subnet subnet;
	uint32_t forward;
};

/* The chore (see chores.h): turns on forwarding, looks at the host's rules, loads ours in one
 * transaction. `what` is a struct firewall_order. */
int firewall_load(void *what, struct err *err);
/* Removes the table and what was put into Docker's chain; a missing one is fine. Waits. */
int firewall_remove(void *what, struct err *err);

#endif

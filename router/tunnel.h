/* After 101: bytes both ways, each side with its own end, until both have ended. */
#ifndef ROUTER_TUNNEL_H
#define ROUTER_TUNNEL_H

#include <stddef.h>
#include <stdint.h>

struct connection;

/* The 101 was written to the client and `n` bytes came behind it from the server. */
void tunnel_start(struct connection *c, char *from_server, size_t n);
void tunnel_on_client(struct connection *c);
void tunnel_on_server(struct connection *c, uint32_t events);
/* The client took what was queued. */
void tunnel_on_flushed(struct connection *c);

#endif

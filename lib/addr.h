/* Addresses of sockets and subnets, as people write them. */
#ifndef LIB_ADDR_H
#define LIB_ADDR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct err;

struct addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

#define ADDR_TEXT_MAX 64

/* "127.0.0.1:8080" or "[::1]:8080"; port 0 is legal. 0 or -EINVAL with a sentence. */
int addr_parse(const char *text, struct addr *addr, struct err *err);
/* A comma-separated list of at most `max`. The number, or -EINVAL. */
int addr_parse_list(const char *text, struct addr *addrs, size_t max, struct err *err);
/* Back to text; returns `out` (at least ADDR_TEXT_MAX bytes). */
const char *addr_text(const struct addr *addr, char *out);
uint16_t addr_port(const struct addr *addr);
/* The local address of a bound socket. 0 or -errno. */
int addr_of_socket(int fd, struct addr *addr);
/* A listening TCP socket (non-blocking, CLOEXEC, SO_REUSEADDR, IPV6_V6ONLY). The fd or -errno. */
int addr_listen(const struct addr *addr, int backlog, struct err *err);

struct subnet {
	uint32_t base; /* host byte order, host bits zero */
	unsigned bits; /* prefix length, 8..28 */
};
/* "10.90.0.0/16". 0 or -EINVAL. */
int subnet_parse(const char *text, struct subnet *subnet, struct err *err);
/* The number of usable offsets: 2 .. size - 2; offset 1 is the gateway. */
uint32_t subnet_size(const struct subnet *subnet);
uint32_t subnet_address(const struct subnet *subnet, uint32_t offset);

#endif

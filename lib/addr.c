/* Numeric addresses only: nothing here asks a resolver. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* Decimal digits only, no sign, at most `max`. 0 or -EINVAL. */
static int
parse_number(const char *text, unsigned long max, unsigned long *out)
{
	unsigned long v = 0;

	if (!*text || strlen(text) > 9)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		v = v * 10 + (unsigned long)(*text - '0');
	}
	if (v > max)
		return -EINVAL;
	*out = v;
	return 0;
}

static int
parse_host(char *host, unsigned long port, struct addr *addr)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	size_t n = strlen(host);

	memset(addr, 0, sizeof(*addr));
	if (host[0] == '[') {
		if (host[n - 1] != ']')
			return -EINVAL;
		host[n - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) != 1)
			return -EINVAL;
		memcpy(&addr->sa, &v6, sizeof(v6));
		addr->len = sizeof(v6);
		return 0;
	}
	if (inet_pton(AF_INET, host, &v4.sin_addr) != 1)
		return -EINVAL;
	memcpy(&addr->sa, &v4, sizeof(v4));
	addr->len = sizeof(v4);
	return 0;
}

int
addr_parse(const char *text, struct addr *addr, struct err *err)
{
	const char *colon = strrchr(text, ':');
	char host[ADDR_TEXT_MAX];
	unsigned long port;
	size_t n;

	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(host) ||
	    parse_number(colon + 1, 65535, &port) < 0)
		return err_say(err, -EINVAL,
			       "\"%.100s\" is not ADDRESS:PORT like 127.0.0.1:8080 or [::1]:8080",
			       text);
	n = (size_t)(colon - text);
	memcpy(host, text, n);
	host[n] = '\0';
	if (parse_host(host, port, addr) < 0)
		return err_say(err, -EINVAL,
			       "\"%.100s\" does not begin with an IPv4 address or an IPv6 address "
			       "in [brackets]",
			       text);
	return 0;
}

int
addr_parse_list(const char *text, struct addr *addrs, size_t max, struct err *err)
{
	size_t n = 0;

	for (;;) {
		size_t len = strcspn(text, ",");
		char one[2 * ADDR_TEXT_MAX];
		int ret;

		if (n == max)
			return err_say(err, -EINVAL, "more than %zu addresses in a list", max);
		if (len >= sizeof(one))
			return err_say(err, -EINVAL, "\"%.100s\" is too long for an address", text);
		memcpy(one, text, len);
		one[len] = '\0';
		ret = addr_parse(one, &addrs[n], err);
		if (ret < 0)
			return ret;
		n++;
		if (!text[len])
			return (int)n;
		text += len + 1;
	}
}

uint16_t
addr_port(const struct addr *addr)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (addr->sa.ss_family == AF_INET) {
		memcpy(&v4, &addr->sa, sizeof(v4));
		return ntohs(v4.sin_port);
	}
	if (addr->sa.ss_family == AF_INET6) {
		memcpy(&v6, &addr->sa, sizeof(v6));
		return ntohs(v6.sin6_port);
	}
	return 0;
}

const char *
addr_text(const struct addr *addr, char *out)
{
	char host[INET6_ADDRSTRLEN] = "";
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (addr->sa.ss_family == AF_INET) {
		memcpy(&v4, &addr->sa, sizeof(v4));
		(void)inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
		(void)snprintf(out, ADDR_TEXT_MAX, "%s:%u", host, addr_port(addr));
	} else if (addr->sa.ss_family == AF_INET6) {
		memcpy(&v6, &addr->sa, sizeof(v6));
		(void)inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
		(void)snprintf(out, ADDR_TEXT_MAX, "[%s]:%u", host, addr_port(addr));
	} else {
		(void)snprintf(out, ADDR_TEXT_MAX, "unknown");
	}
	return out;
}

int
addr_of_socket(int fd, struct addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->len = sizeof(addr->sa);
	return getsockname(fd, (struct sockaddr *)&addr->sa, &addr->len) < 0 ? -errno : 0;
}

int
addr_listen(const struct addr *addr, int backlog, struct err *err)
{
	AUTO_FD int fd = socket(addr->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char text[ADDR_TEXT_MAX];
	int on = 1;

	if (fd < 0)
		return err_set(err, -errno, "make a socket for %s", addr_text(addr, text));
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (addr->sa.ss_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
		return err_set(err, -errno, "set up a socket for %s", addr_text(addr, text));
	if (bind(fd, (const struct sockaddr *)&addr->sa, addr->len) < 0 || listen(fd, backlog) < 0)
		return err_set(err, -errno, "listen on %s", addr_text(addr, text));
	return take_fd(&fd);
}

/* ---- subnets ----------------------------------------------------------------------------- */

int
subnet_parse(const char *text, struct subnet *subnet, struct err *err)
{
	const char *slash = strchr(text, '/');
	char host[INET_ADDRSTRLEN];
	struct in_addr in;
	unsigned long bits;
	size_t n = slash ? (size_t)(slash - text) : 0;

	if (!slash || n >= sizeof(host))
		return err_say(err, -EINVAL, "\"%.100s\" is not a subnet like 10.90.0.0/16", text);
	memcpy(host, text, n);
	host[n] = '\0';
	if (inet_pton(AF_INET, host, &in) != 1 || parse_number(slash + 1, 32, &bits) < 0)
		return err_say(err, -EINVAL, "\"%.100s\" is not a subnet like 10.90.0.0/16", text);
	if (bits < 8 || bits > 28)
		return err_say(err, -EINVAL, "a subnet has from 8 to 28 bits, not %lu", bits);
	subnet->base = ntohl(in.s_addr);
	subnet->bits = (unsigned)bits;
	if (subnet->base & (UINT32_MAX >> bits))
		return err_say(err, -EINVAL, "\"%.100s\" has bits set behind its first %lu", text,
			       bits);
	return 0;
}

uint32_t
subnet_size(const struct subnet *subnet)
{
	/* All offsets but the net itself, the gateway and the broadcast address. */
	return (UINT32_C(1) << (32 - subnet->bits)) - 3;
}

uint32_t
subnet_address(const struct subnet *subnet, uint32_t offset)
{
	return subnet->base + offset;
}

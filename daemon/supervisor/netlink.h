/* Raw rtnetlink requests: built in a fixed buffer, sent, acknowledged. */
#ifndef DAEMON_SUPERVISOR_NETLINK_H
#define DAEMON_SUPERVISOR_NETLINK_H

#include <stddef.h>
#include <stdint.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct err;

/* One request being built. What does not fit makes netlink_call fail with -EMSGSIZE. */
struct netlink {
	union {
		struct nlmsghdr head;
		uint8_t bytes[1024];
	};
	size_t failed;
};

/* A NETLINK_ROUTE socket of the network namespace the caller is in. The fd or -errno. */
int netlink_open(void);

/* Starts a request with its fixed part (ifinfomsg, ifaddrmsg, rtmsg, ..). */
void netlink_begin(struct netlink *n, uint16_t type, uint16_t flags, const void *fixed,
		   size_t size);
void netlink_put(struct netlink *n, uint16_t type, const void *value, size_t size);
void netlink_put_u32(struct netlink *n, uint16_t type, uint32_t value);
void netlink_put_string(struct netlink *n, uint16_t type, const char *value);
/* A nested attribute: what is put until netlink_close(n, at) lies inside it. `size` bytes of
 * `fixed` (0 is fine) come first. */
size_t netlink_nest(struct netlink *n, uint16_t type, const void *fixed, size_t size);
void netlink_close(struct netlink *n, size_t at);

/* Sends the request and waits for the kernel's verdict (it answers before send returns).
 * 0 or -errno. */
int netlink_call(int fd, struct netlink *n);
/* The same for a request whose answer is one message: copies it to `reply`. Its length or
 * -errno. */
int netlink_ask(int fd, struct netlink *n, void *reply, size_t cap);

/* The attribute of `type` behind the fixed part of a reply, or NULL. */
const void *netlink_find(const void *reply, size_t len, size_t fixed, uint16_t type, size_t *size);

#endif

/* The kernel handles a request inside sendmsg, so the answer is always there already. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "daemon/supervisor/netlink.h"

int
netlink_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int one = 1;

	if (fd < 0)
		return -errno;
	/* A refusal need not repeat the request. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return fd;
}

/* Room for `size` bytes at the aligned end, zeroed, or NULL. */
static void *
extend(struct netlink *n, size_t size)
{
	size_t at = NLMSG_ALIGN(n->head.nlmsg_len);

	if (n->failed || at + NLMSG_ALIGN(size) > sizeof(n->bytes)) {
		n->failed = 1;
		return NULL;
	}
	memset(n->bytes + at, 0, NLMSG_ALIGN(size));
	n->head.nlmsg_len = (uint32_t)(at + size);
	return n->bytes + at;
}

void
netlink_begin(struct netlink *n, uint16_t type, uint16_t flags, const void *fixed, size_t size)
{
	void *at;

	memset(&n->head, 0, sizeof(n->head));
	n->failed = 0;
	n->head.nlmsg_len = NLMSG_HDRLEN;
	n->head.nlmsg_type = type;
	n->head.nlmsg_flags = NLM_F_REQUEST | flags;
	at = extend(n, size);
	if (at)
		memcpy(at, fixed, size);
}

void
netlink_put(struct netlink *n, uint16_t type, const void *value, size_t size)
{
	struct rtattr *a = extend(n, RTA_LENGTH(size));

	if (!a)
		return;
	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(a), value, size);
}

void
netlink_put_u32(struct netlink *n, uint16_t type, uint32_t value)
{
	netlink_put(n, type, &value, sizeof(value));
}

void
netlink_put_string(struct netlink *n, uint16_t type, const char *value)
{
	netlink_put(n, type, value, strlen(value) + 1);
}

size_t
netlink_nest(struct netlink *n, uint16_t type, const void *fixed, size_t size)
{
	size_t at = NLMSG_ALIGN(n->head.nlmsg_len);

	netlink_put(n, type, fixed, size);
	return at;
}

void
netlink_close(struct netlink *n, size_t at)
{
	struct rtattr *a;

	if (n->failed)
		return;
	a = (struct rtattr *)(void *)(n->bytes + at);
	a->rta_len = (uint16_t)(n->head.nlmsg_len - at);
}

static int
send_request(int fd, const struct netlink *n)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (n->failed)
		return -EMSGSIZE;
	while (sendto(fd, n->bytes, n->head.nlmsg_len, 0, (struct sockaddr *)&kernel,
		      sizeof(kernel)) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Receives one answer. Its length, or the errno it carries. */
static ssize_t
receive_answer(int fd, void *answer, size_t cap)
{
	struct nlmsghdr *head = answer;
	ssize_t n;

	do {
		n = recv(fd, answer, cap, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(*head) || head->nlmsg_len > (size_t)n)
		return -EBADMSG;
	if (head->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = NLMSG_DATA(head);

		if ((size_t)n < NLMSG_LENGTH(sizeof(e->error)))
			return -EBADMSG;
		return e->error;
	}
	return n;
}

int
netlink_call(int fd, struct netlink *n)
{
	union {
		struct nlmsghdr align;
		uint8_t bytes[1024];
	} answer;
	ssize_t got;
	int ret;

	n->head.nlmsg_flags |= NLM_F_ACK;
	ret = send_request(fd, n);
	if (ret < 0)
		return ret;
	got = receive_answer(fd, &answer, sizeof(answer));
	return got < 0 ? (int)got : 0;
}

int
netlink_ask(int fd, struct netlink *n, void *reply, size_t cap)
{
	int ret = send_request(fd, n);

	return ret < 0 ? ret : (int)receive_answer(fd, reply, cap);
}

const void *
netlink_find(const void *reply, size_t len, size_t fixed, uint16_t type, size_t *size)
{
	const uint8_t *bytes = reply;
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(fixed);

	while (at + sizeof(struct rtattr) <= len) {
		struct rtattr a;

		memcpy(&a, bytes + at, sizeof(a));
		if (a.rta_len < sizeof(a) || at + a.rta_len > len)
			return NULL;
		if ((a.rta_type & NLA_TYPE_MASK) == type) {
			*size = a.rta_len - sizeof(a);
			return bytes + at + sizeof(a);
		}
		at += RTA_ALIGN(a.rta_len);
	}
	return NULL;
}

/* The table as data, and one message over a SOCK_SEQPACKET socket. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/msg.h"

static const struct {
	const char *name;
	enum role from, to;
	enum msg_phase phase;
	size_t min_fds, max_fds;
} rules[MSG_COUNT] = {
#define M(name, from, to, phase, min, max)                                                         \
	[MSG_##name] = {#name, ROLE_##from, ROLE_##to, PHASE_##phase, min, max},
	MSG_TABLE(M)
#undef M
};

#define M(name, from, to, phase, min, max) _Static_assert((max) <= MSG_MAX_FDS, #name);
MSG_TABLE(M)
#undef M

static const char *const roles[ROLE_COUNT] = {
	[ROLE_PARENT] = "paasd",	   [ROLE_CONTROL] = "paas-control",
	[ROLE_RECEIVER] = "paas-receiver", [ROLE_LOGS] = "paas-logs",
	[ROLE_ROUTER] = "paas-router",	   [ROLE_INIT] = "paas-init",
	[ROLE_SESSION] = "paas-session",   [ROLE_HOOK] = "paas-hook",
	[ROLE_BUILD] = "paas-build",
};

const char *
msg_name(enum msg_type type)
{
	return type > MSG_NONE && type < MSG_COUNT ? rules[type].name : "UNKNOWN";
}

const char *
role_name(enum role role)
{
	return role < ROLE_COUNT ? roles[role] : "unknown";
}

enum role
msg_from(enum msg_type type)
{
	return rules[type].from;
}

enum role
msg_to(enum msg_type type)
{
	return rules[type].to;
}

int
msg_check(enum msg_type type, enum role from, enum role to, enum msg_phase phase, size_t n_fds,
	  struct err *err)
{
	if (type <= MSG_NONE || type >= MSG_COUNT)
		return err_say(err, -EPROTO, "%s sent a message of unknown type %d",
			       role_name(from), (int)type);
	if (from != rules[type].from && from != ROLE_PARENT)
		return err_say(err, -EPROTO, "%s may not send %s", role_name(from), msg_name(type));
	if (to != rules[type].to && to != ROLE_PARENT)
		return err_say(err, -EPROTO, "%s is not for %s", msg_name(type), role_name(to));
	if (from == ROLE_PARENT && to == ROLE_PARENT)
		return err_say(err, -EPROTO, "%s from paasd to itself", msg_name(type));
	if (rules[type].phase == PHASE_LOGIN && phase != PHASE_LOGIN)
		return err_say(err, -EPROTO, "%s sent %s before the login", role_name(from),
			       msg_name(type));
	if (n_fds < rules[type].min_fds || n_fds > rules[type].max_fds)
		return err_say(err, -EPROTO, "%s sent %s with %zu fds", role_name(from),
			       msg_name(type), n_fds);
	return 0;
}

void
msg_begin(struct msg *m, enum msg_type type, uint32_t peer)
{
	m->type = type;
	m->peer = peer;
	m->n_fds = 0;
	wire_read_init(&m->in, m->bytes, 0);
	wire_write_init(&m->out, m->bytes + MSG_HEAD_BYTES, sizeof(m->bytes) - MSG_HEAD_BYTES);
}

void
msg_add_fd(struct msg *m, int fd)
{
	if (m->n_fds == MSG_MAX_FDS) {
		m->out.failed = true;
		return;
	}
	m->fds[m->n_fds++] = fd;
}

int
msg_send(int fd, struct msg *m)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(MSG_MAX_FDS * sizeof(int))];
	} control;
	struct wire_writer head;
	struct iovec iov = {.iov_base = m->bytes, .iov_len = MSG_HEAD_BYTES + m->out.len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (m->out.failed)
		return -EMSGSIZE;
	wire_write_init(&head, m->bytes, MSG_HEAD_BYTES);
	wire_put_u16(&head, (uint16_t)m->type);
	wire_put_u16(&head, 0);
	wire_put_u32(&head, m->peer);

	if (m->n_fds > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.space;
		mh.msg_controllen = CMSG_SPACE(m->n_fds * sizeof(int));
		c = &control.align;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(m->n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), m->fds, m->n_fds * sizeof(int));
	}
	for (;;) {
		if (sendmsg(fd, &mh, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

/* Collects the fds of a received message; those that do not fit are closed. 0 or -EBADMSG. */
static int
collect_fds(struct msg *m, struct msghdr *mh)
{
	int ret = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (m->n_fds < MSG_MAX_FDS) {
				m->fds[m->n_fds++] = fd;
			} else {
				(void)close(fd);
				ret = -EBADMSG;
			}
		}
	}
	return ret;
}

int
msg_receive(int fd, struct msg *m)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(MSG_MAX_FDS * sizeof(int))];
	} control;
	/* cppcheck-suppress ctuuninitvar ; it is what we fill */
	struct iovec iov = {.iov_base = m->bytes, .iov_len = sizeof(m->bytes)};
	struct msghdr mh;
	struct wire_reader head;
	ssize_t n;
	int ret;

	m->type = MSG_NONE;
	m->peer = 0;
	m->n_fds = 0;
	wire_read_init(&m->in, m->bytes, 0);
	wire_write_init(&m->out, m->bytes, 0);

	/*
	 * ECONNRESET says once that the peer went away with messages of ours unread; what it
	 * had sent before is still in our queue, behind the error.
	 */
	do {
		mh = (struct msghdr){.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control.space,
				     .msg_controllen = sizeof(control.space)};
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;

	ret = collect_fds(m, &mh);
	if (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		ret = -EBADMSG;
	if (n == 0 && m->n_fds == 0 && ret == 0)
		return 0;

	wire_read_init(&head, m->bytes, (size_t)n);
	m->type = (enum msg_type)wire_get_u16(&head);
	if (wire_get_u16(&head) != 0)
		ret = -EBADMSG;
	m->peer = wire_get_u32(&head);
	if (ret < 0 || head.failed || m->type <= MSG_NONE || m->type >= MSG_COUNT) {
		m->type = MSG_NONE;
		msg_done(m);
		return -EBADMSG;
	}
	m->in = head;
	return 1;
}

void
msg_done(struct msg *m)
{
	for (size_t i = 0; i < m->n_fds; i++) {
		if (m->fds[i] >= 0)
			(void)close(m->fds[i]);
	}
	m->n_fds = 0;
}

int
msg_take_fd(struct msg *m, size_t i)
{
	int fd = m->fds[i];

	m->fds[i] = -1;
	return fd;
}

int
msg_pair(int ends[2], bool nonblocking)
{
	int type = SOCK_SEQPACKET | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0);

	return socketpair(AF_UNIX, type, 0, ends) < 0 ? -errno : 0;
}

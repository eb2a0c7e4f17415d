#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include "router/router.h"

uint64_t
router_unix_us(struct router *router)
{
	uint64_t now_ms = loop_now_ms(&router->loop);
	struct timespec ts;

	if (router->unix_at_ms != now_ms) {
		(void)clock_gettime(CLOCK_REALTIME, &ts);
		router->unix_us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
		router->unix_at_ms = now_ms;
	}
	return router->unix_us;
}

ssize_t
router_send(int fd, const struct iovec *iov, int n_iov)
{
	struct msghdr mh = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n_iov};
	ssize_t n;

	/* For one vector send(2) does the same with less to copy in. */
	do
		n = n_iov == 1 ? send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
			       : sendmsg(fd, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return n;
}

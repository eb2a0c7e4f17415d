/*
 * Listening sockets. An offered one may come from a process that was taken over by somebody
 * else, so it is looked at as a stranger's: type, state, maker and address.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "daemon/listeners.h"

#define BACKLOG 4096
#define SYSTEMD_FIRST_FD 3
#define SYSTEMD_FDS_MAX 64

int
listener_child_fd(enum listener_kind kind, size_t i)
{
	return ((int)kind + 1) * 10 + (int)i;
}

int
listeners_init(struct listeners *l, const struct config *config, struct err *err)
{
	const char *texts[LISTENER_KINDS] = {config->http, config->https, config->ssh};

	memset(l, 0, sizeof(*l));
	for (size_t kind = 0; kind < LISTENER_KINDS; kind++) {
		struct addr addrs[CONFIG_LISTENERS_MAX];
		int n = 0;

		if (texts[kind][0])
			n = addr_parse_list(texts[kind], addrs, CONFIG_LISTENERS_MAX, err);
		if (n < 0)
			return n;
		for (size_t i = 0; i < (size_t)n; i++)
			l->of[kind][i] = (struct listener){.wanted = addrs[i], .fd = -1};
		l->n[kind] = (size_t)n;
	}
	return 0;
}

void
listeners_done(struct listeners *l)
{
	for (size_t kind = 0; kind < LISTENER_KINDS; kind++) {
		for (size_t i = 0; i < l->n[kind]; i++) {
			if (l->of[kind][i].fd >= 0)
				(void)close(l->of[kind][i].fd);
		}
		l->n[kind] = 0;
	}
}

/* ---- looking at a socket ------------------------------------------------------------------- */

static bool
option_is(int fd, int option, int wanted)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

/* A socket's inode belongs to the user who made it. */
static bool
is_our_listener(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == 0 &&
	       option_is(fd, SO_TYPE, SOCK_STREAM) && option_is(fd, SO_PROTOCOL, IPPROTO_TCP) &&
	       option_is(fd, SO_ACCEPTCONN, 1);
}

static bool
address_fits(const struct addr *wanted, const struct addr *bound)
{
	const struct sockaddr_in *a4 = (const void *)&wanted->sa, *b4 = (const void *)&bound->sa;
	const struct sockaddr_in6 *a6 = (const void *)&wanted->sa, *b6 = (const void *)&bound->sa;

	if (wanted->sa.ss_family != bound->sa.ss_family ||
	    (addr_port(wanted) != 0 && addr_port(wanted) != addr_port(bound)))
		return false;
	if (wanted->sa.ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

bool
listeners_offer(struct listeners *l, enum listener_kind kind, int fd)
{
	struct addr bound;

	if (!is_our_listener(fd) || addr_of_socket(fd, &bound) < 0)
		return false;
	for (size_t i = 0; i < l->n[kind]; i++) {
		struct listener *one = &l->of[kind][i];

		if (one->fd >= 0 || !address_fits(&one->wanted, &bound))
			continue;
		if (file_set_nonblocking(fd, true) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return false;
		one->fd = fd;
		return true;
	}
	return false;
}

bool
listeners_is(const struct listeners *l, enum listener_kind kind, size_t i, int fd)
{
	struct stat ours, theirs;

	return i < l->n[kind] && l->of[kind][i].fd >= 0 && fstat(l->of[kind][i].fd, &ours) == 0 &&
	       fstat(fd, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

/* ---- from systemd -----------------------------------------------------------------------------
 */

static long
environment_number(const char *name)
{
	const char *text = getenv(name);
	char *end = NULL;
	long v = text ? strtol(text, &end, 10) : 0;

	return text && *text && *end == '\0' ? v : 0;
}

void
listeners_from_systemd(struct listeners *l)
{
	long n = 0;

	if (environment_number("LISTEN_PID") == getpid())
		n = environment_number("LISTEN_FDS");
	for (int fd = SYSTEMD_FIRST_FD; fd < SYSTEMD_FIRST_FD + n && fd < SYSTEMD_FDS_MAX; fd++) {
		struct addr bound;
		char text[ADDR_TEXT_MAX] = "something that is no socket";

		if (listeners_offer(l, LISTENER_HTTP, fd) ||
		    listeners_offer(l, LISTENER_HTTPS, fd) || listeners_offer(l, LISTENER_SSH, fd))
			continue;
		if (addr_of_socket(fd, &bound) == 0)
			(void)addr_text(&bound, text);
		log_line("systemd passed a listener at %s, which no option names; it is closed",
			 text);
		(void)close(fd);
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
}

/* ---- binding ------------------------------------------------------------------------------------
 */

static bool
is_wildcard_v6(const struct addr *addr)
{
	const struct sockaddr_in6 *sa = (const void *)&addr->sa;

	return addr->sa.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&sa->sin6_addr);
}

int
listeners_bind(struct listeners *l, struct err *err)
{
	for (size_t kind = 0; kind < LISTENER_KINDS; kind++) {
		for (size_t i = 0; i < l->n[kind];) {
			struct listener *one = &l->of[kind][i];

			if (one->fd < 0)
				one->fd = addr_listen(&one->wanted, BACKLOG, err);
			if (one->fd == -EAFNOSUPPORT && is_wildcard_v6(&one->wanted)) {
				log_line("this host has no IPv6: listening on IPv4 only");
				memmove(one, one + 1, (--l->n[kind] - i) * sizeof(*one));
				continue;
			}
			if (one->fd < 0) {
				int ret = one->fd;

				one->fd = -1;
				return ret;
			}
			i++;
		}
	}
	return 0;
}

const char *
listeners_text(const struct listeners *l, enum listener_kind kind, char *out)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < l->n[kind]; i++) {
		struct addr bound;
		char text[ADDR_TEXT_MAX];

		if (l->of[kind][i].fd < 0 || addr_of_socket(l->of[kind][i].fd, &bound) < 0)
			continue;
		len += (size_t)snprintf(out + len, LISTENERS_TEXT_MAX - len, "%s%s", len ? "," : "",
					addr_text(&bound, text));
	}
	return out;
}

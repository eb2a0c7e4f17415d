/*
 * A host whose resolver listens on loopback only, as with systemd-resolved or dnsmasq: names
 * resolve inside all the same. In network and mount namespaces of the test's own.
 */
#include "tests/unit/supervisor/world.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#define RESOLVER "127.0.0.53"
#define FAKE "nameserver " RESOLVER "\noptions trust-ad\n"

struct resolver {
	struct loop_io io;
	unsigned n_queries;
	bool has_stranger; /* somebody asked from another address than the host's own */
};

/* Answers every question with 192.0.2.7, or with nothing if it is not for an IPv4 address. */
static void
on_query(struct loop_io *io, uint32_t events)
{
	static const uint8_t answer[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7};
	struct resolver *r = container_of(io, struct resolver, io);
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t packet[512];
	ssize_t n = recvfrom(io->fd, packet, 400, 0, (struct sockaddr *)&from, &from_len);
	size_t end = 12;

	(void)events;
	if (n < 17)
		return;
	r->n_queries++;
	if (from.sin_addr.s_addr != htonl(INADDR_LOOPBACK))
		r->has_stranger = true;
	while (end < (size_t)n && packet[end])
		end += packet[end] + 1U;
	end += 5;
	if (end > (size_t)n)
		return;
	packet[2] = 0x81;
	packet[3] = 0x80;
	memset(packet + 6, 0, 6);
	if (packet[end - 3] == 1) {
		packet[7] = 1;
		memcpy(packet + end, answer, sizeof(answer));
		end += sizeof(answer);
	}
	(void)sendto(io->fd, packet, end, 0, (struct sockaddr *)&from, from_len);
}

static void
enter_namespaces(struct world *w)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = openat(w->state_fd, "fake", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	char path[40];

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, FAKE, sizeof(FAKE) - 1), 0);
	assert_int_equal(unshare(CLONE_NEWNS | CLONE_NEWNET), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/fake", w->dir);
	assert_int_equal(mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL), 0);
	/* The directory fds are of the old namespace. */
	(void)close(fd);
	(void)close(w->state_fd);
	(void)close(w->libexec_fd);
	w->state_fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	w->libexec_fd = world_open_libexec();
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	(void)close(fd);
}

static void
names_resolve_inside(void **state)
{
	struct world *w = world_new();
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct resolver resolver = {0};
	struct sandbox_order order;
	char out[4096], text[512];
	int fd;

	(void)state;
	enter_namespaces(w);
	world_open_supervisor(w);
	supervisor_control_up(w->s);
	world_create_app(w, "hello");
	world_create_slug(w, "hello");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(inet_pton(AF_INET, RESOLVER, &sa.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(loop_add(&w->loop, &resolver.io, fd, EPOLLIN, on_query), 0);

	order = world_order(w, SANDBOX_APP, 5);
	(void)world_run(w, &order, "cat /etc/resolv.conf; getent ahostsv4 example.test | head -1",
			out, sizeof(out));
	(void)snprintf(text, sizeof(text), "nameserver %s.1\n192.0.2.7       STREAM example.test\n",
		       world_net);
	assert_string_equal(out, text);
	assert_true(resolver.n_queries > 0);
	assert_false(resolver.has_stranger);

	/* Only the forward is let through, not the host's loopback behind it. */
	order = world_order(w, SANDBOX_APP, 6);
	(void)snprintf(
		text, sizeof(text),
		"perl -MIO::Socket::INET -e 'for (\"%s.1:54\", \"" RESOLVER
		":80\") { my $s = IO::Socket::INET->new(PeerAddr => $_, Timeout => 1); print $s ? "
		"\"open\" : \"shut\", \"\\n\" }'",
		world_net);
	(void)world_run(w, &order, text, out, sizeof(out));
	assert_string_equal(out, "shut\nshut\n");
	loop_remove(&w->loop, &resolver.io);
	(void)close(fd);
	world_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_resolve_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

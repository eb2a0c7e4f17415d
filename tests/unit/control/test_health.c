/* Probes: against real sockets of the loopback network. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon/control/health.h"
#include "lib/file.h"

#define HERE 0x7f5a0102u /* 127.90.1.2 */

static struct loop loop;
static struct health health;
static unsigned n_accepted;

static void
on_accepted(struct probe *probe)
{
	assert_null(probe->health);
	n_accepted++;
}

static int
set_up(void **state)
{
	(void)state;
	n_accepted = 0;
	health_init(&health, &loop, 2);
	return loop_init(&loop);
}

static int
tear_down(void **state)
{
	(void)state;
	assert_int_equal(health.n_open, 0);
	loop_done(&loop);
	return 0;
}

/* Bound but not listening: connections to it are refused. */
static int
bound_socket(uint16_t *port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(HERE)};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

static void
turn_until(unsigned n)
{
	for (int i = 0; i < 1000 && n_accepted < n; i++)
		assert_int_equal(loop_turn(&loop, 10), 0);
	assert_int_equal(n_accepted, n);
}

static void
it_sees_who_listens(void **state)
{
	struct probe probe;
	uint16_t port;
	int fd = bound_socket(&port);

	(void)state;
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(probe_start(&health, &probe, HERE, port, on_accepted), 0);
	assert_int_equal(n_accepted, 0);
	turn_until(1);
	probe_stop(&probe);
	(void)close(fd);
}

static void
it_asks_until_somebody_listens(void **state)
{
	struct probe probe;
	uint16_t port;
	int fd = bound_socket(&port);

	(void)state;
	assert_int_equal(probe_start(&health, &probe, HERE, port, on_accepted), 0);
	for (int i = 0; i < 1000 && probe.delay_ms < 100; i++)
		assert_int_equal(loop_turn(&loop, 1000), 0);
	assert_int_equal(probe.delay_ms, 100);
	assert_int_equal(n_accepted, 0);
	assert_int_equal(listen(fd, 5), 0);
	turn_until(1);
	(void)close(fd);
}

static void
once_stopped_it_sends_nothing(void **state)
{
	struct probe probe;
	uint16_t port;
	int fd = bound_socket(&port);

	(void)state;
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(probe_start(&health, &probe, HERE, port, on_accepted), 0);
	probe_stop(&probe);
	probe_stop(&probe);
	assert_int_equal(loop_turn(&loop, 20), 0);
	assert_int_equal(file_set_nonblocking(fd, true), 0);
	assert_true(accept(fd, NULL, NULL) < 0);
	assert_int_equal(n_accepted, 0);
	(void)close(fd);
}

/* More than may be under way at once: all get their answer. */
static void
many_share_the_attempts(void **state)
{
	struct probe probes[20];
	uint16_t port;
	int fd = bound_socket(&port);

	(void)state;
	assert_int_equal(listen(fd, 50), 0);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(probe_start(&health, &probes[i], HERE, port, on_accepted), 0);
	turn_until(20);
	(void)close(fd);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(it_sees_who_listens),
		TEST(it_asks_until_somebody_listens),
		TEST(once_stopped_it_sends_nothing),
		TEST(many_share_the_attempts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* daemon/listeners: which sockets are taken back, and which are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/err.h"
#include "daemon/listeners.h"

static struct config config;
static struct listeners listeners;
static struct err err;

static void
wanted(const char *http, const char *ssh)
{
	listeners_done(&listeners);
	memset(&config, 0, sizeof(config));
	(void)snprintf(config.http, sizeof(config.http), "%s", http);
	(void)snprintf(config.ssh, sizeof(config.ssh), "%s", ssh);
	assert_int_equal(listeners_init(&listeners, &config, &err), 0);
}

static int
listen_on(const char *text)
{
	struct addr addr;
	int fd;

	assert_int_equal(addr_parse(text, &addr, &err), 0);
	fd = addr_listen(&addr, 16, &err);
	assert_true(fd >= 0);
	return fd;
}

static const char *
address_of(int fd)
{
	static char text[ADDR_TEXT_MAX];
	struct addr addr;

	assert_int_equal(addr_of_socket(fd, &addr), 0);
	return addr_text(&addr, text);
}

static int
teardown(void **state)
{
	(void)state;
	listeners_done(&listeners);
	return 0;
}

static void
test_bind(void **state)
{
	char text[LISTENERS_TEXT_MAX];
	int n = 0;

	(void)state;
	wanted("127.0.0.1:0,127.0.0.2:0", "127.0.0.1:0");
	assert_int_equal(listeners_bind(&listeners, &err), 0);
	(void)listeners_text(&listeners, LISTENER_HTTP, text);
	assert_int_equal(sscanf(text, "127.0.0.1:%*u,127.0.0.2:%*u%n", &n), 0);
	assert_int_equal(n, strlen(text));
	assert_string_equal(listeners_text(&listeners, LISTENER_HTTPS, text), "");
	assert_null(strstr(listeners_text(&listeners, LISTENER_SSH, text), ":0"));
	assert_true(fcntl(listeners.of[LISTENER_HTTP][1].fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(listeners.of[LISTENER_HTTP][1].fd, F_GETFD) & FD_CLOEXEC);
}

static void
test_bind_taken(void **state)
{
	int fd = listen_on("127.0.0.1:0");

	(void)state;
	wanted(address_of(fd), "127.0.0.1:0");
	assert_int_equal(listeners_bind(&listeners, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "127.0.0.1:"));
	close(fd);
}

static void
test_offer(void **state)
{
	int fd = listen_on("127.0.0.1:0"), again;

	(void)state;
	wanted(address_of(fd), "127.0.0.1:0");
	again = dup(fd);
	assert_true(listeners_offer(&listeners, LISTENER_HTTP, fd));
	assert_true(listeners_is(&listeners, LISTENER_HTTP, 0, again));
	assert_false(listeners_is(&listeners, LISTENER_SSH, 0, again));
	assert_false(listeners_is(&listeners, LISTENER_HTTP, 1, again));
	/* Taken once only. */
	assert_false(listeners_offer(&listeners, LISTENER_HTTP, again));
	close(again);
}

static void
test_offer_any_port(void **state)
{
	int fd = listen_on("127.0.0.1:0"), other = listen_on("127.0.0.2:0");

	(void)state;
	wanted("127.0.0.1:0", "127.0.0.1:0");
	assert_false(listeners_offer(&listeners, LISTENER_HTTP, other));
	assert_false(listeners_offer(&listeners, LISTENER_HTTPS, fd));
	assert_true(listeners_offer(&listeners, LISTENER_SSH, fd));
	assert_int_equal(listeners.of[LISTENER_HTTP][0].fd, -1);
	close(other);
}

static void
test_offer_strangers(void **state)
{
	int fd = listen_on("127.0.0.1:0"), pair[2], plain, udp;
	struct addr addr;

	(void)state;
	wanted("127.0.0.1:0", "127.0.0.1:0");

	/* Bound, but not listening. */
	plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(addr_parse("127.0.0.1:0", &addr, &err), 0);
	assert_int_equal(bind(plain, (struct sockaddr *)&addr.sa, addr.len), 0);
	assert_false(listeners_offer(&listeners, LISTENER_HTTP, plain));
	close(plain);

	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(udp, (struct sockaddr *)&addr.sa, addr.len), 0);
	assert_false(listeners_offer(&listeners, LISTENER_HTTP, udp));
	close(udp);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_false(listeners_offer(&listeners, LISTENER_HTTP, pair[0]));
	close(pair[0]);
	close(pair[1]);

	plain = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_false(listeners_offer(&listeners, LISTENER_HTTP, plain));
	close(plain);
	assert_false(listeners_offer(&listeners, LISTENER_HTTP, -1));

	/* Made by somebody who is not root. */
	assert_int_equal(seteuid(65534), 0);
	plain = listen_on("127.0.0.1:0");
	assert_int_equal(seteuid(0), 0);
	assert_false(listeners_offer(&listeners, LISTENER_HTTP, plain));
	close(plain);

	assert_true(listeners_offer(&listeners, LISTENER_HTTP, fd));
}

static void
test_systemd(void **state)
{
	int fd = listen_on("127.0.0.1:0"), stranger = listen_on("127.0.0.3:0");
	char pid[16], address[ADDR_TEXT_MAX];

	(void)state;
	(void)snprintf(address, sizeof(address), "%s", address_of(fd));
	wanted("127.0.0.1:0", address);
	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	/* cmocka has its own files open at 3 and above only if it was told to. */
	assert_int_equal(dup2(stranger, 63), 63);
	close(stranger);
	assert_true(fd == 3 || dup2(fd, 3) == 3);
	if (fd != 3)
		close(fd);
	assert_int_equal(dup2(63, 4), 4);
	close(63);
	assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
	assert_int_equal(setenv("LISTEN_FDS", "2", 1), 0);
	listeners_from_systemd(&listeners);
	assert_int_equal(listeners.of[LISTENER_HTTP][0].fd, 3);
	assert_int_equal(listeners.of[LISTENER_SSH][0].fd, -1);
	assert_int_equal(fcntl(4, F_GETFD), -1);
	assert_null(getenv("LISTEN_FDS"));
	assert_null(getenv("LISTEN_PID"));
}

static void
test_systemd_of_another(void **state)
{
	(void)state;
	wanted("127.0.0.1:0", "127.0.0.1:0");
	assert_int_equal(setenv("LISTEN_PID", "1", 1), 0);
	assert_int_equal(setenv("LISTEN_FDS", "1", 1), 0);
	listeners_from_systemd(&listeners);
	assert_int_equal(listeners.of[LISTENER_HTTP][0].fd, -1);
	assert_null(getenv("LISTEN_FDS"));
}

static void
test_child_fds(void **state)
{
	(void)state;
	assert_int_equal(listener_child_fd(LISTENER_HTTP, 0), 10);
	assert_int_equal(listener_child_fd(LISTENER_HTTPS, 1), 21);
	assert_int_equal(listener_child_fd(LISTENER_SSH, 7), 37);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_bind, teardown),
		cmocka_unit_test_teardown(test_bind_taken, teardown),
		cmocka_unit_test_teardown(test_offer, teardown),
		cmocka_unit_test_teardown(test_offer_any_port, teardown),
		cmocka_unit_test_teardown(test_offer_strangers, teardown),
		cmocka_unit_test_teardown(test_systemd, teardown),
		cmocka_unit_test_teardown(test_systemd_of_another, teardown),
		cmocka_unit_test(test_child_fds),
	};

	return cmocka_run_group_tests_name("listeners", tests, NULL, NULL);
}

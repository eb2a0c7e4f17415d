/* daemon/notify: datagrams to both kinds of socket, and silence otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon/notify.h"

static void
hears(const char *name)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char got[64];
	ssize_t n;

	memcpy(sa.sun_path, name, strlen(name));
	if (name[0] == '@')
		sa.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&sa,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	notify_send("READY=1");
	n = recv(fd, got, sizeof(got), MSG_DONTWAIT);
	assert_int_equal(n, 7);
	assert_memory_equal(got, "READY=1", 7);
	close(fd);
}

static void
test_path(void **state)
{
	char name[64];

	(void)state;
	(void)snprintf(name, sizeof(name), "/tmp/test-notify-%d", getpid());
	hears(name);
	assert_int_equal(unlink(name), 0);
	notify_send("READY=1"); /* nobody there any more */
}

static void
test_abstract(void **state)
{
	char name[64];

	(void)state;
	(void)snprintf(name, sizeof(name), "@test-notify-%d", getpid());
	hears(name);
}

static void
test_none(void **state)
{
	char name[300];

	(void)state;
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	notify_send("READY=1");
	assert_int_equal(setenv("NOTIFY_SOCKET", "relative", 1), 0);
	notify_send("READY=1");
	memset(name, 'x', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	notify_send("READY=1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_abstract),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}

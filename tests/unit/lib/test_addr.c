/* lib/addr: addresses, lists, subnets, and a listener one can reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/addr.h"
#include "lib/err.h"

static void
test_parse(void **state)
{
	static const char *const good[] = {"127.0.0.1:8080",	  "0.0.0.0:0", "[::1]:2222",
					   "[2001:db8::1]:65535", "[::]:80",   NULL};
	static const char *const bad[] = {
		"",
		":80",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:65536",
		"127.0.0.1:-1",
		"127.0.0.1:+1",
		"127.0.0.1: 1",
		"127.0.0.1:80x",
		"127.0.0.1:99999999999999999999",
		"127.0.0:80",
		"127.0.0.256:80",
		"127.0.0.1.:80",
		"::1:80",
		"[::1:80",
		"[::1]80",
		"[]:80",
		"[:80",
		"]:80",
		"[127.0.0.1]:80",
		"localhost:80",
		"[fe80::1%lo]:80",
		"1111111111111111111111111111111111111111111111111111111111"
		"1111111111111111111111111111111111111:80",
		NULL};
	char text[ADDR_TEXT_MAX];
	struct addr addr;
	struct err err;

	(void)state;
	for (const char *const *t = good; *t; t++) {
		assert_int_equal(addr_parse(*t, &addr, &err), 0);
		assert_string_equal(addr_text(&addr, text), *t);
	}
	assert_int_equal(addr_port(&addr), 80);
	for (const char *const *t = bad; *t; t++) {
		if (addr_parse(*t, &addr, &err) != -EINVAL)
			fail_msg("\"%s\" accepted", *t);
		assert_int_equal(addr_parse(*t, &addr, NULL), -EINVAL);
	}
	memset(&addr, 0, sizeof(addr));
	assert_string_equal(addr_text(&addr, text), "unknown");
	assert_int_equal(addr_port(&addr), 0);
}

static void
test_list(void **state)
{
	struct addr addrs[3];
	char text[ADDR_TEXT_MAX], longest[300];
	struct err err;

	(void)state;
	assert_int_equal(addr_parse_list("127.0.0.1:1", addrs, 3, &err), 1);
	assert_int_equal(addr_parse_list("127.0.0.1:1,[::1]:2,0.0.0.0:3", addrs, 3, &err), 3);
	assert_string_equal(addr_text(&addrs[1], text), "[::1]:2");
	assert_int_equal(addr_parse_list("1.1.1.1:1,1.1.1.1:1,1.1.1.1:1,1.1.1.1:1", addrs, 3, &err),
			 -EINVAL);
	assert_string_equal(err.text, "more than 3 addresses in a list");
	assert_int_equal(addr_parse_list("", addrs, 3, &err), -EINVAL);
	assert_int_equal(addr_parse_list("1.1.1.1:1,", addrs, 3, &err), -EINVAL);
	assert_int_equal(addr_parse_list(",1.1.1.1:1", addrs, 3, &err), -EINVAL);
	assert_int_equal(addr_parse_list("1.1.1.1:1, 1.1.1.1:2", addrs, 3, &err), -EINVAL);
	memset(longest, '1', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(addr_parse_list(longest, addrs, 3, &err), -EINVAL);
}

static void
test_subnet(void **state)
{
	static const char *const bad[] = {"",
					  "10.0.0.0",
					  "10.0.0.0/",
					  "10.0.0.0/7",
					  "10.0.0.0/29",
					  "10.0.0.0/33",
					  "10.0.0.1/24",
					  "10.0.0/24",
					  "10.0.0.0/+8",
					  "10.0.0.0/8 ",
					  "::/16",
					  "/16",
					  "10.000000000000.0.0/8",
					  NULL};
	struct subnet subnet;
	struct err err;

	(void)state;
	assert_int_equal(subnet_parse("10.90.0.0/16", &subnet, &err), 0);
	assert_int_equal(subnet.base, 0x0a5a0000);
	assert_int_equal(subnet_size(&subnet), 65533);
	assert_int_equal(subnet_address(&subnet, 1), 0x0a5a0001);
	assert_int_equal(subnet_address(&subnet, 65534), 0x0a5afffe);
	assert_int_equal(subnet_parse("192.168.1.16/28", &subnet, &err), 0);
	assert_int_equal(subnet_size(&subnet), 13);
	assert_int_equal(subnet_parse("10.0.0.0/8", &subnet, &err), 0);
	for (const char *const *t = bad; *t; t++) {
		if (subnet_parse(*t, &subnet, &err) != -EINVAL)
			fail_msg("\"%s\" accepted", *t);
	}
}

static void
test_listen(void **state)
{
	static const char *const both[] = {"127.0.0.1:0", "[::1]:0"};
	char text[ADDR_TEXT_MAX], want[ADDR_TEXT_MAX + 64];
	struct addr addr, bound;
	struct err err;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int fd, client;

		assert_int_equal(addr_parse(both[i], &addr, &err), 0);
		fd = addr_listen(&addr, 8, &err);
		if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
			continue; /* no IPv6 here */
		assert_true(fd >= 0);
		assert_int_equal(addr_of_socket(fd, &bound), 0);
		assert_true(addr_port(&bound) > 0);
		client = socket(bound.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(client, (struct sockaddr *)&bound.sa, bound.len), 0);
		close(client);
		/* The second one on the same port says why not. */
		assert_int_equal(addr_listen(&bound, 8, &err), -EADDRINUSE);
		(void)snprintf(want, sizeof(want), "listen on %s: Address already in use",
			       addr_text(&bound, text));
		assert_string_equal(err.text, want);
		close(fd);
	}
	memset(&addr, 0, sizeof(addr));
	addr.sa.ss_family = 255;
	assert_int_equal(addr_listen(&addr, 8, &err), -EAFNOSUPPORT);
	assert_int_equal(addr_of_socket(-1, &addr), -EBADF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_subnet),
		cmocka_unit_test(test_listen),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}

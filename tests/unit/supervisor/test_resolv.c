/* Which name servers instances are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "daemon/supervisor/resolv.h"

#define GATEWAY 0x0a5a0001U
#define LOOPBACK 0x7f000001U
#define STUB 0x7f000035U

static bool
is_local(uint32_t address)
{
	return address >> 24 == 127 || address == 0xc0a80105; /* 192.168.1.5 */
}

static void
check(const char *text, const char *upstream, const char *want, uint32_t forward)
{
	struct resolv resolv = {0};
	AUTO_BUF struct buf out;

	buf_init(&out, 4096);
	assert_int_equal(resolv_translate(text, upstream, GATEWAY, is_local, &resolv, &out), 0);
	assert_string_equal(buf_text(&out), want);
	assert_int_equal(resolv.forward, forward);
}

static void
real_servers_are_passed_on(void **state)
{
	(void)state;
	check("# comment\nsearch example.com\nnameserver 10.0.0.2\nnameserver  8.8.8.8 # "
	      "x\noptions "
	      "ndots:2\n",
	      NULL,
	      "search example.com\nnameserver 10.0.0.2\nnameserver 8.8.8.8\noptions ndots:2\n", 0);
	/* Three at most, as the C library reads. */
	check("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\n",
	      NULL, "nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\n", 0);
	/* One that the sandbox cannot reach is left out as long as there is another. */
	check("nameserver 127.0.0.1\nnameserver ::1\nnameserver 9.9.9.9\n", NULL,
	      "nameserver 9.9.9.9\n", 0);
}

static void
a_stub_is_seen_through(void **state)
{
	(void)state;
	check("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n",
	      "nameserver 192.168.1.1\nsearch lan\n", "nameserver 192.168.1.1\nsearch lan\n", 0);
	/* What systemd-resolved keeps is of no interest to a host that does not use it. */
	check("nameserver 10.0.0.2\n", "nameserver 192.168.1.1\n", "nameserver 10.0.0.2\n", 0);
}

static void
a_local_resolver_is_forwarded_to(void **state)
{
	(void)state;
	check("nameserver 127.0.0.1\n", NULL, "nameserver 10.90.0.1\n", LOOPBACK);
	check("nameserver 127.0.0.53\n", "# none\n", "nameserver 10.90.0.1\n", STUB);
	check("search lan\nnameserver 192.168.1.5\n", NULL, "search lan\nnameserver 10.90.0.1\n",
	      0xc0a80105);
	/* resolv.conf(5): no server named means this machine. */
	check("", NULL, "nameserver 10.90.0.1\n", LOOPBACK);
}

static void
garbage_is_passed_over(void **state)
{
	(void)state;
	check("nameserver\nnameserver \nnameserver 300.1.1.1\nnameserverx 1.1.1.1\nfoo bar\n"
	      "nameserver 1.2.3.4",
	      NULL, "nameserver 1.2.3.4\n", 0);
	check("nameserver 1.2.3.4 \nsearch\nsearch \n", NULL, "nameserver 1.2.3.4\n", 0);
}

static void
the_hosts_own_addresses_are_known(void **state)
{
	(void)state;
	assert_true(resolv_is_local(LOOPBACK));
	assert_true(resolv_is_local(STUB));
	assert_false(resolv_is_local(0x08080808));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_servers_are_passed_on),
		cmocka_unit_test(a_stub_is_seen_through),
		cmocka_unit_test(a_local_resolver_is_forwarded_to),
		cmocka_unit_test(garbage_is_passed_over),
		cmocka_unit_test(the_hosts_own_addresses_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

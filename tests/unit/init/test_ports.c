/* What /proc/net/tcp says, for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/supervisor/init/ports.h"

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define REST " 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000000000000000 100\n"

static void
listening_sockets_are_listed_once(void **state)
{
	char out[PORTS_TEXT_MAX + 1] = "";

	(void)state;
	ports_parse(HEAD "   0: 0100007F:0BB8 00000000:0000 0A" REST
			 "   1: 0100007F:0BB8 00000000:0000 0A" REST
			 "   2: 00000000:1388 00000000:0000 0A" REST
			 "   3: 00000000:1389 0100007F:1234 01" REST "garbage\n 4: zz:zz\n",
		    out, sizeof(out));
	assert_string_equal(out, "127.0.0.1:3000 0.0.0.0:5000");
	ports_parse(HEAD "   0: 00000000000000000000000000000000:1F90 "
			 "00000000000000000000000000000000:0000 0A" REST
			 "   1: 00000000000000000000000001000000:0050 "
			 "00000000000000000000000000000000:0000 0A",
		    out, sizeof(out));
	assert_string_equal(out, "127.0.0.1:3000 0.0.0.0:5000 [::]:8080 [::1]:80");
}

static void
a_prefix_is_another_port(void **state)
{
	char out[PORTS_TEXT_MAX + 1] = "";

	(void)state;
	ports_parse("   0: 0100007F:1F90 00000000:0000 0A" REST
		    "   1: 0100007F:0050 00000000:0000 0A" REST,
		    out, sizeof(out));
	assert_string_equal(out, "127.0.0.1:8080 127.0.0.1:80");
}

static void
no_more_than_fits(void **state)
{
	char out[20] = "";

	(void)state;
	ports_parse("   0: 0100007F:1F90 00000000:0000 0A" REST
		    "   1: 0100007F:0050 00000000:0000 0A" REST,
		    out, sizeof(out));
	assert_string_equal(out, "127.0.0.1:8080");
	ports_parse("", out, sizeof(out));
	assert_string_equal(out, "127.0.0.1:8080");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listening_sockets_are_listed_once),
		cmocka_unit_test(a_prefix_is_another_port),
		cmocka_unit_test(no_more_than_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

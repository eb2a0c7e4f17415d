/* receiver/limits: one stranger cannot use up what is there for all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/addr.h"
#include "lib/err.h"

#include "daemon/receiver/limits.h"

static const struct limits_bounds bounds = {
	.max_sessions = 6,
	.max_logins = 4,
	.max_address_sessions = 3,
	.max_address_logins = 2,
	.address_burst = 5,
	.address_per_minute = 60,
};

static struct limits *limits;
static uint64_t now_ms;

static struct limits_source *
enter(const char *text, const char *why)
{
	struct limits_source *source = NULL;
	struct addr addr;
	const char *said;

	assert_int_equal(addr_parse(text, &addr, NULL), 0);
	said = limits_enter(limits, &addr, now_ms, &source);
	if (!why)
		assert_null(said);
	else
		assert_non_null(strstr(said, why));
	return source;
}

static int
set_up(void **state)
{
	(void)state;
	now_ms = 1000;
	limits = limits_new(&bounds);
	return limits ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	limits_free(limits);
	return 0;
}

static void
bounds_one_address(void **state)
{
	struct limits_source *a;

	(void)state;
	a = enter("192.0.2.1:1", NULL);
	assert_ptr_equal(enter("192.0.2.1:2", NULL), a);
	enter("192.0.2.1:3", "from your address");
	/* A login makes room for another stranger, an end for another session. */
	limits_login(limits, a);
	enter("192.0.2.1:4", NULL);
	limits_login(limits, a);
	enter("192.0.2.1:5", "from your address");
	limits_leave(limits, a, 1);
	enter("192.0.2.1:6", NULL);
}

static void
bounds_all(void **state)
{
	struct limits_source *a, *b;

	(void)state;
	a = enter("192.0.2.1:1", NULL);
	enter("192.0.2.1:1", NULL);
	b = enter("192.0.2.2:1", NULL);
	enter("192.0.2.2:1", NULL);
	enter("192.0.2.3:1", "too many connections; ");
	limits_login(limits, a);
	limits_login(limits, a);
	limits_login(limits, b);
	enter("192.0.2.3:1", NULL);
	enter("192.0.2.3:1", NULL);
	limits_login(limits, b);
	enter("192.0.2.4:1", "too many connections; ");
	limits_leave(limits, b, 1);
	enter("192.0.2.4:1", NULL);
}

static void
bounds_the_rate(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		limits_leave(limits, enter("192.0.2.1:1", NULL), 0);
	enter("192.0.2.1:1", "from your address");
	/* Others are not concerned. */
	limits_leave(limits, enter("192.0.2.2:1", NULL), 0);
	now_ms += 999;
	enter("192.0.2.1:1", "from your address");
	now_ms += 1;
	limits_leave(limits, enter("192.0.2.1:1", NULL), 0);
	enter("192.0.2.1:1", "from your address");
	now_ms += 100000000;
	for (int i = 0; i < 5; i++)
		limits_leave(limits, enter("192.0.2.1:1", NULL), 0);
	enter("192.0.2.1:1", "from your address");
}

static void
counts_ipv6_by_network(void **state)
{
	struct limits_source *a;

	(void)state;
	a = enter("[2001:db8:1:2::1]:1", NULL);
	assert_ptr_equal(enter("[2001:db8:1:2:ffff::9]:1", NULL), a);
	assert_ptr_not_equal(enter("[2001:db8:1:3::1]:1", NULL), a);
	a = enter("[::ffff:192.0.2.9]:1", NULL);
	limits_leave(limits, a, 0);
	assert_ptr_equal(enter("192.0.2.9:1", NULL), a);
}

static void
forgets_the_idle_not_the_busy(void **state)
{
	char text[40];

	(void)state;
	/* More addresses than there are places: each is owed a little, so none can be forgotten ...
	 */
	for (int i = 0; i < 1024; i++) {
		(void)snprintf(text, sizeof(text), "10.0.%d.%d:1", i / 256, i % 256);
		limits_leave(limits, enter(text, NULL), 0);
	}
	enter("192.0.2.1:1", "too many connections; ");
	/* ... until it has grown back. */
	now_ms += 1000;
	limits_leave(limits, enter("192.0.2.1:1", NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bounds_one_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounds_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bounds_the_rate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(counts_ipv6_by_network, set_up, tear_down),
		cmocka_unit_test_setup_teardown(forgets_the_idle_not_the_busy, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The rules as text, what nft thinks of them, and how the host's own rules are read. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "daemon/supervisor/chores.h"
#include "daemon/supervisor/firewall.h"

static const struct subnet subnet = {.base = 0x0a5a0000, .bits = 16};

static void
assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void
assert_has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is in:\n%s", part, text);
}

/* Writes the rules and lets nft check them, in a network namespace that may be thrown away. */
static void
rules_of(uint32_t forward, const struct firewall_host *host, struct buf *out)
{
	const char *const argv[] = {"nft", "-f", "-", NULL};
	int status;
	pid_t pid;

	buf_init(out, 65536);
	assert_int_equal(firewall_rules("name", &subnet, forward, host, out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = {0};

		if (unshare(CLONE_NEWNET) < 0)
			_exit(2);
		/* Twice: the second replaces the first. */
		for (int i = 0; i < 2; i++) {
			if (chore_execute(argv, buf_text(out), NULL, &err) < 0) {
				(void)!write(2, err.text, strlen(err.text));
				_exit(1);
			}
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
the_routers_traffic_is_not_tracked(void **state)
{
	struct firewall_host host = {0};
	AUTO_BUF struct buf rules;

	(void)state;
	rules_of(0, &host, &rules);
	assert_has(buf_text(&rules), "ip daddr 10.90.0.1 notrack");
	assert_has(buf_text(&rules), "ip saddr 10.90.0.1 meta l4proto tcp notrack");
	assert_has(buf_text(&rules), "tcp flags & (syn | ack) != syn accept");
	assert_has(buf_text(&rules), "fib saddr . iif oif missing drop");
	assert_has(buf_text(&rules), "ip saddr 10.90.0.0/16 oifname != $sandboxes masquerade");
	assert_has_not(buf_text(&rules), "dnat");
}

static void
a_host_that_filters_input_must_know_replies(void **state)
{
	struct firewall_host host = {.filters_input = true};
	AUTO_BUF struct buf rules;

	(void)state;
	rules_of(0, &host, &rules);
	assert_has_not(buf_text(&rules), "notrack");
	assert_has_not(buf_text(&rules), "tcp flags");
	assert_has(buf_text(&rules), "ct state established,related accept");
}

static void
dns_goes_to_the_hosts_resolver(void **state)
{
	struct firewall_host host = {0};
	AUTO_BUF struct buf rules;
	AUTO_BUF struct buf other;

	(void)state;
	rules_of(0x7f000035, &host, &rules);
	assert_has(buf_text(&rules), "th dport 53 return");
	assert_has(buf_text(&rules), "th dport 53 dnat ip to 127.0.0.53");
	assert_has(buf_text(&rules), "ct status dnat snat ip to 127.0.0.1");
	rules_of(0xc0a80105, &host, &other);
	assert_has(buf_text(&other), "dnat ip to 192.168.1.5");
	assert_has_not(buf_text(&other), "snat ip");
}

static void
rules_that_do_not_fit_are_an_error(void **state)
{
	struct firewall_host host = {0};
	AUTO_BUF struct buf rules;

	(void)state;
	for (size_t max = 0; max < 1200; max += 100) {
		buf_init(&rules, max);
		assert_int_equal(firewall_rules("name", &subnet, 0, &host, &rules), -ENOBUFS);
		buf_done(&rules);
	}
	buf_init(&rules, 0);
}

/* ---- the host's -------------------------------------------------------------------------- */

static struct firewall_host
read_host(const char *ruleset)
{
	struct firewall_host host;

	firewall_read_host(ruleset, "paas-name", &host);
	return host;
}

static void
an_open_host_asks_for_nothing(void **state)
{
	struct firewall_host host = read_host("");

	(void)state;
	assert_false(host.has_docker || host.drops_forward || host.filters_input);
	/* Our own table does not count; neither does an input chain that lets all pass. */
	host = read_host("table inet paas-name {\n"
			 "\tchain input {\n"
			 "\t\ttype filter hook input priority filter; policy drop;\n"
			 "\t\tiifname \"x\" accept\n"
			 "\t}\n"
			 "}\n"
			 "table ip filter {\n"
			 "\tchain INPUT {\n"
			 "\t\ttype filter hook input priority filter; policy accept;\n"
			 "\t}\n"
			 "\tchain FORWARD {\n"
			 "\t\ttype filter hook forward priority filter; policy accept;\n"
			 "\t\tcounter accept\n"
			 "\t}\n"
			 "}\n");
	assert_false(host.has_docker || host.drops_forward || host.filters_input);
}

static void
docker_is_recognised(void **state)
{
	struct firewall_host host =
		read_host("table ip filter {\n"
			  "\tchain DOCKER-USER {\n"
			  "\t\tcounter return\n"
			  "\t}\n\n"
			  "\tchain FORWARD {\n"
			  "\t\ttype filter hook forward priority filter; policy drop;\n"
			  "\t\tcounter jump DOCKER-USER\n"
			  "\t}\n"
			  "}\n");

	(void)state;
	assert_true(host.has_docker);
	assert_true(host.drops_forward);
	assert_string_equal(host.dropping, "table ip filter, chain FORWARD");
	assert_false(host.filters_input);
}

static void
filters_of_input_are_recognised(void **state)
{
	struct firewall_host host =
		read_host("table ip filter {\n"
			  "\tchain INPUT {\n"
			  "\t\ttype filter hook input priority filter; policy drop;\n"
			  "\t}\n"
			  "}\n");

	(void)state;
	assert_true(host.filters_input);
	/* firewalld: accepted by policy, rejected by the last rule. */
	host = read_host("table inet firewalld {\n"
			 "\tchain filter_INPUT {\n"
			 "\t\ttype filter hook input priority filter + 10; policy accept;\n"
			 "\t\tct state { established, related } accept\n"
			 "\t\treject with icmpx admin-prohibited\n"
			 "\t}\n"
			 "}\n");
	assert_true(host.filters_input);
}

/* What `nft list ruleset` prints. */
static void
list(struct buf *out)
{
	const char *const argv[] = {"nft", "list", "ruleset", NULL};

	buf_done(out);
	assert_int_equal(chore_execute(argv, NULL, out, NULL), 0);
}

static void
count(const char *text, const char *part, int want)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, part)) != NULL; at++)
		n++;
	if (n != want)
		fail_msg("\"%s\" is %d times, not %d, in:\n%s", part, n, want, text);
}

static void
docker_is_joined_and_left(void **state)
{
	const char *const argv[] = {"nft", "-f", "-", NULL};
	struct firewall_order order = {.name = "name", .subnet = subnet};
	struct err err = {0};
	AUTO_BUF struct buf text;
	int status;
	pid_t pid;

	(void)state;
	buf_init(&text, 65536);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		return;
	}
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(
		chore_execute(argv,
			      "table ip filter {\n"
			      "chain DOCKER-USER { counter return; }\n"
			      "chain FORWARD { type filter hook forward priority 0; policy drop; "
			      "jump DOCKER-USER; }\n"
			      "}\n",
			      NULL, NULL),
		0);
	/* However often it is loaded, its rules are there once, before Docker's. */
	for (int i = 0; i < 2; i++) {
		if (firewall_load(&order, &err) < 0)
			fail_msg("%s", err.text);
	}
	list(&text);
	count(buf_text(&text), "comment \"paas-name\"", 2);
	count(buf_text(&text), "table inet paas-name {", 1);
	assert_true(strstr(buf_text(&text), "iifname \"name-*\" counter") <
		    strstr(buf_text(&text), "return"));
	if (firewall_remove(&order, &err) < 0)
		fail_msg("%s", err.text);
	list(&text);
	count(buf_text(&text), "paas-name", 0);
	count(buf_text(&text), "DOCKER-USER", 2);
	/* Once more: there is nothing to remove, and that is fine. */
	assert_int_equal(firewall_remove(&order, &err), 0);
	_exit(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_routers_traffic_is_not_tracked),
		cmocka_unit_test(a_host_that_filters_input_must_know_replies),
		cmocka_unit_test(dns_goes_to_the_hosts_resolver),
		cmocka_unit_test(rules_that_do_not_fit_are_an_error),
		cmocka_unit_test(an_open_host_asks_for_nothing),
		cmocka_unit_test(docker_is_recognised),
		cmocka_unit_test(filters_of_input_are_recognised),
		cmocka_unit_test(docker_is_joined_and_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

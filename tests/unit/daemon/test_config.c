/* daemon/config: the table against its manual page, and each way of being wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/config.h"

static struct config config;
static struct err err;

static int
load(const char *text)
{
	err.text[0] = '\0';
	return config_load_text(&config, text, strlen(text), &err);
}

static void
refused(const char *text, const char *why)
{
	assert_int_equal(load(text), -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static void
test_defaults(void **state)
{
	(void)state;
	assert_int_equal(load(""), 0);
	assert_string_equal(config.name, "paas");
	assert_string_equal(config.state, "/var/lib/paas");
	assert_string_equal(config.runtime, "/run/paas");
	assert_string_equal(config.http, "0.0.0.0:80,[::]:80");
	assert_string_equal(config.https, "");
	assert_string_equal(config.stack, "host");
	assert_true(config.stack_name[0]);
	assert_true(config.domain[0]);
	assert_true(config.routers >= 1);
	assert_int_equal(config.instance_memory, 512 * 1024 * 1024);
	assert_int_equal(config.build_memory, 2LL * 1024 * 1024 * 1024);
	assert_int_equal(config.build_time_ms, 15 * 60 * 1000);
	assert_int_equal(config.uid_base, 1900000000);
	assert_int_equal(config.subnet.bits, 16);
}

static void
test_values(void **state)
{
	(void)state;
	assert_int_equal(
		load("# a comment\n"
		     "name = t1\nstate = ./state\nhttp = 127.0.0.1:0,[::1]:8080\n"
		     "domain = apps.example.org\nsubnet = 10.90.0.0/20\nrouters = 3\n"
		     "instance-memory = 64M\nbuild-time = 90s\nstop-time = 5\n"
		     "build-env = \"A=1 B_2=x=y\"\nstack = /srv/stack\nstack-name = mine-1\n"),
		0);
	assert_string_equal(config.state, "./state");
	assert_string_equal(config.runtime, "./state");
	assert_string_equal(config.http, "127.0.0.1:0,[::1]:8080");
	assert_int_equal(config.subnet.bits, 20);
	assert_int_equal(config.routers, 3);
	assert_int_equal(config.instance_memory, 64 * 1024 * 1024);
	assert_int_equal(config.build_time_ms, 90000);
	assert_int_equal(config.stop_time_ms, 5000);
	assert_string_equal(config.build_env, "A=1 B_2=x=y");
	assert_string_equal(config.stack_name, "mine-1");
}

static void
test_bad_lines(void **state)
{
	(void)state;
	refused("name = a\nnme = b\n", "paas.conf:2: unknown key \"nme\"");
	refused("\n\nname = a\n# x\nname = b\n", "paas.conf:5: name was already given");
	refused("name\n", "paas.conf:1");
	refused("routers = 0\n", "routers must be a whole number from 1 to 64");
	refused("routers = two\n", "routers must be a whole number");
	refused("builds = 1000\n", "builds must be");
	refused("instance-memory = 1K\n", "instance-memory must be a size");
	refused("instance-memory = much\n", "instance-memory must be a size");
	refused("build-time = 25h\n", "build-time must be a time");
	refused("build-time = soon\n", "build-time must be a time");
	refused("uid-base = 1000\n", "uid-base must be");
	refused("stop-time = 0\n", "stop-time must be a time");
}

static void
test_bad_values(void **state)
{
	char long_text[600] = "http = ";

	(void)state;
	refused("name = A\n", "name \"A\"");
	refused("name = sevenchars\n", "name");
	refused("state =\n", "state is empty");
	refused("domain = *.example.org\n", "wildcard");
	refused("domain = a..b\n", "domain");
	refused("subnet = 10.0.0.1/16\n", "subnet");
	refused("subnet = 10.0.0.0/30\n", "subnet");
	refused("http = localhost\n", "http");
	refused("http =\n", "http is empty");
	refused("ssh =\n", "ssh is empty");
	refused("ssh = 1.2.3.4:99999\n", "ssh");
	refused("https = 127.0.0.1:443\n", "not served yet");
	refused("stack = relative\n", "stack must be");
	refused("stack-name = Debian 12\n", "stack-name may have");
	refused("build-env = nothing\n", "build-env");
	refused("build-env = \"A=1 =2\"\n", "\"=2\" is not");
	refused("build-env = 1A=1\n", "build-env");
	refused("build-env = A-B=1\n", "build-env");
	memset(long_text + 7, '1', sizeof(long_text) - 9);
	refused(long_text, "http is longer than");
}

static void
test_addresses_at_most(void **state)
{
	(void)state;
	assert_int_equal(load("http = 1.1.1.1:1,1.1.1.1:2,1.1.1.1:3,1.1.1.1:4,1.1.1.1:5,"
			      "1.1.1.1:6,1.1.1.1:7,1.1.1.1:8\n"),
			 0);
	refused("http = 1.1.1.1:1,1.1.1.1:2,1.1.1.1:3,1.1.1.1:4,1.1.1.1:5,"
		"1.1.1.1:6,1.1.1.1:7,1.1.1.1:8,1.1.1.1:9\n",
		"http");
}

/* ---- the command line --------------------------------------------------------------------- */

static char file[] = "/tmp/test-config-XXXXXX";

static int
make_file(void **state)
{
	static const char text[] = "name = file\ndomain = file.example.org\n";
	int fd = mkstemp(file);

	(void)state;
	if (fd < 0 || file_write_all(fd, text, strlen(text)) < 0)
		return -1;
	return close(fd);
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(file);
}

#define ARGS(...)                                                                                  \
	char *argv[] = {(char[]){"paasd"}, __VA_ARGS__, NULL};                                     \
	int argc = (int)(sizeof(argv) / sizeof(*argv)) - 1;                                        \
	enum config_mode mode = CONFIG_RUN
#define A(text) ((char[]){text})

static void
test_command_line_wins(void **state)
{
	ARGS(A("--config"), file, A("--name=line"), A("--routers"), A("2"));

	(void)state;
	assert_int_equal(config_load(&config, argc, argv, &mode, &err), 0);
	assert_int_equal(mode, CONFIG_RUN);
	assert_string_equal(config.name, "line");
	assert_string_equal(config.domain, "file.example.org");
	assert_int_equal(config.routers, 2);
}

static void
test_modes(void **state)
{
	ARGS(A("--config"), file, A("--self-test"));
	char *help[] = {A("paasd"), A("--help"), NULL};
	char *version[] = {A("paasd"), A("--bogus-is-not-reached"), NULL};

	(void)state;
	assert_int_equal(config_load(&config, argc, argv, &mode, &err), 0);
	assert_int_equal(mode, CONFIG_SELF_TEST);
	assert_int_equal(config_load(&config, 2, help, &mode, &err), 0);
	assert_int_equal(mode, CONFIG_HELP);
	version[1] = A("--version");
	assert_int_equal(config_load(&config, 2, version, &mode, &err), 0);
	assert_int_equal(mode, CONFIG_VERSION);
}

static void
line_refused(char *one, char *two, const char *why)
{
	char *argv[] = {A("paasd"), A("--config"), file, one, two, NULL};
	enum config_mode mode;

	assert_int_equal(config_load(&config, two ? 5 : 4, argv, &mode, &err), -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

static void
test_bad_command_lines(void **state)
{
	char long_key[200] = "--";

	(void)state;
	line_refused(A("--nme"), A("x"), "unknown option \"--nme\"");
	line_refused(A("name"), NULL, "\"name\" is not an option");
	line_refused(A("-n"), NULL, "\"-n\" is not an option");
	line_refused(A("--name"), NULL, "--name needs a value");
	line_refused(A("--help=yes"), NULL, "unknown option");
	line_refused(A("--routers"), A("many"), "routers must be a whole number");
	memset(long_key + 2, 'n', sizeof(long_key) - 3);
	line_refused(long_key, A("x"), "unknown option");
}

static void
test_missing_file(void **state)
{
	ARGS(A("--config"), A("/nonexistent/paas.conf"));

	(void)state;
	assert_int_equal(config_load(&config, argc, argv, &mode, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/paas.conf"));
}

/* ---- documents ------------------------------------------------------------------------------ */

/* "(512M)" at the end of a line of --help is in the manual's words about that key. */
static void
check_default(const char *item, const char *line)
{
	const char *open = strrchr(line, '('), *end = strstr(item, "\n.It "), *found;
	char value[64];

	if (!open || line[strlen(line) - 1] != ')')
		return;
	(void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(open + 1, ")"), open + 1);
	found = strstr(item, value);
	if (!found || (end && found > end))
		fail_msg("paas.conf(5) has another default than %s", line);
}

/* Every key of --help has its place in paas.conf(5), and none is there that is no key. */
static void
test_manual_page(void **state)
{
	AUTO_BUF struct buf manual;
	char *help = NULL, *line, *rest;
	const char *at;
	size_t n = 0, n_keys = 0, n_items = 0;
	FILE *out = open_memstream(&help, &n);

	(void)state;
	buf_init(&manual, 1024 * 1024);
	assert_int_equal(file_read_at(AT_FDCWD, "daemon/paas.conf.5", &manual), 0);
	config_help(out);
	assert_int_equal(fclose(out), 0);
	for (line = strtok_r(help, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char item[64];
		int len;

		if (strncmp(line, "  --", 4) != 0)
			continue;
		len = (int)strcspn(line + 4, " ");
		(void)snprintf(item, sizeof(item), "\n.It Ic %.*s\n", len, line + 4);
		if (strcmp(item, "\n.It Ic config\n") == 0 ||
		    strcmp(item, "\n.It Ic help\n") == 0 ||
		    strcmp(item, "\n.It Ic version\n") == 0 ||
		    strcmp(item, "\n.It Ic self-test\n") == 0)
			continue;
		n_keys++;
		at = strstr(buf_text(&manual), item);
		if (!at)
			fail_msg("paas.conf(5) does not describe %.*s", len, line + 4);
		check_default(at + 1, line);
	}
	for (const char *p = buf_text(&manual); (p = strstr(p, "\n.It Ic ")); p++)
		n_items++;
	assert_true(n_keys > 20);
	assert_int_equal(n_keys, n_items);
	free(help);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_addresses_at_most),
		cmocka_unit_test(test_command_line_wins),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_bad_command_lines),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_manual_page),
	};

	return cmocka_run_group_tests_name("config", tests, make_file, remove_file);
}

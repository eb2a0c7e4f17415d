/* What a git remote's URL says about host, port and app. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"

#include "cli/ssh.h"

static void
is(const char *url, const char *user_host, const char *port, const char *app)
{
	struct remote r;
	struct err err;
	assert_int_equal(remote_parse(url, &r, &err), 0);
	assert_string_equal(r.user_host, user_host);
	assert_string_equal(r.port, port);
	assert_string_equal(r.app, app);
}

static void
refuses(const char *url)
{
	struct remote r;
	struct err err = {""};
	assert_true(remote_parse(url, &r, &err) < 0);
	assert_non_null(strstr(err.text, "ssh://paas@HOST:2222/APP.git"));
}

static void
test_good(void **state)
{
	(void)state;
	is("ssh://paas@127.0.0.1:2222/hello.git", "paas@127.0.0.1", "2222", "hello");
	is("ssh://paas@example.org/hello.git", "paas@example.org", "", "hello");
	is("ssh://paas@example.org:22/hello", "paas@example.org", "22", "hello");
	is("paas@example.org:hello.git", "paas@example.org", "", "hello");
	is("paas@example.org:/hello.git", "paas@example.org", "", "hello");
	is("vm:hello", "vm", "", "hello");
	is("ssh://paas@[::1]:2222/hello.git", "paas@::1", "2222", "hello");
}

static void
test_bad(void **state)
{
	(void)state;
	refuses("https://github.example/x.git");
	refuses("/srv/git/hello.git");
	refuses("ssh://paas@example.org");
	refuses("ssh://paas@example.org/");
	refuses("ssh://-oProxyCommand=x/hello.git");
	refuses("-oProxyCommand=x:hello.git");
	refuses("paas@example.org:a/b.git");
	refuses("");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};
	return cmocka_run_group_tests_name("ssh", tests, NULL, NULL);
}

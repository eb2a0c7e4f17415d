/* Each allocation on the way of a request fails once: no crash, no leak, an answer or an end. */
#include <sys/socket.h>

#include <jansson.h>
#include <sqlite3.h>

#include "tests/unit/lib/alloc.h"

#include "daemon/control/query.c"
#include "daemon/control/api_conn.c"
#undef malloc
#undef calloc
#undef realloc
#undef reallocarray
#undef strdup

#include "daemon/control/api.h"
#include "daemon/control/config.h"
#include "daemon/control/options.h"
#include "tests/unit/control/fake_live.h"
#include "tests/unit/control/fixture.h"

static struct loop loop;
static struct api *api;
static const struct options options = {.domain = "paas.test", .stack_name = "host"};

static int
set_up(void **state)
{
	struct app app;
	struct config_var var = {"A", "1"};
	struct release release;

	(void)fixture_set_up(state);
	app = fixture_app("hello");
	(void)fixture_deploy(&app, "web worker");
	assert_int_equal(config_change(store, &app, &var, 1, "root", &release, &err), 0);
	fixture_user("boss", RIGHT_NONE);
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(api_open(&loop, store, NULL, &options, -1, &api, &err), 0);
	return 0;
}

static int
tear_down(void **state)
{
	alloc_left = -1;
	api_close(api);
	loop_done(&loop);
	return fixture_tear_down(state);
}

static char got[65536];

/* The status of the answer, 0 when the connection just ended. */
static int
ask(const char *text, long fail_at)
{
	int ends[2], status = 0, code;
	ssize_t n;

	fake_forget();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(write(ends[0], text, strlen(text)), strlen(text));
	alloc_left = fail_at;
	code = api_serve(api, ends[1], "root");
	for (int i = 0; i < 4 && code == 0; i++)
		assert_int_equal(loop_turn(&loop, 0), 0);
	n = recv(ends[0], got, sizeof(got) - 1, MSG_DONTWAIT);
	if (n > 12) {
		got[n] = '\0';
		status = atoi(got + 9);
	}
	(void)close(ends[0]);
	for (int i = 0; i < 4; i++)
		assert_int_equal(loop_turn(&loop, 0), 0);
	return status;
}

static const char *
body_of(const char *text)
{
	const char *end = strstr(text, "\r\n\r\n");

	return end ? end + 4 : "";
}

static void
every_allocation_may_fail(void **state)
{
	static const struct {
		const char *text;
		int status;
	} requests[] = {
		{"GET /apps HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"GET /apps/hello HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"GET /apps/hello/formation HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"GET /apps/hello/config-vars HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"GET /apps/hello/releases HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"GET /apps/hello/dynos HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"GET /apps/hello/collaborators HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"GET /keys HTTP/1.1\r\nHost: a\r\n\r\n", 200},
		{"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404},
		{"PATCH /apps/hello/formation HTTP/1.1\r\nHost: a\r\nContent-Length: 45\r\n\r\n"
		 "{\"updates\":[{\"type\":\"web\",\"quantity\":\"2\"}]}  ",
		 200},
		{"PATCH /apps/hello/config-vars HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
		 "{\"A\":\"1\"}",
		 200},
	};

	(void)state;
	json_set_alloc_funcs(alloc_malloc, free);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		char whole[sizeof(got)];
		int n_failed = 0;

		assert_int_equal(ask(requests[i].text, -1), requests[i].status);
		(void)strcpy(whole, body_of(got));
		for (long at = 0;; at++) {
			int status = ask(requests[i].text, at);

			if (alloc_left >= 0) {
				assert_int_equal(status, requests[i].status);
				break;
			}
			if (status != requests[i].status)
				n_failed++;
			/* whole or not at all; jansson's parser may call it bad JSON */
			if (status == requests[i].status)
				assert_string_equal(body_of(got), whole);
			else
				assert_true(status == 0 || status == 500 ||
					    (status == 400 && requests[i].text[0] == 'P'));
			assert_true(at < 10000);
		}
		alloc_left = -1;
		assert_true(n_failed > 3);
		/* and afterwards all is as before */
		assert_int_equal(ask(requests[i].text, -1), requests[i].status);
	}
	json_set_alloc_funcs(malloc, free);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_allocation_may_fail, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

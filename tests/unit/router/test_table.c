/* router/table and router/balance: what is known, what is leaving, and who is chosen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "router/balance.h"
#include "router/table.h"

static struct {
	uint64_t drained[64];
	size_t n_drained;
	size_t n_detached;
} heard;

static void
on_detached(void *user, struct backend *backend)
{
	assert_ptr_equal(user, &heard);
	assert_false(backend->is_routed);
	heard.n_detached++;
}

static void
on_drained(void *user, uint64_t instance)
{
	assert_ptr_equal(user, &heard);
	heard.drained[heard.n_drained++] = instance;
}

static const struct table_calls calls = {.detached = on_detached, .drained = on_drained};
static struct table table;

static int
setup(void **state)
{
	(void)state;
	memset(&heard, 0, sizeof(heard));
	table_init(&table, &calls, &heard);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	table_done(&table);
	return 0;
}

static struct app *
find(const char *host)
{
	return table_find(&table, (struct http_text){host, strlen(host)});
}

/* App `id` with backends of these instances. */
static int
set_app(uint32_t id, const uint64_t *instances, size_t n)
{
	struct table_row rows[20] = {0};

	for (size_t i = 0; i < n; i++) {
		rows[i].instance = instances[i];
		rows[i].ipv4 = 0x0a000000 + (uint32_t)instances[i];
		rows[i].port = 5000;
		(void)snprintf(rows[i].name, sizeof(rows[i].name), "web.%zu", i + 1);
	}
	return table_set_app(&table, id, "hello", n ? ROUTE_UP : ROUTE_NO_WEB, rows, n);
}

static void
test_hosts(void **state)
{
	char longest[300];
	(void)state;

	assert_int_equal(table_set_host(&table, "a.localhost", 1), -ENOENT);
	assert_int_equal(set_app(1, NULL, 0), 0);
	assert_int_equal(set_app(2, NULL, 0), 0);
	assert_int_equal(table_set_host(&table, "a.localhost", 1), 0);
	assert_int_equal(table_set_host(&table, "*.w.localhost", 2), 0);
	assert_int_equal(table_set_host(&table, "a b", 2), -EINVAL);
	assert_int_equal(find("a.localhost")->id, 1);
	assert_int_equal(find("A.LOCALHOST.")->id, 1);
	assert_null(find(""));
	assert_null(find("."));
	assert_null(find("localhost"));
	assert_int_equal(find("x.w.localhost")->id, 2);
	assert_int_equal(find("x.y.w.localhost")->id, 2);
	assert_null(find("w.localhost"));
	assert_null(find(".w.localhost"));
	memset(longest, 'x', sizeof(longest));
	longest[280] = '\0';
	assert_null(find(longest));
	table_remove_host(&table, "*.w.localhost");
	assert_null(find("x.w.localhost"));
	table_remove_host(&table, "*.w.localhost");
	assert_int_equal(table_set_host(&table, "a.localhost", 2), 0);
	assert_int_equal(find("a.localhost")->id, 2);
	table_remove_app(&table, 2);
	assert_null(find("a.localhost"));
	table_remove_app(&table, 2);
}

static void
test_replace(void **state)
{
	const uint64_t first[] = {1, 2, 3}, second[] = {3, 4}, twice[] = {5, 5};
	struct backend *three;
	struct app *app;
	(void)state;

	assert_int_equal(set_app(1, first, 3), 0);
	assert_int_equal(table_set_host(&table, "a", 1), 0);
	app = find("a");
	three = app->backends[2];
	assert_int_equal(set_app(1, twice, 2), -EEXIST);
	assert_int_equal(app->n_backends, 3);
	backend_begin(app->backends[1]);
	assert_int_equal(set_app(1, second, 2), 0);
	assert_int_equal(app->n_backends, 2);
	assert_ptr_equal(app->backends[0], three);
	assert_string_equal(three->name, "web.1");
	assert_int_equal(heard.n_detached, 2);
	assert_int_equal(heard.n_drained, 1);
	assert_int_equal(heard.drained[0], 1);
	assert_int_equal(table.leaving->instance, 2);
	backend_end(&table, table.leaving);
	assert_int_equal(heard.n_drained, 2);
	assert_int_equal(heard.drained[1], 2);
	assert_null(table.leaving);
	/* on one that stays, the end of a request is nothing special */
	backend_begin(three);
	backend_end(&table, three);
	assert_int_equal(heard.n_drained, 2);
}

static void
test_comes_back(void **state)
{
	const uint64_t one[] = {1}, two[] = {2};
	struct backend *backend;
	struct app *app;
	(void)state;

	assert_int_equal(set_app(1, one, 1), 0);
	assert_int_equal(table_set_host(&table, "a", 1), 0);
	app = find("a");
	backend = app->backends[0];
	backend_begin(backend);
	assert_int_equal(set_app(1, two, 1), 0);
	assert_ptr_equal(table.leaving, backend);
	assert_int_equal(set_app(1, one, 1), 0);
	assert_ptr_equal(app->backends[0], backend);
	assert_null(table.leaving);
	backend_end(&table, backend);
	assert_int_equal(heard.n_drained, 1);
	assert_int_equal(heard.drained[0], 2);
}

/* A request may outlive its app. */
static void
test_held(void **state)
{
	const uint64_t instances[] = {1, 2};
	struct backend *backend;
	struct app *app;
	(void)state;

	assert_int_equal(set_app(1, instances, 2), 0);
	assert_int_equal(table_set_host(&table, "a", 1), 0);
	app = find("a");
	app_hold(app);
	backend = app->backends[0];
	backend_begin(backend);
	table_remove_app(&table, 1);
	assert_null(find("a"));
	assert_int_equal(heard.n_drained, 1);
	assert_int_equal(app->n_backends, 0);
	assert_string_equal(backend->app->name, "hello");
	backend_end(&table, backend);
	assert_int_equal(heard.n_drained, 2);
	assert_string_equal(app->name, "hello");
	app_release(app);
}

static void
test_reset(void **state)
{
	const uint64_t one[] = {1}, two[] = {2};
	(void)state;

	table_reset_end(&table);
	assert_int_equal(set_app(1, one, 1), 0);
	assert_int_equal(set_app(2, two, 1), 0);
	assert_int_equal(table_set_host(&table, "a", 1), 0);
	assert_int_equal(table_set_host(&table, "b", 1), 0);
	assert_int_equal(table_set_host(&table, "*.c", 2), 0);
	table_reset_begin(&table);
	assert_int_equal(set_app(1, one, 1), 0);
	assert_int_equal(table_set_host(&table, "a", 1), 0);
	assert_non_null(find("b"));
	assert_non_null(find("x.c"));
	table_reset_end(&table);
	assert_non_null(find("a"));
	assert_null(find("b"));
	assert_null(find("x.c"));
	assert_int_equal(table.n_wildcards, 0);
	assert_int_equal(heard.n_drained, 1);
	assert_int_equal(heard.drained[0], 2);
	/* nothing to remove without a beginning */
	table_reset_end(&table);
	assert_non_null(find("a"));
}

/* ---- balance ------------------------------------------------------------------------------ */

static struct balance balance;

static struct app *
app_of(size_t n)
{
	uint64_t instances[20] = {0};

	for (size_t i = 0; i < n; i++)
		instances[i] = i + 1;
	assert_int_equal(set_app(1, instances, n), 0);
	assert_int_equal(table_set_host(&table, "a", 1), 0);
	balance.random = 12345;
	return find("a");
}

static void
test_least(void **state)
{
	struct app *app = app_of(3);
	uint64_t tried[3] = {2, 3, 1};
	(void)state;

	app->backends[0]->n_active = 2;
	app->backends[1]->n_active = 1;
	app->backends[2]->n_active = 2;
	assert_int_equal(balance_choose(&balance, app, NULL, 0, 0)->instance, 2);
	/* one that failed lately is the last choice, but a choice */
	app->backends[1]->avoid_until_ms = 100;
	assert_int_not_equal(balance_choose(&balance, app, NULL, 0, 99)->instance, 2);
	assert_int_equal(balance_choose(&balance, app, NULL, 0, 100)->instance, 2);
	app->backends[0]->avoid_until_ms = app->backends[2]->avoid_until_ms = 100;
	assert_int_equal(balance_choose(&balance, app, NULL, 0, 99)->instance, 2);
	/* none twice for the same request */
	assert_int_not_equal(balance_choose(&balance, app, tried, 1, 0)->instance, 2);
	assert_int_equal(balance_choose(&balance, app, tried, 2, 0)->instance, 1);
	assert_null(balance_choose(&balance, app, tried, 3, 0));
	for (int i = 0; i < 3; i++)
		app->backends[i]->n_active = 0;
}

static void
test_ties(void **state)
{
	size_t sizes[] = {1, 2, 3, 8, 9, 20};
	(void)state;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct app *app = app_of(sizes[s]);
		unsigned n[21] = {0};

		for (int i = 0; i < 20000; i++)
			n[balance_choose(&balance, app, NULL, 0, 0)->instance]++;
		for (size_t i = 1; i <= sizes[s]; i++)
			assert_in_range(n[i], 20000 / sizes[s] * 8 / 10,
					20000 / sizes[s] * 12 / 10);
	}
}

/* Of many, two are drawn: an idle one wins against a loaded one. */
static void
test_two_choices(void **state)
{
	struct app *app = app_of(20);
	uint64_t tried[1] = {1};
	unsigned n = 0;
	(void)state;

	for (int i = 1; i < 20; i++)
		app->backends[i]->n_active = 5;
	for (int i = 0; i < 20000; i++)
		n += balance_choose(&balance, app, NULL, 0, 0)->instance == 1;
	assert_in_range(n, 1600, 2400); /* 1 in 10: drawn first or second */
	assert_int_not_equal(balance_choose(&balance, app, tried, 1, 0)->instance, 1);
	for (int i = 1; i < 20; i++)
		app->backends[i]->n_active = 0;
	assert_null(balance_choose(&balance, app_of(0), NULL, 0, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_least, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ties, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_choices, setup, teardown),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}

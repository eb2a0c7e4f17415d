/* Routes: what workers are sent, when all have it, and who still holds what. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/lib/alloc.h"

#include "daemon/control/routes.c"

static struct routes routes;
static char sent[8192];
static unsigned n_acked;
static uint64_t drained[16];
static size_t n_drained;

/* Every message as a word: "@0:app 1 hello up 10=web.1" */
static void
send_message(void *user, struct msg *m)
{
	struct wire_reader r;
	char name[300];
	size_t len = strlen(sent);
	char *at = sent + len;
	size_t cap = sizeof(sent) - len;

	assert_ptr_equal(user, &routes);
	assert_false(m->out.failed);
	wire_read_init(&r, m->out.data, m->out.len);
	switch ((int)m->type) {
	case MSG_ROUTE_RESET:
		(void)snprintf(at, cap, "@%u:reset ", m->peer);
		break;
	case MSG_ROUTE_APP: {
		uint32_t id = wire_get_u32(&r);

		wire_get_str(&r, name, sizeof(name));
		unsigned state = wire_get_u8(&r), n = wire_get_u16(&r);
		int used = snprintf(at, cap, "@%u:app(%u,%s,%u", m->peer, id, name, state);

		for (unsigned i = 0; i < n; i++) {
			unsigned long long instance = wire_get_u64(&r);

			(void)wire_get_u32(&r);
			assert_int_equal(wire_get_u16(&r), 5000);
			wire_get_str(&r, name, sizeof(name));
			used += snprintf(at + used, cap - (size_t)used, ",%llu=%s", instance, name);
		}
		(void)snprintf(at + used, cap - (size_t)used, ") ");
		break;
	}
	case MSG_ROUTE_APP_GONE:
		(void)snprintf(at, cap, "@%u:gone(%u) ", m->peer, wire_get_u32(&r));
		break;
	case MSG_ROUTE_HOST:
	case MSG_ROUTE_HOST_GONE:
		wire_get_str(&r, name, sizeof(name));
		if (m->type == MSG_ROUTE_HOST)
			(void)snprintf(at, cap, "@%u:host(%s,%u) ", m->peer, name,
				       wire_get_u32(&r));
		else
			(void)snprintf(at, cap, "@%u:nohost(%s) ", m->peer, name);
		break;
	case MSG_ROUTE_DONE:
		(void)snprintf(at, cap, "@%u:done(%llu) ", m->peer,
			       (unsigned long long)wire_get_u64(&r));
		break;
	default:
		fail_msg("sent %s", msg_name(m->type));
	}
	assert_int_equal(wire_end(&r), 0);
}

static void
on_acked(void *user)
{
	assert_ptr_equal(user, &routes);
	n_acked++;
}

static void
on_drained(void *user, uint64_t instance)
{
	assert_ptr_equal(user, &routes);
	assert_false(routes_hold(&routes, instance));
	drained[n_drained++] = instance;
}

static const struct routes_calls calls = {send_message, on_acked, on_drained};

static int
set_up(void **state)
{
	(void)state;
	routes_init(&routes, &calls, &routes);
	sent[0] = '\0';
	n_acked = 0;
	n_drained = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	routes_done(&routes);
	return 0;
}

/* What was sent since the last look. */
static const char *
look(void)
{
	static char seen[sizeof(sent)];

	memcpy(seen, sent, sizeof(sent));
	sent[0] = '\0';
	return seen;
}

static void
put(uint32_t id, enum route_state state, size_t n, const uint64_t *instances)
{
	struct route_backend backends[8];
	char name[16];

	(void)snprintf(name, sizeof(name), "app%u", id);
	for (size_t i = 0; i < n; i++) {
		backends[i] = (struct route_backend){.instance = instances[i], .ipv4 = 1};
		(void)snprintf(backends[i].name, sizeof(backends[i].name), "web.%zu", i + 1);
	}
	assert_int_equal(routes_put_app(&routes, id, name, state, backends, n), 0);
}

#define PUT(id, state, ...)                                                                        \
	put(id, state, sizeof((uint64_t[]){__VA_ARGS__}) / 8, (uint64_t[]){__VA_ARGS__})

static void
nothing_is_sent_before_they_open(void **state)
{
	const char *hosts[] = {"a.example.org", "b.example.org"};

	(void)state;
	routes_router_up(&routes, 1);
	PUT(7, ROUTE_UP, 10);
	assert_int_equal(routes_put_hosts(&routes, 7, hosts, 2), 0);
	(void)routes_commit(&routes);
	assert_string_equal(look(), "");
	routes_open(&routes);
	assert_string_equal(look(), "@1:reset @1:app(7,app7,0,10=web.1) @1:host(a.example.org,7) "
				    "@1:host(b.example.org,7) @1:done(1) ");
	routes_open(&routes);
	assert_string_equal(look(), "");
}

static void
only_differences_are_sent(void **state)
{
	const char *hosts[] = {"a.example.org", "b.example.org", "c.example.org"};

	(void)state;
	routes_router_up(&routes, 1);
	routes_open(&routes);
	(void)look();
	PUT(7, ROUTE_UP, 10, 11);
	assert_int_equal(routes_commit(&routes), 2);
	assert_string_equal(look(), "@0:app(7,app7,0,10=web.1,11=web.2) @0:done(2) ");
	PUT(7, ROUTE_UP, 10, 11);
	assert_int_equal(routes_commit(&routes), 2);
	assert_string_equal(look(), "");
	/* What the state says counts only without backends. */
	PUT(7, ROUTE_CRASHED, 10, 11);
	assert_string_equal(look(), "");
	put(7, ROUTE_CRASHED, 0, NULL);
	assert_string_equal(look(), "@0:app(7,app7,2) ");
	assert_int_equal(routes_put_hosts(&routes, 7, hosts, 2), 0);
	assert_string_equal(look(), "@0:host(a.example.org,7) @0:host(b.example.org,7) ");
	assert_int_equal(routes_put_hosts(&routes, 7, hosts + 1, 2), 0);
	assert_string_equal(look(), "@0:nohost(a.example.org) @0:host(c.example.org,7) ");
	assert_int_equal(routes_put_hosts(&routes, 8, hosts, 1), 0);
	assert_string_equal(look(), "");
	assert_int_equal(routes_commit(&routes), 3);
	(void)look();
	routes_drop_app(&routes, 7);
	routes_drop_app(&routes, 7);
	assert_string_equal(look(), "@0:gone(7) ");
}

static void
a_generation_is_in_force_when_all_have_it(void **state)
{
	(void)state;
	routes_open(&routes);
	assert_true(routes_are_acked(&routes, 1));
	routes_router_up(&routes, 1);
	routes_router_up(&routes, 2);
	PUT(7, ROUTE_UP, 10);
	uint64_t generation = routes_commit(&routes);

	assert_false(routes_are_acked(&routes, generation));
	routes_router_acked(&routes, 1, generation);
	assert_int_equal(n_acked, 1);
	assert_false(routes_are_acked(&routes, generation));
	/* Nonsense and repetitions do not count. */
	routes_router_acked(&routes, 1, generation);
	routes_router_acked(&routes, 2, generation + 1);
	routes_router_acked(&routes, 3, generation);
	routes_router_acked(&routes, 0, generation);
	assert_int_equal(n_acked, 1);
	assert_false(routes_are_acked(&routes, generation));
	routes_router_acked(&routes, 2, generation);
	assert_true(routes_are_acked(&routes, generation));
	assert_int_equal(n_acked, 2);
}

static void
a_dead_worker_is_not_waited_for(void **state)
{
	(void)state;
	routes_open(&routes);
	routes_router_up(&routes, 1);
	routes_router_up(&routes, 2);
	PUT(7, ROUTE_UP, 10);
	uint64_t generation = routes_commit(&routes);

	routes_router_acked(&routes, 1, generation);
	routes_router_down(&routes, 2);
	routes_router_down(&routes, 2);
	assert_true(routes_are_acked(&routes, generation));
	assert_int_equal(n_acked, 2);
	/* The same number again is a worker that knows nothing. */
	(void)look();
	routes_router_up(&routes, 1);
	assert_false(routes_are_acked(&routes, generation));
	assert_string_equal(look(), "@1:reset @1:app(7,app7,0,10=web.1) @1:done(2) ");
}

static void
an_instance_is_held_until_all_let_go(void **state)
{
	(void)state;
	routes_open(&routes);
	routes_router_up(&routes, 1);
	routes_router_up(&routes, 2);
	PUT(7, ROUTE_UP, 10, 11);
	assert_true(routes_hold(&routes, 10));
	PUT(7, ROUTE_UP, 11);
	assert_true(routes_hold(&routes, 10));
	routes_router_drained(&routes, 1, 10);
	routes_router_drained(&routes, 1, 10);
	routes_router_drained(&routes, 3, 10);
	routes_router_drained(&routes, 0, 10);
	routes_router_drained(&routes, 2, 99);
	assert_true(routes_hold(&routes, 10));
	assert_int_equal(n_drained, 0);
	/* A worker that came later never knew it. */
	routes_router_up(&routes, 4);
	routes_router_drained(&routes, 2, 10);
	assert_false(routes_hold(&routes, 10));
	assert_int_equal(n_drained, 1);
	assert_int_equal(drained[0], 10);
}

static void
a_worker_that_dies_lets_go_of_all(void **state)
{
	(void)state;
	routes_open(&routes);
	routes_router_up(&routes, 1);
	routes_router_up(&routes, 2);
	PUT(7, ROUTE_UP, 10, 11, 12);
	put(7, ROUTE_NO_WEB, 0, NULL);
	routes_router_drained(&routes, 2, 10);
	routes_router_drained(&routes, 2, 11);
	assert_int_equal(n_drained, 0);
	routes_router_down(&routes, 1);
	assert_int_equal(n_drained, 2);
	assert_true(routes_hold(&routes, 12));
	routes_router_down(&routes, 2);
	assert_int_equal(n_drained, 3);
	/* Without workers nothing is held for a moment longer. */
	PUT(7, ROUTE_UP, 13);
	put(7, ROUTE_NO_WEB, 0, NULL);
	assert_false(routes_hold(&routes, 13));
	assert_int_equal(n_drained, 3);
}

static void
one_that_comes_back_is_routed_not_leaving(void **state)
{
	(void)state;
	routes_open(&routes);
	routes_router_up(&routes, 1);
	PUT(7, ROUTE_UP, 10);
	PUT(7, ROUTE_UP, 20);
	PUT(7, ROUTE_UP, 10);
	routes_router_drained(&routes, 1, 10);
	assert_int_equal(n_drained, 0);
	assert_true(routes_hold(&routes, 10));
	routes_router_drained(&routes, 1, 20);
	assert_int_equal(n_drained, 1);
}

static void
what_an_adopted_worker_still_uses_is_held(void **state)
{
	(void)state;
	routes_open(&routes);
	routes_router_up(&routes, 1);
	PUT(7, ROUTE_UP, 10);
	routes_router_draining(&routes, 1, 5);
	routes_router_draining(&routes, 1, 10);
	routes_router_draining(&routes, 2, 6);
	assert_true(routes_hold(&routes, 5));
	assert_false(routes_hold(&routes, 6));
	routes_router_up(&routes, 2);
	routes_router_draining(&routes, 2, 5);
	routes_router_drained(&routes, 1, 5);
	assert_true(routes_hold(&routes, 5));
	routes_router_drained(&routes, 2, 5);
	assert_false(routes_hold(&routes, 5));
	assert_int_equal(n_drained, 1);
}

static void
there_is_room_for_a_bounded_number(void **state)
{
	struct route_backend backends[ROUTES_MAX_BACKENDS + 1] = {0};

	(void)state;
	for (uint32_t peer = 0; peer <= ROUTES_MAX_ROUTERS + 1; peer++)
		routes_router_up(&routes, peer);
	for (size_t i = 0; i <= ROUTES_MAX_BACKENDS; i++) {
		backends[i].instance = i + 1;
		memset(backends[i].name, 'x', 10);
	}
	routes_open(&routes);
	sent[0] = '\0';
	assert_int_equal(
		routes_put_app(&routes, 1, "a", ROUTE_UP, backends, ROUTES_MAX_BACKENDS + 1), 0);
	assert_true(routes_hold(&routes, ROUTES_MAX_BACKENDS));
	assert_false(routes_hold(&routes, ROUTES_MAX_BACKENDS + 1));
}

/* Out of memory at any point: nothing was sent, what was there still is, and it can be done again.
 */
static void
memory_that_fails_changes_nothing(void **state)
{
	struct route_backend backend = {.instance = 10, .ipv4 = 1, .name = "web.1"};
	const char *hosts[] = {"a.example.org", "b.example.org"};

	(void)state;
	routes_open(&routes);
	ALLOC_LOOP(i)
	{
		int ret = routes_put_app(&routes, 7, "a", ROUTE_UP, &backend, 1);

		if (ret == 0)
			ret = routes_put_hosts(&routes, 7, hosts, 2);
		if (ret < 0) {
			assert_int_equal(ret, -ENOMEM);
			assert_null(strstr(sent, "host("));
		}
		routes_drop_app(&routes, 7);
		sent[0] = '\0';
	}
	PUT(7, ROUTE_UP, 10);
	assert_true(routes_hold(&routes, 10));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_sent_before_they_open),
		TEST(only_differences_are_sent),
		TEST(a_generation_is_in_force_when_all_have_it),
		TEST(a_dead_worker_is_not_waited_for),
		TEST(an_instance_is_held_until_all_let_go),
		TEST(a_worker_that_dies_lets_go_of_all),
		TEST(one_that_comes_back_is_routed_not_leaving),
		TEST(what_an_adopted_worker_still_uses_is_held),
		TEST(there_is_room_for_a_bounded_number),
		TEST(memory_that_fails_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

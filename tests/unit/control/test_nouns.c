/* The small nouns: domains, buildpacks, builds, events, ids. */
#include "daemon/control/buildpacks.h"
#include "daemon/control/builds.h"
#include "daemon/control/domains.h"
#include "daemon/control/events.h"
#include "daemon/control/ident.h"
#include "tests/unit/control/fixture.h"

static void
domains_are_unique(void **state)
{
	struct app app = fixture_app("hello"), other = fixture_app("other");
	struct domain domain, *list;
	size_t n;

	(void)state;
	assert_int_equal(domains_add(store, app.id, "WWW.Example.org", "paas.test", &domain, &err),
			 0);
	assert_string_equal(domain.host, "www.example.org");
	assert_int_equal(domains_add(store, app.id, "www.example.org", "paas.test", &domain, &err),
			 -EEXIST);
	assert_says("of this app already");
	assert_int_equal(
		domains_add(store, other.id, "www.example.org", "paas.test", &domain, &err),
		-EEXIST);
	assert_says("of another app");
	assert_int_equal(domains_add(store, other.id, "*.example.org", "paas.test", &domain, &err),
			 0);
	assert_int_equal(domains_list(store, app.id, &list, &n, &err), 0);
	assert_int_equal(n, 1);
	free(list);
	assert_int_equal(domains_list(store, 0, &list, &n, &err), 0);
	assert_int_equal(n, 2);
	free(list);
	assert_int_equal(domains_remove(store, other.id, "www.example.org", &err), -ENOENT);
	assert_int_equal(domains_remove(store, app.id, "www.EXAMPLE.org", &err), 0);
	assert_int_equal(
		domains_add(store, other.id, "www.example.org", "paas.test", &domain, &err), 0);
}

static void
domains_that_cannot_be(void **state)
{
	static const char *const bad[] = {"",		"a..b",	       "-a.b", "a b.c",
					  "http://a.b", "a.b:80",      "a/b",  "*.*.x",
					  "a.*.b",	"\xc3\xa4.de", "a.b\n"};
	struct app app = fixture_app("hello");
	struct domain domain;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(domains_add(store, app.id, bad[i], "paas.test", &domain, &err),
				 -EINVAL);
	assert_int_equal(domains_add(store, app.id, "x.paas.test", "paas.test", &domain, &err),
			 -EINVAL);
	assert_says("belongs to the platform");
	assert_int_equal(domains_add(store, app.id, "paas.test", "paas.test", &domain, &err),
			 -EINVAL);
	assert_int_equal(domains_add(store, app.id, "notpaas.test", "paas.test", &domain, &err), 0);
}

static void
buildpacks_are_an_ordered_list(void **state)
{
	struct app app = fixture_app("hello");
	const char *const names[] = {"heroku/nodejs", "static", "paas/go"};
	const char *many[BUILDPACKS_MAX + 1];
	struct buildpack *list;
	size_t n;

	(void)state;
	assert_int_equal(buildpacks_put(store, app.id, names, 3, &err), 0);
	assert_int_equal(buildpacks_list(store, app.id, &list, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].name, "nodejs");
	assert_string_equal(list[1].name, "static");
	assert_string_equal(list[2].name, "go");
	free(list);
	static const char *const bad[] = {"",
					  "../x",
					  "Node",
					  "a b",
					  "-x",
					  "heroku/",
					  "x/y",
					  "https://example.org/x.git",
					  "git@example.org:x"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(buildpacks_put(store, app.id, &bad[i], 1, &err), -EINVAL);
	for (size_t i = 0; i <= BUILDPACKS_MAX; i++)
		many[i] = "static";
	assert_int_equal(buildpacks_put(store, app.id, many, BUILDPACKS_MAX + 1, &err), -EINVAL);
	assert_int_equal(buildpacks_list(store, app.id, &list, &n, &err), 0);
	assert_int_equal(n, 3);
	free(list);
	assert_int_equal(buildpacks_put(store, app.id, NULL, 0, &err), 0);
	assert_int_equal(buildpacks_list(store, app.id, &list, &n, &err), 0);
	assert_int_equal(n, 0);
}

static void
builds_end_once(void **state)
{
	struct app app = fixture_app("hello");
	struct build_row *list;
	char failure[600];
	uint32_t number;
	size_t n;

	(void)state;
	memset(failure, 0, sizeof(failure));
	failure[0] = 'x';
	for (int i = 0; i < 290; i++)
		memcpy(failure + 1 + 2 * i, "\xc3\xa4", 2);
	for (uint32_t i = 1; i <= 4; i++) {
		assert_int_equal(builds_start(store, app.id, "c0ffee", "ann", &number, &err), 0);
		assert_int_equal(number, i);
	}
	fixture_time += 1000;
	assert_int_equal(builds_end(store, app.id, 1, 2, NULL, &err), 0);
	assert_int_equal(builds_end(store, app.id, 2, 0, failure, &err), 0);
	assert_int_equal(builds_end(store, app.id, 2, 7, NULL, &err), 0);
	assert_int_equal(builds_fail_pending(store, "The platform was restarted.", &err), 0);
	assert_int_equal(builds_list(store, app.id, 3, &list, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(list[0].number, 4);
	assert_string_equal(list[0].failure, "The platform was restarted.");
	assert_true(list[0].ended_ms == fixture_time);
	assert_int_equal(list[2].number, 2);
	assert_int_equal(list[2].status, BUILD_ROW_FAILED);
	assert_int_equal(list[2].release, 0);
	/* cut, but at a character */
	assert_int_equal(strlen(list[2].failure), 479);
	free(list);
	assert_int_equal(builds_list(store, app.id, 10, &list, &n, &err), 0);
	assert_int_equal(list[3].status, BUILD_ROW_SUCCEEDED);
	assert_int_equal(list[3].release, 2);
	assert_string_equal(build_status_name(list[3].status), "succeeded");
	free(list);
}

static void
events_outlive_what_they_tell_of(void **state)
{
	struct app app = fixture_app("hello");
	struct event *list;
	size_t n;

	(void)state;
	assert_int_equal(events_add(store, "ann", "hello", "Scaled to web@2", &err), 0);
	assert_int_equal(events_add(store, "root", NULL, "Add key", &err), 0);
	assert_int_equal(apps_remove(store, app.id, &err), 0);
	assert_int_equal(events_list(store, "hello", 10, &list, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].text, "Scaled to web@2");
	free(list);
	assert_int_equal(events_list(store, NULL, 10, &list, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].text, "Add key");
	assert_string_equal(list[0].app, "");
	assert_string_equal(list[1].user, "ann");
	free(list);
}

static void
ids_say_what_they_are(void **state)
{
	static const uint64_t numbers[] = {0,
					   1,
					   0xffffffffffff,
					   0x1000000000000,
					   UINT64_MAX,
					   0x0123456789abcdef,
					   1ull << 54,
					   1ull << 60};
	char text[IDENT_TEXT_MAX];
	int64_t app;
	uint64_t number;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		ident_text(IDENT_INSTANCE, 77, numbers[i], text);
		assert_int_equal(strlen(text), 36);
		assert_true(ident_parse(text, IDENT_INSTANCE, &app, &number));
		assert_true(app == 77 && number == numbers[i]);
		assert_false(ident_parse(text, IDENT_APP, &app, &number));
	}
	static const char *const bad[] = {"",
					  "hello",
					  "00000001-0100-8000-8000-00000000000",
					  "00000001-0100-8000-8000-0000000000000",
					  "00000001-0100-8000-8000-00000000000G",
					  "00000001_0100-8000-8000-000000000000",
					  "00000001-0100-4000-8000-000000000000",
					  "00000001-0110-8000-8000-000000000000",
					  "00000001-0100-8000-8000-00000000000A"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(ident_parse(bad[i], IDENT_APP, &app, &number));
	assert_true(ident_parse("00000001-0100-8000-8000-000000000000", IDENT_APP, &app, &number));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(domains_are_unique),
		STORE_TEST(domains_that_cannot_be),
		STORE_TEST(buildpacks_are_an_ordered_list),
		STORE_TEST(builds_end_once),
		STORE_TEST(events_outlive_what_they_tell_of),
		cmocka_unit_test(ids_say_what_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

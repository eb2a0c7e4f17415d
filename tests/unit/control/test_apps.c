/* Apps: names, host ids, and what stays reserved after a removal. */
#include "daemon/control/access.h"
#include "daemon/control/domains.h"
#include "daemon/control/events.h"
#include "daemon/control/ident.h"
#include "daemon/control/scale.h"
#include "tests/unit/control/fixture.h"

static void
creates_with_an_initial_release(void **state)
{
	struct app app, found;
	struct release release;

	(void)state;
	assert_int_equal(apps_create(store, "hello", "root", &app, &err), 0);
	assert_string_equal(app.name, "hello");
	assert_string_equal(app.owner, "root");
	assert_int_equal(app.run_uid, UID_BASE);
	assert_int_equal(app.build_uid, UID_BASE + 1);
	assert_int_equal(app.release, 1);
	assert_true(app.created_ms == fixture_time && app.released_ms == fixture_time);
	assert_int_equal(releases_find(store, app.id, 1, &release, &err), 0);
	assert_string_equal(release.description, "Initial release");
	assert_int_equal(release.status, RELEASE_SUCCEEDED);
	assert_int_equal(release.slug, 0);
	fixture_reopen();
	assert_int_equal(apps_find(store, "hello", &found, &err), 0);
	assert_memory_equal(&found, &app, sizeof(app));
}

static void
refuses_bad_and_taken_names(void **state)
{
	static const char *const bad[] = {"",
					  "..",
					  "../x",
					  "Hello",
					  "1app",
					  "app-",
					  "a b",
					  "a/b",
					  "h\xc3\xa9llo",
					  "a'b",
					  "a\nb",
					  "-app",
					  "app.",
					  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct app app;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(apps_create(store, bad[i], "root", &app, &err), -EINVAL);
		assert_int_equal(apps_find(store, bad[i], &app, &err), -ENOENT);
	}
	(void)fixture_app("hello");
	assert_int_equal(apps_create(store, "hello", "root", &app, &err), -EEXIST);
	assert_says("hello");
	assert_int_equal(apps_find(store, "other", &app, &err), -ENOENT);
	assert_says("There is no app other.");
}

static void
is_found_by_its_id_too(void **state)
{
	struct app app = fixture_app("hello"), found;
	char id[IDENT_TEXT_MAX];

	(void)state;
	ident_text(IDENT_APP, app.id, 0, id);
	assert_int_equal(apps_find(store, id, &found, &err), 0);
	assert_string_equal(found.name, "hello");
	ident_text(IDENT_APP, 4711, 0, id);
	assert_int_equal(apps_find(store, id, &found, &err), -ENOENT);
}

static void
host_ids_are_never_shared(void **state)
{
	struct app a = fixture_app("a"), b = fixture_app("b"), c = fixture_app("c"), d;

	(void)state;
	assert_int_equal(b.run_uid, a.run_uid + 2);
	assert_int_equal(c.run_uid, a.run_uid + 4);
	/* b's files are still there: its ids are taken */
	assert_int_equal(apps_remove(store, b.id, &err), 0);
	d = fixture_app("d");
	assert_int_equal(d.run_uid, a.run_uid + 6);
	/* gone: they are free */
	assert_int_equal(apps_forget(store, "b", &err), 0);
	d = fixture_app("e");
	assert_int_equal(d.run_uid, b.run_uid);
	/* and the first of all as well */
	assert_int_equal(apps_remove(store, a.id, &err), 0);
	assert_int_equal(apps_forget(store, "a", &err), 0);
	assert_int_equal(fixture_app("f").run_uid, UID_BASE);
}

static void
removed_name_is_reserved_until_its_files_are_gone(void **state)
{
	struct app app = fixture_app("hello"), again, *removed;
	struct domain domain;
	size_t n;

	(void)state;
	assert_int_equal(domains_add(store, app.id, "example.org", "localhost", &domain, &err), 0);
	(void)fixture_deploy(&app, "web worker release");
	assert_int_equal(apps_remove(store, app.id, &err), 0);
	assert_int_equal(apps_find(store, "hello", &again, &err), -ENOENT);
	assert_int_equal(apps_create(store, "hello", "root", &again, &err), -EEXIST);
	assert_says("still being removed");
	fixture_reopen();
	assert_int_equal(apps_list_removed(store, &removed, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(removed[0].name, "hello");
	assert_int_equal(removed[0].build_uid, app.build_uid);
	free(removed);
	assert_int_equal(apps_forget(store, "hello", &err), 0);
	assert_int_equal(apps_forget(store, "hello", &err), 0);
	assert_int_equal(apps_create(store, "hello", "root", &again, &err), 0);
	/* another app, though of the same name */
	assert_true(again.id != app.id);
	assert_int_equal(again.release, 1);
	assert_int_equal(domains_add(store, again.id, "example.org", "localhost", &domain, &err),
			 0);
	assert_int_equal(apps_remove(store, app.id, &err), -ENOENT);
}

static void
forgetting_a_living_app_does_nothing(void **state)
{
	struct app app = fixture_app("hello"), found;

	(void)state;
	assert_int_equal(apps_forget(store, "hello", &err), 0);
	assert_int_equal(apps_find(store, "hello", &found, &err), 0);
	assert_int_equal(found.run_uid, app.run_uid);
}

static void
lists_what_one_may_see(void **state)
{
	struct app *apps, own;
	size_t n;

	(void)state;
	assert_int_equal(apps_list(store, &apps, &n, &err), 0);
	assert_null(apps);
	assert_int_equal(n, 0);
	fixture_user("boss", RIGHT_NONE);
	fixture_user("ann", RIGHT_DEPLOY);
	(void)fixture_app("zebra");
	(void)fixture_app("apple");
	assert_int_equal(apps_list(store, &apps, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(apps[0].name, "apple");
	assert_string_equal(apps[1].name, "zebra");
	free(apps);
	assert_int_equal(apps_list_of(store, "ann", &apps, &n, &err), 0);
	assert_int_equal(n, 2);
	free(apps);
	assert_int_equal(apps_list_of(store, "nobody", &apps, &n, &err), 0);
	assert_int_equal(n, 0);
	/* who has only one app sees only that one */
	own = fixture_app("own");
	struct key key;
	assert_int_equal(keys_add(store, "guest", fixture_key(7), RIGHT_READ, own.id, &key, &err),
			 0);
	assert_int_equal(apps_list_of(store, "guest", &apps, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(apps[0].name, "own");
	free(apps);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(creates_with_an_initial_release),
		STORE_TEST(refuses_bad_and_taken_names),
		STORE_TEST(is_found_by_its_id_too),
		STORE_TEST(host_ids_are_never_shared),
		STORE_TEST(removed_name_is_reserved_until_its_files_are_gone),
		STORE_TEST(forgetting_a_living_app_does_nothing),
		STORE_TEST(lists_what_one_may_see),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

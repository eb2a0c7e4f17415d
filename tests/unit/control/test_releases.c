/* Releases and slugs: what comes into force, what carries what, what can be rolled back to. */
#include "daemon/control/config.h"
#include "tests/unit/control/fixture.h"

static struct release
pending_deploy(const struct app *app, const char *types)
{
	struct release release;

	assert_int_equal(releases_add_deploy(store, app->id, fixture_slug(app, types),
					     "1a2b3c4d5e6f", "ann", &release, &err),
			 0);
	return release;
}

static struct release
set_var(const struct app *app, const char *key, const char *value)
{
	struct config_var var = {key, value};
	struct release release;

	assert_int_equal(config_change(store, app, &var, 1, "ann", &release, &err), 0);
	return release;
}

static void
settle(const struct app *app, uint32_t version, enum release_status status)
{
	assert_int_equal(releases_settle(store, app->id, version, status, &err), 0);
}

static enum release_status
status_of(const struct app *app, uint32_t version)
{
	struct release release;

	assert_int_equal(releases_find(store, app->id, version, &release, &err), 0);
	return release.status;
}

static void
deploy_comes_into_force_when_settled(void **state)
{
	struct app app = fixture_app("hello");
	struct release release = pending_deploy(&app, "web");

	(void)state;
	assert_int_equal(release.version, 2);
	assert_string_equal(release.description, "Deploy 1a2b3c4d");
	assert_string_equal(release.commit, "1a2b3c4d5e6f");
	assert_int_equal(release.status, RELEASE_PENDING);
	assert_int_equal(fixture_reload(&app).release, 1);
	fixture_time += 5000;
	settle(&app, 2, RELEASE_SUCCEEDED);
	assert_int_equal(fixture_reload(&app).release, 2);
	assert_true(fixture_reload(&app).released_ms == fixture_time);
	/* settled is settled */
	settle(&app, 2, RELEASE_FAILED);
	assert_int_equal(status_of(&app, 2), RELEASE_SUCCEEDED);
	assert_int_equal(releases_settle(store, app.id, 9, RELEASE_FAILED, &err), -ENOENT);
	assert_says("v1 to v2");
}

static void
failure_leaves_the_old_one_in_force(void **state)
{
	struct app app = fixture_app("hello");

	(void)state;
	(void)fixture_deploy(&app, "web");
	(void)pending_deploy(&app, "web");
	settle(&app, 3, RELEASE_FAILED);
	assert_int_equal(fixture_reload(&app).release, 2);
	/* numbers are never used again */
	assert_int_equal(pending_deploy(&app, "web").version, 4);
}

static void
older_one_never_replaces_a_newer(void **state)
{
	struct app app = fixture_app("hello");

	(void)state;
	(void)pending_deploy(&app, "web");
	(void)pending_deploy(&app, "web");
	settle(&app, 3, RELEASE_SUCCEEDED);
	settle(&app, 2, RELEASE_SUCCEEDED);
	assert_int_equal(fixture_reload(&app).release, 3);
}

static void
deploy_takes_the_config_of_its_moment(void **state)
{
	struct app app = fixture_app("hello");
	struct release config = set_var(&app, "A", "1");

	(void)state;
	assert_true(pending_deploy(&app, "web").config_id == config.config_id);
}

static void
change_on_a_failed_deploy_falls_back_to_the_code_in_force(void **state)
{
	struct app app = fixture_app("hello");
	struct release good = fixture_deploy(&app, "web"), bad = pending_deploy(&app, "web"),
		       config, later;

	(void)state;
	config = set_var(&app, "A", "1");
	assert_int_equal(config.slug, bad.slug);
	settle(&app, bad.version, RELEASE_FAILED);
	assert_int_equal(releases_find(store, app.id, config.version, &later, &err), 0);
	assert_int_equal(later.slug, good.slug);
	assert_int_equal(later.status, RELEASE_PENDING);
	/* on a first deploy that failed there is no code at all */
	app = fixture_app("fresh");
	bad = pending_deploy(&app, "web");
	config = set_var(&app, "A", "1");
	settle(&app, bad.version, RELEASE_FAILED);
	assert_int_equal(releases_find(store, app.id, config.version, &later, &err), 0);
	assert_int_equal(later.slug, 0);
	settle(&app, later.version, RELEASE_SUCCEEDED);
	assert_int_equal(fixture_reload(&app).release, later.version);
}

static void
restart_of_the_platform_fails_deploys_only(void **state)
{
	struct app app = fixture_app("hello");
	struct release *pending;
	size_t n;

	(void)state;
	(void)fixture_deploy(&app, "web");
	(void)set_var(&app, "A", "1");
	(void)pending_deploy(&app, "web");
	fixture_reopen();
	assert_int_equal(releases_fail_deploys(store, &err), 0);
	assert_int_equal(status_of(&app, 3), RELEASE_PENDING);
	assert_int_equal(status_of(&app, 4), RELEASE_FAILED);
	assert_int_equal(releases_list_pending(store, &pending, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(pending[0].version, 3);
	free(pending);
}

static void
rollback_takes_code_and_config(void **state)
{
	struct app app = fixture_app("hello");
	struct release first, second, back;

	(void)state;
	(void)set_var(&app, "A", "1");
	first = fixture_deploy(&app, "web");
	(void)set_var(&app, "A", "2");
	settle(&app, 4, RELEASE_SUCCEEDED);
	second = fixture_deploy(&app, "web");
	assert_int_equal(releases_add_rollback(store, &app, first.version, "bob", &back, &err), 0);
	assert_int_equal(back.version, second.version + 1);
	assert_string_equal(back.description, "Rollback to v3");
	assert_string_equal(back.user, "bob");
	assert_int_equal(back.slug, first.slug);
	assert_true(back.config_id == first.config_id);
	assert_int_equal(back.status, RELEASE_PENDING);
}

static void
rollback_refuses_what_cannot_be(void **state)
{
	struct app app = fixture_app("hello");
	struct release back, first;

	(void)state;
	assert_int_equal(releases_add_rollback(store, &app, 1, "ann", &back, &err), -EINVAL);
	assert_says("Release v1 has no code; no release can be rolled back to.");
	first = fixture_deploy(&app, "web");
	(void)fixture_deploy(&app, "web");
	(void)fixture_deploy(&app, "web");
	(void)pending_deploy(&app, "web");
	assert_int_equal(releases_add_rollback(store, &app, 99, "ann", &back, &err), -ENOENT);
	assert_says("v1 to v5");
	assert_int_equal(releases_add_rollback(store, &app, 5, "ann", &back, &err), -EINVAL);
	assert_says("not finished");
	settle(&app, 5, RELEASE_FAILED);
	assert_int_equal(releases_add_rollback(store, &app, 5, "ann", &back, &err), -EINVAL);
	assert_says("Release v5 failed; v4, v3 and v2 can be rolled back to.");
	assert_int_equal(slugs_mark_removed(store, app.id, first.slug, &err), 0);
	assert_int_equal(releases_add_rollback(store, &app, 2, "ann", &back, &err), -EINVAL);
	assert_says("slug is gone; v4 and v3 can");
}

static void
lists_in_both_orders(void **state)
{
	struct app app = fixture_app("hello");
	struct release *list;
	size_t n;

	(void)state;
	for (int i = 0; i < 4; i++)
		(void)fixture_deploy(&app, "web");
	assert_int_equal(releases_list(store, app.id, 0, 0, 1, 2, &list, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(list[0].version, 5);
	assert_int_equal(list[1].version, 4);
	free(list);
	assert_int_equal(releases_list(store, app.id, 2, 3, 0, 0, &list, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_int_equal(list[0].version, 2);
	free(list);
}

/* ---- slugs ------------------------------------------------------------------------------- */

static void
slug_is_written_once(void **state)
{
	struct app app = fixture_app("hello");
	const struct process_type types[] = {{"web", "node index.js"}, {"worker", "x=\"y\" ./w"}};
	const struct process_type twice[] = {{"web", "a"}, {"web", "b"}};
	const struct process_type bad[] = {{"we b", "a"}};
	struct slug slug = {.app_id = app.id,
			    .number = 1,
			    .bytes = 5000000000,
			    .sha256 = "abcd",
			    .buildpacks = "Node.js, Static",
			    .has_profile = true};
	struct process_type *read_types;
	struct slug found, *building;
	uint32_t number;
	size_t n;

	(void)state;
	assert_int_equal(slugs_finish(store, &slug, types, 2, &err), -ENOENT);
	assert_int_equal(slugs_allot(store, app.id, "c0ffee", &number, &err), 0);
	assert_int_equal(number, 1);
	assert_int_equal(slugs_list_building(store, &building, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(building[0].commit, "c0ffee");
	free(building);
	/* a refusal leaves it unfinished */
	assert_int_equal(slugs_finish(store, &slug, bad, 1, &err), -EINVAL);
	assert_int_equal(slugs_finish(store, &slug, twice, 2, &err), -EEXIST);
	assert_int_equal(slugs_find(store, app.id, 1, &found, &err), 0);
	assert_int_equal(found.state, SLUG_BUILDING);
	assert_int_equal(slugs_finish(store, &slug, types, 2, &err), 0);
	assert_int_equal(slugs_finish(store, &slug, types, 2, &err), -ENOENT);
	assert_int_equal(slugs_find(store, app.id, 1, &found, &err), 0);
	assert_int_equal(found.state, SLUG_READY);
	assert_true(found.bytes == 5000000000 && found.has_profile);
	assert_string_equal(found.buildpacks, "Node.js, Static");
	assert_int_equal(slugs_types(store, app.id, 1, &read_types, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(read_types[0].name, "web");
	assert_string_equal(read_types[1].command, "x=\"y\" ./w");
	free(read_types);
	assert_int_equal(slugs_allot(store, app.id, "c0ffee", &number, &err), 0);
	assert_int_equal(number, 2);
	assert_int_equal(slugs_find(store, app.id, 3, &found, &err), -ENOENT);
}

static void
old_slugs_are_not_needed(void **state)
{
	struct app app = fixture_app("hello");
	struct release back;
	uint32_t *numbers;
	size_t n;

	(void)state;
	for (int i = 0; i < 5; i++)
		(void)fixture_deploy(&app, "web");
	/* a build that never became a release, a failed one, and v2's slug in force again */
	(void)fixture_slug(&app, "web");
	settle(&app, pending_deploy(&app, "web").version, RELEASE_FAILED);
	assert_int_equal(releases_add_rollback(store, &app, 2, "ann", &back, &err), 0);
	assert_int_equal(slugs_list_unneeded(store, app.id, 2, &numbers, &n, &err), 0);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++)
		assert_true(numbers[i] != 1 && numbers[i] != 4 && numbers[i] != 5);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(slugs_mark_removed(store, app.id, numbers[i], &err), 0);
	free(numbers);
	assert_int_equal(slugs_list_unneeded(store, app.id, 2, &numbers, &n, &err), 0);
	assert_int_equal(n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(deploy_comes_into_force_when_settled),
		STORE_TEST(failure_leaves_the_old_one_in_force),
		STORE_TEST(older_one_never_replaces_a_newer),
		STORE_TEST(deploy_takes_the_config_of_its_moment),
		STORE_TEST(change_on_a_failed_deploy_falls_back_to_the_code_in_force),
		STORE_TEST(restart_of_the_platform_fails_deploys_only),
		STORE_TEST(rollback_takes_code_and_config),
		STORE_TEST(rollback_refuses_what_cannot_be),
		STORE_TEST(lists_in_both_orders),
		STORE_TEST(slug_is_written_once),
		STORE_TEST(old_slugs_are_not_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Users and rights: who may do what, where. */
#include "daemon/control/access.h"
#include "daemon/control/users.h"
#include "tests/unit/control/fixture.h"

static enum right
right_of(const char *user, int64_t app_id)
{
	enum right right;

	assert_int_equal(access_right(store, user, app_id, &right, &err), 0);
	return right;
}

static void
roles_have_names(void **state)
{
	enum right right;

	(void)state;
	for (enum right r = RIGHT_READ; r <= RIGHT_ADMIN; r++) {
		assert_int_equal(right_parse(right_name(r), &right, &err), 0);
		assert_int_equal(right, r);
	}
	assert_int_equal(right_parse("owner", &right, &err), -EINVAL);
	assert_says("read, deploy, admin");
	assert_int_equal(right_parse("none", &right, &err), -EINVAL);
}

static void
larger_right_counts(void **state)
{
	struct app app = fixture_app("hello"), other = fixture_app("other");

	(void)state;
	fixture_user("boss", RIGHT_NONE);
	fixture_user("ann", RIGHT_READ);
	assert_int_equal(right_of("root", app.id), RIGHT_ADMIN);
	assert_int_equal(right_of("boss", app.id), RIGHT_ADMIN);
	assert_int_equal(right_of("ann", app.id), RIGHT_READ);
	assert_int_equal(right_of("ann", 0), RIGHT_READ);
	assert_int_equal(right_of("nobody", app.id), RIGHT_NONE);
	assert_int_equal(access_put(store, app.id, "ann", RIGHT_ADMIN, &err), 0);
	assert_int_equal(right_of("ann", app.id), RIGHT_ADMIN);
	assert_int_equal(right_of("ann", other.id), RIGHT_READ);
	assert_int_equal(access_put(store, app.id, "boss", RIGHT_READ, &err), 0);
	assert_int_equal(right_of("boss", app.id), RIGHT_ADMIN);
	assert_int_equal(access_remove(store, app.id, "ann", &err), 0);
	assert_int_equal(right_of("ann", app.id), RIGHT_READ);
}

static void
refusals_say_what_is_needed(void **state)
{
	struct app app = fixture_app("hello");

	(void)state;
	fixture_user("boss", RIGHT_NONE);
	fixture_user("ann", RIGHT_READ);
	assert_int_equal(access_check(store, "ann", &app, RIGHT_READ, &err), 0);
	assert_int_equal(access_check(store, "ann", &app, RIGHT_DEPLOY, &err), -EACCES);
	assert_says("ann has the role read on hello; this needs the role deploy");
	assert_int_equal(access_check(store, "ann", NULL, RIGHT_DEPLOY, &err), -EACCES);
	assert_says("all apps");
	/* who may not see an app hears what is heard of one that does not exist */
	assert_int_equal(access_check(store, "nobody", &app, RIGHT_READ, &err), -ENOENT);
	assert_string_equal(err.text, "There is no app hello.");
	assert_int_equal(access_put(store, app.id, "nobody", RIGHT_READ, &err), -ENOENT);
	assert_int_equal(access_put(store, app.id, "ann", RIGHT_NONE, &err), -EINVAL);
	assert_int_equal(access_remove(store, app.id, "ann", &err), -ENOENT);
	assert_says("all apps");
}

static void
owner_is_admin_of_the_own_app(void **state)
{
	struct app app;

	(void)state;
	fixture_user("boss", RIGHT_NONE);
	fixture_user("ann", RIGHT_DEPLOY);
	assert_int_equal(apps_create(store, "anns", "ann", &app, &err), 0);
	assert_string_equal(app.owner, "ann");
	assert_int_equal(right_of("ann", app.id), RIGHT_ADMIN);
	assert_int_equal(right_of("ann", 0), RIGHT_DEPLOY);
}

static void
lists_everybody_with_a_right(void **state)
{
	struct app app = fixture_app("hello"), other = fixture_app("other");
	struct access *list;
	struct key key;
	size_t n;

	(void)state;
	fixture_user("boss", RIGHT_NONE);
	fixture_user("ann", RIGHT_READ);
	assert_int_equal(access_put(store, app.id, "ann", RIGHT_DEPLOY, &err), 0);
	assert_int_equal(keys_add(store, "cat", fixture_key(1), RIGHT_READ, other.id, &key, &err),
			 0);
	assert_int_equal(access_list(store, app.id, &list, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].user, "ann");
	assert_int_equal(list[0].right, RIGHT_DEPLOY);
	assert_false(list[0].is_global);
	assert_string_equal(list[1].user, "boss");
	assert_true(list[1].is_global);
	free(list);
}

static void
git_opens_what_one_may(void **state)
{
	struct app app = fixture_app("hello"), found;
	struct key key;
	int create;

	(void)state;
	fixture_user("boss", RIGHT_NONE);
	fixture_user("ann", RIGHT_READ);
	fixture_user("bob", RIGHT_DEPLOY);
	assert_int_equal(keys_add(store, "cat", fixture_key(1), RIGHT_DEPLOY, app.id, &key, &err),
			 0);
	assert_int_equal(access_open_git(store, "ann", "hello", RIGHT_READ, &found, NULL, &err), 0);
	assert_int_equal(found.id, app.id);
	assert_int_equal(
		access_open_git(store, "ann", "hello", RIGHT_DEPLOY, &found, &create, &err),
		-EACCES);
	assert_int_equal(
		access_open_git(store, "cat", "hello", RIGHT_DEPLOY, &found, &create, &err), 0);
	assert_false(create);
	/* an app that is not there */
	assert_int_equal(access_open_git(store, "bob", "new", RIGHT_DEPLOY, &found, &create, &err),
			 0);
	assert_true(create);
	assert_int_equal(access_open_git(store, "cat", "new", RIGHT_DEPLOY, &found, &create, &err),
			 -ENOENT);
	assert_says("creating one needs the role deploy");
	assert_int_equal(access_open_git(store, "bob", "new", RIGHT_READ, &found, NULL, &err),
			 -ENOENT);
	assert_int_equal(
		access_open_git(store, "bob", "../etc", RIGHT_DEPLOY, &found, &create, &err),
		-EINVAL);
	assert_false(create);
}

static void
users_are_made_and_changed(void **state)
{
	struct user user, *users;
	size_t n;

	(void)state;
	assert_int_equal(users_put(store, "Root", RIGHT_READ, &err), -EINVAL);
	assert_int_equal(users_put(store, "root", RIGHT_READ, &err), -EINVAL);
	assert_int_equal(users_put(store, "boss", RIGHT_ADMIN, &err), 0);
	assert_int_equal(users_put(store, "ann", RIGHT_NONE, &err), 0);
	assert_int_equal(users_put(store, "ann", RIGHT_READ, &err), 0);
	assert_int_equal(users_find(store, "ann", &user, &err), 0);
	assert_int_equal(user.right, RIGHT_READ);
	assert_int_equal(users_list(store, &users, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(users[1].name, "boss");
	free(users);
	/* somebody must remain who can give rights */
	assert_int_equal(users_put(store, "boss", RIGHT_DEPLOY, &err), -EINVAL);
	assert_says("only admin");
	assert_int_equal(users_put(store, "ann", RIGHT_ADMIN, &err), 0);
	assert_int_equal(users_put(store, "boss", RIGHT_DEPLOY, &err), 0);
	assert_int_equal(users_find(store, "nobody", &user, &err), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(roles_have_names),
		STORE_TEST(larger_right_counts),
		STORE_TEST(refusals_say_what_is_needed),
		STORE_TEST(owner_is_admin_of_the_own_app),
		STORE_TEST(lists_everybody_with_a_right),
		STORE_TEST(git_opens_what_one_may),
		STORE_TEST(users_are_made_and_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

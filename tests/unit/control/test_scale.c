/* Quantities: what "2", "+1" and "-1" do, what is refused, and how rows follow the code. */
#include "daemon/control/scale.h"
#include "tests/unit/control/fixture.h"

/* "web=1 worker=0" */
static const char *
text_of(const struct app *app)
{
	static char text[512];
	struct scale *list;
	size_t n, len = 0;

	assert_int_equal(scale_list(store, app->id, &list, &n, &err), 0);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%u", i ? " " : "",
					list[i].type, list[i].quantity);
	free(list);
	return text;
}

static int
set(const struct app *app, const char *type, const char *quantity)
{
	struct scale_update update = {type, quantity};

	return scale_change(store, app->id, &update, 1, &err);
}

static void
rows_follow_the_code_in_force(void **state)
{
	struct app app = fixture_app("hello");
	struct scale *list;
	uint32_t slug;
	size_t n;

	(void)state;
	slug = fixture_slug(&app, "worker web release");
	assert_int_equal(scale_preview(store, app.id, slug, &list, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[1].type, "web");
	assert_int_equal(list[1].quantity, 1);
	free(list);
	assert_string_equal(text_of(&app), "");
	(void)fixture_deploy(&app, "worker web release");
	assert_string_equal(text_of(&app), "web=1 worker=0");
	assert_int_equal(set(&app, "web", "3"), 0);
	assert_int_equal(set(&app, "worker", "2"), 0);
	(void)fixture_deploy(&app, "web clock");
	assert_string_equal(text_of(&app), "web=3 clock=0");
	/* web=0 stays 0 */
	assert_int_equal(set(&app, "web", "0"), 0);
	(void)fixture_deploy(&app, "web worker");
	assert_string_equal(text_of(&app), "web=0 worker=0");
	(void)fixture_deploy(&app, "");
	assert_string_equal(text_of(&app), "");
}

static void
signs_are_relative(void **state)
{
	struct app app = fixture_app("hello");

	(void)state;
	(void)fixture_deploy(&app, "web");
	assert_int_equal(set(&app, "web", "+2"), 0);
	assert_string_equal(text_of(&app), "web=3");
	assert_int_equal(set(&app, "web", "-1"), 0);
	assert_string_equal(text_of(&app), "web=2");
	assert_int_equal(set(&app, "web", "-2"), 0);
	assert_string_equal(text_of(&app), "web=0");
	assert_int_equal(set(&app, "web", "100"), 0);
	assert_string_equal(text_of(&app), "web=100");
}

static void
refusals(void **state)
{
	static const struct {
		const char *type, *quantity, *says;
	} table[] = {
		{"web", "abc", "not a number"},
		{"web", "", "not a number"},
		{"web", "+", "not a number"},
		{"web", "1.5", "not a number"},
		{"web", "--1", "not a number"},
		{"web", "+-1", "not a number"},
		{"web", " 1", "not a number"},
		{"web", "1x", "not a number"},
		{"web", "-2", "only 1 instances"},
		{"web", "101", "at most 100"},
		{"web", "10000", "at most 100"},
		{"web", "+100", "at most 100"},
		{"web", "99999999999999999999", "not a number"},
		{"worker", "-1", "no instances"},
		{"nosuch", "1", "the app has: web, worker"},
		{"release", "1", "the app has: web, worker"},
		{"WEB", "1", "the app has"},
		{"", "1", "the app has"},
	};
	struct app app = fixture_app("hello");
	const struct scale_update both[] = {{"worker", "5"}, {"web", "abc"}};
	const struct scale_update total[] = {{"worker", "60"}, {"web", "60"}};

	(void)state;
	assert_int_equal(set(&app, "web", "1"), -EINVAL);
	assert_says("nothing has been deployed");
	(void)fixture_deploy(&app, "web worker release");
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(set(&app, table[i].type, table[i].quantity), -EINVAL);
		assert_says(table[i].says);
	}
	/* all or nothing */
	assert_int_equal(scale_change(store, app.id, both, 2, &err), -EINVAL);
	assert_int_equal(scale_change(store, app.id, total, 2, &err), -EINVAL);
	assert_says("120 instances");
	assert_string_equal(text_of(&app), "web=1 worker=0");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(rows_follow_the_code_in_force),
		STORE_TEST(signs_are_relative),
		STORE_TEST(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Config vars: one change, one release, or none. */
#include "daemon/control/config.h"
#include "tests/unit/control/fixture.h"

static struct release release;

static int
change(const struct app *app, const struct config_var *changes, size_t n)
{
	return config_change(store, app, changes, n, "ann", &release, &err);
}

/* "A=1 B=2" of a set. */
static const char *
text_of(int64_t config_id)
{
	static char text[512];
	struct config_var *vars;
	size_t n, len = 0;

	assert_int_equal(config_load(store, config_id, &vars, &n, &err), 0);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%s", i ? " " : "",
					vars[i].key, vars[i].value);
	free(vars);
	return text;
}

static void
one_change_is_one_release(void **state)
{
	struct app app = fixture_app("hello");
	const struct config_var set[] = {{"FOO", "1"}, {"BAR", "two words"}};
	const struct config_var mixed[] = {{"FOO", NULL}, {"BAZ", ""}};
	const struct config_var removal[] = {{"BAR", NULL}, {"NOSUCH", NULL}};
	struct release first;

	(void)state;
	assert_int_equal(change(&app, set, 2), 0);
	assert_int_equal(release.version, 2);
	assert_string_equal(release.description, "Set FOO, BAR config vars");
	assert_string_equal(release.user, "ann");
	/* nothing to roll out: in force at once */
	assert_int_equal(release.status, RELEASE_SUCCEEDED);
	assert_int_equal(fixture_reload(&app).release, 2);
	first = release;
	assert_int_equal(change(&app, mixed, 2), 0);
	assert_string_equal(release.description, "Set BAZ and remove FOO config vars");
	assert_string_equal(text_of(release.config_id), "BAR=two words BAZ=");
	assert_int_equal(change(&app, removal, 2), 0);
	assert_string_equal(release.description, "Remove BAR config vars");
	/* older releases keep theirs */
	assert_string_equal(text_of(first.config_id), "BAR=two words FOO=1");
}

static void
same_values_make_no_release(void **state)
{
	struct app app = fixture_app("hello");
	const struct config_var set[] = {{"FOO", "1"}, {"GONE", NULL}};

	(void)state;
	assert_int_equal(change(&app, set, 1), 0);
	assert_int_equal(change(&app, set, 1), 1);
	assert_int_equal(change(&app, set, 2), 1);
	assert_int_equal(change(&app, set, 0), 1);
	assert_int_equal(fixture_reload(&app).release, 2);
}

static void
later_of_two_wins_in_one_change(void **state)
{
	struct app app = fixture_app("hello");
	const struct config_var set[] = {{"A", "1"}, {"A", "2"}};

	(void)state;
	assert_int_equal(change(&app, set, 2), 0);
	assert_string_equal(text_of(release.config_id), "A=2");
}

static void
change_with_code_carries_it_and_waits(void **state)
{
	struct app app = fixture_app("hello");
	const struct config_var set[] = {{"FOO", "1"}}, more[] = {{"BAR", "2"}};
	struct release deploy = fixture_deploy(&app, "web");

	(void)state;
	assert_int_equal(change(&app, set, 1), 0);
	assert_int_equal(release.status, RELEASE_PENDING);
	assert_int_equal(release.slug, deploy.slug);
	assert_int_equal(release.kind, RELEASE_CONFIG);
	assert_int_equal(fixture_reload(&app).release, deploy.version);
	/* the next one builds on it though it is not in force yet */
	assert_int_equal(change(&app, more, 1), 0);
	assert_string_equal(text_of(release.config_id), "BAR=2 FOO=1");
}

static void
bad_names_and_sizes_are_refused(void **state)
{
	static const char *const bad[] = {"",	  "1A",	  "A-B",  "A B",    "A=B",
					  "PORT", "DYNO", "HOME", "PAAS_X", "\xc3\xa4"};
	struct app app = fixture_app("hello");
	struct config_var set = {"BIG", NULL};
	char *value = malloc(CONFIG_MAX_BYTES + 1);
	struct config_var *many;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct config_var var = {bad[i], "x"};

		assert_int_equal(change(&app, &var, 1), -EINVAL);
	}
	assert_non_null(value);
	memset(value, 'x', CONFIG_MAX_BYTES);
	value[CONFIG_MAX_BYTES] = '\0';
	set.value = value;
	assert_int_equal(change(&app, &set, 1), -EINVAL);
	assert_says("64 KB");
	set.value = value + 3; /* with the name exactly the limit */
	assert_int_equal(change(&app, &set, 1), 0);
	free(value);
	/* removing makes room in the same change */
	const struct config_var swap[] = {{"NEW", "1"}, {"BIG", NULL}};
	assert_int_equal(change(&app, swap, 2), 0);
	assert_string_equal(text_of(release.config_id), "NEW=1");
	/* very many */
	many = calloc(CONFIG_MAX_VARS + 1, sizeof(*many));
	assert_non_null(many);
	for (size_t i = 0; i <= CONFIG_MAX_VARS; i++) {
		char *name = NULL;

		assert_true(asprintf(&name, "V%zu", i) > 0);
		many[i] = (struct config_var){name, "1"};
	}
	assert_int_equal(change(&app, many, CONFIG_MAX_VARS + 1), -EINVAL);
	assert_says("1024");
	/* a description stays a line */
	assert_int_equal(change(&app, many, 1000), 0);
	assert_true(strlen(release.description) < 140);
	assert_non_null(strstr(release.description, "V0, V1, "));
	assert_non_null(strstr(release.description, " more config vars"));
	for (size_t i = 0; i <= CONFIG_MAX_VARS; i++)
		free((char *)(uintptr_t)many[i].key);
	free(many);
}

static void
config_of_a_fresh_app_is_empty(void **state)
{
	struct app app = fixture_app("hello");
	struct config_var *vars;
	size_t n;

	(void)state;
	assert_int_equal(config_of_app(store, app.id, &vars, &n, &err), 0);
	assert_null(vars);
	assert_int_equal(n, 0);
	assert_int_equal(config_of_app(store, 4711, &vars, &n, &err), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(one_change_is_one_release),
		STORE_TEST(same_values_make_no_release),
		STORE_TEST(later_of_two_wins_in_one_change),
		STORE_TEST(change_with_code_carries_it_and_waits),
		STORE_TEST(bad_names_and_sizes_are_refused),
		STORE_TEST(config_of_a_fresh_app_is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

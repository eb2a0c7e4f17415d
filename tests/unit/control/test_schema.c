/* Migrations: each step wholly or not, never twice, never backwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include <sqlite3.h>

#include "lib/err.h"

#include "daemon/control/schema.h"

static sqlite3 *db;
static struct err err;

static int
set_up(void **state)
{
	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return 0;
}

static int
number(const char *sql)
{
	sqlite3_stmt *stmt;
	int value;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	value = sqlite3_column_int(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return value;
}

static const char *const steps[] = {
	"CREATE TABLE t (a INTEGER) STRICT; INSERT INTO t VALUES (1);",
	"INSERT INTO t VALUES (2);",
	"INSERT INTO t VALUES (3); INSERT INTO nowhere VALUES (4);",
};

static void
steps_run_once_and_in_order(void **state)
{
	(void)state;
	assert_int_equal(schema_migrate(db, steps, 1, &err), 0);
	assert_int_equal(number("PRAGMA user_version"), 1);
	assert_int_equal(schema_migrate(db, steps, 2, &err), 0);
	assert_int_equal(schema_migrate(db, steps, 2, &err), 0);
	assert_int_equal(number("PRAGMA user_version"), 2);
	assert_int_equal(number("SELECT sum(a) FROM t"), 3);
}

static void
failed_step_leaves_the_version_before(void **state)
{
	(void)state;
	assert_true(schema_migrate(db, steps, 3, &err) < 0);
	assert_non_null(strstr(err.text, "version 3"));
	assert_int_equal(number("PRAGMA user_version"), 2);
	assert_int_equal(number("SELECT sum(a) FROM t"), 3);
	assert_true(sqlite3_get_autocommit(db));
}

static void
newer_version_is_refused(void **state)
{
	(void)state;
	assert_int_equal(schema_migrate(db, steps, 2, &err), 0);
	assert_int_equal(schema_migrate(db, steps, 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "newer"));
	assert_int_equal(number("PRAGMA user_version"), 2);
}

static void
real_schema_is_strict_and_whole(void **state)
{
	(void)state;
	assert_int_equal(schema_migrate(db, schema_steps, schema_n_steps, &err), 0);
	assert_int_equal(number("PRAGMA user_version"), (int)schema_n_steps);
	assert_int_equal(number("SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND "
				"type = 'table' AND name NOT LIKE 'sqlite_%' AND strict = 0"),
			 0);
	assert_int_equal(number("SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(steps_run_once_and_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failed_step_leaves_the_version_before, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(newer_version_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(real_schema_is_strict_and_whole, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

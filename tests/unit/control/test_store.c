/* The store itself: what survives, what rolls back, what is refused. */
#include <signal.h>
#include <sys/wait.h>

#include <sqlite3.h>

#include "daemon/control/events.h"
#include "daemon/control/store_private.h"
#include "tests/unit/control/fixture.h"

static int64_t
number(const char *key)
{
	int64_t value;

	assert_int_equal(store_get_number(store, key, -1, &value, &err), 0);
	return value;
}

static void
numbers_are_kept(void **state)
{
	(void)state;
	assert_int_equal(number("address.next"), -1);
	assert_int_equal(store_put_number(store, "address.next", 256, &err), 0);
	assert_int_equal(store_put_number(store, "address.next", INT64_MAX, &err), 0);
	assert_true(number("address.next") == INT64_MAX);
	fixture_reopen();
	assert_true(number("address.next") == INT64_MAX);
}

static void
file_is_private(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(store_put_number(store, "a", 1, &err), 0);
	assert_int_equal(stat("paas.db", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat("paas.db-wal", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
settings_are_durable(void **state)
{
	sqlite3_stmt *stmt;

	(void)state;
	assert_int_equal(sqlite3_prepare_v2(store->db, "PRAGMA synchronous", -1, &stmt, NULL), 0);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(stmt, 0), 2);
	(void)sqlite3_finalize(stmt);
	assert_int_equal(sqlite3_prepare_v2(store->db, "PRAGMA journal_mode", -1, &stmt, NULL), 0);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal(sqlite3_column_text(stmt, 0), "wal");
	(void)sqlite3_finalize(stmt);
	assert_int_equal(sqlite3_prepare_v2(store->db, "PRAGMA foreign_keys", -1, &stmt, NULL), 0);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(stmt, 0), 1);
	(void)sqlite3_finalize(stmt);
}

static void
outermost_commit_counts(void **state)
{
	(void)state;
	assert_int_equal(store_begin(store, &err), 0);
	assert_int_equal(store_put_number(store, "a", 1, &err), 0);
	assert_int_equal(store_begin(store, &err), 0);
	assert_int_equal(store_put_number(store, "b", 2, &err), 0);
	assert_int_equal(store_commit(store, &err), 0);
	store_rollback(store);
	assert_int_equal(number("a"), -1);
	assert_int_equal(number("b"), -1);
}

static void
inner_rollback_dooms_the_whole(void **state)
{
	(void)state;
	assert_int_equal(store_begin(store, &err), 0);
	assert_int_equal(store_put_number(store, "a", 1, &err), 0);
	assert_int_equal(store_begin(store, &err), 0);
	store_rollback(store);
	assert_int_equal(store_commit(store, &err), -ECANCELED);
	assert_int_equal(number("a"), -1);
	/* and the next transaction starts clean */
	assert_int_equal(store_begin(store, &err), 0);
	assert_int_equal(store_put_number(store, "a", 3, &err), 0);
	assert_int_equal(store_commit(store, &err), 0);
	assert_int_equal(number("a"), 3);
}

static void
open_transaction_is_gone_after_close(void **state)
{
	(void)state;
	assert_int_equal(store_begin(store, &err), 0);
	assert_int_equal(store_put_number(store, "a", 1, &err), 0);
	fixture_reopen();
	assert_int_equal(number("a"), -1);
}

static void
full_disk_leaves_the_last_state(void **state)
{
	char text[200];
	int code = 0;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(store_put_number(store, "a", 1, &err), 0);
	assert_int_equal(sqlite3_exec(store->db, "PRAGMA max_page_count = 80", NULL, NULL, NULL),
			 0);
	for (int i = 0; i < 100000 && code == 0; i++) {
		assert_int_equal(store_begin(store, &err), 0);
		code = events_add(store, "ann", NULL, text, &err);
		if (code == 0)
			code = store_commit(store, &err);
		else
			store_rollback(store);
	}
	assert_int_equal(code, -ENOSPC);
	assert_says("full");
	assert_int_equal(number("a"), 1);
	/* room again: it goes on as if nothing had been */
	assert_int_equal(
		sqlite3_exec(store->db, "PRAGMA max_page_count = 100000", NULL, NULL, NULL), 0);
	assert_int_equal(events_add(store, "ann", NULL, text, &err), 0);
}

static void
newer_database_is_refused(void **state)
{
	struct store *other;

	(void)state;
	assert_int_equal(sqlite3_exec(store->db, "PRAGMA user_version = 999", NULL, NULL, NULL), 0);
	assert_int_equal(store_open("paas.db", UID_BASE, &other, &err), -EINVAL);
	assert_null(other);
	assert_says("newer");
}

static void
damaged_file_is_refused(void **state)
{
	struct store *other;
	int fd = open("other.db", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(write(fd, "this is no database at all, it is a text", 40), 40);
	(void)close(fd);
	assert_int_equal(store_open("other.db", UID_BASE, &other, &err), -EBADMSG);
	assert_says("damaged");
}

static void
directory_that_is_not_there(void **state)
{
	struct store *other;

	(void)state;
	assert_int_equal(store_open("nowhere/paas.db", UID_BASE, &other, &err), -ENOENT);
	assert_says("nowhere/paas.db");
}

/* As paas-control runs: inside its directory, which it could not reach by an absolute path. */
static void
works_below_a_directory_one_may_not_search(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(mkdir("locked", 0755), 0);
	assert_int_equal(mkdir("locked/state", 0700), 0);
	assert_int_equal(chown("locked/state", 65534, 65534), 0);
	pid = fork();
	if (pid == 0) {
		struct store *other = NULL;
		int64_t value = 0;
		int code;

		if (chdir("locked/state") < 0 || chmod("..", 0700) < 0 || setgid(65534) < 0 ||
		    setuid(65534) < 0)
			_exit(10);
		code = store_open("paas.db", UID_BASE, &other, &err);
		if (code == 0)
			code = store_put_number(other, "a", 7, &err);
		if (code == 0)
			code = store_get_number(other, "a", 0, &value, &err);
		if (code < 0)
			(void)fprintf(stderr, "%s\n", err.text);
		store_close(other);
		_exit(code == 0 && value == 7 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Writes pairs for ever; says after each commit which one is certain. */
static void
write_until_killed(int report_fd)
{
	for (int64_t i = 1;; i++) {
		if (store_begin(store, &err) < 0 || store_put_number(store, "left", i, &err) < 0 ||
		    events_add(store, "ann", NULL, "a text that takes some room", &err) < 0 ||
		    store_put_number(store, "right", i, &err) < 0 ||
		    store_commit(store, &err) < 0 || write(report_fd, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

static void
kill_leaves_wholly_or_not(void **state)
{
	(void)state;
	for (int round = 0; round < 12; round++) {
		int64_t said = 0, seen;
		int pipe_fds[2], status;
		sqlite3_stmt *stmt;
		pid_t pid;

		assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
		store_close(store);
		store = NULL;
		pid = fork();
		if (pid == 0) {
			fixture_reopen();
			write_until_killed(pipe_fds[1]);
		}
		(void)close(pipe_fds[1]);
		for (int i = 0; i < 5 + round * 3; i++)
			assert_int_equal(read(pipe_fds[0], &said, sizeof(said)), sizeof(said));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		/* what it could still say before it died */
		while (read(pipe_fds[0], &seen, sizeof(seen)) == sizeof(seen))
			said = seen;
		(void)close(pipe_fds[0]);

		fixture_reopen();
		assert_true(number("left") == number("right"));
		/* at most one more was committed than was said */
		assert_in_range(number("left"), said, said + 1);
		assert_int_equal(
			sqlite3_prepare_v2(store->db, "PRAGMA integrity_check", -1, &stmt, NULL),
			0);
		assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
		assert_string_equal(sqlite3_column_text(stmt, 0), "ok");
		(void)sqlite3_finalize(stmt);
		assert_int_equal(store_put_number(store, "left", 0, &err), 0);
		assert_int_equal(store_put_number(store, "right", 0, &err), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(numbers_are_kept),
		STORE_TEST(file_is_private),
		STORE_TEST(settings_are_durable),
		STORE_TEST(outermost_commit_counts),
		STORE_TEST(inner_rollback_dooms_the_whole),
		STORE_TEST(open_transaction_is_gone_after_close),
		STORE_TEST(full_disk_leaves_the_last_state),
		STORE_TEST(newer_database_is_refused),
		STORE_TEST(damaged_file_is_refused),
		STORE_TEST(directory_that_is_not_there),
		STORE_TEST(works_below_a_directory_one_may_not_search),
		STORE_TEST(kill_leaves_wholly_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Opening, transactions, numbers. Everything else is a module per noun on top of query.h. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/query.h"
#include "daemon/control/schema.h"
#include "daemon/control/store.h"
#include "daemon/control/store_private.h"
#include "daemon/control/store_vfs.h"

static int64_t
real_clock(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* SQLite would create the file for all to read; it holds config vars. */
static int
create_private(const char *path, struct err *err)
{
	AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_set(err, -errno, "open the database %s", path);
	return 0;
}

static int
set_up(struct store *store, struct err *err)
{
	/* The busy timeout is for an admin's sqlite3 shell; none of ours ever waits. */
	static const char first[] = "PRAGMA busy_timeout = 500;"
				    "PRAGMA journal_mode = WAL;"
				    "PRAGMA synchronous = FULL;"
				    "PRAGMA trusted_schema = OFF;"
				    "PRAGMA cell_size_check = ON;"
				    "PRAGMA cache_size = -1024;";
	int code = sqlite3_exec(store->db, first, NULL, NULL, NULL);

	if (code != SQLITE_OK)
		return query_fail(store->db, code, err);
	code = schema_migrate(store->db, schema_steps, schema_n_steps, err);
	if (code < 0)
		return code;
	code = sqlite3_exec(store->db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
	return code == SQLITE_OK ? 0 : query_fail(store->db, code, err);
}

int
store_open(const char *path, uint32_t uid_base, struct store **out, struct err *err)
{
	struct store *store;
	int code;

	*out = NULL;
	code = create_private(path, err);
	if (code < 0)
		return code;
	if (store_vfs_register() < 0)
		return err_say(err, -ENOMEM, "SQLite has no file system layer.");
	store = calloc(1, sizeof(*store));
	if (!store)
		return err_say(err, -ENOMEM, "Out of memory.");
	store->uid_base = uid_base;
	store->clock = real_clock;
	code = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			       STORE_VFS_NAME);
	if (code != SQLITE_OK) {
		code = query_fail(store->db, code, err);
	} else {
		(void)sqlite3_extended_result_codes(store->db, 1);
		code = set_up(store, err);
	}
	if (code < 0) {
		store_close(store);
		return code;
	}
	*out = store;
	return 0;
}

void
store_close(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < STORE_MAX_STATEMENTS; i++)
		(void)sqlite3_finalize(store->statements[i].stmt);
	(void)sqlite3_close(store->db);
	free(store);
}

int64_t
store_now_ms(const struct store *store)
{
	return store->clock();
}

void
store_set_clock(struct store *store, int64_t (*now_ms)(void))
{
	store->clock = now_ms ? now_ms : real_clock;
}

int
store_begin(struct store *store, struct err *err)
{
	struct query q;
	int code;

	if (store->depth == 0) {
		query_begin(&q, store, "BEGIN IMMEDIATE");
		code = query_run(&q, err);
		if (code < 0)
			return code;
		store->doomed = false;
	}
	store->depth++;
	return 0;
}

/* SQLite may have rolled back by itself (disk full, I/O error). */
static void
roll_back(struct store *store)
{
	struct query q;

	if (sqlite3_get_autocommit(store->db))
		return;
	query_begin(&q, store, "ROLLBACK");
	(void)query_run(&q, NULL);
}

int
store_commit(struct store *store, struct err *err)
{
	struct query q;
	int code;

	assert(store->depth > 0);
	if (--store->depth > 0)
		return 0;
	if (store->doomed) {
		roll_back(store);
		return err_say(err, -ECANCELED, "A part of this change failed; nothing was done.");
	}
	query_begin(&q, store, "COMMIT");
	code = query_run(&q, err);
	if (code < 0)
		roll_back(store);
	return code;
}

void
store_rollback(struct store *store)
{
	assert(store->depth > 0);
	store->doomed = true;
	if (--store->depth == 0)
		roll_back(store);
}

int
store_get_number(struct store *store, const char *key, int64_t otherwise, int64_t *value,
		 struct err *err)
{
	struct query q;

	*value = otherwise;
	query_begin(&q, store, "SELECT value FROM settings WHERE key = ?1");
	query_put_text(&q, 1, key);
	if (query_row(&q))
		*value = query_int(&q, 0);
	return query_end(&q, err);
}

int
store_put_number(struct store *store, const char *key, int64_t value, struct err *err)
{
	struct query q;

	query_begin(&q, store,
		    "INSERT INTO settings (key, value) VALUES (?1, ?2)"
		    " ON CONFLICT (key) DO UPDATE SET value = ?2");
	query_put_text(&q, 1, key);
	query_put_int(&q, 2, value);
	return query_run(&q, err);
}

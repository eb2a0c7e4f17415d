/*
 * What holds in these tables and is not visible in their constraints:
 *  - host_ids keeps a removed app's name and ids until its files are gone; apps.id is never used
 *    again (AUTOINCREMENT), so an id in an old URL finds nothing rather than another app.
 *  - configs and slugs are immutable once a release names them.
 *  - builds and events name users by name: they outlive them.
 */
#include <errno.h>
#include <stdio.h>

#include <sqlite3.h>

#include "lib/err.h"

#include "daemon/control/query.h"
#include "daemon/control/schema.h"

const char *const schema_steps[] = {
	"CREATE TABLE settings ("
	"	key TEXT PRIMARY KEY,"
	"	value INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE apps ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	name TEXT NOT NULL UNIQUE,"
	"	owner TEXT NOT NULL,"
	"	release INTEGER NOT NULL DEFAULT 0,"
	"	created_ms INTEGER NOT NULL,"
	"	updated_ms INTEGER NOT NULL,"
	"	released_ms INTEGER NOT NULL DEFAULT 0"
	") STRICT;"
	"CREATE TABLE host_ids ("
	"	slot INTEGER PRIMARY KEY,"
	"	app_id INTEGER NOT NULL UNIQUE,"
	"	name TEXT NOT NULL UNIQUE,"
	"	removed_ms INTEGER"
	") STRICT;"

	"CREATE TABLE users ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	name TEXT NOT NULL UNIQUE,"
	"	\"right\" INTEGER NOT NULL CHECK (\"right\" BETWEEN 0 AND 3),"
	"	created_ms INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE keys ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,"
	"	type TEXT NOT NULL,"
	"	blob TEXT NOT NULL UNIQUE,"
	"	fingerprint TEXT NOT NULL UNIQUE,"
	"	comment TEXT NOT NULL,"
	"	added_ms INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX keys_of_user ON keys (user_id);"
	"CREATE TABLE access ("
	"	app_id INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE,"
	"	user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,"
	"	\"right\" INTEGER NOT NULL CHECK (\"right\" BETWEEN 1 AND 3),"
	"	PRIMARY KEY (app_id, user_id)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX access_of_user ON access (user_id);"

	"CREATE TABLE configs ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	app_id INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE"
	") STRICT;"
	"CREATE INDEX configs_of_app ON configs (app_id);"
	"CREATE TABLE config_vars ("
	"	config_id INTEGER NOT NULL REFERENCES configs ON DELETE CASCADE,"
	"	key TEXT NOT NULL,"
	"	value TEXT NOT NULL,"
	"	PRIMARY KEY (config_id, key)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE slugs ("
	"	app_id INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE,"
	"	number INTEGER NOT NULL,"
	"	state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),"
	"	sha256 TEXT NOT NULL DEFAULT '',"
	"	bytes INTEGER NOT NULL DEFAULT 0,"
	"	commit_id TEXT NOT NULL,"
	"	buildpacks TEXT NOT NULL DEFAULT '',"
	"	has_profile INTEGER NOT NULL DEFAULT 0,"
	"	created_ms INTEGER NOT NULL,"
	"	PRIMARY KEY (app_id, number)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE process_types ("
	"	app_id INTEGER NOT NULL,"
	"	slug INTEGER NOT NULL,"
	"	ordinal INTEGER NOT NULL,"
	"	name TEXT NOT NULL,"
	"	command TEXT NOT NULL,"
	"	PRIMARY KEY (app_id, slug, ordinal),"
	"	UNIQUE (app_id, slug, name),"
	"	FOREIGN KEY (app_id, slug) REFERENCES slugs (app_id, number) ON DELETE CASCADE"
	") STRICT, WITHOUT ROWID;"

	/* configs and slugs go with the app by their own rule, hence deferred here. */
	"CREATE TABLE releases ("
	"	app_id INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE,"
	"	version INTEGER NOT NULL,"
	"	slug INTEGER,"
	"	config_id INTEGER REFERENCES configs DEFERRABLE INITIALLY DEFERRED,"
	"	kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),"
	"	status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),"
	"	description TEXT NOT NULL,"
	"	user TEXT NOT NULL,"
	"	created_ms INTEGER NOT NULL,"
	"	updated_ms INTEGER NOT NULL,"
	"	PRIMARY KEY (app_id, version),"
	"	FOREIGN KEY (app_id, slug) REFERENCES slugs (app_id, number)"
	"		DEFERRABLE INITIALLY DEFERRED"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX releases_of_config ON releases (config_id);"
	"CREATE INDEX releases_pending ON releases (app_id) WHERE status = 0;"
	"CREATE INDEX releases_of_slug ON releases (app_id, slug);"

	"CREATE TABLE scale ("
	"	app_id INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE,"
	"	type TEXT NOT NULL,"
	"	quantity INTEGER NOT NULL CHECK (quantity BETWEEN 0 AND 100),"
	"	PRIMARY KEY (app_id, type)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE domains ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	app_id INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE,"
	"	host TEXT NOT NULL UNIQUE,"
	"	created_ms INTEGER NOT NULL"
	") STRICT;"
	"CREATE INDEX domains_of_app ON domains (app_id);"
	"CREATE TABLE buildpacks ("
	"	app_id INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE,"
	"	ordinal INTEGER NOT NULL,"
	"	name TEXT NOT NULL,"
	"	PRIMARY KEY (app_id, ordinal)"
	") STRICT, WITHOUT ROWID;"

	"CREATE TABLE builds ("
	"	app_id INTEGER NOT NULL REFERENCES apps ON DELETE CASCADE,"
	"	number INTEGER NOT NULL,"
	"	status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),"
	"	user TEXT NOT NULL,"
	"	commit_id TEXT NOT NULL,"
	"	failure TEXT NOT NULL DEFAULT '',"
	"	release INTEGER NOT NULL DEFAULT 0,"
	"	started_ms INTEGER NOT NULL,"
	"	ended_ms INTEGER NOT NULL DEFAULT 0,"
	"	PRIMARY KEY (app_id, number)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE events ("
	"	id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	time_ms INTEGER NOT NULL,"
	"	user TEXT NOT NULL,"
	"	app TEXT,"
	"	text TEXT NOT NULL"
	") STRICT;"
	"CREATE INDEX events_of_app ON events (app, id);",
};
const size_t schema_n_steps = sizeof(schema_steps) / sizeof(schema_steps[0]);

static int
read_version(sqlite3 *db, size_t *version, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW) {
		*version = (size_t)sqlite3_column_int64(stmt, 0);
		code = SQLITE_OK;
	}
	(void)sqlite3_finalize(stmt);
	return code == SQLITE_OK ? 0 : query_fail(db, code, err);
}

static int
take_step(sqlite3 *db, const char *step, size_t version, struct err *err)
{
	char set_version[64];
	int code, failed;

	(void)snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %zu", version);
	code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, step, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, set_version, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		return 0;
	failed = query_fail(db, code, err);
	if (!sqlite3_get_autocommit(db))
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return err_prefix(err, failed, "Bringing the database to version %zu", version);
}

int
schema_migrate(sqlite3 *db, const char *const *steps, size_t n, struct err *err)
{
	size_t version = 0;
	int code = read_version(db, &version, err);

	if (code < 0)
		return code;
	if (version > n)
		return err_say(err, -EINVAL,
			       "The database is of version %zu, made by a newer paas; this one "
			       "knows versions up to %zu. Install the newer one again.",
			       version, n);
	for (; code == 0 && version < n; version++)
		code = take_step(db, steps[version], version + 1, err);
	return code;
}

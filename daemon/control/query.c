/* Statements are found by the address of their literal in an open-addressed table. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/query.h"
#include "daemon/control/store.h"
#include "daemon/control/store_private.h"

#define MAX_PAIR_BYTES (1024 * 1024) /* well above what config and Procfile may hold */

int
query_fail(sqlite3 *db, int code, struct err *err)
{
	const char *what = db ? sqlite3_errmsg(db) : sqlite3_errstr(code);

	if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
		return err_say(err, -EEXIST, "That exists already (%s).", what);
	switch (code & 0xff) {
	case SQLITE_FULL:
		return err_say(err, -ENOSPC, "The disk of the platform's database is full.");
	case SQLITE_NOMEM:
		return err_say(err, -ENOMEM, "Out of memory.");
	case SQLITE_READONLY:
		return err_say(err, -EROFS, "The platform's database is read-only: %s.", what);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_say(err, -EBADMSG, "The platform's database is damaged: %s.", what);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_say(err, -EAGAIN, "Another process holds the platform's database: %s.",
			       what);
	default:
		return err_say(err, -EIO, "The platform's database failed: %s (%d).", what, code);
	}
}

static struct store_statement *
statement_slot(struct store *store, const char *sql)
{
	size_t at = ((uintptr_t)sql >> 3) * 0x9e3779b1u;

	for (;; at++) {
		struct store_statement *s = &store->statements[at % STORE_MAX_STATEMENTS];

		if (!s->sql || s->sql == sql)
			return s;
	}
}

void
query_begin(struct query *q, struct store *store, const char *sql)
{
	struct store_statement *s;
	int code;

	*q = (struct query){.store = store};
	s = statement_slot(store, sql);
	if (!s->sql) {
		assert(store->n_statements < STORE_MAX_STATEMENTS - 1);
		code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt,
					  NULL);
		if (code != SQLITE_OK) {
			q->failed = code;
			return;
		}
		s->sql = sql;
		store->n_statements++;
	}
	assert(!sqlite3_stmt_busy(s->stmt));
	q->stmt = s->stmt;
}

static void
note(struct query *q, int code)
{
	if (!q->failed && code != SQLITE_OK)
		q->failed = code;
}

void
query_put_int(struct query *q, int at, int64_t value)
{
	if (!q->failed)
		note(q, sqlite3_bind_int64(q->stmt, at, value));
}

void
query_put_text(struct query *q, int at, const char *text)
{
	if (!q->failed)
		note(q, sqlite3_bind_text(q->stmt, at, text, -1, SQLITE_STATIC));
}

void
query_put_text_cut(struct query *q, int at, const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);

	if (n > max) {
		n = max;
		while (n > 0 && (text[n] & 0xc0) == 0x80)
			n--;
	}
	if (!q->failed)
		note(q, sqlite3_bind_text(q->stmt, at, text, (int)n, SQLITE_STATIC));
}

void
query_put_int_or_null(struct query *q, int at, int64_t value)
{
	if (q->failed)
		return;
	note(q, value ? sqlite3_bind_int64(q->stmt, at, value) : sqlite3_bind_null(q->stmt, at));
}

bool
query_row(struct query *q)
{
	int code;

	if (q->failed)
		return false;
	code = sqlite3_step(q->stmt);
	if (code == SQLITE_ROW) {
		q->n_rows++;
		return true;
	}
	if (code == SQLITE_DONE)
		q->n_changed = sqlite3_changes(q->store->db);
	else
		q->failed = code;
	return false;
}

int64_t
query_int(struct query *q, int column)
{
	return q->failed ? 0 : sqlite3_column_int64(q->stmt, column);
}

uint32_t
query_u32(struct query *q, int column)
{
	int64_t value = query_int(q, column);

	if (value < 0 || value > UINT32_MAX) {
		note(q, SQLITE_CORRUPT);
		return 0;
	}
	return (uint32_t)value;
}

const char *
query_text_here(struct query *q, int column, size_t *len)
{
	const unsigned char *text = q->failed ? NULL : sqlite3_column_text(q->stmt, column);

	if (len)
		*len = text ? (size_t)sqlite3_column_bytes(q->stmt, column) : 0;
	return text ? (const char *)text : "";
}

void
query_text(struct query *q, int column, char *out, size_t cap)
{
	size_t len;
	const char *text = query_text_here(q, column, &len);

	if (len >= cap) {
		note(q, SQLITE_CORRUPT);
		len = 0;
	}
	memcpy(out, text, len);
	out[len] = '\0';
}

int
query_end(struct query *q, struct err *err)
{
	int code = 0;

	if (q->failed)
		code = query_fail(q->store->db, q->failed, err);
	if (q->stmt) {
		(void)sqlite3_reset(q->stmt);
		(void)sqlite3_clear_bindings(q->stmt);
	}
	q->stmt = NULL;
	return code;
}

int
query_run(struct query *q, struct err *err)
{
	while (query_row(q))
		;
	return query_end(q, err);
}

int
query_finish(struct store *store, int code, struct err *err)
{
	int committed;

	if (code < 0) {
		store_rollback(store);
		return code;
	}
	committed = store_commit(store, err);
	return committed < 0 ? committed : code;
}

/* Makes room for one more row; NULL and the old block intact when memory is out. */
static void *
grow(void *list, size_t *n, size_t row_size)
{
	char *grown = list;

	/* It is full at every power of two. */
	if ((*n & (*n - 1)) == 0) {
		grown = reallocarray(list, *n ? *n * 2 : 1, row_size);
		if (!grown)
			return NULL;
	}
	memset(grown + *n * row_size, 0, row_size);
	(*n)++;
	return grown;
}

void *
query_list(struct query *q, size_t row_size, query_fill_fn *fill, size_t *n, int *code,
	   struct err *err)
{
	AUTO_FREE void *list = NULL;
	size_t count = 0;

	*n = 0;
	while (query_row(q)) {
		void *grown = grow(list, &count, row_size);

		if (!grown) {
			note(q, SQLITE_NOMEM);
			break;
		}
		list = grown;
		fill(q, (char *)list + (count - 1) * row_size);
	}
	*code = query_end(q, err);
	if (*code < 0)
		return NULL;
	*n = count;
	return take_ptr(list);
}

/* While rows arrive, where their strings begin; their block may still move. */
struct pair_at {
	size_t first, second;
};

static int
add_pair(struct query *q, struct buf *strings, struct pair_at *at)
{
	size_t len;
	const char *text;
	int code;

	at->first = strings->len;
	text = query_text_here(q, 0, &len);
	code = buf_add(strings, text, len);
	if (code == 0)
		code = buf_add(strings, "", 1);
	at->second = strings->len;
	text = query_text_here(q, 1, &len);
	if (code == 0)
		code = buf_add(strings, text, len);
	if (code == 0)
		code = buf_add(strings, "", 1);
	return code;
}

void *
query_pairs(struct query *q, size_t *n, int *code, struct err *err)
{
	AUTO_FREE struct pair_at *list = NULL;
	AUTO_BUF struct buf strings;
	const char **pairs;
	char *text;
	size_t count = 0;

	*n = 0;
	buf_init(&strings, MAX_PAIR_BYTES);
	while (query_row(q)) {
		struct pair_at *grown = grow(list, &count, sizeof(*list));

		if (!grown || add_pair(q, &strings, &grown[count - 1]) < 0) {
			list = grown ? grown : list;
			note(q, SQLITE_NOMEM);
			break;
		}
		list = grown;
	}
	*code = query_end(q, err);
	if (*code < 0 || count == 0)
		return NULL;
	pairs = malloc(count * 2 * sizeof(*pairs) + strings.len);
	if (!pairs) {
		*code = err_say(err, -ENOMEM, "Out of memory.");
		return NULL;
	}
	text = (char *)(pairs + count * 2);
	memcpy(text, strings.data, strings.len);
	for (size_t i = 0; i < count; i++) {
		pairs[2 * i] = text + list[i].first;
		pairs[2 * i + 1] = text + list[i].second;
	}
	*n = count;
	return pairs;
}

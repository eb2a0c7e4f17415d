/*
 * Prepared statements for the modules of the store, kept for reuse. A query is sticky: after
 * the first failure everything else does nothing, and query_end says what went wrong.
 *
 *	query_begin(&q, store, "SELECT name FROM apps WHERE id = ?1");
 *	query_put_int(&q, 1, id);
 *	while (query_row(&q))
 *		query_text(&q, 0, name, sizeof(name));
 *	return query_end(&q, err);
 */
#ifndef CONTROL_QUERY_H
#define CONTROL_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct sqlite3;
struct sqlite3_stmt;
struct store;

struct query {
	struct store *store;
	struct sqlite3_stmt *stmt;
	int failed;    /* SQLite's extended code, or 0 */
	size_t n_rows; /* seen so far */
	int n_changed; /* by a statement that ended */
};

/* `sql` is a literal: the statement is kept under its address. A statement cannot be begun
 * again before it has ended. */
void query_begin(struct query *q, struct store *store, const char *sql);
void query_put_int(struct query *q, int at, int64_t value);
/* NULL is NULL. The text must stay until query_end. */
void query_put_text(struct query *q, int at, const char *text);
/* At most `max` bytes of it, not cutting a character of UTF-8 in two. */
void query_put_text_cut(struct query *q, int at, const char *text, size_t max);
/* NULL instead of 0. */
void query_put_int_or_null(struct query *q, int at, int64_t value);

/* Steps; true when there is a row. */
bool query_row(struct query *q);
int64_t query_int(struct query *q, int column);
uint32_t query_u32(struct query *q, int column);
/* Copies; what does not fit is a failure, NULL is "". */
void query_text(struct query *q, int column, char *out, size_t cap);
/* The text in place, valid until the next step; never NULL. */
const char *query_text_here(struct query *q, int column, size_t *len);

/* Resets. 0, -EEXIST (something unique is there already), -ENOSPC, -ENOMEM or another negative
 * errno, with a sentence. */
int query_end(struct query *q, struct err *err);
/* Steps to the end, then query_end. */
int query_run(struct query *q, struct err *err);
/* Ends the transaction of store_begin: commits when `code` is not negative and returns `code`,
 * or what the commit returned; else rolls back and returns `code`. */
int query_finish(struct store *store, int code, struct err *err);

/* The errno for a code of SQLite, with a sentence. */
int query_fail(struct sqlite3 *db, int code, struct err *err);

/* Fills one zeroed row of a list from the row the query is at. */
typedef void query_fill_fn(struct query *q, void *row);
/* All rows as one heap block of *n structs, and query_end into *code. NULL when empty or failed. */
void *query_list(struct query *q, size_t row_size, query_fill_fn *fill, size_t *n, int *code,
		 struct err *err);
/* Likewise for rows of two texts: *n times two `const char *`, the strings behind them in the
 * same block. */
void *query_pairs(struct query *q, size_t *n, int *code, struct err *err);

#endif

/* The inside of struct store, for store.c, query.c and apps.c only. */
#ifndef CONTROL_STORE_PRIVATE_H
#define CONTROL_STORE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;
struct sqlite3_stmt;

#define STORE_MAX_STATEMENTS 256 /* a power of two, well above the number of literals */

struct store_statement {
	const char *sql; /* its address is the key */
	struct sqlite3_stmt *stmt;
};

struct store {
	struct sqlite3 *db;
	uint32_t uid_base;
	unsigned depth; /* of store_begin */
	bool doomed;	/* an inner transaction was rolled back */
	int64_t (*clock)(void);
	struct store_statement statements[STORE_MAX_STATEMENTS];
	size_t n_statements;
};

#endif

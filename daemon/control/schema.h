/* The tables, as the list of steps that lead to them. Steps are only ever added. */
#ifndef CONTROL_SCHEMA_H
#define CONTROL_SCHEMA_H

#include <stddef.h>

struct err;
struct sqlite3;

extern const char *const schema_steps[];
extern const size_t schema_n_steps;

/* Runs the steps behind PRAGMA user_version, each in a transaction with the new version. A
 * database of a newer version is refused (-EINVAL). 0 or a negative errno. */
int schema_migrate(struct sqlite3 *db, const char *const *steps, size_t n, struct err *err);

#endif

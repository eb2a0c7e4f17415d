/*
 * For clang-tidy only, included before every file: what its analyzer cannot see because it reads
 * one file at a time.
 */
#include "lib/err.h"

/* These return the code they are given. */
#define err_set(err, code, ...) ((void)(err_set)(err, code, __VA_ARGS__), (code))
#define err_say(err, code, ...) ((void)(err_say)(err, code, __VA_ARGS__), (code))
#define err_prefix(err, code, ...) ((void)(err_prefix)(err, code, __VA_ARGS__), (code))

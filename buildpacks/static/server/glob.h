/* Patterns of static.json over request paths. */
#ifndef STATIC_GLOB_H
#define STATIC_GLOB_H

#include <stdbool.h>

/* '*' is anything without a slash, '**' anything; a pattern that does not begin with a slash
 * may begin behind any slash of the path. */
bool glob_match(const char *pattern, const char *path);

#endif

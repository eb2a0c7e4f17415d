/* What bin/release prints: YAML, of which default_process_types is used. */
#ifndef BUILDER_RELEASE_H
#define BUILDER_RELEASE_H

#include <stddef.h>

struct err;
struct types;

/* libyaml takes time by the square of nested brackets: a second for these. */
#define RELEASE_MAX_BYTES 32768

/*
 * Reads the first YAML document. Empty output, "--- {}" and unknown keys (addons, config_vars) are
 * fine. 0 and `types` filled, -EINVAL with a sentence, -ENOMEM.
 */
int release_parse(const char *text, size_t n, struct types *types, struct err *err);

#endif

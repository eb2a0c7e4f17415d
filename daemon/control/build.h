/*
 * One build: paas-build in its sandbox, watched over its job channel. Ends when the sandbox
 * has ended and all it said was read; what it left running in the background ends with it.
 */
#ifndef CONTROL_BUILD_H
#define CONTROL_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/control/slugs.h"

struct build;
struct err;
struct live_app;

#define BUILD_MAX_TYPES 64

struct build_result {
	struct slug slug; /* sha256, bytes, buildpacks, has_profile */
	struct process_type types[BUILD_MAX_TYPES];
	size_t n_types;
	int slug_fd; /* the archive, whole but not yet published; borrowed */
};

/* `why` NULL: it succeeded. Pointers are valid during the call; the build is gone after it. */
typedef void build_fn(void *user, const struct err *why, const struct build_result *result);

/* `output_fd` (borrowed; -1: nowhere) takes what the builder prints. `fn` is never called from
 * inside. NULL with a sentence. */
struct build *build_start(struct live_app *app, uint32_t slug, const char *commit,
			  const char *quarantine, int output_fd, build_fn *fn, void *user,
			  struct err *err);
/* Kills it; nobody is told. NULL is fine. */
void build_cancel(struct build *build);

#endif

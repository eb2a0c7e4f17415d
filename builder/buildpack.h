/*
 * The classic buildpack contract: bin/detect BUILD_DIR, bin/compile BUILD_DIR CACHE_DIR ENV_DIR,
 * bin/release BUILD_DIR, and the `export` file that later buildpacks are given.
 */
#ifndef BUILDER_BUILDPACK_H
#define BUILDER_BUILDPACK_H

#include <stdbool.h>
#include <stddef.h>

#include "builder/job.h"

struct disk;
struct environ_list;
struct err;
struct transcript;
struct types;

struct buildpack {
	char spec[JOB_MAX_SPEC + 1];  /* as ordered: a name or a git address */
	char label[JOB_MAX_SPEC + 1]; /* as shown: without password */
	char *dir;		      /* our writable copy; owned */
	char name[128];		      /* what bin/detect said: "Node.js" */
};

/* Where and how they run. All borrowed. */
struct buildpack_host {
	const char *library; /* the platform's own buildpacks, a folder each */
	const char *work;    /* copies go here; exists */
	const char *build_dir, *cache_dir, *env_dir;
	const struct environ_list *env;
	struct transcript *out;
	struct disk *disk;
};

/* Makes a writable copy of what `spec` names. `index` numbers it. 0 or -errno with a sentence. */
int buildpack_open(const struct buildpack_host *host, const char *spec, size_t index,
		   struct buildpack *pack, struct err *err);
void buildpack_done(struct buildpack *pack);

/* Asks the platform's own in their order. 0 and pack->spec and name set (buildpack_open comes
 * next); 1: none fits; -errno with a sentence. */
int buildpack_guess(const struct buildpack_host *host, struct buildpack *pack, struct err *err);
/* bin/detect of an opened one. 0 and pack->name set; 1: it does not fit; -errno. */
int buildpack_detect(const struct buildpack_host *host, struct buildpack *pack, struct err *err);
/* bin/compile of packs[i], after the `export` files of those before it. 0 or -errno with the
 * sentence that rejects the push. */
int buildpack_compile(const struct buildpack_host *host, const struct buildpack *packs, size_t i,
		      struct err *err);
/* bin/release, if there is one. 0 or -errno with a sentence. */
int buildpack_release(const struct buildpack_host *host, const struct buildpack *pack,
		      struct types *types, struct err *err);

#endif

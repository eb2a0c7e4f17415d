/*
 * What control asks of paasd when it wants a sandbox. paasd makes paths of its own from
 * the app's name and the numbers here; no path and no command of an app passes through it:
 * argv and environment lie in the spec, a sealed memfd that only paas-init reads.
 */
#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/wire.h"

struct err;

enum sandbox_kind {
	SANDBOX_APP,	/* stack ro, slug at /app on an overlay, network; runs as the run id */
	SANDBOX_BUILD,	/* stack ro, /repo ro, the app's sized build disk at /disk, its directory
			 * /disk/app at /app, buildpacks at /buildpacks ro; network; build id */
	SANDBOX_GIT,	/* stack ro, /repo rw, hooks; no network; build id */
	SANDBOX_UNPACK, /* stack ro, /slug rw (the new tree); no network; run id */
	SANDBOX_KINDS,
};

enum sandbox_flag {
	SANDBOX_STDIO = 1, /* three fds follow the spec: stdin stdout stderr; otherwise the log */
	SANDBOX_JOB = 2,   /* one more fd: becomes fd 5 of the program, env PAAS_JOB_FD=5 */
	SANDBOX_PTY = 4,   /* init opens a terminal inside and sends its master */
	SANDBOX_NO_NET = 8,
};

#define APP_NAME_MAX 30
#define LABEL_MAX 80

struct sandbox_order {
	uint64_t id; /* unique for ever; chosen by control */
	enum sandbox_kind kind;
	char app[APP_NAME_MAX + 1];
	char label[LABEL_MAX + 1];  /* "v3.web.1": [a-z0-9A-Z._-]; part of the cgroup's name */
	char source[LABEL_MAX + 1]; /* "app[web.1]": as which its output is logged */
	uint32_t slug;		    /* number of the slug: slugs/APP/SLUG */
	uint32_t uid;		    /* host id; gid is the same */
	uint32_t address;	    /* offset in the subnet; 0: no network */
	uint64_t memory_bytes;
	uint64_t disk_bytes;
	uint32_t pids;
	uint32_t cpu_weight; /* 1..10000, 100 is the kernel's default */
	uint8_t flags;
	uint16_t columns, rows; /* of the terminal */
};

void sandbox_order_write(struct wire_writer *w, const struct sandbox_order *order);
/* Every field is checked for shape here. 0 or -EBADMSG with a sentence. The caller still
 * calls wire_end. */
int sandbox_order_read(struct wire_reader *r, struct sandbox_order *order, struct err *err);

/* The cgroup's name is the register: KIND.ID.ADDRESS.APP.LABEL, which adoption reads back. */
int sandbox_name_write(const struct sandbox_order *order, char *out, size_t cap);
int sandbox_name_read(const char *name, struct sandbox_order *order);

const char *sandbox_kind_name(enum sandbox_kind kind);

/* ---- the spec: what paas-init executes -------------------------------------------------- */

#define SPEC_MAX_BYTES (1024 * 1024)

/* A sealed memfd with cwd, argv and envp (both NULL-terminated). The fd or -errno. */
int spec_write(const char *cwd, const char *const argv[], const char *const envp[]);

struct spec {
	char *memory; /* owns all the strings */
	char *cwd;
	char **argv, **envp;
};
/* Reads a spec from `fd`, whatever its offset. 0, -EBADMSG, -E2BIG, -ENOMEM. */
int spec_read(int fd, struct spec *spec);
void spec_done(struct spec *spec);

#endif

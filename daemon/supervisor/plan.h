/*
 * What a sandbox sees, as data: a list of operations made from the order alone. perform.c
 * carries it out. Targets are relative to the new root; a mount is never writable, never
 * honours set-uid bits and never has device nodes unless its operation says so.
 */
#ifndef DAEMON_SUPERVISOR_PLAN_H
#define DAEMON_SUPERVISOR_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/sandbox.h"

struct err;

#define PLAN_MAX 112
#define PLAN_TARGET_MAX 64
#define PLAN_TEXT_MAX 640

enum plan_type {
	PLAN_DIR,     /* make a directory */
	PLAN_TEXT,    /* make a file that says `text`; an empty one to mount onto */
	PLAN_LINK,    /* make a symbolic link to `text` */
	PLAN_DEVICE,  /* make a character device */
	PLAN_BIND,    /* mount `text` of `source` */
	PLAN_VIEW,    /* mount the sandbox's cgroup view number `number` */
	PLAN_MOUNT,   /* mount a new file system of type `text`, options in `options` */
	PLAN_OVERLAY, /* mount an overlay: lower is `text` of the state directory, upper and work
		       * lie in `options` of it */
	PLAN_AGAIN,   /* mount the target read-only onto itself, if it exists */
	PLAN_HIDE,    /* mount the null device onto a file, if it exists */
	PLAN_SEAL,    /* make the mount at the target read-only from here on */
};

enum plan_source {
	PLAN_STACK,   /* the root file system */
	PLAN_STATE,   /* the state directory: no link in the path is followed */
	PLAN_RUNTIME, /* generated files */
	PLAN_LIBEXEC, /* our own programs */
	PLAN_SOURCES,
};

enum plan_flag {
	PLAN_WRITABLE = 1,
	PLAN_RECURSIVE = 2, /* with what is mounted below the source */
	PLAN_NODES = 4,	    /* device nodes in it work */
	PLAN_NOEXEC = 8,
	PLAN_OPTIONAL = 16, /* skipped when the source is missing */
};

struct plan_op {
	enum plan_type type;
	enum plan_source source;
	unsigned flags;
	uint32_t number; /* mode of a directory, device, or view */
	char target[PLAN_TARGET_MAX];
	const char *options;
	const char *text;
};

struct plan {
	struct plan_op ops[PLAN_MAX];
	size_t n;
	char strings[8192]; /* what text and options point into */
	size_t n_strings;
	bool failed; /* something did not fit */
};

#define STACK_TOPS 8
#define STACK_ETC 48

/* What a stack brings, looked at once. */
struct stack {
	struct {
		char name[8];  /* "usr", "bin", ... */
		char link[64]; /* "" : a directory */
	} tops[STACK_TOPS];
	size_t n_tops;
	struct {
		char name[40]; /* in /etc */
		bool is_dir;
	} etc[STACK_ETC];
	size_t n_etc;
};

/* Looks at a root file system. 0, or -errno with a sentence when it is none. */
int stack_read(int stack_fd, struct stack *stack, struct err *err);

struct plan_input {
	const struct sandbox_order *order;
	const struct stack *stack;
	const char *view_names[4]; /* of the cgroup: "" or "memory", .. */
	size_t n_views;
};

/* Writes the plan. 0, or -ENOBUFS with a sentence. */
int plan_make(const struct plan_input *in, struct plan *plan, struct err *err);

/* The host name inside: "web-1" of the label "v3.web.1". */
void plan_host_name(const struct sandbox_order *order, char *out, size_t cap);

#endif

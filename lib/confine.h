/*
 * Landlock for our own children: what is not named is forbidden. Best effort: a kernel
 * without Landlock (or with an older ABI) gets less, and confine_abi says how much.
 */
#ifndef LIB_CONFINE_H
#define LIB_CONFINE_H

#include <stddef.h>

struct err;

struct confine_rule {
	const char *path; /* relative paths count from the current directory */
	int access;	  /* enum below, or-ed */
};
enum {
	CONFINE_READ = 1,
	CONFINE_WRITE = 2, /* read, write, create, remove, rename */
	CONFINE_EXECUTE = 4,
};

/* The Landlock ABI of this kernel; 0: none. */
int confine_abi(void);
/* Restricts the calling process and its children to `rules`; a missing path is skipped.
 * Needs no_new_privs or CAP_SYS_ADMIN. 0, also without Landlock; negative errno otherwise. */
int confine_files(const struct confine_rule *rules, size_t n, struct err *err);

#endif

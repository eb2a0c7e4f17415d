/* What a command is; the table in commands.c holds them all. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <jansson.h>

#include "cli/api.h"
#include "cli/args.h"

struct err;

struct context {
	struct api api;
	struct args args;
	const char *app; /* the app it concerns; NULL when the command needs none */
};

/* 0, or negative with a sentence; a positive number is the exit status to end with. */
typedef int command_fn(struct context *c, struct err *err);

struct command {
	const char *name; /* "config set": words separated by one space */
	const char *usage;
	const char *help;	  /* the first line sums up */
	unsigned options;	  /* enum arg */
	int min_words, max_words; /* -1: any number */
	command_fn *fn;
};

extern const struct command commands[];
/* Finds "config:set", "config set" or an alias; *n_used is how many of `words` name it. */
const struct command *command_find(char **words, int n_words, int *n_used);

/* One family per file. */
command_fn command_apps, command_create, command_destroy, command_info, command_whoami;
command_fn command_ps, command_scale, command_restart, command_stop;
command_fn command_config, command_config_get, command_config_set, command_config_unset,
	command_config_import;
command_fn command_releases, command_release_info, command_rollback;
command_fn command_logs, command_run, command_run_detached;
command_fn command_domains, command_domains_add, command_domains_remove;
command_fn command_keys, command_keys_add, command_keys_remove;
command_fn command_access, command_access_add, command_access_remove;
command_fn command_buildpacks, command_buildpacks_set, command_buildpacks_add,
	command_buildpacks_remove, command_buildpacks_clear;
command_fn command_version;

/* "/apps/APP" with the printf-like rest; the caller owns the string. NULL: out of memory. */
char *app_path(const struct context *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A whole exchange about this app: path is app_path's. Takes `path` and `body`. */
int app_call(struct context *c, const char *method, char *path, json_t *body, json_t **answer,
	     struct err *err);

#endif

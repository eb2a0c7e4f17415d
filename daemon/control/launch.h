/*
 * What exactly is started: command line, environment, limits and label of every kind of
 * sandbox. All policy about the inside of a sandbox that is not paasd's is here.
 */
#ifndef CONTROL_LAUNCH_H
#define CONTROL_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/control/options.h"
#include "lib/msg.h"
#include "lib/sandbox.h"

struct config_var;
struct err;

/* A program of an app: one of its formation, a release command, a one-off run. */
struct launch {
	const char *app;
	uint32_t run_uid, version, slug;
	const char *type; /* "web", "worker", "release", "run" */
	unsigned number;
	const char *command;
	const struct config_var *config;
	size_t n_config;
	const char *const *env; /* additional "K=V", NULL-terminated; or NULL */
	bool has_profile;
	bool is_attached; /* to a person: not kept when control is started anew */
	uint8_t flags;	  /* SANDBOX_STDIO, SANDBOX_PTY */
	uint16_t columns, rows;
};

/* Each fills the order, but for id and address, and returns the spec's fd; or a negative errno
 * with a sentence. */
int launch_app(const struct options *options, const struct launch *launch,
	       struct sandbox_order *order, struct err *err);
int launch_git(const struct options *options, const char *app, uint32_t build_uid,
	       enum git_service service, const char *protocol, struct sandbox_order *order,
	       struct err *err);
/* `commit` becomes SOURCE_VERSION. */
int launch_build(const struct options *options, const char *app, uint32_t build_uid, uint32_t slug,
		 const char *commit, struct sandbox_order *order, struct err *err);
int launch_unpack(const struct options *options, const char *app, uint32_t run_uid, uint32_t slug,
		  struct sandbox_order *order, struct err *err);
/* Moves the objects of an interrupted push out of quarantine and sets its ref. */
int launch_repair(const struct options *options, const char *app, uint32_t build_uid,
		  const char *ref, const char *commit, struct sandbox_order *order,
		  struct err *err);
/* git gc, if there is enough to gather. */
int launch_tidy(const struct options *options, const char *app, uint32_t build_uid,
		struct sandbox_order *order, struct err *err);
/* The config vars as a spec's environment, for the builder's ENV_DIR. */
int launch_config(const struct config_var *config, size_t n, struct err *err);

struct launch_label {
	uint32_t version;
	char type[64];
	unsigned number;
	bool is_attached;
};

/* Reads back the label that launch_app gave. 0 or -EINVAL. */
int launch_label_read(const char *label, struct launch_label *out);

#endif

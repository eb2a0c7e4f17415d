/* Starting one member: what the store says about its release becomes a sandbox. */
#ifndef CONTROL_MEMBER_START_H
#define CONTROL_MEMBER_START_H

#include <stdint.h>

#include "daemon/control/sandboxes.h"

struct config_var;
struct err;
struct live_app;
struct launch;
struct member;

/* Orders its sandbox. 0 or a negative errno with a sentence. */
int member_start(struct member *member, sandbox_fn *fn, struct err *err);
/* The command of a process type of a slug, owned by the caller; NULL: there is none, or no
 * memory. */
char *member_command(struct live_app *app, uint32_t slug, const char *type);
/* Fills what a program of that release needs; *config is the caller's to free and must live as
 * long as `launch` is used. 0 or a negative errno with a sentence. */
int member_prepare(struct live_app *app, uint32_t version, struct launch *launch,
		   struct config_var **config, struct err *err);

#endif

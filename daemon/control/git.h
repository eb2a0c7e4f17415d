/*
 * git for one session: receive-pack or upload-pack in a sandbox on the app's repository. A
 * receive-pack holds its app's turn from before it starts, so that the refs it shows are
 * current, until the ref is what was released.
 */
#ifndef CONTROL_GIT_H
#define CONTROL_GIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/msg.h"

struct err;
struct git;
struct live;
struct live_app;

/* What the session is told; none is called from inside git_open. After refused and done the
 * git is gone. */
struct git_calls {
	void (*wait)(void *user, unsigned place);
	void (*started)(void *user);
	void (*refused)(void *user, const char *why);
	void (*done)(void *user, uint32_t status);
};

struct git_wish {
	const char *person; /* the user's name on the platform */
	const char *app;
	enum git_service service;
	const char *protocol; /* GIT_PROTOCOL */
	int fds[3];	      /* stdin stdout stderr of git; owned by git_open */
};

/* NULL with a sentence for the person: no right, no such app, a name that cannot be. */
struct git *git_open(struct live *live, const struct git_wish *wish, const struct git_calls *calls,
		     void *user, struct err *err);
/* The upload stalled: ends it, unless the push was received whole already. */
void git_stalled(struct git *git);
/* The session is gone: nobody is told any more; what was received whole is still deployed. */
void git_leave(struct git *git);
/* Kills all of an app. */
void gits_stop_all(struct live_app *app);
/* Frees all without a trace in the store: the process ends. */
void gits_forget(struct live_app *app);
/* Sets the ref of a push that was released but not finished; takes the app's turn. */
void git_repair(struct live_app *app);

#endif

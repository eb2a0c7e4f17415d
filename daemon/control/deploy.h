/*
 * A push, from the commit that the hook reports to the verdict: build slot, build, release,
 * roll-out, with all that control has to say about it in the pusher's transcript.
 */
#ifndef CONTROL_DEPLOY_H
#define CONTROL_DEPLOY_H

#include <stdbool.h>

struct deploy;
struct live_app;

struct deploy_push {
	const char *user;
	const char *ref, *commit;
	const char *quarantine; /* directory name in objects/, or "" */
	int transcript_fd;	/* owned by deploy_start */
};

/* All was said and the transcript is closed; accepted: the commit is released. The deploy is
 * gone after it. */
typedef void deploy_fn(void *user, bool accepted);

/* `fn` is never called from inside. NULL: out of memory. */
struct deploy *deploy_start(struct live_app *app, const struct deploy_push *push, deploy_fn *fn,
			    void *user);
/* Is it in force already, so that the ref must follow? */
bool deploy_is_released(const struct deploy *deploy);
/* The pusher's side is gone for good: ends it, without a call; what is released stays. NULL is
 * fine. */
void deploy_abort(struct deploy *deploy);
/* Frees it without a trace in the store: the process ends. NULL is fine. */
void deploy_forget(struct deploy *deploy);

#endif

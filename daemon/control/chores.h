/* What control has asked of paasd's hands: an app's files made or removed, a tree removed. */
#ifndef CONTROL_CHORES_H
#define CONTROL_CHORES_H

#include <stdint.h>

#include "lib/map.h"
#include "lib/msg.h"

struct err;

/* code: 0 or a negative errno with a sentence. */
typedef void chore_fn(void *user, int code, const struct err *why);

struct chores {
	struct map waiting; /* token -> struct chore */
	uint32_t last_token;
	int (*send)(void *user, struct msg *m);
	void *user;
};

void chores_init(struct chores *chores, int (*send)(void *user, struct msg *m), void *user);
void chores_done(struct chores *chores);

/* `fn` NULL: nobody wants to know. The token, or 0: out of memory, `fn` is not called then. */
uint32_t chores_create_app(struct chores *chores, const char *app, uint32_t run_uid,
			   uint32_t build_uid, chore_fn *fn, void *user);
uint32_t chores_remove_app(struct chores *chores, const char *app, chore_fn *fn, void *user);
uint32_t chores_remove_slug(struct chores *chores, const char *app, uint32_t slug, chore_fn *fn,
			    void *user);
/* Nobody wants to know any more; 0 and unknown tokens are left alone. */
void chores_forget(struct chores *chores, uint32_t token);
/* CHORE_DONE of paasd. */
void chores_hear(struct chores *chores, struct msg *m);

#endif

/*
 * Unpacked slugs: slugs/APP/N/, the read-only lower layer of an app's instances. A tree is
 * unpacked when somebody needs it, in a sandbox, and then carries a mark N.ready that holds the
 * kernel's boot id: after a crash of the machine no tree is believed to be whole.
 */
#ifndef CONTROL_TREES_H
#define CONTROL_TREES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct live_app;
struct tree;
struct tree_need;

/* code: 0, or a negative errno with a sentence. */
typedef void tree_fn(struct tree_need *need, int code, const struct err *why);

/* Embedded in whoever waits for a tree. */
struct tree_need {
	struct tree *tree; /* NULL: does not wait */
	struct tree_need *next;
	tree_fn *fn;
};

/* May instances be started from it now? */
bool tree_is_ready(struct live_app *app, uint32_t slug);
/* Has it unpacked; `fn` is called once, never from inside. 0 or -ENOMEM (no call then). */
int tree_await(struct live_app *app, uint32_t slug, struct tree_need *need, tree_fn *fn);
void tree_need_cancel(struct tree_need *need);
/* Has it unpacked for the formation, which is reconciled afterwards; a failure is logged and
 * tried again after a while. */
void tree_prepare(struct live_app *app, uint32_t slug);

/* Removes the archives nobody can roll back to and the trees nobody will soon need. */
void trees_prune(struct live_app *app);
/* Does a sandbox still unpack or a chore remove something of the app? */
bool trees_are_busy(const struct live_app *app);
/* Forgets all; what still runs is killed. */
void trees_drop(struct live_app *app);

#endif

/*
 * The places of an app's formation, made from the quantities in the store and, while a release
 * is rolled out, from those it will have.
 */
#ifndef CONTROL_SLOTS_H
#define CONTROL_SLOTS_H

#include <stdbool.h>

struct live_app;
struct slot;

/* Brings the slots in line with the store and the running roll-out. A quantity that changed
 * frees what a person stopped. On a failure of the store they stay as they are, and it is logged.
 */
void slots_sync(struct live_app *app);
/* NULL: no such place. */
struct slot *slots_find(struct live_app *app, const char *type, unsigned number);
/* Is the slot meant by "" (all), "web" (a type), "web.1" (one)? */
bool slot_matches(const struct slot *slot, const char *which);
void slots_free(struct live_app *app);

#endif

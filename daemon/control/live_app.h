/* Apps as they live: made from the store's rows at start, at creation, at the first push. */
#ifndef CONTROL_LIVE_APP_H
#define CONTROL_LIVE_APP_H

#include <stdint.h>

struct app;
struct err;
struct live;
struct live_app;

/* The one of that name; NULL: no such app lives. */
struct live_app *live_app_find(struct live *live, const char *name);
/* The one of that row, made when it is new. NULL: out of memory. */
struct live_app *live_app_get(struct live *live, const struct app *row);
/* Reads the row and the slug in force anew. 0 or a negative errno. */
int live_app_refresh(struct live_app *app);
/* The slug of one of its releases; 0: none. */
uint32_t live_app_slug_of(struct live_app *app, uint32_t version);
/* Gives the routers all host names of the app. */
void live_app_route_hosts(struct live_app *app);
/* Tells the routers everything, for the first time, and goes on with what had to wait for it. */
void live_app_open_routes(struct live *live);
/* One more adopted web instance accepts, or is gone. */
void live_app_adopted(struct live *live);

/* Ends everything of it, then removes its files, then has the store forget it. */
void live_app_remove(struct live_app *app);
/* Something of it ended: was it the last of a removed app? */
void live_app_check_gone(struct live_app *app);
/* Forgets it. What still runs goes on if the channel to paasd is closed already. */
void live_app_free(struct live_app *app);

#endif

/*
 * The rings of all apps, by name. At most STORE_MAX_OPEN are open, not counting those that
 * somebody reads; what was appended is written at the end of the same turn of the loop.
 */
#ifndef DAEMON_LOGS_STORE_H
#define DAEMON_LOGS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/loop.h"
#include "lib/map.h"
#include "lib/sandbox.h"

#define STORE_MAX_OPEN 64

struct ring;
struct reader;
struct store;

/* An app whose ring is open. Valid until the next store_find, unless it has readers. */
struct app_log {
	struct store *store;
	char name[APP_NAME_MAX + 1];
	struct ring *ring;
	struct reader *readers; /* of daemon/logs/tail.c; while there is one, the ring stays open */
	uint64_t used;		/* the higher, the more recently */
	bool failing;		/* the disk refused; said once */
};

typedef void store_app_fn(struct app_log *app);

struct store {
	struct loop *loop;
	struct loop_timer flush_timer;
	int dir_fd; /* borrowed */
	uint64_t segment_bytes;
	struct map apps; /* the open ones */
	uint64_t clock;
	store_app_fn *on_lines;	 /* new lines can be read */
	store_app_fn *on_rotate; /* the older half is about to go */
};

void store_init(struct store *store, struct loop *loop, int dir_fd, uint64_t segment_bytes,
		store_app_fn *on_lines, store_app_fn *on_rotate);
/* Writes everything and closes the rings. Nobody may be reading any more. */
void store_done(struct store *store);

/* The app's ring, opened; made only when `create`: names that come from less trusted processes
 * must not make directories. NULL with *ret: -EINVAL (not a name), -ENOENT, -errno. */
struct app_log *store_find(struct store *store, const char *app, bool create, int *ret);
/* Adds a whole line with its \n. What the disk refuses is counted and reported in the log. */
void store_add(struct app_log *app, const char *line, size_t n);
/* Adds each line of a text, whatever it holds; an end without \n is a line too. */
void store_text(struct app_log *app, uint64_t time_us, const char *source, const char *text,
		size_t n);
/* Writes what is pending now and tells the readers. */
void store_flush(struct store *store);
/* Forgets an app, files and all. Its readers must be gone. 0 or -errno. */
int store_remove(struct store *store, const char *app);

/* CLOCK_REALTIME in microseconds. */
uint64_t store_now_us(void);

#endif

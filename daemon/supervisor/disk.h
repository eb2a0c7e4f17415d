/*
 * Sized disks: an ext4 image on a loop device, mounted while somebody uses it. An app's
 * instances share one for their overlays, made new whenever it is mounted; its builds have
 * one that is kept, with the cache on it.
 */
#ifndef DAEMON_SUPERVISOR_DISK_H
#define DAEMON_SUPERVISOR_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/loop.h"
#include "lib/sandbox.h"
#include "daemon/supervisor/chores.h"

struct err;
struct disk;
struct disk_user;

enum disk_kind {
	DISK_INSTANCE, /* disks/APP.img at disks/APP */
	DISK_BUILD,    /* cache/APP.img at cache/APP; has app/ of the build's id */
};

/* An unused disk stays mounted for this long: a restart should not pay for a new one. */
#define DISK_IDLE_MS 5000

struct disks {
	struct loop *loop;
	struct chores *chores;
	int state_fd;
	struct disk *list;
	bool is_closing; /* nothing stays mounted idle */
};

/* Called once the disk is mounted (code 0), or could not be; the use has ended then. */
typedef void disk_ready_fn(struct disk_user *user, int code, const struct err *why);

/* Embedded by who uses a disk. */
struct disk_user {
	struct disk *disk; /* NULL: uses none */
	struct disk_user *next;
	disk_ready_fn *fn; /* NULL once called */
};

struct disk_order {
	enum disk_kind kind;
	char app[APP_NAME_MAX + 1];
	uint64_t bytes;
	uint32_t uid; /* who owns the top directory of a build disk */
};

void disks_init(struct disks *d, struct loop *loop, struct chores *chores, int state_fd);
/* Frees the table; what is mounted stays, for the next paasd. */
void disks_done(struct disks *d);

/* 1: mounted already, fn is not called; 0: fn will be; or -errno. */
int disk_use(struct disks *d, const struct disk_order *order, struct disk_user *user,
	     disk_ready_fn *fn);
/* For an adopted sandbox: the disk is mounted and stays so until disk_leave. 0 or -ENOMEM. */
int disk_adopt(struct disks *d, const struct disk_order *order, struct disk_user *user);
/* Ends the use, also while it waits; a user without one is left alone. */
void disk_leave(struct disks *d, struct disk_user *user);

/* No user is left or wanted: idle disks are unmounted at once, from now on too. */
void disks_close(struct disks *d);
/* Are all unmounted? */
bool disks_are_idle(const struct disks *d);
/* Before an app's files are removed: forgets its idle disks, which the remover unmounts.
 * -EBUSY while one is in use. */
int disks_forget(struct disks *d, const char *app);

/* For a chore: unmounts KIND/APP below the state directory; fine if it is not mounted. */
int disk_unmount(int state_fd, enum disk_kind kind, const char *app, struct err *err);
/* Unmounts what an earlier paasd left mounted and nobody adopted. Queues chores. */
void disks_sweep(struct disks *d);

#endif

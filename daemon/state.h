/* The state and runtime directories: made, owned and locked by us, and what lies in them. */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include "daemon/config.h"
#include "daemon/users.h"

struct err;

struct state {
	int dir_fd, runtime_fd; /* the same directory twice with --state */
	int ssh_fd, logs_fd;	/* working directories of receiver and logs */
	int lock_fd;
	int control_fd; /* control.sock, listening */
};

/* Environment variable that hands the lock on over our own exec. */
#define STATE_LOCK_VARIABLE "PAASD_LOCK_FD"

void state_init(struct state *state);
void state_done(struct state *state);

/* Makes the directory, refusing one that holds something else, and takes its lock: 0, or -EBUSY
 * with a sentence when another paasd has it. Waits up to a second for one that is just ending. */
int state_lock(struct state *state, const struct config *config, struct err *err);
/* Makes everything below with its owner and mode. 0 or -errno with a sentence. */
int state_make(struct state *state, const struct config *config,
	       const struct user_ids users[USER_COUNT], struct err *err);
/* Puts a new control.sock in the place of an old one; whoever is connected to the old one is
 * not disturbed. 0 or -errno with a sentence. */
int state_listen(struct state *state, const struct user_ids users[USER_COUNT], struct err *err);
/* Removes control.sock. */
void state_unlisten(struct state *state);

/* Lets the next image of this process, exec'd by us, have the lock without a gap. */
int state_pass_lock(struct state *state);
/* The exec failed: as before. */
void state_keep_lock(struct state *state);

#endif

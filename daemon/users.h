/* The system users our children run as; made when the package did not make them. */
#ifndef DAEMON_USERS_H
#define DAEMON_USERS_H

#include <sys/types.h>

struct err;

enum user {
	USER_CONTROL,  /* paas; its group may speak to control.sock */
	USER_RECEIVER, /* paas-ssh */
	USER_LOGS,     /* paas-log */
	USER_ROUTER,   /* paas-router */
	USER_COUNT,
};

struct user_ids {
	uid_t uid;
	gid_t gid;
};

/* Finds all of them, makes the missing ones with useradd (several platforms may do so at the
 * same time). 0 or negative errno with a sentence. Blocks: call before the loop runs. */
int users_open(struct user_ids ids[USER_COUNT], struct err *err);

#endif

/* The way to a platform on another machine: the git remote says where, the system's ssh goes. */
#ifndef CLI_SSH_H
#define CLI_SSH_H

#include <stdbool.h>

struct err;

struct remote {
	char user_host[300]; /* "paas@example.org" */
	char port[8];	     /* "" when the URL names none */
	char app[64];	     /* without ".git" */
	char command[1024];  /* core.sshCommand, or "" */
};

/*
 * "ssh://paas@HOST:PORT/APP.git" or "paas@HOST:APP". 0, or -EINVAL with a sentence.
 */
int remote_parse(const char *url, struct remote *remote, struct err *err);

/*
 * Looks in the repository around the current directory for remote `name` (NULL: "platform") by
 * running paas-remote, so that only this path loads libgit2. 1 found; 0 no such remote or no
 * repository; negative with a sentence.
 */
int remote_find(const char *name, struct remote *remote, struct err *err);

/*
 * Replaces this process by `ssh HOST -- words...`, each word quoted; GIT_SSH_COMMAND and
 * GIT_SSH are honoured as git does. Returns only on failure.
 */
int remote_exec(const struct remote *remote, bool tty, char *const *words, struct err *err);

#endif

/* The files of an app that only root can make or remove. All of it is for chores. */
#ifndef DAEMON_SUPERVISOR_APP_FILES_H
#define DAEMON_SUPERVISOR_APP_FILES_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/sandbox.h"

struct err;

struct app_files {
	int state_fd;
	char app[APP_NAME_MAX + 1];
	uint32_t run_uid, build_uid;
	gid_t control_gid; /* writes packed slugs */
	uint32_t slug;
};

/* `what` is a struct app_files in each. 0 or -errno with a sentence; all may be repeated. */

/* repos/APP.git, a bare repository of the build id, and slugs/APP. */
int app_files_create(void *what, struct err *err);
/* Repository, slugs, cache and disks, which are unmounted. */
int app_files_remove(void *what, struct err *err);
/* The unpacked tree of one slug. */
int app_files_remove_slug(void *what, struct err *err);

#endif

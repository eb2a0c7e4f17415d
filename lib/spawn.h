/* fork and exec of our own programs, with every property the child must have named in one struct.
 */
#ifndef LIB_SPAWN_H
#define LIB_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

struct err;

struct spawn_fd {
	int from; /* in the parent; borrowed */
	int to;	  /* in the child */
};

struct spawn {
	int exe_fd;	  /* the program (O_PATH is fine), executed with execveat: no directory
			   * above it needs to be readable for `uid`; or -1 and */
	const char *path; /* ... a path */
	const char *const *argv;
	const char *const *envp;
	const struct spawn_fd *fds; /* everything else but 0-2 is closed in the child */
	size_t n_fds;
	int cgroup_fd; /* a cgroup v2 directory it is born in (Linux 5.7); 0: ours */
	int cwd_fd;    /* fchdir here before dropping rights; -1: stay */
	uid_t uid;     /* (uid_t)-1: stay as we are */
	gid_t gid;
	int (*confine)(void *user,
		       struct err *err); /* last step before exec, after the drop; NULL: none */
	void *confine_user;
};

/*
 * Starts it and waits only until exec has happened, so set-up failures are reported here, as
 * a sentence. The child gets default signals, an empty mask, no supplementary groups (when uid
 * is given), PR_SET_NO_NEW_PRIVS (when uid is given) and dies with nobody. 0 and *pid and
 * *pid_fd (owned by the caller), or a negative errno.
 */
int spawn_start(const struct spawn *s, pid_t *pid, int *pid_fd, struct err *err);

/* For whoever forks without spawn_start: every signal's default, nothing blocked. */
void spawn_reset_signals(void);
/* `list` as execve's type wants it; execve does not write to it. */
char *const *spawn_list(const char *const *list);

#endif

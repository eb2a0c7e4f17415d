/*
 * The register of what runs: one directory per sandbox and router worker in the cgroup2 tree,
 * <root>/paas-NAME/ENTRY. It is the kernel's, so it is true after any crash of ours, and it is
 * there on cgroup v1 hosts too, without controllers.
 */
#ifndef DAEMON_SUPERVISOR_REGISTER_H
#define DAEMON_SUPERVISOR_REGISTER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

#define REGISTER_NAME_MAX 16

struct sandbox_register {
	int root_fd; /* the directory paas-NAME lies in: of the whole tree, or delegated to us */
	int fd;	     /* paas-NAME */
	char name[REGISTER_NAME_MAX];
};

/* Finds or mounts the tree (where nobody else sees it) and makes paas-NAME. 0 or -errno. */
int register_open(struct sandbox_register *r, const char *platform, struct err *err);
void register_close(struct sandbox_register *r);
/* Removes paas-NAME; -EBUSY while it has entries. */
int register_remove_root(struct sandbox_register *r);

/* Makes an entry. Its directory fd, or -errno. */
int register_add(struct sandbox_register *r, const char *entry);
/* An entry that is there already. */
int register_find(struct sandbox_register *r, const char *entry);
/* 0 also when it is not there; -EBUSY while a process lives in it. */
int register_remove(struct sandbox_register *r, const char *entry);

/* Calls `fn` for each entry's name until it returns non-zero, which is returned. */
int register_walk(struct sandbox_register *r, int (*fn)(void *user, const char *entry), void *user);

/* The processes of an entry, at most `max`. The number or -errno. */
int register_pids(int entry_fd, pid_t *pids, size_t max);
/* The one that is process 1 of its own namespace, as a pidfd that was checked to still be of
 * this entry. -ESRCH when there is none. */
int register_open_init(int entry_fd, pid_t *pid);
/* A pidfd of `pid` if it is in this entry, else -ESRCH. */
int register_open_pid(int entry_fd, pid_t pid);

/* SIGKILL for every process in the entry (cgroup.kill, Linux 5.14). 0 or -errno. */
int register_kill(int entry_fd);

#endif

/* /proc/self/mountinfo, as far as the cgroup trees need it. */
#ifndef DAEMON_SUPERVISOR_MOUNTINFO_H
#define DAEMON_SUPERVISOR_MOUNTINFO_H

#define MOUNTINFO_PATH_MAX 256

/* Where a file system of `type`, with `option` among its super options (NULL: any), is mounted;
 * a mount of the file system's root is preferred. 0, or -ENOENT. */
int mountinfo_find(const char *type, const char *option, char out[MOUNTINFO_PATH_MAX]);

/* The same in text of that format. */
int mountinfo_search(const char *text, const char *type, const char *option,
		     char out[MOUNTINFO_PATH_MAX]);

#endif

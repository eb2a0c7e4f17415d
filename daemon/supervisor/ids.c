/* The user namespace is made last, so the others belong to the host and none of the rights
 * that a new user namespace grants reaches them. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/ids.h"

int
ids_map(pid_t pid, uint32_t id, struct err *err)
{
	static const char *const files[] = {"uid_map", "gid_map"};
	char path[40], map[40];

	(void)snprintf(map, sizeof(map), "%d %u 1\n", IDS_INSIDE, id);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		int ret;

		(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		ret = file_write_at(AT_FDCWD, path, map);
		if (ret < 0)
			return err_set(err, ret, "map the ids of the sandbox (%s)", files[i]);
	}
	return 0;
}

static int
drop_capabilities(struct err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	if (syscall(SYS_capset, &head, none) < 0)
		return err_set(err, -errno, "drop capabilities");
	return 0;
}

int
ids_become(int proc_fd, struct err *err)
{
	int ret = file_write_at(proc_fd, "sys/user/max_user_namespaces", "0");

	/* Not there: a kernel without user namespaces, which could not have come here. */
	if (ret < 0)
		return err_set(err, ret, "forbid further user namespaces");
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_set(err, -errno, "drop capability %d", cap);
	}
	if (setgroups(0, NULL) < 0)
		return err_set(err, -errno, "drop groups");
	if (setresgid(IDS_INSIDE, IDS_INSIDE, IDS_INSIDE) < 0 ||
	    setresuid(IDS_INSIDE, IDS_INSIDE, IDS_INSIDE) < 0)
		return err_set(err, -errno, "become user %d", IDS_INSIDE);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_set(err, -errno, "drop ambient capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "give up new privileges");
	return drop_capabilities(err);
}

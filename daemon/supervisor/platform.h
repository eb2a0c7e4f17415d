/* What all sandboxes of one platform share. Made by supervisor.c, read by the others. */
#ifndef DAEMON_SUPERVISOR_PLATFORM_H
#define DAEMON_SUPERVISOR_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "daemon/supervisor/cgroup.h"
#include "daemon/supervisor/chores.h"
#include "daemon/supervisor/disk.h"
#include "daemon/supervisor/firewall.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/resolv.h"

struct platform {
	const char *name;
	struct loop *loop;
	struct subnet subnet;
	int state_fd, runtime_fd, libexec_fd; /* borrowed */
	int stack_fd, proc_fd, init_fd, filter_fd;
	gid_t control_gid;
	uint32_t mtu;
	struct stack stack;
	struct cgroups cgroups;
	struct chores chores;
	struct disks disks;
	struct resolv resolv;
	enum firewall_state firewall;
	struct err firewall_why;
};

#endif

/*
 * An allow-list in the manner of Docker's, without what needs a capability nobody here has and
 * without the kernel's large attack surfaces (io_uring, bpf, perf, keyrings, userfaultfd, new
 * namespaces, mounts). ptrace stays: debuggers and crash reporters work, and the pid namespace
 * bounds what they reach; paas-init is not dumpable.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/seccomp.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

/* clang-format off */
/* By name, since not every architecture and not every libseccomp has all of them. */
static const char *const allowed[] = {
	/* files */
	"access", "cachestat", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range",
	"creat", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate",
	"fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat", "fcntl", "fdatasync",
	"fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat", "fstatfs",
	"fsync", "ftruncate", "futimesat", "getcwd", "getdents", "getdents64", "getxattr",
	"inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "lchown",
	"lgetxattr", "link", "linkat", "listxattr", "llistxattr", "lremovexattr", "lseek",
	"lsetxattr", "lstat", "memfd_create", "memfd_secret", "mkdir", "mkdirat", "mknod",
	"mknodat", "name_to_handle_at", "newfstatat", "open", "openat", "openat2", "pipe", "pipe2",
	"pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
	"readlink", "readlinkat", "readv", "removexattr", "rename", "renameat", "renameat2",
	"rmdir", "sendfile", "setxattr", "splice", "stat", "statfs", "statx", "symlink",
	"symlinkat", "sync", "sync_file_range", "syncfs", "tee", "truncate", "umask", "unlink",
	"unlinkat", "utime", "utimensat", "utimes", "vmsplice", "write", "writev",
	/* waiting and events */
	"epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait",
	"epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "io_cancel",
	"io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit", "poll", "ppoll",
	"pselect6", "select", "signalfd", "signalfd4", "timerfd_create", "timerfd_gettime",
	"timerfd_settime",
	/* sockets, of the families that are not refused below */
	"socket", "accept", "accept4", "bind", "connect", "getpeername", "getsockname",
	"getsockopt", "listen", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto",
	"setsockopt", "shutdown", "socketpair",
	/* memory */
	"brk", "get_mempolicy", "madvise", "map_shadow_stack", "mbind", "membarrier", "mincore",
	"mlock", "mlock2", "mlockall", "mmap", "mprotect", "mremap", "mseal", "msync", "munlock",
	"munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect", "process_madvise",
	"process_mrelease", "remap_file_pages", "set_mempolicy", "set_mempolicy_home_node",
	/* processes and threads; some flags of clone and unshare are refused below */
	"arch_prctl", "capget", "capset", "clone", "unshare", "execve", "execveat", "exit",
	"exit_group", "fork", "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake",
	"get_robust_list", "get_thread_area", "getcpu", "getegid", "geteuid", "getgid", "getgroups",
	"getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getresgid", "getresuid",
	"getrlimit", "getrusage", "getsid", "gettid", "getuid", "ioprio_get", "ioprio_set", "kcmp",
	"kill", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
	"modify_ldt", "pidfd_getfd", "pidfd_open", "pidfd_send_signal", "prctl", "prlimit64",
	"process_vm_readv", "process_vm_writev", "ptrace", "rseq", "sched_get_priority_max",
	"sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
	"sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr",
	"sched_setparam", "sched_setscheduler", "sched_yield", "seccomp", "set_robust_list",
	"set_thread_area", "set_tid_address", "setfsgid", "setfsuid", "setgid", "setgroups",
	"setpgid", "setpriority", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit",
	"setsid", "setuid", "tgkill", "tkill", "vfork", "wait4", "waitid", "waitpid",
	/* signals and time */
	"alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday",
	"nanosleep", "pause", "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
	"rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
	"setitimer", "sigaltstack", "time", "timer_create", "timer_delete", "timer_getoverrun",
	"timer_gettime", "timer_settime", "times",
	/* System V and POSIX IPC, inside the namespace */
	"mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink",
	"msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat",
	"shmctl", "shmdt", "shmget",
	/* the rest */
	"getrandom", "ioctl", "sysinfo", "uname",
};

/* Refused rather than unknown: a program that asks should hear that it may not. */
static const char *const denied[] = {
	"acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime",
	"delete_module", "fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick",
	"init_module", "ioperm", "iopl", "kexec_file_load", "kexec_load", "keyctl", "listmount",
	"lookup_dcookie", "mount", "mount_setattr", "move_mount", "move_pages", "migrate_pages",
	"nfsservctl", "open_by_handle_at", "open_tree", "open_tree_attr", "perf_event_open",
	"pivot_root", "quotactl", "quotactl_fd", "reboot", "request_key", "setdomainname",
	"sethostname", "setns", "settimeofday", "statmount", "swapoff", "swapon", "syslog",
	"umount", "umount2", "uselib", "userfaultfd", "ustat", "vhangup", "vm86", "vm86old",
};
/* clang-format on */

/* Calls newer than some libseccomp; their numbers are the same on every architecture of ours. */
static const struct {
	const char *name;
	int number;
} newer[] = {
	{"quotactl_fd", 443},
	{"landlock_create_ruleset", 444},
	{"landlock_add_rule", 445},
	{"landlock_restrict_self", 446},
	{"process_mrelease", 448},
	{"futex_waitv", 449},
	{"set_mempolicy_home_node", 450},
	{"cachestat", 451},
	{"fchmodat2", 452},
	{"map_shadow_stack", 453},
	{"futex_wake", 454},
	{"futex_wait", 455},
	{"futex_requeue", 456},
	{"statmount", 457},
	{"listmount", 458},
	{"mseal", 462},
	{"open_tree_attr", 467},
};

static int
number_of(const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr != __NR_SCMP_ERROR)
		return nr;
	for (size_t i = 0; i < sizeof(newer) / sizeof(*newer); i++) {
		if (strcmp(newer[i].name, name) == 0)
			return newer[i].number;
	}
	return __NR_SCMP_ERROR;
}

static int
add_all(scmp_filter_ctx ctx, uint32_t action, const char *const names[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int nr = number_of(names[i]);
		int ret;

		/* Negative: a call of some other architecture. */
		if (nr < 0)
			continue;
		ret = seccomp_rule_add_exact(ctx, action, nr, 0);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* The kernel looks at the low 32 bits of the arguments compared here, so the filter does too. */
#define LOW_BITS 0xffffffffU

static int
add_if(scmp_filter_ctx ctx, uint32_t action, const char *name, struct scmp_arg_cmp condition)
{
	int nr = number_of(name);

	return nr < 0 ? 0 : seccomp_rule_add_exact_array(ctx, action, nr, 1, &condition);
}

static int
refuse_namespaces(scmp_filter_ctx ctx)
{
	for (unsigned bit = 0; bit < 32; bit++) {
		uint64_t flag = (uint64_t)1 << bit;
		int ret;

		if (!(flag & NEW_NAMESPACES))
			continue;
		/* The low byte of clone's flags is a signal number. */
		ret = flag == CLONE_NEWTIME ? 0
					    : add_if(ctx, SCMP_ACT_ERRNO(EPERM), "clone",
						     SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
		if (ret == 0)
			ret = add_if(ctx, SCMP_ACT_ERRNO(EPERM), "unshare",
				     SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int
refuse_families(scmp_filter_ctx ctx)
{
	for (int family = 0; family < 64; family++) {
		int ret;

		if (family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
		    family == AF_NETLINK)
			continue;
		ret = add_if(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket",
			     SCMP_A0(SCMP_CMP_MASKED_EQ, LOW_BITS, (scmp_datum_t)family));
		if (ret < 0)
			return ret;
	}
	/* getifaddrs asks rtnetlink. */
	return seccomp_rule_add_exact(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), number_of("socket"), 2,
				      SCMP_A0(SCMP_CMP_MASKED_EQ, LOW_BITS, AF_NETLINK),
				      SCMP_A2(SCMP_CMP_NE, NETLINK_ROUTE, 0));
}

/* Typing into somebody's terminal. */
static int
refuse_ioctls(scmp_filter_ctx ctx)
{
	int ret = add_if(ctx, SCMP_ACT_ERRNO(EPERM), "ioctl",
			 SCMP_A1(SCMP_CMP_MASKED_EQ, LOW_BITS, TIOCSTI));

	return ret < 0 ? ret
		       : add_if(ctx, SCMP_ACT_ERRNO(EPERM), "ioctl",
				SCMP_A1(SCMP_CMP_MASKED_EQ, LOW_BITS, TIOCLINUX));
}

/* Only what changes nothing that protects: Linux, 32-bit addresses, old version numbers. */
static int
allow_personalities(scmp_filter_ctx ctx)
{
	static const uint32_t fine[] = {0, 0x8, 0x20000, 0x20008, 0xffffffff};

	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
		int ret = add_if(ctx, SCMP_ACT_ALLOW, "personality",
				 SCMP_A0(SCMP_CMP_MASKED_EQ, LOW_BITS, fine[i]));

		if (ret < 0)
			return ret;
	}
	return 0;
}

/* ---- as BPF ------------------------------------------------------------------------------ */

struct program {
	struct sock_filter code[BPF_MAXINSNS];
	size_t n;
};

static int
export_program(scmp_filter_ctx ctx, struct program *program)
{
	AUTO_FD int fd = memfd_create("paas-seccomp", MFD_CLOEXEC);
	ssize_t n;
	int ret;

	if (fd < 0)
		return -errno;
	ret = seccomp_export_bpf(ctx, fd);
	if (ret < 0)
		return ret;
	n = pread(fd, program->code, sizeof(program->code), 0);
	if (n < 0)
		return -errno;
	program->n = (size_t)n / sizeof(*program->code);
	return program->n ? 0 : -ENODATA;
}

/* By arguments: what is refused; all else passes on. */
static int
build_refusals(struct program *program)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int ret;

	if (!ctx)
		return -ENOMEM;
	ret = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (ret == 0)
		ret = refuse_namespaces(ctx);
	if (ret == 0)
		ret = refuse_families(ctx);
	if (ret == 0)
		ret = refuse_ioctls(ctx);
	if (ret == 0)
		ret = export_program(ctx, program);
	seccomp_release(ctx);
	return ret;
}

/* By number: what is allowed at all. */
static int
build_allowances(struct program *program)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int ret;

	if (!ctx)
		return -ENOMEM;
	ret = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* A binary search rather than a list of hundreds. */
	if (ret == 0)
		ret = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (ret == 0)
		ret = add_all(ctx, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(*allowed));
	if (ret == 0)
		ret = add_all(ctx, SCMP_ACT_ERRNO(EPERM), denied, sizeof(denied) / sizeof(*denied));
	if (ret == 0)
		ret = allow_personalities(ctx);
	if (ret == 0)
		ret = export_program(ctx, program);
	seccomp_release(ctx);
	return ret;
}

/*
 * libseccomp cannot say "allowed, except with these arguments" in one filter; two filters would
 * cost every call twice. So where the first says ALLOW it jumps to the second instead.
 */
static int
join(struct program *first, const struct program *second)
{
	if (first->n + second->n > BPF_MAXINSNS)
		return -E2BIG;
	for (size_t i = 0; i < first->n; i++) {
		struct sock_filter *in = &first->code[i];

		if (in->code == (BPF_RET | BPF_K) && in->k == SECCOMP_RET_ALLOW)
			*in = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA,
							   (uint32_t)(first->n - i - 1));
	}
	memcpy(first->code + first->n, second->code, second->n * sizeof(*second->code));
	first->n += second->n;
	return 0;
}

int
seccomp_filter(struct err *err)
{
	AUTO_FREE struct program *first = calloc(2, sizeof(*first));
	struct program *second = first ? first + 1 : NULL;
	AUTO_FD int fd = -1;
	int ret;

	if (!first)
		return err_set(err, -ENOMEM, "build the system call filter");
	ret = build_refusals(first);
	if (ret == 0)
		ret = build_allowances(second);
	if (ret == 0)
		ret = join(first, second);
	if (ret < 0)
		return err_set(err, ret, "build the system call filter");
	fd = memfd_create("paas-seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_set(err, -errno, "make a memfd");
	ret = file_write_all(fd, first->code, first->n * sizeof(*first->code));
	if (ret < 0)
		return err_set(err, ret, "write the system call filter");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return err_set(err, -errno, "seal the system call filter");
	return take_fd(&fd);
}

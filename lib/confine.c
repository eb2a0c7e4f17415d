/*
 * Landlock by system call: glibc has no wrappers. Rights the running kernel does not know are
 * left out of what is handled, as the kernel's manual asks for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/confine.h"
#include "lib/err.h"

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13) /* ABI 2, Linux 5.19 */
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* ABI 3, Linux 6.2 */
#endif

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define EXECUTE_RIGHTS (LANDLOCK_ACCESS_FS_EXECUTE | READ_RIGHTS)
#define WRITE_RIGHTS                                                                               \
	(READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |             \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                            \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                              \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |   \
	 LANDLOCK_ACCESS_FS_TRUNCATE)
#define ALL_RIGHTS                                                                                 \
	(WRITE_RIGHTS | EXECUTE_RIGHTS | LANDLOCK_ACCESS_FS_MAKE_CHAR |                            \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK)
/* What may be granted beneath a file that is not a directory. */
#define FILE_RIGHTS                                                                                \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |                               \
	 LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)

int
confine_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static uint64_t
rights_of(int access)
{
	uint64_t rights = 0;

	if (access & CONFINE_READ)
		rights |= READ_RIGHTS;
	if (access & CONFINE_WRITE)
		rights |= WRITE_RIGHTS;
	if (access & CONFINE_EXECUTE)
		rights |= EXECUTE_RIGHTS;
	return rights;
}

static int
add_rule(int ruleset_fd, const struct confine_rule *rule, uint64_t handled, struct err *err)
{
	AUTO_FD int fd = open(rule->path, O_PATH | O_CLOEXEC);
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = rights_of(rule->access) & handled,
		.parent_fd = fd,
	};
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "confine to %s", rule->path);
	if (!S_ISDIR(st.st_mode))
		beneath.allowed_access &= FILE_RIGHTS;
	if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
		return err_set(err, -errno, "confine to %s", rule->path);
	return 0;
}

int
confine_files(const struct confine_rule *rules, size_t n, struct err *err)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = ALL_RIGHTS};
	AUTO_FD int ruleset_fd = -1;
	int abi = confine_abi();

	if (abi == 0)
		return 0;
	if (abi < 2)
		attr.handled_access_fs &= ~LANDLOCK_ACCESS_FS_REFER;
	if (abi < 3)
		attr.handled_access_fs &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
	/* The size says which fields there are; later kernels take a shorter struct. */
	ruleset_fd =
		(int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset_fd < 0)
		return err_set(err, -errno, "make a Landlock ruleset");
	for (size_t i = 0; i < n; i++) {
		int ret = add_rule(ruleset_fd, &rules[i], attr.handled_access_fs, err);

		if (ret < 0)
			return ret;
	}
	if (syscall(SYS_landlock_restrict_self, ruleset_fd, 0) < 0)
		return err_set(err, -errno, "confine this process");
	return 0;
}

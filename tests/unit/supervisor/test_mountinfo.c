/* Finding the cgroup trees. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/supervisor/mountinfo.h"

static const char text[] =
	"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
	"30 31 0:27 /sub /mnt/part rw shared:3 - cgroup2 cgroup2 rw,nsdelegate\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup "
	"rw,cpu,cpuacct\n"
	"33 31 0:30 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
	"38 31 0:38 / /sys/fs/cgroup/uni\\040fied\\134x rw,relatime - cgroup2 cgroup2 rw\n"
	"broken line\n"
	"39 31 0:39 / /late rw - cgroup cgroup rw,memory";

static void
mounts_are_found(void **state)
{
	char path[MOUNTINFO_PATH_MAX];

	(void)state;
	assert_int_equal(mountinfo_search(text, "cgroup2", NULL, path), 0);
	assert_string_equal(path, "/sys/fs/cgroup/uni fied\\x");
	assert_int_equal(mountinfo_search(text, "cgroup", "cpu", path), 0);
	assert_string_equal(path, "/sys/fs/cgroup/cpu,cpuacct");
	assert_int_equal(mountinfo_search(text, "cgroup", "cpuset", path), 0);
	assert_string_equal(path, "/sys/fs/cgroup/cpuset");
	assert_int_equal(mountinfo_search(text, "cgroup", "memory", path), 0);
	assert_string_equal(path, "/late");
	assert_int_equal(mountinfo_search(text, "cgroup", "pids", path), -ENOENT);
	assert_int_equal(mountinfo_search("", "cgroup", NULL, path), -ENOENT);
	assert_int_equal(mountinfo_find("proc", NULL, path), 0);
	assert_string_equal(path, "/proc");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mounts_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

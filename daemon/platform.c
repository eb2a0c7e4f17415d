/* Finding what belongs to us from where we are, installed or not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"

#include "daemon/platform.h"

#define LIBEXEC "libexec/paas"
#define DELETED " (deleted)"

/* /proc/self/exe, also when a package has already replaced the file. */
static int
find_exe(char *out, size_t cap, struct err *err)
{
	ssize_t n = readlink("/proc/self/exe", out, cap - 1);
	size_t len;

	if (n < 0)
		return err_set(err, -errno, "read /proc/self/exe");
	out[n] = '\0';
	len = (size_t)n;
	if (len > strlen(DELETED) && strcmp(out + len - strlen(DELETED), DELETED) == 0)
		out[len - strlen(DELETED)] = '\0';
	return 0;
}

int
platform_find_programs(struct platform *p, struct err *err)
{
	char path[PATH_MAX + sizeof("/" LIBEXEC)];
	char *slash;
	int ret = find_exe(p->exe, sizeof(p->exe), err);

	if (ret < 0)
		return ret;
	/* PREFIX/bin/paasd or PREFIX/sbin/paasd; the CLI is always in PREFIX/bin. */
	(void)snprintf(path, sizeof(path), "%s", p->exe);
	for (int up = 0; up < 2; up++) {
		slash = strrchr(path, '/');
		if (!slash)
			return err_say(err, -ENOENT, "%s is not in a bin directory", p->exe);
		*slash = '\0';
	}
	slash = path + strlen(path);

	(void)snprintf(slash, sizeof("/" LIBEXEC), "/" LIBEXEC);
	p->libexec_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->libexec_fd < 0)
		return err_set(err, -errno, "find the platform's programs in %s", path);
	(void)snprintf(slash, sizeof("/bin"), "/bin");
	p->bin_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->bin_fd < 0)
		return err_set(err, -errno, "open %s", path);
	p->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return p->null_fd < 0 ? err_set(err, -errno, "open /dev/null") : 0;
}

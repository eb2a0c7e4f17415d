/* A stack is a root file system; of its /etc only what programs need to find each other. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/plan.h"

static const char *const tops[] = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};

static const char *const etc_patterns[] = {
	"ssl",	   "alternatives", "ld.so.cache", "ld.so.conf",	     "ld.so.conf.d", "mime.types",
	"mailcap", "services",	   "protocols",	  "java*",	     "php*",	     "python3*",
	"perl",	   "fonts",	   "pki",	  "ca-certificates", "npmrc",
};

static int
add_top(int stack_fd, const char *name, struct stack *stack)
{
	size_t i = stack->n_tops;
	struct stat st;
	ssize_t n;

	if (fstatat(stack_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(stack_fd, name, stack->tops[i].link,
			       sizeof(stack->tops[i].link) - 1);
		if (n < 0)
			return -errno;
		if ((size_t)n >= sizeof(stack->tops[i].link) - 1)
			return -ENAMETOOLONG;
		stack->tops[i].link[n] = '\0';
	} else if (!S_ISDIR(st.st_mode)) {
		return 0;
	}
	strcpy(stack->tops[i].name, name);
	stack->n_tops++;
	return 0;
}

static bool
is_wanted(const char *name)
{
	for (size_t i = 0; i < sizeof(etc_patterns) / sizeof(*etc_patterns); i++) {
		if (fnmatch(etc_patterns[i], name, 0) == 0)
			return true;
	}
	return false;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int
read_etc(int stack_fd, struct stack *stack)
{
	int fd = openat(stack_fd, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	if (!dir) {
		int ret = -errno;

		if (fd >= 0)
			(void)close(fd);
		return ret == -ENOENT ? 0 : ret;
	}
	while ((d = readdir(dir)) != NULL && stack->n_etc < STACK_ETC) {
		struct stat st;

		if (!is_wanted(d->d_name) || strlen(d->d_name) >= sizeof(stack->etc[0].name) ||
		    fstatat(dirfd(dir), d->d_name, &st, 0) < 0 ||
		    !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
			continue;
		strcpy(stack->etc[stack->n_etc].name, d->d_name);
		stack->etc[stack->n_etc++].is_dir = S_ISDIR(st.st_mode);
	}
	(void)closedir(dir);
	/* The same stack makes the same plan, in whatever order its directory is kept. */
	qsort(stack->etc, stack->n_etc, sizeof(stack->etc[0]), compare_names);
	return 0;
}

int
stack_read(int stack_fd, struct stack *stack, struct err *err)
{
	struct stat st;

	memset(stack, 0, sizeof(*stack));
	if (fstatat(stack_fd, "usr/bin", &st, 0) < 0 || !S_ISDIR(st.st_mode))
		return err_say(err, -ENOENT, "the stack is no root file system: it has no usr/bin");
	for (size_t i = 0; i < sizeof(tops) / sizeof(*tops); i++) {
		int ret = add_top(stack_fd, tops[i], stack);

		if (ret < 0)
			return err_set(err, ret, "look at /%s of the stack", tops[i]);
	}
	return read_etc(stack_fd, stack);
}

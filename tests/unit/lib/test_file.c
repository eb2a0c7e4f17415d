/* lib/file: on real directories, with links, loops and depths that want to escape. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/lib/alloc.h"
#include "lib/file.c"

static char top[64];
static int top_fd;

static int
setup(void **state)
{
	(void)state;
	strcpy(top, "/tmp/paas-file-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return top_fd < 0 ? -1 : 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	close(top_fd);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

static void
make_file(const char *name, const char *text)
{
	int fd = openat(top_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static bool
exists(const char *name)
{
	return faccessat(top_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
test_read_write(void **state)
{
	struct buf b;
	int ends[2];

	(void)state;
	make_file("a", "0123456789");
	buf_init(&b, 10);
	assert_int_equal(file_read_at(top_fd, "a", &b), 0);
	assert_string_equal(buf_text(&b), "0123456789");
	buf_done(&b);
	buf_init(&b, 9);
	assert_int_equal(file_read_at(top_fd, "a", &b), -ENOBUFS);
	buf_done(&b);
	assert_int_equal(file_read_at(top_fd, "none", &b), -ENOENT);
	assert_int_equal(file_write_at(top_fd, "a", "new"), 0);
	buf_init(&b, 100);
	assert_int_equal(file_read_at(top_fd, "a", &b), 0);
	assert_string_equal(buf_text(&b), "new3456789");
	buf_done(&b);
	assert_int_equal(file_write_at(top_fd, "none", "x"), -ENOENT);
	assert_int_equal(file_write_at(top_fd, ".", "x"), -EISDIR);
	/* The kernel's own files refuse a bad value. */
	assert_int_equal(file_write_at(AT_FDCWD, "/proc/self/oom_score_adj", "nonsense"), -EINVAL);
	/* A directory cannot be read, a pipe that is full not be written. */
	assert_int_equal(file_read_all(top_fd, &b), -EISDIR);
	buf_done(&b);
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(file_read_all(ends[0], &b), -EAGAIN);
	buf_done(&b);
	for (int i = 0; i < 20; i++) {
		char block[8192] = {0};

		if (file_write_all(ends[1], block, sizeof(block)) < 0)
			break;
		assert_true(i < 19);
	}
	assert_int_equal(file_set_nonblocking(ends[0], false), 0);
	assert_int_equal(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(file_set_nonblocking(ends[0], true), 0);
	assert_int_equal(file_set_nonblocking(ends[0], true), 0);
	assert_int_equal(fcntl(ends[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(file_set_nonblocking(-1, true), -EBADF);
	close(ends[0]);
	close(ends[1]);
}

static void
test_replace(void **state)
{
	struct stat st;
	struct buf b;
	mode_t old = umask(077);

	(void)state;
	assert_int_equal(file_replace_at(top_fd, "f", "one", 3, 0644), 0);
	umask(old);
	assert_int_equal(fstatat(top_fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(file_replace_at(top_fd, "f", "two", 3, 0600), 0);
	buf_init(&b, 100);
	assert_int_equal(file_read_at(top_fd, "f", &b), 0);
	assert_string_equal(buf_text(&b), "two");
	buf_done(&b);
	/* What cannot be replaced leaves nothing behind. */
	assert_int_equal(mkdirat(top_fd, "dir", 0700), 0);
	assert_int_equal(file_replace_at(top_fd, "dir", "x", 1, 0600), -EISDIR);
	assert_int_equal(unlinkat(top_fd, "f", 0), 0);
	assert_int_equal(unlinkat(top_fd, "dir", AT_REMOVEDIR), 0);
	assert_int_equal(file_replace_at(-1, "f", "x", 1, 0600), -EBADF);
	assert_int_equal(rmdir(top), 0);
	assert_int_equal(mkdir(top, 0700), 0);
}

static void
test_beneath(void **state)
{
	int fd, dir_fd;

	(void)state;
	assert_int_equal(mkdirat(top_fd, "in", 0700), 0);
	make_file("outside", "secret");
	make_file("in/file", "text");
	assert_int_equal(symlinkat("../outside", top_fd, "in/link"), 0);
	assert_int_equal(symlinkat("/etc/passwd", top_fd, "in/absolute"), 0);
	assert_int_equal(symlinkat("file", top_fd, "in/fine"), 0);
	assert_int_equal(symlinkat("loop", top_fd, "in/loop"), 0);
	dir_fd = file_open_dir(top_fd, "in");
	assert_true(dir_fd >= 0);
	fd = file_open_beneath(dir_fd, "fine", O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	fd = file_open_beneath(dir_fd, "new", O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_open_beneath(dir_fd, "link", O_RDONLY, 0), -EXDEV);
	assert_int_equal(file_open_beneath(dir_fd, "absolute", O_RDONLY, 0), -EXDEV);
	assert_int_equal(file_open_beneath(dir_fd, "../outside", O_RDONLY, 0), -EXDEV);
	assert_int_equal(file_open_beneath(dir_fd, "/etc/passwd", O_RDONLY, 0), -EXDEV);
	assert_int_equal(file_open_beneath(dir_fd, "loop", O_RDONLY, 0), -ELOOP);
	assert_int_equal(file_open_dir(dir_fd, "file"), -ENOTDIR);
	assert_int_equal(file_open_dir(dir_fd, "none"), -ENOENT);
	close(dir_fd);
}

static void
test_make_dir(void **state)
{
	mode_t old = umask(077);
	struct stat st;
	char path[128];
	int fd;

	(void)state;
	fd = file_make_dir(top_fd, "d", 01771, 1234, 4321);
	umask(old);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 01771);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 4321);
	close(fd);
	/* Again, with other wishes; -1 leaves the owner. */
	fd = file_make_dir(top_fd, "d", 0700, (uid_t)-1, 5);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 5);
	close(fd);
	/* Never through a link. */
	assert_int_equal(symlinkat("d", top_fd, "l"), 0);
	assert_int_equal(file_make_dir(top_fd, "l", 0700, 0, 0), -ENOTDIR);
	make_file("f", "");
	assert_int_equal(file_make_dir(top_fd, "f", 0700, 0, 0), -ENOTDIR);
	assert_int_equal(file_make_dir(top_fd, "x/y", 0700, 0, 0), -ENOENT);

	(void)snprintf(path, sizeof(path), "%s/p//q/r/", top);
	assert_int_equal(file_make_parents(path, 0700), 0);
	assert_int_equal(file_make_parents(path, 0700), 0);
	assert_true(exists("p/q/r"));
	(void)snprintf(path, sizeof(path), "%s/f/g", top);
	assert_int_equal(file_make_parents(path, 0700), -ENOTDIR);
	assert_int_equal(file_make_parents("/", 0700), 0);
	alloc_left = 0;
	assert_int_equal(file_make_parents(path, 0700), -ENOMEM);
	alloc_left = -1;
}

/* ---- removing ---------------------------------------------------------------------------- */

static void
test_remove(void **state)
{
	(void)state;
	assert_int_equal(file_remove_tree(top_fd, "none"), 0);
	make_file("f", "x");
	assert_int_equal(file_remove_tree(top_fd, "f"), 0);
	assert_false(exists("f"));
	assert_int_equal(mkdirat(top_fd, "empty", 0700), 0);
	assert_int_equal(file_remove_tree(top_fd, "empty"), 0);
	assert_false(exists("empty"));

	/* Links are removed, what they point to stays. */
	assert_int_equal(mkdirat(top_fd, "keep", 0700), 0);
	make_file("keep/precious", "x");
	assert_int_equal(mkdirat(top_fd, "t", 0700), 0);
	assert_int_equal(mkdirat(top_fd, "t/a", 0500), 0);
	assert_int_equal(mkdirat(top_fd, "t/a/b", 0), 0);
	for (int i = 0; i < 300; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "t/a/b/%d", i);
		if (i % 3 == 0)
			assert_int_equal(mkdirat(top_fd, name, 0700), 0);
		else if (i % 3 == 1)
			assert_int_equal(symlinkat("../../../keep", top_fd, name), 0);
		else
			make_file(name, "x");
	}
	assert_int_equal(mkfifoat(top_fd, "t/fifo", 0600), 0);
	assert_int_equal(symlinkat("keep", top_fd, "link"), 0);
	assert_int_equal(file_remove_tree(top_fd, "link"), 0);
	assert_int_equal(file_remove_tree(top_fd, "t"), 0);
	assert_false(exists("t"));
	assert_false(exists("link"));
	assert_true(exists("keep/precious"));
}

/* Depth is the attacker's choice: neither fds nor path lengths may limit it. */
static void
test_remove_deep(void **state)
{
	struct rlimit before, few;
	int fd;

	(void)state;
	assert_int_equal(mkdirat(top_fd, "deep", 0700), 0);
	fd = file_open_dir(top_fd, "deep");
	for (int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0700), 0);
		if (i % 10 == 0)
			assert_int_equal(mkdirat(fd, "side", 0700), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	/* Names that our own moving would like to use. */
	assert_int_equal(mkdirat(top_fd, "deep/.removed-0", 0700), 0);
	assert_int_equal(mkdirat(top_fd, "deep/.removed-1", 0700), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 48;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(file_remove_tree(top_fd, "deep"), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_false(exists("deep"));
}

/* A file system mounted inside is not ours to empty. */
static void
test_remove_mount(void **state)
{
	char path[128];

	(void)state;
	assert_int_equal(mkdirat(top_fd, "t", 0700), 0);
	assert_int_equal(mkdirat(top_fd, "t/mnt", 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/t/mnt", top);
	if (mount("none", path, "tmpfs", 0, NULL) < 0)
		skip();
	make_file("t/mnt/precious", "x");
	assert_int_equal(file_remove_tree(top_fd, "t"), -EXDEV);
	assert_true(exists("t/mnt/precious"));
	assert_int_equal(umount(path), 0);
	assert_int_equal(file_remove_tree(top_fd, "t"), 0);
}

static void
test_remove_no_memory(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(top_fd, "t", 0700), 0);
	assert_int_equal(mkdirat(top_fd, "t/a", 0700), 0);
	ALLOC_LOOP(i)
	{
		int ret = file_remove_tree(top_fd, "t");

		assert_true(ret == 0 || ret == -ENOMEM);
		assert_int_equal(exists("t"), ret != 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_beneath, setup, teardown),
		cmocka_unit_test_setup_teardown(test_make_dir, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_deep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_mount, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}

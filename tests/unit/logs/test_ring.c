/* daemon/logs/ring: bounds, rotation, torn lines, full disks, and positions that stay true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/file.h"

#include "tests/unit/lib/alloc.h"
#include "lib/buf.c"
#include "daemon/logs/ring.c"

static char top[64];
static int top_fd;
static struct ring *ring;
static unsigned n_rotated;

static void
on_rotate(void *user)
{
	assert_ptr_equal(user, top);
	n_rotated++;
}

static int
reopen(uint64_t segment_bytes)
{
	ring_close(ring);
	ring = NULL;
	return ring_open(top_fd, "app", true, segment_bytes, on_rotate, top, &ring);
}

static int
setup(void **state)
{
	(void)state;
	n_rotated = 0;
	strcpy(top, "/tmp/paas-ring-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return top_fd < 0 ? -1 : reopen(RING_SEGMENT_MIN);
}

static int
teardown(void **state)
{
	(void)state;
	ring_close(ring);
	ring = NULL;
	close(top_fd);
	return file_remove_tree(AT_FDCWD, top);
}

static void
add(unsigned number, size_t length)
{
	char line[LINE_MAX_BYTES];

	memset(line, 'x', length);
	(void)snprintf(line, sizeof(line), "%06u", number);
	line[6] = ' ';
	line[length - 1] = '\n';
	assert_int_equal(ring_append(ring, line, length), 0);
}

/* The whole of the ring from a position: its numbers must follow one another. Returns the first;
 * *n is how many there are. */
static unsigned
read_numbers(uint64_t at, unsigned *n)
{
	static char text[4 * RING_SEGMENT_MIN];
	unsigned first = 0;
	size_t len = 0;

	for (;;) {
		ssize_t got = ring_read(ring, at + len, text + len, 1000);

		assert_true(got >= 0);
		if (got == 0)
			break;
		len += (size_t)got;
		assert_true(len < sizeof(text) - 1000);
	}
	assert_int_equal(at + len, ring_end(ring));
	*n = 0;
	for (size_t i = 0; i < len;
	     i = (size_t)((char *)memchr(text + i, '\n', len - i) - text) + 1) {
		unsigned number = (unsigned)strtoul(text + i, NULL, 10);

		if (*n == 0)
			first = number;
		assert_int_equal(number, first + *n);
		(*n)++;
	}
	return first;
}

static off_t
size_on_disk(void)
{
	struct stat st;
	off_t size = 0;

	if (fstatat(top_fd, "app/current.log", &st, 0) == 0)
		size += st.st_size;
	if (fstatat(top_fd, "app/previous.log", &st, 0) == 0)
		size += st.st_size;
	return size;
}

static void
test_rotation(void **state)
{
	uint64_t end = 0;
	unsigned n, first;

	(void)state;
	assert_false(ring_is_dirty(ring));
	for (unsigned i = 0; i < 5000; i++) {
		add(i, 40 + i % 100);
		assert_true(ring_is_dirty(ring));
		if (i % 7 == 0) {
			assert_int_equal(ring_flush(ring), 0);
			assert_false(ring_is_dirty(ring));
			assert_true(ring_end(ring) > end);
			end = ring_end(ring);
			assert_true(ring_start(ring) <= ring_middle(ring));
			assert_true(ring_middle(ring) <= end);
			assert_true(size_on_disk() <= 2 * RING_SEGMENT_MIN);
		}
	}
	assert_int_equal(ring_flush(ring), 0);
	assert_true(n_rotated >= 5);
	first = read_numbers(ring_start(ring), &n);
	assert_int_equal(first + n, 5000);
	assert_true(n > 500);
	(void)read_numbers(ring_middle(ring), &n);
	/* Positions from before are refused, not read as something else. */
	assert_int_equal(ring_read(ring, ring_start(ring) - 1, &n, 1), -ERANGE);
	/* A new life sees the same lines. */
	assert_int_equal(reopen(RING_SEGMENT_MIN), 0);
	assert_int_equal(read_numbers(ring_start(ring), &n), first);
	assert_int_equal(first + n, 5000);
}

static bool
is_odd(void *user, const char *line, size_t n)
{
	assert_ptr_equal(user, top);
	assert_true(n > 6);
	return (line[5] - '0') % 2 == 1;
}

static bool
is_none(void *user, const char *line, size_t n)
{
	(void)user;
	(void)line;
	(void)n;
	return false;
}

/* Lines from short to longer than what is read at once. */
static void
test_find_last(void **state)
{
	unsigned n, total, first;
	uint64_t at;

	(void)state;
	assert_int_equal(ring_find_last(ring, 10, NULL, NULL, &at), 0);
	assert_int_equal(at, ring_end(ring));
	for (unsigned i = 0; i < 400; i++)
		add(i, i % 10 == 3 ? LINE_MAX_BYTES - 1 : 8 + i);
	assert_int_equal(ring_flush(ring), 0);
	assert_true(n_rotated > 0);
	(void)read_numbers(ring_start(ring), &total);
	assert_true(total > 15);
	for (unsigned want = 0; want <= total + 2; want++) {
		assert_int_equal(ring_find_last(ring, want, NULL, NULL, &at), 0);
		first = read_numbers(at, &n);
		assert_int_equal(first, n == 0 ? 0 : 400 - n);
		assert_int_equal(n, want < total ? want : total);
		assert_int_equal(ring_count(ring, at, ring_end(ring), NULL, NULL), n);
	}
	for (unsigned want = 1; want <= total / 2; want++) {
		assert_int_equal(ring_find_last(ring, want, is_odd, top, &at), 0);
		first = read_numbers(at, &n);
		assert_int_equal(first, 400 - n);
		assert_int_equal(n, 2 * want - 1);
		assert_int_equal(ring_count(ring, at, ring_end(ring), is_odd, top), want);
	}
	assert_int_equal(ring_find_last(ring, 5, is_none, top, &at), 0);
	assert_int_equal(at, ring_end(ring));
	assert_int_equal(ring_count(ring, ring_start(ring), ring_end(ring), is_none, top), 0);
}

static void
spoil(const char *name, const char *text, size_t n)
{
	int fd = openat(top_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	close(fd);
}

static void
test_torn(void **state)
{
	static char zeros[10000];
	unsigned n;

	(void)state;
	add(0, 50);
	add(1, 50);
	ring_close(ring);
	ring = NULL;
	/* kill -9 in the middle of a line; a power cut that left a hole behind it. */
	spoil("app/current.log", "000002 half a", 13);
	assert_int_equal(reopen(RING_SEGMENT_MIN), 0);
	assert_int_equal(read_numbers(ring_start(ring), &n), 0);
	assert_int_equal(n, 2);
	add(2, 50);
	ring_close(ring);
	ring = NULL;
	spoil("app/current.log", zeros, sizeof(zeros));
	assert_int_equal(reopen(RING_SEGMENT_MIN), 0);
	assert_int_equal(read_numbers(ring_start(ring), &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(size_on_disk(), 150);
	/* Nothing but a torn line; and one in the older file. */
	ring_close(ring);
	ring = NULL;
	assert_int_equal(renameat(top_fd, "app/current.log", top_fd, "app/previous.log"), 0);
	spoil("app/previous.log", "x", 1);
	spoil("app/current.log", zeros, 4096);
	assert_int_equal(reopen(RING_SEGMENT_MIN), 0);
	assert_int_equal(read_numbers(ring_start(ring), &n), 0);
	assert_int_equal(n, 3);
	add(3, 50);
	assert_int_equal(ring_flush(ring), 0);
	(void)read_numbers(ring_start(ring), &n);
	assert_int_equal(n, 4);
}

/* A crash between the two steps of a rotation leaves no newer file. */
static void
test_half_rotated(void **state)
{
	unsigned n;

	(void)state;
	add(0, 50);
	ring_close(ring);
	ring = NULL;
	assert_int_equal(renameat(top_fd, "app/current.log", top_fd, "app/previous.log"), 0);
	assert_int_equal(reopen(RING_SEGMENT_MIN), 0);
	add(1, 50);
	assert_int_equal(ring_flush(ring), 0);
	assert_int_equal(read_numbers(ring_start(ring), &n), 0);
	assert_int_equal(n, 2);
}

/* Killed at any moment: what was flushed is there, in order, in whole lines. */
static void
test_kill(void **state)
{
	unsigned flushed = 0, n, first;
	int ends[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (unsigned i = 0;; i++) {
			add(i, 40 + i % 500);
			if (i % 5 == 4 &&
			    (ring_flush(ring) < 0 || write(ends[1], &i, sizeof(i)) != sizeof(i)))
				_exit(1);
		}
	}
	while (flushed < 3000)
		assert_int_equal(read(ends[0], &flushed, sizeof(flushed)), sizeof(flushed));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(ends[1]);
	while (read(ends[0], &n, sizeof(n)) == sizeof(n))
		flushed = n;
	close(ends[0]);
	assert_int_equal(reopen(RING_SEGMENT_MIN), 0);
	first = read_numbers(ring_start(ring), &n);
	assert_true(first + n > flushed);
}

static void
test_full_disk(void **state)
{
	char path[128];
	unsigned i = 0, n, first;
	int ret = 0;

	(void)state;
	ring_close(ring);
	ring = NULL;
	(void)snprintf(path, sizeof(path), "%s/app", top);
	if (mount("none", path, "tmpfs", 0, "size=96k") < 0)
		skip();
	assert_int_equal(reopen(1024 * 1024), 0);
	while (ret == 0) {
		add(i++, 100);
		ret = ring_flush(ring);
	}
	assert_int_equal(ret, -ENOSPC);
	assert_int_equal(ring_take_lost(ring), 1);
	assert_int_equal(ring_take_lost(ring), 0);
	/* Only whole lines are there, as many as were accepted. */
	first = read_numbers(ring_start(ring), &n);
	assert_int_equal(first, 0);
	assert_int_equal(n, i - 1);
	/* Many lines at once are all lost, all counted. */
	for (unsigned k = 0; k < 1000; k++)
		(void)ring_append(ring, "lost\n", 5);
	assert_int_equal(ring_flush(ring), -ENOSPC);
	assert_int_equal(ring_take_lost(ring), 1000);
	/* Space again, lines again. */
	assert_int_equal(mount("none", path, "tmpfs", MS_REMOUNT, "size=1m"), 0);
	add(i - 1, 100);
	assert_int_equal(ring_flush(ring), 0);
	(void)read_numbers(ring_start(ring), &n);
	assert_int_equal(n, i);
	ring_close(ring);
	ring = NULL;
	assert_int_equal(umount(path), 0);
}

static void
test_pending(void **state)
{
	unsigned n;

	(void)state;
	/* More than fits is written on the way; small leftovers wait. */
	for (unsigned i = 0; i < 20; i++)
		add(i, 10000);
	assert_true(ring_end(ring) > 0);
	assert_int_equal(ring_flush(ring), 0);
	assert_int_equal(ring_flush(ring), 0);
	(void)read_numbers(ring_start(ring), &n);
	assert_true(n >= 6 && n <= 13);
}

static void
test_open_fails(void **state)
{
	struct ring *other = NULL;

	(void)state;
	ring_close(NULL);
	assert_int_equal(ring_open(top_fd, "none", false, 0, NULL, NULL, &other), -ENOENT);
	assert_int_equal(symlinkat("app", top_fd, "link"), 0);
	assert_int_equal(ring_open(top_fd, "link", true, 0, NULL, NULL, &other), -ENOTDIR);
	assert_int_equal(mkdirat(top_fd, "bad", 0700), 0);
	assert_int_equal(symlinkat("/etc/passwd", top_fd, "bad/current.log"), 0);
	assert_int_equal(ring_open(top_fd, "bad", true, 0, NULL, NULL, &other), -ELOOP);
	assert_int_equal(mkdirat(top_fd, "bad/previous.log", 0700), 0);
	assert_int_equal(ring_open(top_fd, "bad", true, 0, NULL, NULL, &other), -EISDIR);
	assert_null(other);
}

static void
test_no_memory(void **state)
{
	uint64_t at;

	(void)state;
	add(0, 50);
	assert_int_equal(reopen(RING_SEGMENT_MIN), 0);
	ALLOC_LOOP(i)
	{
		struct ring *other = NULL;
		int ret = ring_open(top_fd, "app", true, 0, NULL, NULL, &other);

		if (ret < 0) {
			assert_int_equal(ret, -ENOMEM);
			assert_null(other);
			continue;
		}
		ret = ring_find_last(other, 1, NULL, NULL, &at);
		assert_true(ret == 0 || ret == -ENOMEM);
		(void)ring_count(other, 0, 50, NULL, NULL);
		ring_close(other);
	}
	alloc_left = 0;
	assert_int_equal(ring_append(ring, "x\n", 2), -ENOMEM);
	assert_int_equal(ring_take_lost(ring), 1);
	alloc_left = 0;
	assert_int_equal(ring_count(ring, 0, 50, NULL, NULL), 0);
	alloc_left = -1;
	assert_int_equal(ring_count(ring, 0, 50, NULL, NULL), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find_last, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_rotated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pending, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}

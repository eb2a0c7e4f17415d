/* lib/spec: argv and environment through a sealed memfd, and files that are no spec. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/lib/alloc.h"
#include "lib/spec.c"

static const char *const argv[] = {"/bin/bash", "-c", "echo \"$1\"", "", NULL};
static const char *const envp[] = {"HOME=/app", "EMPTY=", "LINES=a\nb", NULL};

static void
check_list(char *const *got, const char *const *want)
{
	size_t i = 0;

	for (; want[i]; i++)
		assert_string_equal(got[i], want[i]);
	assert_null(got[i]);
}

static void
test_round(void **state)
{
	int fd = spec_write("/app", argv, envp);
	struct spec spec;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	/* Nobody can change it any more, and the offset plays no part. */
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 1), -1);
	assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(spec_read(fd, &spec), 0);
		assert_string_equal(spec.cwd, "/app");
		check_list(spec.argv, argv);
		check_list(spec.envp, envp);
		spec_done(&spec);
		spec_done(&spec);
	}
	close(fd);
}

static void
test_empty_lists(void **state)
{
	const char *none[] = {NULL};
	int fd = spec_write("", none, none);
	struct spec spec;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(spec_read(fd, &spec), 0);
	assert_string_equal(spec.cwd, "");
	assert_null(spec.argv[0]);
	assert_null(spec.envp[0]);
	spec_done(&spec);
	close(fd);
}

static void
test_sizes(void **state)
{
	char *big = alloc_zeroed(SPEC_MAX_BYTES + 1);
	const char *list[] = {big, NULL};
	struct spec spec;
	int fd;

	(void)state;
	memset(big, 'x', SPEC_MAX_BYTES);
	assert_int_equal(spec_write("/", list, list), -E2BIG);
	/* What is left for one string: its length and NUL, the cwd with its own, two counts and
	 * an empty environment. */
	big[SPEC_MAX_BYTES - 5 - 6 - 8] = '\0';
	fd = spec_write("/", list, list + 1);
	assert_true(fd >= 0);
	assert_int_equal(spec_read(fd, &spec), 0);
	assert_int_equal(strlen(spec.argv[0]), SPEC_MAX_BYTES - 19);
	spec_done(&spec);
	close(fd);
	big[SPEC_MAX_BYTES - 19] = 'x';
	big[SPEC_MAX_BYTES - 18] = '\0';
	assert_int_equal(spec_write("/", list, list + 1), -E2BIG);
	free(big);
}

static int
file_of(const void *p, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	return fd;
}

static void
test_bad(void **state)
{
	int fd = spec_write("/app", argv, envp), bad;
	uint8_t bytes[256];
	struct spec spec;
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);

	(void)state;
	close(fd);
	assert_true(n > 0 && n < (ssize_t)sizeof(bytes));
	/* Every cut, and one byte too many. */
	for (ssize_t i = 0; i <= n + 1; i++) {
		bytes[n] = 0;
		bad = file_of(bytes, (size_t)i);
		assert_int_equal(spec_read(bad, &spec), i == n ? 0 : -EBADMSG);
		if (i == n)
			spec_done(&spec);
		assert_null(spec.memory);
		close(bad);
	}
	/* A string without its NUL, with one inside, or shorter than one. */
	bad = file_of("\1\0\0\0x\0\0\0\0\0\0\0\0", 13);
	assert_int_equal(spec_read(bad, &spec), -EBADMSG);
	close(bad);
	bad = file_of("\3\0\0\0x\0\0\0\0\0\0\0\0\0\0", 15);
	assert_int_equal(spec_read(bad, &spec), -EBADMSG);
	close(bad);
	bad = file_of("\0\0\0\0\0\0\0\0\0\0\0\0", 12);
	assert_int_equal(spec_read(bad, &spec), -EBADMSG);
	close(bad);
	/* A count that would want a lot of memory. */
	bad = file_of("\1\0\0\0\0\xff\xff\xff\xff\0\0\0\0", 13);
	assert_int_equal(spec_read(bad, &spec), -EBADMSG);
	close(bad);
	bad = file_of("", 0);
	assert_int_equal(ftruncate(bad, SPEC_MAX_BYTES + 1), 0);
	assert_int_equal(spec_read(bad, &spec), -E2BIG);
	close(bad);
	assert_int_equal(spec_read(-1, &spec), -EBADF);
}

static void
test_no_memory(void **state)
{
	(void)state;
	ALLOC_LOOP(i)
	{
		int fd = spec_write("/app", argv, envp);
		struct spec spec;

		if (fd < 0) {
			assert_int_equal(fd, -ENOMEM);
			continue;
		}
		if (spec_read(fd, &spec) == 0)
			spec_done(&spec);
		assert_null(spec.memory);
		assert_null(spec.argv);
		close(fd);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),	  cmocka_unit_test(test_empty_lists),
		cmocka_unit_test(test_sizes),	  cmocka_unit_test(test_bad),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}

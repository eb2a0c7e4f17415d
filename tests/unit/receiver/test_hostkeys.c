/* receiver/hostkeys: made once, for nobody else to read, and never replaced. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/file.h"

#include "daemon/receiver/hostkeys.h"

static char dir[] = "/tmp/hostkeys.XXXXXX";
static int dir_fd;
static struct err err;

static void
assert_key(const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(dir_fd, name, &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_true(st.st_size > 100);
}

static void
makes_what_is_missing(void **state)
{
	struct buf before, after;

	(void)state;
	assert_int_equal(hostkeys_make(dir_fd, &err), 0);
	assert_key("ed25519_key");
	assert_key("rsa_key");
	buf_init(&before, 1 << 16);
	buf_init(&after, 1 << 16);
	assert_int_equal(file_read_at(dir_fd, "rsa_key", &before), 0);
	assert_int_equal(unlinkat(dir_fd, "ed25519_key", 0), 0);
	assert_int_equal(hostkeys_make(dir_fd, &err), 0);
	assert_key("ed25519_key");
	assert_int_equal(file_read_at(dir_fd, "rsa_key", &after), 0);
	assert_string_equal(buf_text(&before), buf_text(&after));
	buf_done(&before);
	buf_done(&after);
}

static void
loads_them(void **state)
{
	ssh_bind bind = ssh_bind_new();

	(void)state;
	assert_non_null(bind);
	assert_int_equal(hostkeys_load(bind, &err), 0);
	ssh_bind_free(bind);
}

static void
says_which_is_broken(void **state)
{
	ssh_bind bind = ssh_bind_new();
	int fd = openat(dir_fd, "rsa_key", O_WRONLY | O_TRUNC | O_CLOEXEC);

	(void)state;
	assert_non_null(bind);
	assert_true(fd >= 0);
	(void)close(fd);
	/* A broken key is for the admin to judge: a new one would alarm every client. */
	assert_int_equal(hostkeys_make(dir_fd, &err), 0);
	assert_int_equal(hostkeys_load(bind, &err), -EIO);
	assert_non_null(strstr(err.text, "rsa_key"));
	ssh_bind_free(bind);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_what_is_missing),
		cmocka_unit_test(loads_them),
		cmocka_unit_test(says_which_is_broken),
	};
	int ret;

	if (!mkdtemp(dir) || chdir(dir) < 0 || (dir_fd = open(".", O_DIRECTORY | O_CLOEXEC)) < 0)
		return 1;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink("ed25519_key");
	(void)unlink("rsa_key");
	(void)rmdir(dir);
	return ret;
}

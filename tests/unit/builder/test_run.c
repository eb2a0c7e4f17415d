/* Programs of a build: output, ends, and what they leave behind; the environment they get. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include "builder/environ.h"
#include "builder/run.h"
#include "builder/transcript.h"

static struct err err;
static struct buf out;
static int status;
static unsigned n_left;

static int
setup(void **state)
{
	(void)state;
	buf_init(&out, 100000);
	return run_init();
}

static int
teardown(void **state)
{
	(void)state;
	buf_done(&out);
	return 0;
}

static int
bash(const char *script, unsigned timeout_s, bool joins)
{
	struct run run = {
		.path = "/bin/bash",
		.argv = (const char *const[]){"bash", "-c", script, NULL},
		.envp = (const char *const[]){"PATH=/usr/bin:/bin", NULL},
		.cwd_fd = -1,
		.capture = &out,
		.is_quiet = true,
		.joins_stderr = joins,
		.timeout_s = timeout_s,
	};

	buf_consume(&out, out.len);
	return run_program(&run, &status, &n_left, &err);
}

static void
test_output(void **state)
{
	(void)state;
	assert_int_equal(bash("echo a; echo b >&2; exit 3", 0, false), 0);
	assert_string_equal(buf_text(&out), "a\n");
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_int_equal(n_left, 0);
	assert_int_equal(bash("echo a; echo b >&2", 0, true), 0);
	assert_string_equal(buf_text(&out), "a\nb\n");
	assert_int_equal(bash("read -r x || echo eof", 0, false), 0);
	assert_string_equal(buf_text(&out), "eof\n");
}

/* More than a pipe holds, and more than the buffer takes: the program is never stuck. */
static void
test_much_output(void **state)
{
	(void)state;
	assert_int_equal(bash("head -c 3000000 /dev/zero | tr '\\0' x; echo done >&2", 0, true), 0);
	assert_int_equal(out.len, 100000);
	assert_int_equal(status, 0);
}

static void
test_background(void **state)
{
	(void)state;
	assert_int_equal(bash("sleep 1000 & echo started", 0, false), 0);
	assert_string_equal(buf_text(&out), "started\n");
	assert_int_equal(n_left, 1);
	assert_int_equal(
		bash("(setsid bash -c 'sleep 1000 & sleep 1000 & wait' &) ; exit 7", 0, false), 0);
	assert_int_equal(WEXITSTATUS(status), 7);
	/* Whether those two had been started is a race, but nobody is our child any more. */
	assert_true(n_left >= 1);
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
}

/* Helpers that write down the last lines may do so, and are not called left behind. */
static void
test_helpers(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(bash("exec > >(sed 's/^/> /'); seq 2000", 0, false), 0);
		assert_non_null(strstr(buf_text(&out), "> 2000\n"));
		assert_int_equal(n_left, 0);
	}
}

static void
test_timeout(void **state)
{
	(void)state;
	assert_int_equal(bash("sleep 1000", 1, false), -ETIMEDOUT);
	assert_string_equal(err.text, "bash did not end within 1 s");
	assert_int_equal(waitpid(-1, &status, WNOHANG), -1);
}

static void
test_cannot_start(void **state)
{
	struct run run = {
		.path = "/nonexistent",
		.argv = (const char *const[]){"x", NULL},
		.envp = (const char *const[]){NULL},
		.cwd_fd = -1,
		.capture = &out,
	};

	(void)state;
	assert_int_equal(run_program(&run, &status, &n_left, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent"));
}

static void
test_status_text(void **state)
{
	char text[64];

	(void)state;
	assert_string_equal(run_status_text(3 << 8, text, sizeof(text)), "exit status 3");
	assert_string_equal(run_status_text(9, text, sizeof(text)), "killed by signal 9 (Killed)");
}

/* A heading never sticks to a line that somebody left open. */
static void
test_transcript(void **state)
{
	struct transcript t;
	char text[256];
	int ends[2];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	transcript_init(&t, ends[1]);
	transcript_relay(&t, "open", 4);
	transcript_head(&t, "head %d", 1);
	transcript_body(&t, "body");
	transcript_relay(&t, "open", 4);
	transcript_blank(&t);
	transcript_warn(&t, "warn");
	n = read(ends[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "open\n-----> head 1\n       body\nopen\n\n !     warn\n");
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void
test_environment(void **state)
{
	char *const given[] = {
		(char[]){"A=1"},     (char[]){"GIT_DIR=x"}, (char[]){"PAAS_JOB_FD=5"},
		(char[]){"nothing"}, (char[]){"B="},	    NULL};
	struct environ_list e;

	(void)state;
	environ_init(&e);
	assert_int_equal(environ_inherit(&e, given), 0);
	assert_int_equal(e.n, 2);
	assert_int_equal(environ_set(&e, "A", "2=3"), 0);
	assert_int_equal(environ_set(&e, "AB", "4"), 0);
	assert_string_equal(environ_get(&e, "A"), "2=3");
	assert_string_equal(environ_get(&e, "AB"), "4");
	assert_string_equal(environ_get(&e, "B"), "");
	assert_null(environ_get(&e, "GIT_DIR"));
	assert_string_equal(environ_vector(&e)[0], "A=2=3");
	for (int i = 0; i < ENVIRON_MAX - 3; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "K%d", i);
		assert_int_equal(environ_set(&e, key, "x"), 0);
	}
	assert_int_equal(environ_set(&e, "ONE_MORE", "x"), -E2BIG);
	assert_int_equal(environ_set(&e, "A", "still"), 0);
	environ_done(&e);
}

static void
test_env_dir(void **state)
{
	char *const vars[] = {(char[]){"KEY=a b\nc"}, (char[]){"../x=1"}, (char[]){"EMPTY="},
			      (char[]){"HOME=/x"},    (char[]){"none"},	  NULL};
	char dir[] = "/tmp/env-test.XXXXXX", command[128];
	AUTO_FD int fd = -1;
	struct stat st;
	char text[16];
	int file;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(environ_write_dir(fd, vars, &err), 0);
	file = openat(fd, "KEY", O_RDONLY);
	assert_int_equal(read(file, text, sizeof(text)), 5);
	assert_memory_equal(text, "a b\nc", 5);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	(void)close(file);
	assert_int_equal(fstatat(fd, "EMPTY", &st, 0), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(fstatat(fd, "HOME", &st, 0), -1);
	assert_int_equal(environ_write_dir(fd, vars, &err), -EEXIST);
	(void)snprintf(command, sizeof(command), "rm -r '%s'; ! test -e /tmp/x", dir);
	assert_int_equal(system(command), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(output),	   TEST(much_output),  TEST(background),  TEST(helpers),
		TEST(timeout),	   TEST(cannot_start), TEST(status_text), TEST(transcript),
		TEST(environment), TEST(env_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

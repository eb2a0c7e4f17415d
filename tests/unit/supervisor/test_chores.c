/* Forked work: outcomes, order, and what its children inherit. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "daemon/supervisor/chores.h"

struct outcome {
	int code;
	char why[512];
	bool is_done;
};

static struct loop loop;
static struct chores chores;

static int
set_up(void **state)
{
	(void)state;
	assert_int_equal(loop_init(&loop), 0);
	chores_init(&chores, &loop, NULL, 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	chores_done(&chores);
	loop_done(&loop);
	while (waitpid(-1, NULL, 0) > 0)
		;
	return 0;
}

static void
on_done(void *user, int code, const struct err *why)
{
	struct outcome *o = user;

	assert_false(o->is_done);
	o->is_done = true;
	o->code = code;
	(void)snprintf(o->why, sizeof(o->why), "%s", why->text);
}

static void
wait_for(struct outcome *o)
{
	for (int i = 0; i < 1000 && !o->is_done; i++)
		assert_true(loop_turn(&loop, 100) >= 0);
	assert_true(o->is_done);
}

static int
succeed(void *what, struct err *err)
{
	(void)err;
	return strcmp(what, "argument") == 0 ? 0 : -EINVAL;
}

static int
fail_with_sentence(void *what, struct err *err)
{
	(void)what;
	return err_set(err, -ENOSPC, "write everything");
}

static int
die(void *what, struct err *err)
{
	(void)what;
	(void)err;
	(void)raise(SIGKILL);
	return 0;
}

static int
look_at_fd(void *what, struct err *err)
{
	int fd;

	(void)err;
	memcpy(&fd, what, sizeof(fd));
	return fcntl(fd, F_GETFD) < 0 ? -errno : 0;
}

static void
outcomes_come_back(void **state)
{
	struct outcome a = {0}, b = {0}, c = {0};

	(void)state;
	assert_int_equal(chores_add(&chores, succeed, "argument", 9, on_done, &a), 0);
	assert_int_equal(chores_add(&chores, fail_with_sentence, "", 1, on_done, &b), 0);
	assert_int_equal(chores_add(&chores, die, "", 1, on_done, &c), 0);
	assert_false(a.is_done);
	wait_for(&a);
	wait_for(&b);
	wait_for(&c);
	assert_int_equal(a.code, 0);
	assert_int_equal(b.code, -ENOSPC);
	assert_string_equal(b.why, "write everything: No space left on device");
	assert_int_equal(c.code, -EIO);
	assert_string_equal(c.why, "a chore of paasd was killed");
	assert_int_equal(chores_count(&chores), 0);
}

static void
more_than_fit_at_once_queue(void **state)
{
	struct outcome o[20] = {0};

	(void)state;
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(chores_add(&chores, succeed, "argument", 9, on_done, &o[i]), 0);
	assert_int_equal(chores.n_running, CHORES_AT_ONCE);
	assert_int_equal(chores_count(&chores), 20);
	for (size_t i = 0; i < 20; i++) {
		wait_for(&o[i]);
		assert_int_equal(o[i].code, 0);
	}
}

static void
children_have_only_what_they_need(void **state)
{
	struct outcome a = {0}, b = {0};
	int other_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int kept_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	chores_init(&chores, &loop, &kept_fd, 1);
	assert_int_equal(chores_add(&chores, look_at_fd, &kept_fd, sizeof(kept_fd), on_done, &a),
			 0);
	assert_int_equal(chores_add(&chores, look_at_fd, &other_fd, sizeof(other_fd), on_done, &b),
			 0);
	wait_for(&a);
	wait_for(&b);
	assert_int_equal(a.code, 0);
	assert_int_equal(b.code, -EBADF);
	(void)close(other_fd);
	(void)close(kept_fd);
}

static void
forgotten_chores_call_nobody(void **state)
{
	struct outcome o[8] = {0};

	(void)state;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(chores_add(&chores, succeed, "argument", 9, on_done, &o[i]), 0);
	chores_done(&chores);
	while (waitpid(-1, NULL, 0) > 0)
		;
	assert_true(loop_turn(&loop, 0) >= 0);
	for (size_t i = 0; i < 8; i++)
		assert_false(o[i].is_done);
}

static void
programs_are_run(void **state)
{
	const char *const cat[] = {"cat", NULL};
	const char *const fails[] = {"sh", "-c", "echo first; echo the reason >&2; exit 3", NULL};
	const char *const missing[] = {"no-such-program-here", NULL};
	AUTO_BUF struct buf text;
	struct err err = {0};

	(void)state;
	buf_init(&text, 1000);
	assert_int_equal(chore_execute(cat, "input\n", &text, &err), 0);
	assert_string_equal(buf_text(&text), "input\n");
	assert_int_equal(chore_execute(fails, NULL, NULL, &err), -EIO);
	assert_string_equal(err.text, "sh: the reason");
	assert_int_equal(chore_execute(missing, NULL, NULL, &err), -EIO);
	assert_string_equal(err.text, "no-such-program-here: it is not installed");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(outcomes_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_than_fit_at_once_queue, set_up, tear_down),
		cmocka_unit_test_setup_teardown(children_have_only_what_they_need, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(forgotten_chores_call_nobody, set_up, tear_down),
		cmocka_unit_test(programs_are_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

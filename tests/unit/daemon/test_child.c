/* daemon/child: real processes that end in every way there is, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/spawn.h"
#include "daemon/child.h"

static struct loop loop;
static struct child child;
static const char *mode; /* what the next process does */
static unsigned n_launched, n_up, n_down, n_messages;
static int last_status;
static bool start_in_down;

/* ---- the process -------------------------------------------------------------------------- */

static void
say(enum msg_type type)
{
	struct msg m;

	msg_begin(&m, type, 0);
	(void)msg_send(3, &m);
}

static void
wait_for_end_of_file(void)
{
	struct pollfd pfd = {.fd = 3, .events = POLLIN};
	struct msg m;

	do
		(void)poll(&pfd, 1, -1);
	while (msg_receive(3, &m) != 0);
}

static int
child_main(const char *what)
{
	if (strcmp(what, "quit") == 0)
		return 3;
	if (strcmp(what, "stubborn") == 0) {
		(void)signal(SIGTERM, SIG_IGN);
		say(MSG_LOGS_READY);
		for (;;)
			(void)pause();
	}
	if (strcmp(what, "hang-up") == 0) {
		(void)close(3);
		for (;;)
			(void)pause();
	}
	say(strcmp(what, "rude") == 0 ? MSG_CONTROL_READY : MSG_LOGS_READY);
	wait_for_end_of_file();
	return 0;
}

/* ---- hooks ---------------------------------------------------------------------------------- */

static int
launch(struct child *c, const int ends[2], pid_t *pid, int *pid_fd, struct err *err)
{
	const char *const argv[] = {"test_child", "--child", mode, NULL};
	const char *const envp[] = {NULL};
	const struct spawn_fd fds[] = {{ends[1], 3}};
	const struct spawn s = {.exe_fd = -1,
				.path = "/proc/self/exe",
				.argv = argv,
				.envp = envp,
				.fds = fds,
				.n_fds = 1,
				.cwd_fd = -1,
				.uid = (uid_t)-1};

	assert_ptr_equal(c, &child);
	n_launched++;
	if (strcmp(mode, "fail") == 0)
		return err_say(err, -ENOENT, "no such program");
	return spawn_start(&s, pid, pid_fd, err);
}

static void
on_up(struct child *c)
{
	assert_true(child_is_up(c));
	n_up++;
}

static void
on_message(struct child *c, struct msg *m)
{
	(void)c;
	assert_int_equal(m->type, MSG_LOGS_READY);
	n_messages++;
}

static void
on_down(struct child *c)
{
	assert_int_equal(c->pid, 0);
	last_status = c->status;
	n_down++;
	if (start_in_down) {
		start_in_down = false;
		mode = "obey";
		child_start(c);
	}
}

static const struct child_hooks hooks = {launch, on_up, on_message, on_down};
static struct role_row row = {
	.role = ROLE_LOGS, .program = "paas-logs", .has_channel = true, .max_queued = 16};

static int
setup(void **state)
{
	(void)state;
	n_launched = n_up = n_down = n_messages = 0;
	last_status = -2;
	start_in_down = false;
	row.role = ROLE_LOGS;
	if (loop_init(&loop) < 0)
		return -1;
	child_init(&child, &loop, &row, &hooks, 0, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (child.pid != 0) {
		(void)kill(child.pid, SIGKILL);
		(void)waitpid(child.pid, NULL, 0);
	}
	child_done(&child);
	loop_done(&loop);
	return 0;
}

/* Turns the loop until the counter has that value. */
static void
until(const unsigned *counter, unsigned value)
{
	uint64_t end_ms = loop_now_ms(&loop) + 20000;

	while (*counter < value) {
		assert_int_equal(loop_turn(&loop, 100), 0);
		assert_true(loop_now_ms(&loop) < end_ms);
	}
	assert_int_equal(*counter, value);
}

static uint64_t
delay_ms(void)
{
	assert_true(child.timer.slot != 0);
	return child.timer.due_ms - loop_now_ms(&loop);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void
test_stop(void **state)
{
	(void)state;
	mode = "obey";
	child_start(&child);
	assert_int_equal(n_up, 1);
	until(&n_messages, 1);
	child_stop(&child, 10000);
	until(&n_down, 1);
	assert_int_equal(last_status, 0);
	assert_int_equal(child.timer.slot, 0);
	assert_false(child_is_up(&child));
	/* A second time, and when it is down, nothing happens. */
	child_stop(&child, 10000);
	child_kill(&child);
	assert_int_equal(n_down, 1);
}

static void
test_stop_of_a_stubborn_one(void **state)
{
	(void)state;
	mode = "stubborn";
	child_start(&child);
	until(&n_messages, 1);
	child_stop(&child, 50);
	until(&n_down, 1);
	assert_true(WIFSIGNALED(last_status));
	assert_int_equal(WTERMSIG(last_status), SIGKILL);
	assert_int_equal(child.timer.slot, 0);
}

/* A router never sees the end of its channel: it holds the other end. */
static void
test_stop_of_a_router(void **state)
{
	(void)state;
	row.role = ROLE_ROUTER;
	mode = "hang-up";
	child_start(&child);
	child_stop(&child, 10000);
	until(&n_down, 1);
	assert_int_equal(WTERMSIG(last_status), SIGTERM);
}

static void
test_kill(void **state)
{
	(void)state;
	mode = "stubborn";
	child_start(&child);
	until(&n_messages, 1);
	child_kill(&child);
	until(&n_down, 1);
	assert_int_equal(WTERMSIG(last_status), SIGKILL);
	assert_int_equal(child.timer.slot, 0);
}

/* 100 ms, 200 ms ... 10 s after the first time, which is at once: within the same turn. */
static void
test_back_off(void **state)
{
	static const uint64_t delays[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};

	(void)state;
	mode = "quit";
	child_start(&child);
	until(&n_down, 1);
	assert_int_equal(n_launched, 2);
	for (size_t i = 0; i < sizeof(delays) / sizeof(*delays); i++) {
		until(&n_down, n_down + 1);
		assert_int_equal(WEXITSTATUS(last_status), 3);
		assert_int_equal(delay_ms(), delays[i]);
		loop_timer_cancel(&loop, &child.timer);
		child_start(&child);
	}
	/* A good run begins from the start. */
	n_launched = 0;
	child.started_ms -= 30000;
	until(&n_down, n_down + 1);
	assert_int_equal(n_launched, 1);
}

static void
test_started_again(void **state)
{
	(void)state;
	mode = "quit";
	child_start(&child);
	until(&n_launched, 3);
	mode = "obey";
	until(&n_messages, 1);
	assert_int_equal(n_up, n_launched);
}

static void
test_launch_fails(void **state)
{
	(void)state;
	mode = "fail";
	child_start(&child);
	assert_int_equal(n_up, 0);
	assert_int_equal(delay_ms(), 0);
	until(&n_launched, 2);
	assert_int_equal(delay_ms(), 100);
	mode = "obey";
	until(&n_up, 1);
	until(&n_messages, 1);
	assert_int_equal(n_down, 0);
}

static void
test_rude(void **state)
{
	(void)state;
	mode = "rude";
	child_start(&child);
	until(&n_down, 1);
	assert_int_equal(n_messages, 0);
	assert_int_equal(n_launched, 2);
}

static void
test_condemned(void **state)
{
	struct err why = {"it was a test"};

	(void)state;
	mode = "stubborn";
	child_start(&child);
	until(&n_messages, 1);
	child_condemn(&child, &why);
	assert_false(child_is_up(&child));
	until(&n_down, 1);
	assert_int_equal(WTERMSIG(last_status), SIGKILL);
}

/* The end of its channel is not its end; it gets two seconds. */
static void
test_hang_up(void **state)
{
	(void)state;
	mode = "hang-up";
	child_start(&child);
	while (child_is_up(&child))
		assert_int_equal(loop_turn(&loop, 1000), 0);
	assert_int_not_equal(child.pid, 0);
	assert_true(delay_ms() > 1000 && delay_ms() <= 2000);
	until(&n_down, 1);
	assert_int_equal(WTERMSIG(last_status), SIGKILL);
}

static void
test_start_from_down(void **state)
{
	(void)state;
	mode = "quit";
	start_in_down = true;
	child_start(&child);
	until(&n_down, 1);
	assert_int_not_equal(child.pid, 0);
	assert_int_equal(child.timer.slot, 0);
	until(&n_messages, 1);
}

/* Nobody is told what cannot be sent. */
static void
test_send_when_down(void **state)
{
	struct msg m;

	(void)state;
	msg_begin(&m, MSG_LOGS_REMOVE, 0);
	wire_put_str(&m.out, "app");
	child_send(&child, &m);
	mode = "obey";
	child_start(&child);
	until(&n_messages, 1);
}

/* One somebody else is the parent of: its status stays unknown, its end does not. */
static void
test_adopt(void **state)
{
	AUTO_FD int pid_fd = -1;
	int ends[2], pids[2], channel_fd;
	struct err err;
	pid_t pid, middle;

	(void)state;
	mode = "obey";
	assert_int_equal(msg_pair(ends, true), 0);
	assert_int_equal(pipe2(pids, O_CLOEXEC), 0);
	middle = fork();
	assert_true(middle >= 0);
	if (middle == 0) {
		n_launched = 0;
		if (launch(&child, ends, &pid, &pid_fd, &err) == 0)
			(void)!write(pids[1], &pid, sizeof(pid));
		_exit(0);
	}
	assert_int_equal(read(pids[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(waitpid(middle, NULL, 0), middle);
	close(pids[0]);
	close(pids[1]);
	close(ends[1]);
	pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(pid_fd >= 0);
	channel_fd = ends[0];
	assert_int_equal(child_adopt(&child, pid, take_fd(&pid_fd), channel_fd), 0);
	assert_true(child.is_ready);
	assert_int_equal(n_up, 1);
	until(&n_messages, 1);
	child_stop(&child, 10000);
	until(&n_down, 1);
	assert_int_equal(last_status, -1);
}

/* paasd reaps whatever there is on SIGCHLD, which may come before the pidfd's event. */
static void
test_reaped_by_another(void **state)
{
	int status;

	(void)state;
	mode = "quit";
	child_start(&child);
	assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
	child_reaped(&child, status);
	until(&n_down, 1);
	assert_int_equal(WEXITSTATUS(last_status), 3);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_of_a_stubborn_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_of_a_router, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_back_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_started_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_launch_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rude, setup, teardown),
		cmocka_unit_test_setup_teardown(test_condemned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hang_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start_from_down, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_when_down, setup, teardown),
		cmocka_unit_test_setup_teardown(test_adopt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reaped_by_another, setup, teardown),
	};

	if (argc == 3 && strcmp(argv[1], "--child") == 0)
		return child_main(argv[2]);
	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}

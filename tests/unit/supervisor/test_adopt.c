/* What a killed paasd leaves behind is taken over by the next one. */
#include "tests/unit/supervisor/world.h"

/*
 * Runs a supervisor in a process of its own until `until` was reported of its sandbox, then
 * kills that process. The sandbox's id.
 */
static uint64_t
crash(struct world *w, enum sandbox_kind kind, const char *script, bool is_logged)
{
	struct sandbox_order order = world_order(w, kind, 0);
	int ends[2], status;
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		world_open_supervisor(w);
		supervisor_control_up(w->s);
		world_create_app(w, "hello");
		if (faccessat(w->state_fd, "slugs/hello/1", F_OK, 0) < 0)
			world_create_slug(w, "hello");
		w->has_logs = is_logged;
		(void)world_start(w, &order, script, NULL, -1);
		(void)world_wait(w, MSG_SANDBOX_STARTED, order.id);
		if (write(ends[1], "s", 1) != 1)
			_exit(1);
		for (;;)
			(void)loop_turn(&w->loop, -1);
	}
	(void)close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	(void)close(ends[0]);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return order.id;
}

static bool
has_register_entry(void)
{
	static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
	char path[64];

	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/paas-" PLATFORM, roots[i]);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static void
a_running_sandbox_goes_on(void **state)
{
	struct world *w = world_new();
	uint64_t id = crash(w, SANDBOX_APP,
			    "echo x >/app/alive; trap 'exit 4' TERM; while :; do sleep "
			    "0.02; done",
			    false);
	const struct report *r;

	(void)state;
	world_open_supervisor(w);
	assert_int_equal(supervisor_count(w->s), 1);
	supervisor_control_up(w->s);
	r = world_wait(w, MSG_SANDBOX_FOUND, id);
	assert_string_equal(r->text, "hellov3.web.1");
	assert_non_null(world_find(w, MSG_SANDBOX_STARTED, id));
	world_signal(w, id, SIGTERM);
	r = world_wait(w, MSG_SANDBOX_EXITED, id);
	assert_int_equal(r->status, 4 << 8);
	assert_int_equal(r->limit_bytes, 256UL << 20);
	world_free(w);
	assert_false(has_register_entry());
}

static void
an_exit_in_between_is_not_lost(void **state)
{
	struct world *w = world_new();
	struct report *r;
	uint64_t id = crash(w, SANDBOX_APP, "sleep 0.2; exit 6", false);

	(void)state;
	/* Longer than the program runs: nobody is there to hear of its end. */
	(void)usleep(400000);
	world_open_supervisor(w);
	supervisor_control_up(w->s);
	assert_non_null(world_find(w, MSG_SANDBOX_FOUND, id));
	r = world_wait(w, MSG_SANDBOX_EXITED, id);
	assert_int_equal(r->status, 6 << 8);
	world_free(w);
}

static void
an_exit_waits_for_control(void **state)
{
	struct world *w = world_new();
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);
	uint64_t end = world_now_ms() + WAIT_MS;

	(void)state;
	world_open_supervisor(w);
	supervisor_control_up(w->s);
	world_create_app(w, "hello");
	world_create_slug(w, "hello");
	(void)world_start(w, &order, "sleep 0.1; exit 3", NULL, -1);
	(void)world_wait(w, MSG_SANDBOX_STARTED, order.id);
	w->is_control_away = true;
	supervisor_control_down(w->s);
	/* Not even killing what waits for control makes the exit go away. */
	while (world_now_ms() < end - WAIT_MS + 400)
		assert_true(loop_turn(&w->loop, 50) >= 0);
	world_simple(w, MSG_SANDBOX_KILL, order.id);
	for (int i = 0; i < 10; i++)
		assert_true(loop_turn(&w->loop, 20) >= 0);
	assert_int_equal(supervisor_count(w->s), 1);
	w->is_control_away = false;
	supervisor_control_up(w->s);
	assert_non_null(world_find(w, MSG_SANDBOX_FOUND, order.id));
	assert_int_equal(world_wait(w, MSG_SANDBOX_EXITED, order.id)->status, 3 << 8);
	world_wait_empty(w);
	world_free(w);
}

static void
a_killed_sandbox_is_cleaned_up(void **state)
{
	struct world *w = world_new();
	uint64_t id = crash(w, SANDBOX_APP, "kill -STOP $$; sleep 1000", false);
	char procs[256], path[512];
	FILE *f;
	int pid = 0;

	(void)state;
	(void)snprintf(procs, sizeof(procs),
		       "paas-" PLATFORM "/app.%llu.0.hello.v3.web.1/cgroup.procs",
		       (unsigned long long)id);
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/unified/%s", procs);
	f = fopen(path, "r");
	if (!f) {
		(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", procs);
		f = fopen(path, "r");
	}
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	(void)fclose(f);
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (kill(pid, 0) == 0)
		(void)usleep(1000);
	world_open_supervisor(w);
	supervisor_control_up(w->s);
	assert_null(world_find(w, MSG_SANDBOX_FOUND, id));
	world_wait_empty(w);
	world_free(w);
	assert_false(has_register_entry());
}

static void
the_log_comes_back(void **state)
{
	struct world *w = world_new();
	uint64_t id = crash(w, SANDBOX_APP, "while :; do echo tick; sleep 0.02; done", true);
	struct msg m;

	(void)state;
	world_open_supervisor(w);
	supervisor_control_up(w->s);
	w->has_logs = true;
	supervisor_logs_up(w->s);
	assert_true(w->log_fd >= 0);
	assert_int_equal(msg_receive(w->log_fd, &m), 1);
	assert_int_equal(m.type, MSG_LOG_LINES);
	msg_done(&m);
	world_simple(w, MSG_SANDBOX_KILL, id);
	(void)world_wait(w, MSG_SANDBOX_EXITED, id);
	world_free(w);
}

static void
builds_keep_their_disk(void **state)
{
	struct world *w = world_new();
	uint64_t id = crash(w, SANDBOX_BUILD, "echo y >/disk/cached; while :; do sleep 0.02; done",
			    false);
	struct sandbox_order order;
	char out[64];

	(void)state;
	world_open_supervisor(w);
	supervisor_control_up(w->s);
	order = world_order(w, SANDBOX_BUILD, 0);
	order.id += 100;
	(void)world_run(w, &order, "cat /disk/cached", out, sizeof(out));
	assert_string_equal(out, "y\n");
	world_simple(w, MSG_SANDBOX_KILL, id);
	(void)world_wait(w, MSG_SANDBOX_EXITED, id);
	world_free(w);
}

static void
routers_are_found_again(void **state)
{
	struct world *w = world_new();
	struct supervisor_router routers[4];
	struct err err = {0};
	pid_t pid;

	(void)state;
	world_open_supervisor(w);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	assert_int_equal(supervisor_router_add(w->s, 2, pid, &err), 0);
	supervisor_close(w->s);
	loop_done(&w->loop);

	world_open_supervisor(w);
	assert_int_equal(supervisor_routers(w->s, routers, 4), 1);
	assert_int_equal(routers[0].worker, 2);
	assert_int_equal(routers[0].pid, pid);
	(void)close(routers[0].pid_fd);
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(supervisor_routers(w->s, routers, 4), 0);
	world_free(w);
	assert_false(has_register_entry());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_sandbox_goes_on),
		cmocka_unit_test(an_exit_in_between_is_not_lost),
		cmocka_unit_test(an_exit_waits_for_control),
		cmocka_unit_test(a_killed_sandbox_is_cleaned_up),
		cmocka_unit_test(the_log_comes_back),
		cmocka_unit_test(builds_keep_their_disk),
		cmocka_unit_test(routers_are_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

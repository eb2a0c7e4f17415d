/* What a killed paasd leaves behind is taken over by the next one. */
#include "tests/unit/supervisor/world.h"

#include <poll.h>

/*
 * Runs a supervisor in a process of its own until its sandbox runs and has printed something,
 * then kills that process. The sandbox's id; *output_fd ends when its program does.
 */
static uint64_t
crash(struct world *w, enum sandbox_kind kind, const char *script, int *output_fd)
{
	struct sandbox_order order = world_order(w, kind, 0);
	int ready[2], output[2], status, null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		world_open_supervisor(w);
		supervisor_control_up(w->s);
		world_create_app(w, "hello");
		if (faccessat(w->state_fd, "slugs/hello/1", F_OK, 0) < 0)
			world_create_slug(w, "hello");
		(void)world_start(w, &order, script, (const int[3]){null_fd, output[1], output[1]},
				  -1);
		(void)world_wait(w, MSG_SANDBOX_STARTED, order.id);
		if (read(output[0], &byte, 1) != 1 || write(ready[1], "s", 1) != 1)
			_exit(1);
		for (;;)
			(void)loop_turn(&w->loop, -1);
	}
	(void)close(null_fd);
	(void)close(ready[1]);
	(void)close(output[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*output_fd = output[0];
	return order.id;
}

/* Waits for the program's end and closes. */
static void
wait_for_end(int output_fd)
{
	char text[256];

	while (read(output_fd, text, sizeof(text)) > 0)
		;
	(void)close(output_fd);
}

static bool
has_register_entry(void)
{
	static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
	char path[64];

	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/paas-%s", roots[i], world_name);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static void
a_running_sandbox_goes_on(void **state)
{
	struct world *w = world_new();
	const struct report *r;
	int output_fd;
	uint64_t id =
		crash(w, SANDBOX_APP,
		      "trap 'cat /app/alive; exit 4' TERM; echo x >/app/alive; echo ready; while "
		      ":; do sleep 0.02; done",
		      &output_fd);

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
	wait_for_end(output_fd);
	world_free(w);
	assert_false(has_register_entry());
}

static void
an_exit_in_between_is_not_lost(void **state)
{
	struct world *w = world_new();
	int output_fd;
	uint64_t id = crash(w, SANDBOX_APP, "echo ready; sleep 0.2; exit 6", &output_fd);

	(void)state;
	/* Nobody is there to hear of its end. */
	wait_for_end(output_fd);
	world_open_supervisor(w);
	supervisor_control_up(w->s);
	assert_non_null(world_find(w, MSG_SANDBOX_FOUND, id));
	assert_int_equal(world_wait(w, MSG_SANDBOX_EXITED, id)->status, 6 << 8);
	world_free(w);
}

static void
an_exit_waits_for_control(void **state)
{
	struct world *w = world_new();
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), output[2];

	(void)state;
	world_open_supervisor(w);
	supervisor_control_up(w->s);
	world_create_app(w, "hello");
	world_create_slug(w, "hello");
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	(void)world_start(w, &order, "sleep 0.2; exit 3",
			  (const int[3]){null_fd, output[1], null_fd}, -1);
	(void)close(output[1]);
	(void)close(null_fd);
	(void)world_wait(w, MSG_SANDBOX_STARTED, order.id);
	w->is_control_away = true;
	supervisor_control_down(w->s);
	wait_for_end(output[0]);
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
	char procs[256], path[512];
	int output_fd, pid = 0;
	uint64_t id = crash(w, SANDBOX_APP, "echo ready; sleep 1000", &output_fd);
	FILE *f;

	(void)state;
	(void)snprintf(procs, sizeof(procs), "paas-%s/app.%llu.0.hello.v3.web.1/cgroup.procs",
		       world_name, (unsigned long long)id);
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/unified/%s", procs);
	f = fopen(path, "r");
	if (!f) {
		(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", procs);
		f = fopen(path, "r");
	}
	assert_non_null(f);
	/* Init was first. */
	assert_int_equal(fscanf(f, "%d", &pid), 1);
	(void)fclose(f);
	assert_int_equal(kill(pid, SIGKILL), 0);
	wait_for_end(output_fd);
	while (kill(pid, 0) == 0)
		(void)poll(NULL, 0, 1);
	world_open_supervisor(w);
	supervisor_control_up(w->s);
	assert_null(world_find(w, MSG_SANDBOX_FOUND, id));
	world_wait_empty(w);
	world_free(w);
	assert_false(has_register_entry());
}

static void
builds_keep_their_disk(void **state)
{
	struct world *w = world_new();
	struct sandbox_order order;
	char out[64];
	int output_fd;
	uint64_t id =
		crash(w, SANDBOX_BUILD, "echo y >/disk/cached; echo ready; sleep 1000", &output_fd);

	(void)state;
	world_open_supervisor(w);
	supervisor_control_up(w->s);
	order = world_order(w, SANDBOX_BUILD, 0);
	order.id += 100;
	(void)world_run(w, &order, "cat /disk/cached", out, sizeof(out));
	assert_string_equal(out, "y\n");
	world_simple(w, MSG_SANDBOX_KILL, id);
	(void)world_wait(w, MSG_SANDBOX_EXITED, id);
	(void)close(output_fd);
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
		cmocka_unit_test(builds_keep_their_disk),
		cmocka_unit_test(routers_are_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

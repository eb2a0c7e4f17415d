/* What is launched: limits, environment and command line of each kind, labels read back, and
 * the repair of an interrupted push, run on a real repository. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "daemon/control/config.h"
#include "daemon/control/launch.h"
#include "lib/err.h"

static struct options options;
static struct err err;
static struct sandbox_order order;
static struct spec spec;

static int
set_up(void **state)
{
	/* The options' strings lead into these. */
	static char name[] = "control", build_env[] = "--build-env=http_proxy=http://p:1 A=b",
		    stack[] = "--stack-name=debian-12";
	char *argv[] = {name, build_env, stack, NULL};

	(void)state;
	memset(&spec, 0, sizeof(spec));
	return options_parse(&options, 3, argv, &err);
}

static int
tear_down(void **state)
{
	(void)state;
	spec_done(&spec);
	options_done(&options);
	return 0;
}

/* Checks the order as paasd would, and reads the spec as paas-init would. */
static void
check(int fd)
{
	static uint8_t bytes[4096];
	struct sandbox_order seen;
	struct wire_writer w;
	struct wire_reader r;

	assert_true(fd >= 0);
	spec_done(&spec);
	assert_int_equal(spec_read(fd, &spec), 0);
	(void)close(fd);
	order.id = 1;
	wire_write_init(&w, bytes, sizeof(bytes));
	sandbox_order_write(&w, &order);
	wire_read_init(&r, bytes, w.len);
	assert_int_equal(sandbox_order_read(&r, &seen, &err), 0);
}

static const char *
env_of(const char *key)
{
	size_t len = strlen(key);

	for (char **item = spec.envp; *item != NULL; item++)
		if (strncmp(*item, key, len) == 0 && (*item)[len] == '=')
			return *item + len + 1;
	return NULL;
}

static struct launch
launch_of(const char *type, const char *command)
{
	struct launch launch = {
		.app = "hello",
		.run_uid = 5000,
		.version = 3,
		.slug = 2,
		.type = type,
		.number = 1,
		.command = command,
	};

	return launch;
}

static void
a_web_instance(void **state)
{
	struct config_var config[] = {{"LANG", "de_DE.UTF-8"}, {"PORT", "1"}, {"SECRET", "x y"}};
	struct launch launch = launch_of("web", "./serve --port $PORT");

	(void)state;
	launch.config = config;
	launch.n_config = 3;
	check(launch_app(&options, &launch, &order, &err));
	assert_int_equal(order.kind, SANDBOX_APP);
	assert_string_equal(order.label, "v3.web.1");
	assert_string_equal(order.source, "app[web.1]");
	assert_int_equal(order.slug, 2);
	assert_int_equal(order.uid, 5000);
	assert_int_equal(order.memory_bytes, 512 << 20);
	assert_int_equal(order.pids, 256);
	assert_int_equal(order.cpu_weight, 200);
	assert_int_equal(order.flags, 0);
	assert_string_equal(spec.cwd, "/app");
	assert_string_equal(spec.argv[0], "/bin/bash");
	assert_string_equal(spec.argv[1], "-c");
	assert_string_equal(spec.argv[2], "./serve --port $PORT");
	assert_null(spec.argv[3]);
	assert_string_equal(env_of("PORT"), "5000"); /* whatever the config says */
	assert_string_equal(env_of("DYNO"), "web.1");
	assert_string_equal(env_of("HOME"), "/app");
	assert_string_equal(env_of("PATH"), "/usr/local/bin:/usr/bin:/bin");
	assert_string_equal(env_of("LANG"), "de_DE.UTF-8");
	assert_string_equal(env_of("SECRET"), "x y");
	assert_string_equal(env_of("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt");
	assert_null(env_of("http_proxy"));
}

static void
a_worker_and_a_run(void **state)
{
	static const char *const extra[] = {"TERM=xterm", "DYNO=web.9", "nonsense", "=x", NULL};
	struct launch launch = launch_of("worker", "work");

	(void)state;
	check(launch_app(&options, &launch, &order, &err));
	assert_int_equal(order.cpu_weight, 100);
	assert_null(env_of("PORT"));
	launch = launch_of("run", "bash");
	launch.number = 4711;
	launch.env = extra;
	launch.is_attached = true;
	launch.flags = SANDBOX_PTY;
	launch.columns = 80;
	launch.rows = 24;
	check(launch_app(&options, &launch, &order, &err));
	assert_string_equal(order.label, "v3.run.4711.attached");
	assert_int_equal(order.cpu_weight, 50);
	assert_int_equal(order.flags, SANDBOX_PTY);
	assert_int_equal(order.columns, 80);
	assert_string_equal(env_of("TERM"), "xterm");
	assert_string_equal(env_of("DYNO"), "run.4711");
}

static void
labels_are_read_back(void **state)
{
	static const char *const wrong[] = {"build",   "git",	     "v3.web", "v3.web.x",
					    "3.web.1", "v3.web.1.x", "v3..1",  ""};
	struct launch_label label;

	(void)state;
	assert_int_equal(launch_label_read("v12.my-type_2.34", &label), 0);
	assert_int_equal(label.version, 12);
	assert_string_equal(label.type, "my-type_2");
	assert_int_equal(label.number, 34);
	assert_false(label.is_attached);
	assert_int_equal(launch_label_read("v3.run.4711.attached", &label), 0);
	assert_true(label.is_attached);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(launch_label_read(wrong[i], &label), -EINVAL);
}

static void
too_long_a_type_is_refused(void **state)
{
	struct launch launch = launch_of(
		"ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt", "x");

	(void)state;
	assert_int_equal(launch_app(&options, &launch, &order, &err), -ENAMETOOLONG);
	assert_non_null(strstr(err.text, "process type"));
}

/* The script a slug's profile goes through, run by the real shell. */
static void
profiles_come_before_the_command(void **state)
{
	char dir[] = "/tmp/paas-unit-XXXXXX", script[4096], command[4096], line[128] = "";
	struct launch launch = launch_of("web", "echo $A$B$C $0");

	(void)state;
	launch.has_profile = true;
	check(launch_app(&options, &launch, &order, &err));
	assert_string_equal(spec.argv[3], "bash");
	assert_string_equal(spec.argv[4], "echo $A$B$C $0");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(system("mkdir .profile.d; echo 'export A=1 B=1' >.profile.d/a.sh;"
				"echo 'export B=2' >.profile.d/b.sh; echo 'export C=3' >.profile;"
				"echo 'export C=never' >.profile.d/c.txt"),
			 0);
	/* /app is our directory here. */
	size_t n = 0;

	for (const char *at = spec.argv[2]; *at != '\0'; at++) {
		if (strncmp(at, "/app/", 5) == 0) {
			script[n++] = '.';
			at += 3;
			continue;
		}
		script[n++] = *at;
	}
	script[n] = '\0';
	FILE *file = fopen("script", "w");

	assert_non_null(file);
	assert_true(fputs(script, file) >= 0);
	assert_int_equal(fclose(file), 0);
	(void)snprintf(command, sizeof(command),
		       "/bin/bash -c \"$(cat script)\" bash 'echo $A$B$C' && rm -r %s", dir);
	file = popen(command, "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	assert_int_equal(pclose(file), 0);
	assert_string_equal(line, "123\n");
}

static void
a_build(void **state)
{
	(void)state;
	check(launch_build(&options, "hello", 6000, 7, "abcdef", &order, &err));
	assert_int_equal(order.kind, SANDBOX_BUILD);
	assert_int_equal(order.flags, SANDBOX_STDIO | SANDBOX_JOB);
	assert_int_equal(order.cpu_weight, 25);
	assert_int_equal(order.slug, 7);
	assert_int_equal(order.memory_bytes, (uint64_t)2 << 30);
	assert_string_equal(spec.argv[0], "/paas/bin/paas-build");
	assert_string_equal(env_of("STACK"), "debian-12");
	assert_string_equal(env_of("SOURCE_VERSION"), "abcdef");
	assert_string_equal(env_of("http_proxy"), "http://p:1");
	assert_string_equal(env_of("A"), "b");
	check(launch_unpack(&options, "hello", 5000, 7, &order, &err));
	assert_int_equal(order.kind, SANDBOX_UNPACK);
	assert_int_equal(order.flags, SANDBOX_STDIO);
	assert_string_equal(spec.argv[1], "--unpack");
}

static void
git_services(void **state)
{
	bool has_limit = false;

	(void)state;
	check(launch_git(&options, "hello", 6000, GIT_RECEIVE_PACK, "", &order, &err));
	assert_int_equal(order.kind, SANDBOX_GIT);
	assert_int_equal(order.uid, 6000);
	assert_int_equal(order.flags, SANDBOX_STDIO | SANDBOX_JOB);
	assert_null(env_of("GIT_PROTOCOL"));
	for (char **arg = spec.argv; *arg != NULL; arg++)
		has_limit = has_limit || strcmp(*arg, "receive.maxInputSize=1073741824") == 0;
	assert_true(has_limit);
	check(launch_git(&options, "hello", 6000, GIT_UPLOAD_PACK, "version=2", &order, &err));
	assert_int_equal(order.flags, SANDBOX_STDIO);
	assert_string_equal(env_of("GIT_PROTOCOL"), "version=2");
}

static void
config_for_the_builder(void **state)
{
	struct config_var config[] = {{"A", "1"}, {"B", "two\nlines"}};
	int fd = launch_config(config, 2, &err);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(spec_read(fd, &spec), 0);
	(void)close(fd);
	assert_string_equal(env_of("A"), "1");
	assert_string_equal(env_of("B"), "two\nlines");
	assert_null(spec.envp[2]);
}

/* A repository as receive-pack leaves it when it is killed during its hook. */
static const char interrupted[] =
	"set -e; exec >/dev/null 2>&1\n"
	"export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a "
	"GIT_COMMITTER_EMAIL=a@b\n"
	"git init -q --bare -b master repo; git init -q -b master work; cd work\n"
	"echo one >file; git add file; git commit -q -m one; echo two >file; git commit -q -am "
	"two\n"
	"git rev-parse HEAD >../commit\n"
	"mkdir -p ../repo/objects/tmp_objdir-incoming-abc/pack\n"
	"git rev-list --objects HEAD | git pack-objects "
	"../repo/objects/tmp_objdir-incoming-abc/pack/pack\n"
	"mkdir -p ../repo/objects/tmp_objdir-incoming-abc/ab\n"
	"echo junk >../repo/objects/tmp_objdir-incoming-abc/ab/cdef\n"
	"echo 1111111111111111111111111111111111111111 >../repo/shallow_Xyz\n"
	"touch ../repo/refs/heads/master.lock\n";

static int
run_repair(const char *repository)
{
	char *argv[8];
	pid_t pid;
	int status;

	for (int i = 0; i < 7; i++)
		argv[i] = spec.argv[i];
	argv[6] = (char *)(uintptr_t)repository;
	argv[7] = NULL;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open("/dev/null", O_RDWR);

		(void)dup2(fd, 2);
		(void)execve(argv[0], argv, spec.envp);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void
an_interrupted_push_is_finished(void **state)
{
	char dir[] = "/tmp/paas-unit-XXXXXX", commit[64] = "", repository[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(system(interrupted), 0);
	FILE *file = fopen("commit", "r");

	assert_non_null(file);
	assert_non_null(fgets(commit, sizeof(commit), file));
	(void)fclose(file);
	commit[strcspn(commit, "\n")] = '\0';
	(void)snprintf(repository, sizeof(repository), "%s/repo", dir);
	check(launch_repair(&options, "hello", 6000, "refs/heads/master", commit, &order, &err));
	assert_int_equal(order.kind, SANDBOX_GIT);
	assert_int_equal(order.flags, 0);
	assert_int_equal(run_repair(repository), 0);
	assert_int_equal(system("test \"$(git -C repo rev-parse master)\" = \"$(cat commit)\""), 0);
	assert_int_equal(system("test -z \"$(ls -d repo/objects/tmp_objdir* repo/shallow_* "
				"2>/dev/null)\" && grep -q 1111 repo/shallow"),
			 0);
	assert_int_equal(system("rm repo/shallow; git clone -q repo clone 2>/dev/null && "
				"test \"$(cat clone/file)\" = two"),
			 0);
	/* Once more changes nothing; a commit that is not there is not made the ref. */
	assert_int_equal(run_repair(repository), 0);
	check(launch_repair(&options, "hello", 6000, "refs/heads/master",
			    "1234567890123456789012345678901234567890", &order, &err));
	assert_int_not_equal(run_repair(repository), 0);
	assert_int_equal(system("test \"$(git -C repo rev-parse master)\" = \"$(cat commit)\""), 0);
	assert_int_equal(chdir("/"), 0);
	(void)snprintf(repository, sizeof(repository), "rm -r %s", dir);
	assert_int_equal(system(repository), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_web_instance),
		TEST(a_worker_and_a_run),
		TEST(labels_are_read_back),
		TEST(too_long_a_type_is_refused),
		TEST(profiles_come_before_the_command),
		TEST(a_build),
		TEST(git_services),
		TEST(config_for_the_builder),
		TEST(an_interrupted_push_is_finished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whole builds: the contract with buildpacks and control, and builds that misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/builder/driver.h"

#define PLAIN "echo Plain"
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct fixture fx;
static struct result r;

static int
setup(void **state)
{
	(void)state;
	fixture_init(&fx);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fixture_done(&fx);
	return 0;
}

static void
assert_said(const char *what)
{
	if (!strstr(r.transcript, what))
		fail_msg("the transcript does not say \"%s\":\n%s", what, r.transcript);
}

static void
assert_failed(const char *why)
{
	assert_true(WIFEXITED(r.status));
	assert_int_equal(WEXITSTATUS(r.status), 1);
	assert_false(r.is_done);
	if (!strstr(r.failed, why))
		fail_msg("\"%s\" does not say \"%s\"", r.failed, why);
}

static void
assert_built(void)
{
	if (!r.is_done || r.status != 0)
		fail_msg("status %d, \"%s\":\n%s", r.status, r.failed, r.transcript);
}

/* What a command prints about the unpacked slug. */
static const char *
in_slug(const char *command)
{
	char all[1024];

	assert_int_equal(sh(&fx,
			    "rm -rf out && mkdir out && "
			    "'%s/%s/libexec/paas/paas-build' --unpack --slug=out < slug",
			    getcwd((char[256]){0}, 256), getenv("B") ? getenv("B") : "build"),
			 0);
	(void)snprintf(all, sizeof(all), "cd out && %s", command);
	return sh_line(&fx, all);
}

/* ---- the contract -------------------------------------------------------------------------- */

static void
test_contract(void **state)
{
	(void)state;
	make_pack(&fx, "plain", PLAIN,
		  "{ echo \"$1 $2 $3 $#\"; pwd; echo \"$STACK $SOURCE_VERSION $HOME\";\n"
		  "  echo \"${GIT_DIR-none} ${PAAS_JOB_FD-none} ${SECRET-none} $FROM_BUILD_ENV\";\n"
		  "  cat \"$3/SECRET\"; echo; [[ -n $REQUEST_ID && -w $TMPDIR && -w $HOME ]] && "
		  "echo ok; ls /proc/self/fd | wc -l; [[ -w $(dirname \"$0\") ]] && echo writable; "
		  "} > facts",
		  "printf -- '---\\ndefault_process_types:\\n  web: run me\\n  worker: w2\\n'");
	assert_int_equal(sh(&fx, "printf 'worker: bundle exec w\\n' > work/Procfile"), 0);
	commit(&fx);
	build(&fx,
	      &(struct order){.packs = LIST("plain"), .config = LIST("SECRET=a\nb", "bad-name=x")},
	      &r);
	assert_built();
	assert_string_equal(r.packs, "plain=Plain;");
	assert_string_equal(r.types, "worker=bundle exec w;web=run me;");
	assert_false(r.has_profile);
	assert_said("-----> Building on the test-24 stack\n");
	assert_said("-----> Using buildpack: plain\n-----> Plain app detected\n");
	assert_said("-----> Discovering process types\n"
		    "       Procfile declares types -> worker\n"
		    "       Default types for buildpack -> web\n");
	assert_said("\n\n-----> Compressing...\n       Done: ");

	char want[512];
	(void)snprintf(want, sizeof(want), "%s/disk/build %s/disk/cache", fx.dir, fx.dir);
	assert_memory_equal(in_slug("sed -n 1p facts"), want, strlen(want));
	assert_string_equal(in_slug("sed -n 1p facts | cut -d' ' -f4"), "3");
	(void)snprintf(want, sizeof(want), "%s/disk/build", fx.dir);
	assert_string_equal(in_slug("sed -n 2p facts"), want);
	(void)snprintf(want, sizeof(want), "test-24 %s %s/app",
		       sh_line(&fx, "git -C work rev-parse HEAD"), fx.dir);
	assert_string_equal(in_slug("sed -n 3p facts"), want);
	assert_string_equal(in_slug("sed -n 4p facts"), "none none none yes");
	assert_string_equal(in_slug("sed -n 5,6p facts | tr '\\n' ,"), "a,b,");
	assert_string_equal(in_slug("sed -n 7p facts"), "ok");
	assert_string_equal(in_slug("sed -n 8p facts"), "4"); /* 0 1 2 and ls's own */
	assert_string_equal(in_slug("sed -n 9p facts"), "writable");
	/* Nothing is left but the cache, above all no config vars. */
	assert_string_equal(sh_line(&fx, "ls disk | tr '\\n' ' '"), "cache ");
	(void)snprintf(want, sizeof(want), "ls -d %s 2>/dev/null | wc -l",
		       in_slug("sed -n 1p facts | cut -d' ' -f3"));
	assert_string_equal(sh_line(&fx, want), "0");
}

static void
test_cache_and_leftovers(void **state)
{
	(void)state;
	make_pack(&fx, "plain", PLAIN, "cat \"$2/n\" 2>/dev/null; echo x >> \"$2/n\"; ls", NULL);
	commit(&fx);
	assert_int_equal(sh(&fx, "mkdir -p disk/build/old disk/tmp/x/y disk/app/z && "
				 "chmod 555 disk/tmp/x disk/build"),
			 0);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_built();
	assert_null(strstr(r.transcript, "old"));
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_built();
	assert_said("x\n");
	assert_string_equal(sh_line(&fx, "ls -A disk/app | wc -l"), "0");
}

static void
test_several(void **state)
{
	(void)state;
	make_pack(&fx, "one", "echo One",
		  "echo \"one $FROM_ONE\"; echo 'export FROM_ONE=\"a b\"' > \"$(dirname "
		  "$0)/../export\"",
		  "echo 'default_process_types: {web: of one}'");
	make_pack(&fx, "two", "echo Two",
		  "mkdir -p .profile.d; echo \"two sees $FROM_ONE with $#\"; touch .profile.d/x.sh",
		  "echo 'default_process_types: {web: of two, worker: w}'");
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("one", "heroku/two")}, &r);
	assert_built();
	assert_said(
		"-----> Using buildpacks:\n       1. one\n       2. heroku/two\n"
		"-----> One app detected\none \n-----> Two app detected\ntwo sees a b with 3\n");
	assert_string_equal(r.packs, "one=One;heroku/two=Two;");
	assert_string_equal(r.types, "web=of two;worker=w;");
	assert_true(r.has_profile);
}

static void
test_guess(void **state)
{
	(void)state;
	make_pack(&fx, "nodejs", "exit 1", "exit 9", NULL);
	make_pack(&fx, "static", "[[ -f $1/index.html ]] && echo Static", "exit 0", NULL);
	make_pack(&fx, "procfile", "echo Procfile", "exit 9", NULL);
	assert_int_equal(sh(&fx, "touch work/index.html"), 0);
	commit(&fx);
	build(&fx, &(struct order){0}, &r);
	assert_built();
	assert_said("-----> Determining which buildpack to use for this app\n"
		    "-----> Static app detected\n");
	assert_string_equal(r.packs, "static=Static;");
	assert_said("Procfile declares types -> (none)");
	assert_said(" !     There is nothing to run");
}

static void
test_no_language(void **state)
{
	(void)state;
	make_pack(&fx, "nodejs", "exit 1", "exit 9", NULL);
	commit(&fx);
	build(&fx, &(struct order){0}, &r);
	assert_failed("Push rejected, no buildpack fits this app.");
	assert_said(" !     No default language could be detected for this app.\n");
}

static void
test_unknown_and_unfit(void **state)
{
	(void)state;
	make_pack(&fx, "one", "exit 1", "exit 0", NULL);
	make_pack(&fx, "two", PLAIN, NULL, NULL);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("nosuch")}, &r);
	assert_failed("There is no buildpack \"nosuch\". There are: one, two;");
	build(&fx, &(struct order){.packs = LIST("../work")}, &r);
	assert_failed("There is no buildpack \"../work\".");
	build(&fx, &(struct order){.packs = LIST("one")}, &r);
	assert_failed("the buildpack one does not fit this app");
	assert_said("-----> App not compatible with buildpack: one\n");
	build(&fx, &(struct order){.packs = LIST("two")}, &r);
	assert_failed("two has no program bin/compile");
	build(&fx, &(struct order){.packs = LIST("ssh://git@example.org/x.git")}, &r);
	assert_failed("only https:// and http:// addresses");
	build(&fx, &(struct order){.packs = LIST("https://u:secret@localhost:1/x.git#main")}, &r);
	assert_failed("The buildpack https://localhost:1/x.git#main could not be fetched");
	assert_null(strstr(r.failed, "secret"));
}

static void
test_quarantine(void **state)
{
	(void)state;
	make_pack(&fx, "plain", PLAIN, "exit 0", NULL);
	commit(&fx);
	/* As in receive-pack: the new objects lie beside the database until accepted. */
	assert_int_equal(sh(&fx, "mkdir repo.git/objects/tmp_objdir-incoming-a && "
				 "cd repo.git/objects && mv ?? tmp_objdir-incoming-a/ && "
				 "mkdir -p pack"),
			 0);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_failed("is not in the repository");
	build(&fx, &(struct order){.packs = LIST("plain"), .quarantine = "tmp_objdir-incoming-a"},
	      &r);
	assert_built();
	build(&fx, &(struct order){.packs = LIST("plain"), .quarantine = "../x"}, &r);
	assert_failed("is no directory's name");
	build(&fx, &(struct order){.packs = LIST("plain"), .commit = "zzz"}, &r);
	assert_failed("is no commit");
}

/* ---- reproducible -------------------------------------------------------------------------- */

static void
test_reproducible(void **state)
{
	char first[128];

	(void)state;
	make_pack(&fx, "plain", PLAIN,
		  "mkdir -p b a; date +%N > /dev/null; echo x > b/x; echo y > a/y", NULL);
	assert_int_equal(sh(&fx, "cd work && ln -s x link && echo '#!' > run && chmod +x run"), 0);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_built();
	(void)snprintf(first, sizeof(first), "%s", r.sha256);
	assert_string_equal(sh_line(&fx, "sha256sum < slug | cut -d' ' -f1"), first);
	assert_int_equal(r.bytes, strtol(sh_line(&fx, "stat -c %s slug"), NULL, 10));
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_string_equal(r.sha256, first);
	assert_string_equal(sh_line(&fx,
				    "zstd -dc slug | tar tvf - --full-time --utc --numeric-owner |"
				    " awk '{print $1, $2, $4, $5, $6, $7, $8}' | tr '\\n' ,"),
			    "drwxr-xr-x 0/0 2023-11-14 22:13:20 ./app/  ,"
			    "drwxr-xr-x 0/0 2023-11-14 22:13:20 ./app/a/  ,"
			    "-rw-r--r-- 0/0 2023-11-14 22:13:20 ./app/a/y  ,"
			    "drwxr-xr-x 0/0 2023-11-14 22:13:20 ./app/b/  ,"
			    "-rw-r--r-- 0/0 2023-11-14 22:13:20 ./app/b/x  ,"
			    "lrwxrwxrwx 0/0 2023-11-14 22:13:20 ./app/link -> x,"
			    "-rwxr-xr-x 0/0 2023-11-14 22:13:20 ./app/run  ,");
}

static void
test_slugignore(void **state)
{
	(void)state;
	make_pack(&fx, "plain", PLAIN, "find . -type f | sort | tr '\\n' ' '", NULL);
	assert_int_equal(sh(&fx, "cd work && mkdir -p docs/a src && touch docs/a/x src/a.o src/a.c "
				 "secret && printf '/docs\\n*.o\\n!x\\nsecret\\n' > .slugignore"),
			 0);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_built();
	assert_said("-----> Leaving out 3 entries matched by .slugignore\n");
	assert_said(" !     .slugignore line 3: patterns with ! are not supported");
	assert_said("./.slugignore ./src/a.c ");
}

/* ---- builds that misbehave ----------------------------------------------------------------- */

static void
test_fails(void **state)
{
	(void)state;
	make_pack(&fx, "plain", "echo Node.js", "echo -n unfinished; exit 3", NULL);
	make_pack(&fx, "killed", PLAIN, "kill -9 $$", NULL);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_failed("Push rejected, failed to compile Node.js app.");
	assert_said("unfinished");
	build(&fx, &(struct order){.packs = LIST("killed")}, &r);
	assert_failed("Push rejected, failed to compile Plain app.");
	assert_said("killed by signal 9");
	assert_string_equal(sh_line(&fx, "ls disk | tr '\\n' ' '"), "cache ");
}

static void
test_silent(void **state)
{
	(void)state;
	make_pack(&fx, "plain", "exit 0", "exit 0", "exit 0");
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_built();
	assert_string_equal(r.packs, "plain=plain;");
	assert_string_equal(r.types, "");
}

static void
test_unfinished_line(void **state)
{
	(void)state;
	make_pack(&fx, "plain", PLAIN, "printf 'no newline'", NULL);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_said("no newline\n-----> Discovering");
}

/* Processes in the background hold stdout, in sessions of their own: they end with the step. */
static void
test_background(void **state)
{
	char mark[64], command[512];

	(void)state;
	(void)snprintf(mark, sizeof(mark), "sleep 987%d", getpid());
	(void)snprintf(command, sizeof(command),
		       "%s & setsid bash -c '%s & %s' & disown -a; echo left", mark, mark, mark);
	make_pack(&fx, "plain", command, command, command);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	/* bin/release prints "left", which is no map. */
	assert_failed("bin/release of the buildpack plain cannot be used: it is no YAML map");
	assert_said("left\n");
	assert_said("that the buildpack left running");
	(void)snprintf(command, sizeof(command), "pgrep -fxc '%s' || true", mark);
	assert_string_equal(sh_line(&fx, command), "0");
}

static void
test_bad_outputs(void **state)
{
	(void)state;
	make_pack(&fx, "yaml", PLAIN, "exit 0", "printf 'a: [\\n'");
	make_pack(&fx, "exits", PLAIN, "exit 0", "echo why >&2; exit 4");
	make_pack(&fx, "script", PLAIN, "exit 0", NULL);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("yaml")}, &r);
	assert_failed("is no YAML");
	build(&fx, &(struct order){.packs = LIST("exits")}, &r);
	assert_failed("bin/release of the buildpack exits failed: exit status 4");
	assert_said("why\n");
	assert_int_equal(sh(&fx, "printf garbage > packs/script/bin/compile"), 0);
	build(&fx, &(struct order){.packs = LIST("script")}, &r);
	assert_failed("Exec format error");
}

static void
test_procfile(void **state)
{
	(void)state;
	make_pack(&fx, "plain", PLAIN, "echo compiled", NULL);
	assert_int_equal(sh(&fx, "printf 'web: x\\nthis is wrong\\n' > work/Procfile"), 0);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_failed("Procfile line 2 is not \"type: command\" (no colon): this is wrong");
	assert_null(strstr(r.transcript, "compiled"));
	assert_int_equal(sh(&fx, "printf 'web: x\\nweb: y\\n' > work/Procfile"), 0);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_built();
	assert_said(" !     Procfile line 2 replaces an earlier line for web.\n");
	assert_string_equal(r.types, "web=y;");
	/* A link to what only this machine has is not followed. */
	assert_int_equal(sh(&fx, "ln -sf /etc/passwd work/Procfile"), 0);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_failed("The Procfile cannot be read");
	assert_int_equal(
		sh(&fx, "rm work/Procfile && mkdir work/Procfile && touch work/Procfile/x"), 0);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_failed("The Procfile is no regular file");
}

static void
test_slug_limit(void **state)
{
	(void)state;
	make_pack(&fx, "plain", PLAIN, "head -c 3000000 /dev/urandom > big; mkfifo pipe", NULL);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("plain"), .slug_max = 2 << 20}, &r);
	assert_failed("compiled slug size: 2.9M is too large (max is 2.0M).");
	assert_string_equal(sh_line(&fx, "stat -c %s slug"), "0");
	build(&fx, &(struct order){.packs = LIST("plain"), .slug_max = 4 << 20}, &r);
	assert_built();
	assert_said("       Done: 2.9M\n");
	assert_said("Warning: Your slug size (2.9M) exceeds our soft limit (2.4M)");
	assert_said("Left out 1 sockets, pipes or devices.");
	build(&fx, &(struct order){.packs = LIST("plain"), .disk_bytes = 2 << 20}, &r);
	assert_failed("The app's files are larger than 2M together");
}

/* ---- the disk ------------------------------------------------------------------------------ */

static void
make_small_disk(const char *options)
{
	assert_int_equal(sh(&fx, "mount -t tmpfs -o %s none disk", options), 0);
	fx.on_small_disk = true;
}

static void
test_full_disk(void **state)
{
	(void)state;
	make_small_disk("size=8m");
	make_pack(&fx, "fills", PLAIN,
		  "head -c 20000000 /dev/zero > f; s=$?; sleep 0.3; rm f; exit $s", NULL);
	make_pack(&fx, "cache", PLAIN, "head -c 7000000 /dev/zero > \"$2/f\"", NULL);
	make_pack(&fx, "plain", PLAIN, "ls \"$2\"", NULL);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("fills"), .disk_bytes = 8 << 20}, &r);
	assert_failed("the build filled its disk");
	assert_failed("of the limit of 8M");
	/* A cache that leaves no room for the next build goes. */
	build(&fx, &(struct order){.packs = LIST("cache"), .disk_bytes = 8 << 20}, &r);
	assert_built();
	build(&fx, &(struct order){.packs = LIST("plain"), .disk_bytes = 8 << 20}, &r);
	assert_built();
	assert_said(" !     The build cache fills most of the build disk; it is purged.\n");
}

static void
test_out_of_inodes(void **state)
{
	(void)state;
	make_small_disk("size=64m,nr_inodes=200");
	make_pack(&fx, "files", PLAIN, "for ((i = 0; i < 400; i++)); do : > f$i || exit 1; done",
		  NULL);
	commit(&fx);
	build(&fx, &(struct order){.packs = LIST("files"), .disk_bytes = 64 << 20}, &r);
	assert_failed("made more files than its disk of 64M can hold");
}

static void
test_nobody_listens(void **state)
{
	int ends[2], out[2], pid_fd, status;
	pid_t pid;

	(void)state;
	assert_int_equal(msg_pair(ends, false), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = start_builder(&fx, "/nowhere", ends[1], out[1], &pid_fd);
	(void)close(ends[1]);
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	(void)close(pid_fd);
	(void)close(out[0]);
	(void)close(out[1]);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(contract),	      TEST(cache_and_leftovers),
		TEST(several),	      TEST(guess),
		TEST(no_language),    TEST(unknown_and_unfit),
		TEST(quarantine),     TEST(reproducible),
		TEST(slugignore),     TEST(fails),
		TEST(silent),	      TEST(unfinished_line),
		TEST(background),     TEST(bad_outputs),
		TEST(procfile),	      TEST(slug_limit),
		TEST(full_disk),      TEST(out_of_inodes),
		TEST(nobody_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

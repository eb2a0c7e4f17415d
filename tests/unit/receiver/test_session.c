/*
 * paas-receiver, paas-session and paas-hook against the real ssh and git. control, paasd and the
 * paas program are stand-ins: the program is this very binary, called "paas".
 */
#include "tests/unit/receiver/standin.h"

static struct buf out;

/* Runs a command line, which must end with this code; its output is in `out`. */
#define assert_run(code, ...)                                                                      \
	do {                                                                                       \
		int code_ = run(&out, __VA_ARGS__);                                                \
		if (code_ != (code))                                                               \
			fail_msg("exit %d: %s", code_, buf_text(&out));                            \
	} while (0)

/* ssh with the options of this test's configuration */
#define SSH "ssh -F %s/ssh_config "

/* ---- as the program `paas` ---------------------------------------------------------------- */

static volatile sig_atomic_t resized;

static void
on_resize(int signal)
{
	(void)signal;
	resized = 1;
}

static void
on_term(int signal)
{
	(void)signal;
	(void)file_write_all(1, "got TERM\n", 9);
	_exit(7);
}

static void
print_size(void)
{
	struct winsize size = {0};

	(void)ioctl(0, TIOCGWINSZ, &size);
	printf("terminal %d%d%d %dx%d\n", isatty(0), isatty(1), isatty(2), size.ws_col,
	       size.ws_row);
	(void)fflush(stdout);
}

static int
program_cat(void)
{
	static char bytes[65536];
	ssize_t n;

	while ((n = read(0, bytes, sizeof(bytes))) > 0) {
		if (file_write_all(1, bytes, (size_t)n) < 0)
			return 1;
	}
	return 0;
}

static int
program_main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "nothing";

	if (strcmp(what, "args") == 0) {
		for (int i = 2; i < argc; i++)
			printf("[%s]\n", argv[i]);
	} else if (strcmp(what, "env") == 0) {
		char greeting[100] = "";

		if (read(3, greeting, sizeof(greeting) - 1) < 0)
			return 1;
		printf("%s%s %s %s %s %d\n", greeting, getenv("PAAS_API_FD"), getenv("PAAS_REMOTE"),
		       getenv("LANG"), getenv("TERM") ? getenv("TERM") : "(no TERM)",
		       getenv("LC_TEST") != NULL);
	} else if (strcmp(what, "exit") == 0) {
		fprintf(stderr, "to stderr\n");
		printf("to stdout\n");
		return atoi(argv[2]);
	} else if (strcmp(what, "die") == 0) {
		(void)raise(SIGTERM);
	} else if (strcmp(what, "cat") == 0) {
		return program_cat();
	} else if (strcmp(what, "tty") == 0) {
		print_size();
	} else if (strcmp(what, "size") == 0) {
		(void)signal(SIGWINCH, on_resize);
		print_size();
		(void)close(open("sized", O_CREAT | O_CLOEXEC, 0600));
		/* Two steps: stty sets columns and rows one after the other. */
		for (struct winsize size = {0}; size.ws_row != 40;) {
			while (!resized)
				(void)poll(NULL, 0, 10);
			resized = 0;
			(void)ioctl(0, TIOCGWINSZ, &size);
		}
		print_size();
	} else if (strcmp(what, "wait") == 0) {
		(void)signal(SIGTERM, on_term);
		(void)signal(SIGHUP, SIG_DFL);
		printf("waiting\n");
		(void)fflush(stdout);
		for (;;)
			(void)pause();
	} else if (strcmp(what, "flood") == 0) {
		for (;;)
			printf("%0512d\n", 1);
	} else {
		printf("%s?\n", what);
		return 2;
	}
	return 0;
}

/* ---- login -------------------------------------------------------------------------------- */

static void
logs_in_with_a_known_key(void **state)
{
	(void)state;
	assert_run(0, SSH "paas args hello", standin.dir);
	assert_says(&out, "[hello]");
	assert_run(0, SSH "-i %s/key_rsa paas args rsa", standin.dir, standin.dir);
	assert_says(&out, "[rsa]");
}

static void
finds_the_known_key_among_others(void **state)
{
	(void)state;
	assert_run(0,
		   "ssh -F /dev/null -o StrictHostKeyChecking=no -o "
		   "UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -i "
		   "%s/key_other -i %s/key_known -p %d paas@127.0.0.1 args several",
		   standin.dir, standin.dir, standin.port);
	assert_says(&out, "[several]");
	assert_silent(&out, "not known here");
	assert_silent(&out, "keys add");
}

static void
tells_a_stranger_what_to_do(void **state)
{
	static const char stranger[] =
		"ssh -F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o "
		"IdentitiesOnly=yes %s -p %d %s@127.0.0.1 apps </dev/null";
	char keys[300];
	struct buf unknown_user;

	(void)state;
	(void)snprintf(keys, sizeof(keys), "-i %s/key_other", standin.dir);
	assert_run(255, stranger, keys, standin.port, "paas");
	assert_says(&out, "paas: this key is not known here; ask the admin to run: paas keys add");
	assert_says(&out, "Permission denied (publickey)");

	/* A user name that nobody has: the same words. */
	(void)snprintf(keys, sizeof(keys), "-i %s/key_known", standin.dir);
	assert_run(255, stranger, keys, standin.port, "root");
	assert_says(&out, "paas: this key is not known here; ask the admin to run: paas keys add");
	buf_init(&unknown_user, 1 << 16);
	(void)snprintf(keys, sizeof(keys), "-i %s/key_other -i %s/key_third", standin.dir,
		       standin.dir);
	assert_run(255, stranger, keys, standin.port, "paas");
	assert_says(&out, "paas: none of your 2 keys is known here");
	buf_done(&unknown_user);

	assert_run(255, stranger, "-o PubkeyAuthentication=no", standin.port, "paas");
	assert_says(&out, "paas: your ssh offered no key");
}

static void
takes_no_password(void **state)
{
	(void)state;
	assert_run(255,
		   "ssh -v -F /dev/null -o StrictHostKeyChecking=no -o "
		   "UserKnownHostsFile=/dev/null -o PreferredAuthentications=password "
		   "-p %d paas@127.0.0.1 apps </dev/null",
		   standin.port);
	assert_says(&out, "Permission denied (publickey,keyboard-interactive)");
	assert_silent(&out, "Next authentication method: password");
}

static void
refuses_old_algorithms(void **state)
{
	static const char *const old[] = {
		"-o KexAlgorithms=diffie-hellman-group14-sha1",
		"-o HostKeyAlgorithms=ssh-rsa",
		"-o Ciphers=aes128-cbc",
		"-o Ciphers=aes256-ctr -o MACs=hmac-sha1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(old) / sizeof(*old); i++) {
		assert_int_equal(
			run(&out, SSH "-o LogLevel=INFO %s paas args x", standin.dir, old[i]), 255);
		assert_says(&out, "no matching");
	}
	assert_int_equal(
		run(&out, SSH "-o HostKeyAlgorithms=rsa-sha2-256 paas args x", standin.dir), 0);
}

/* ---- commands ----------------------------------------------------------------------------- */

static void
runs_the_program(void **state)
{
	(void)state;
	assert_int_equal(
		run(&out, SSH "paas args \"'a  b' c\\\\ d \\$(id) \\\"e'f\\\"\"", standin.dir), 0);
	assert_string_equal(buf_text(&out), "[a  b]\n[c d]\n[$(id)]\n[e'f]\n");
	assert_run(0, "LC_TEST=1 " SSH "-o SendEnv=LC_TEST paas env", standin.dir);
	assert_says(&out, "this is the API\n3 1 C.UTF-8 (no TERM) 0");
}

static void
passes_exit_codes_and_signals(void **state)
{
	(void)state;
	assert_run(3, SSH "paas exit 3", standin.dir);
	assert_says(&out, "to stderr");
	assert_says(&out, "to stdout");
	assert_run(255, SSH "paas die", standin.dir);
	assert_run(255, SSH "-o LogLevel=DEBUG1 paas die", standin.dir);
	assert_says(&out, "exit-signal");
}

static void
copies_stdin_byte_for_byte(void **state)
{
	(void)state;
	assert_int_equal(
		run(&out,
		    "cd %s && head -c 30000000 /dev/urandom >bytes && ssh -F ssh_config -o "
		    "RekeyLimit=4M paas cat <bytes | cmp - bytes",
		    standin.dir),
		0);
	/* One that reads nothing does not hang the session. */
	assert_run(4, "cd %s && ssh -F ssh_config paas exit 4 <bytes", standin.dir);
}

static void
gives_a_terminal(void **state)
{
	(void)state;
	assert_run(0, "script -qec 'stty cols 91 rows 33; TERM=xterm " SSH "-t paas tty' /dev/null",
		   standin.dir);
	assert_says(&out, "terminal 111 91x33");
	assert_run(0, SSH "paas tty </dev/null", standin.dir);
	assert_says(&out, "terminal 000 0x0");
	assert_run(0, "TERM=vt220 " SSH "-tt paas env </dev/null", standin.dir);
	assert_says(&out, "3 1 C.UTF-8 vt220 0");
}

static void
resizes_the_terminal(void **state)
{
	(void)state;
	/* ssh asks its own terminal when it gets SIGWINCH. */
	assert_run(0,
		   "cd %s && rm -f sized; SHELL=/bin/bash script -qec 'stty cols 80 rows 24; "
		   "(for i in {1..400}; do [ -e sized ] && break; sleep 0.02; done; "
		   "stty cols 100 rows 40) <$(tty) & ssh -F ssh_config -t paas size' "
		   "/dev/null",
		   standin.dir);
	assert_says(&out, "terminal 111 80x24");
	assert_says(&out, "terminal 111 100x40");
}

static void
hangs_up_when_the_client_goes(void **state)
{
	(void)state;
	forget_events();
	assert_run(255,
		   "coproc c { exec " SSH "paas wait; }; read -r line <&${c[0]}; "
		   "echo $line; kill $c_PID; wait $c_PID",
		   standin.dir);
	assert_says(&out, "waiting");
	await_event("session ends");
	/* A program whose output nobody takes is not a leak either. */
	forget_events();
	assert_run(0, SSH "paas flood | head -n 1 >/dev/null", standin.dir);
	await_event("session ends");
}

static void
refuses_what_is_no_command(void **state)
{
	(void)state;
	assert_run(1, SSH "paas </dev/null", standin.dir);
	assert_says(&out, "paas: hello me, there is no shell here");
	assert_run(1, SSH "-s paas sftp </dev/null", standin.dir);
	assert_says(&out, "paas: there is no sftp here");
	assert_run(1, SSH "paas \"args 'open\"", standin.dir);
	assert_says(&out, "paas: a single quote is not closed");
	assert_run(2, SSH "paas nosuch", standin.dir);
}

static void
forwards_nothing(void **state)
{
	(void)state;
	/* A command works in spite of it. */
	assert_run(0, SSH "-A -X -R 0:127.0.0.1:1 -L %s/forward:127.0.0.1:1 paas args x",
		   standin.dir, standin.dir);
	assert_says(&out, "[x]");
	assert_int_equal(
		run(&out, SSH "-o ExitOnForwardFailure=yes -N -R 0:127.0.0.1:1 paas", standin.dir),
		255);
	assert_run(255, SSH "-W 127.0.0.1:1 paas </dev/null", standin.dir);
	assert_says(&out, "paas: ports are not forwarded here");
}

static void
serves_several_channels(void **state)
{
	(void)state;
	assert_run(0,
		   "cd %s && m='ssh -F ssh_config -o ControlPath=mux' && $m -o "
		   "ControlMaster=yes -fN paas && for i in 1 2 3 4 5 6; do $m paas args "
		   "n$i & done; wait; $m -O exit paas",
		   standin.dir);
	for (int i = 1; i <= 6; i++) {
		char text[8];

		(void)snprintf(text, sizeof(text), "[n%d]", i);
		assert_says(&out, text);
	}
}

/* ---- git ---------------------------------------------------------------------------------- */

/* A bare repository for the app and a clone-to-be with one commit beside it. */
static void
make_app(const char *app)
{
	assert_int_equal(
		run(&out,
		    "cd %s && rm -rf %s %s.git && git init -q --bare %s.git && git init -q %s && "
		    "cd %s && echo one >file && git add file && git commit -qm one && "
		    "git remote add platform ssh://paas/%s.git",
		    standin.dir, app, app, app, app, app, app),
		0);
}

static void
pushes_and_clones(void **state)
{
	(void)state;
	make_app("hello");
	forget_events();
	assert_run(0, "cd %s/hello && git push platform master", standin.dir);
	assert_says(&out, "remote: -----> Building on the test stack");
	assert_says(&out, "[new branch]      master -> master");
	assert_true(has_event("deploy hello refs/heads/master "));
	assert_true(has_event("tmp_objdir-incoming-"));
	assert_int_equal(
		run(&out,
		    "cd %s && git -c protocol.version=2 clone -q ssh://paas/hello.git c1 && "
		    "cmp c1/file hello/file && git -c protocol.version=0 clone -q "
		    "paas:hello c2 && cmp c2/file hello/file && git clone -q "
		    "ssh://paas/~/hello.git c3",
		    standin.dir),
		0);
	assert_true(has_event("open fetch hello version=2"));
	assert_run(0, "cd %s/hello && git push platform master", standin.dir);
	assert_says(&out, "Everything up-to-date");
}

static void
moves_a_large_repository(void **state)
{
	(void)state;
	make_app("large");
	assert_int_equal(
		run(&out,
		    "cd %s/large && head -c 100000000 /dev/urandom >big && git add big && git "
		    "commit -qm big && git push -q platform master && cd .. && git clone -q "
		    "ssh://paas/large.git large2 && cmp large/big large2/big && git -C large2 "
		    "fsck && rm -rf large2 && GIT_SSH_COMMAND=\"$GIT_SSH_COMMAND -o "
		    "RekeyLimit=8M\" git clone -q ssh://paas/large.git large2 && cmp "
		    "large/big large2/big",
		    standin.dir),
		0);
	/* And up again, with new keys every 8 MB. */
	assert_int_equal(
		run(&out,
		    "cd %s/large && head -c 60000000 /dev/urandom >big && git commit -qam big2 "
		    "&& GIT_SSH_COMMAND=\"$GIT_SSH_COMMAND -o RekeyLimit=8M\" git push -q "
		    "platform master && rm -rf ../large ../large2 ../large.git",
		    standin.dir),
		0);
}

static void
pushes_from_a_shallow_clone(void **state)
{
	(void)state;
	make_app("shallow");
	assert_int_equal(
		run(&out,
		    "cd %s && git -C shallow commit -q --allow-empty -m two && git clone -q "
		    "--depth 1 file://$PWD/shallow shallow2 && cd shallow2 && git push "
		    "ssh://paas/shallow.git master",
		    standin.dir),
		0);
	assert_says(&out, "[new branch]      master -> master");
}

static void
refuses_other_branches_early(void **state)
{
	(void)state;
	make_app("branch");
	forget_events();
	assert_run(1, "cd %s/branch && git push platform master:feature", standin.dir);
	assert_says(&out, "remote: paas: only main and master deploy; to deploy feature use: git "
			  "push platform feature:master");
	assert_says(&out, "! [remote rejected] master -> feature (only main and master deploy)");
	await_event("git done branch 0");
	assert_run(1,
		   "cd %s/branch && git push platform master && git push platform "
		   ":master",
		   standin.dir);
	assert_says(&out, "remote: paas: master is not deleted");
	assert_says(&out, "! [remote rejected] master (deleting is refused)");
	assert_run(1,
		   "cd %s/branch && git commit -q --allow-empty -m 2 && git push "
		   "platform master:main master:master",
		   standin.dir);
	assert_says(&out, "remote: paas: main and master both deploy this app");
	assert_says(&out, "(push main or master, not both)");
	assert_int_equal(
		run(&out, "cd %s/branch && git push platform master:refs/notes/x", standin.dir), 1);
	assert_says(&out, "only branches and tags can be pushed");
}

static void
refuses_before_a_big_pack_travels(void **state)
{
	struct timespec a, b;

	(void)state;
	make_app("early");
	assert_int_equal(
		run(&out,
		    "cd %s/early && head -c 100000000 /dev/urandom >big && git add big && git "
		    "-c core.compression=0 commit -qm big",
		    standin.dir),
		0);
	forget_events();
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(
		run(&out,
		    "cd %s/early && git -c core.compression=0 -c pack.window=0 push platform "
		    "master:feature",
		    standin.dir),
		1);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	print_message("# refused in %ld ms: %s\n",
		      (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000,
		      buf_text(&out));
	assert_says(&out, "remote: paas: only main and master deploy; to deploy feature use");
	assert_silent(&out, "roken pipe");
	assert_silent(&out, "hung up");
	assert_silent(&out, "signal 13");
	await_event("git done early 0");
	assert_run(0, "du -sk %s/early.git | cut -f1", standin.dir);
	assert_true(atoi(buf_text(&out)) < 1000);
	assert_run(0, "rm -rf %s/early %s/early.git", standin.dir, standin.dir);
}

static void
answers_several_refs_one_by_one(void **state)
{
	(void)state;
	make_app("several");
	forget_events();
	assert_run(1,
		   "cd %s/several && git tag v1 && git push platform master "
		   "master:feature v1",
		   standin.dir);
	assert_says(&out, "[new branch]      master -> master");
	assert_says(&out, "[new tag]         v1 -> v1");
	assert_says(&out, "! [remote rejected] master -> feature (hook declined)");
	assert_says(&out, "remote: paas: only main and master deploy; to deploy feature use");
	assert_true(has_event("deploy several refs/heads/master"));
	/* A tag alone deploys nothing. */
	forget_events();
	assert_int_equal(
		run(&out, "cd %s/several && git tag v2 && git push platform v2", standin.dir), 0);
	assert_false(has_event("deploy"));
	/* All or nothing is nothing, and nothing is built for it. */
	assert_run(1,
		   "cd %s/several && git commit -q --allow-empty -m 2 && git push "
		   "--atomic platform master master:feature",
		   standin.dir);
	assert_says(&out, "(atomic push failure)");
	assert_false(has_event("deploy"));
}

static void
rejects_when_the_build_fails(void **state)
{
	(void)state;
	make_app("fails");
	assert_run(1, "cd %s/fails && git push platform master", standin.dir);
	assert_says(&out, "remote: -----> Building");
	assert_says(&out, "! [remote rejected] master -> master (pre-receive hook declined)");
	make_app("crash");
	assert_run(1, "cd %s/crash && git push platform master", standin.dir);
	assert_says(&out,
		    "remote:  !     The platform was restarted during this push; push again.");
	make_app("escapes");
	assert_run(0, "cd %s/escapes && git push platform master 2>&1", standin.dir);
	assert_says(&out, "remote: ared bc de \xc3\xa4");
	make_app("long");
	assert_run(0, "cd %s/long && git push platform master", standin.dir);
	assert_says(&out, "remote: line 1999 of a long transcript");
}

static void
says_what_control_says(void **state)
{
	(void)state;
	make_app("refused");
	assert_run(128, "cd %s/refused && git push platform master", standin.dir);
	assert_says(&out, "paas: you may not push to refused; ask its owner");
	make_app("busy");
	assert_run(0, "cd %s/busy && git push platform master", standin.dir);
	assert_says(&out, "paas: 2 pushes to busy before yours, waiting");
	assert_says(&out, "paas: 1 push to busy before yours, waiting");
}

static void
goes_on_without_its_client(void **state)
{
	(void)state;
	make_app("slow");
	forget_events();
	assert_run(137,
		   "set -m; cd %s/slow && { git push platform master & pid=$!; for i in "
		   "{1..400}; do grep -q deploy ../events && break; sleep 0.05; done; "
		   "kill -9 -- -$pid; wait $pid; }",
		   standin.dir);
	assert_false(has_event("git done"));
	put_file("go", "", 0600);
	await_event("git done slow 0");
	await_event("session ends");
	assert_run(0,
		   "cd %s && rm go && git -C slow.git rev-parse master >a && git -C "
		   "slow rev-parse master | cmp - a",
		   standin.dir);
}

static void
refuses_path_tricks(void **state)
{
	static const char *const tricks[] = {
		"git-receive-pack '../hello.git'",
		"git-receive-pack 'hello.git/../../x'",
		"git-receive-pack '/tmp/x.git'",
		"git-receive-pack '$(id)'",
		"git-upload-pack '`id`'",
		"git-upload-pack ''",
		"git-upload-pack",
		"git-upload-pack --strict hello",
		"git-upload-pack 'hel\nlo'",
		"git-receive-pack 'Hello.git'",
		"git-receive-pack '-x'",
		"git-receive-pack '~root/hello'",
		"git-upload-archive 'hello.git'",
		"git receive-pack 'a/b'",
		"git-receive-pack 'hello'\\''; id'",
	};
	char path[200];

	(void)state;
	forget_events();
	for (size_t i = 0; i < sizeof(tricks) / sizeof(*tricks); i++) {
		put_file("trick", tricks[i], 0600);
		(void)snprintf(path, sizeof(path), "%s/trick", standin.dir);
		int code = run(&out, SSH "paas \"$(cat %s)\" </dev/null", standin.dir, path);

		if (code != 1 || !strstr(buf_text(&out), "paas: "))
			fail_msg("%d for %s: %s", code, tricks[i], buf_text(&out));
	}
	assert_run(1,
		   SSH "paas git-receive-pack $(head -c 100000 /dev/zero | tr '\\0' a) "
		       "</dev/null",
		   standin.dir);
	assert_says(&out, "paas: ");
	assert_false(has_event("open"));
}

static void
survives_a_broken_push(void **state)
{
	(void)state;
	make_app("broken");
	forget_events();
	/* Not a push at all; and one whose upload is cut. */
	assert_run(1,
		   "echo nonsense | " SSH "paas git-receive-pack broken | tr -d '\\0'; exit "
		   "${PIPESTATUS[1]}",
		   standin.dir);
	assert_says(&out, "paas: this is not how git pushes");
	await_event("git done broken");
	forget_events();
	assert_int_equal(
		run(&out,
		    "cd %s/broken && id=$(git rev-parse HEAD) && z=$(printf '%%040d' 0) && "
		    "line=\"$z $id refs/heads/master\" && { printf '%%04x%%s\\0 report-status "
		    "side-band-64k' $((${#line} + 33)) \"$line\"; printf 0000; echo "
		    "'HEAD' | git pack-objects --revs --stdout | head -c 100; } | ssh -F "
		    "../ssh_config paas git-receive-pack broken | tr -d '\\0'",
		    standin.dir),
		0);
	await_event("git done broken");
	assert_false(has_event("deploy"));
}

static void
one_git_at_a_time(void **state)
{
	(void)state;
	make_app("slow");
	make_app("other");
	forget_events();
	assert_run(
		0,
		"cd %s && m=\"ssh -F $PWD/ssh_config -o ControlPath=$PWD/mux2\" && $m -o "
		"ControlMaster=yes -fN paas && export GIT_SSH_COMMAND=\"$m\" && { git -C slow push "
		"platform master & for i in {1..400}; do grep -q deploy events && break; sleep "
		"0.05; done; git -C other push platform master 2>&1 | while read -r line; do echo "
		"\"$line\"; [[ $line == *waiting* ]] && touch go; done; wait; $m -O exit paas; rm "
		"go; }",
		standin.dir);
	assert_says(&out, "paas: another git command runs on this connection; waiting for it");
	assert_says(&out, "To ssh://paas/slow.git\n * [new branch]      master -> master");
	assert_says(&out, "To ssh://paas/other.git\n* [new branch]      master -> master");
}

static void
gives_up_a_stalled_upload(void **state)
{
	(void)state;
	make_app("stalls");
	put_file("session_options", "--stall-time=1s --idle-time=2s", 0600);
	forget_events();
	/* By hand: a push whose pack ends in the middle, on a connection that stays open. */
	assert_run(
		1,
		"cd %s/stalls && coproc c { exec ssh -F ../ssh_config paas git-receive-pack stalls "
		"2>../said; } && id=$(git rev-parse HEAD) && z=$(printf '%%040d' 0) && line=\"$z "
		"$id refs/heads/master\" && read -r advertised <&${c[0]} && read -r -N 4 flush "
		"<&${c[0]} && { printf '%%04x%%s\\0 report-status side-band-64k' $((${#line} + "
		"33)) \"$line\"; printf 0000; echo HEAD | git pack-objects --revs --stdout | head "
		"-c 100; } >&${c[1]}; wait $c_PID; code=$?; cat ../said; exit $code",
		standin.dir);
	assert_says(&out, "paas: the upload stalled for 1 seconds");
	assert_true(has_event("stalled stalls"));
	await_event("git done stalls");
	/* A client that says nothing has more time, for its hooks and its delta search. */
	forget_events();
	assert_run(
		1,
		"cd %s && sleep 5 | ssh -F ssh_config paas git-receive-pack stalls | tr -d '\\0'; "
		"exit ${PIPESTATUS[1]}",
		standin.dir);
	assert_says(&out, "paas: nothing was uploaded for 2 seconds");
	assert_true(has_event("stalled stalls"));
	/* A build may take longer than that. */
	make_app("slow");
	forget_events();
	assert_run(
		0,
		"cd %s/slow && { git push platform master & for i in {1..400}; do grep -q deploy "
		"../events && break; sleep 0.05; done; sleep 3; touch ../go; wait $!; }",
		standin.dir);
	assert_says(&out, "[new branch]      master -> master");
	assert_run(0, "rm %s/go %s/session_options", standin.dir, standin.dir);
}

/* ---- the port ----------------------------------------------------------------------------- */

static int
connect_port(void)
{
	struct addr addr;
	struct err err;
	char text[40];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(text, sizeof(text), "127.0.0.1:%d", standin.port);
	assert_int_equal(addr_parse(text, &addr, &err), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr.sa, addr.len), 0);
	return fd;
}

/* Reads until the other side closes; bounded, so that a hang fails. */
static void
drain(int fd)
{
	char bytes[4096];
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		assert_int_equal(poll(&p, 1, 10000), 1);
		if (read(fd, bytes, sizeof(bytes)) <= 0)
			return;
	}
}

static void
survives_garbage(void **state)
{
	static const char *const garbage[] = {
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"\n\n\n\n",
		"SSH-1.5-old\r\n",
		"SSH-2.0-x\r\n\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377",
		"SSH-2.0-x\r\n\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
	};
	static char noise[100000];

	(void)state;
	for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
		int fd = connect_port();

		(void)send(fd, garbage[i], i == 4 ? 40 : strlen(garbage[i]), MSG_NOSIGNAL);
		(void)shutdown(fd, SHUT_WR);
		drain(fd);
		(void)close(fd);
	}
	int fd = connect_port();
	memset(noise, 'x', sizeof(noise));
	(void)send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
	drain(fd);
	(void)close(fd);
	logs_in_with_a_known_key(state);
}

static void
bounds_the_login(void **state)
{
	int fd;

	(void)state;
	put_file("session_options", "--login-time=1s", 0600);
	fd = connect_port();
	drain(fd);
	(void)close(fd);
	fd = connect_port();
	(void)send(fd, "SSH-2.0-slow\r\n", 14, MSG_NOSIGNAL);
	drain(fd);
	(void)close(fd);
	assert_run(0, "rm %s/session_options", standin.dir);
}

static void
bounds_strangers(void **state)
{
	int fds[40];
	char line[200] = "";
	size_t n_open = 0;

	(void)state;
	/* They say nothing, half-open; one address may have 16 of them. */
	for (size_t i = 0; i < 40; i++)
		fds[i] = connect_port();
	for (size_t i = 0; i < 40; i++) {
		struct pollfd p = {.fd = fds[i], .events = POLLIN};
		ssize_t n;

		assert_int_equal(poll(&p, 1, 10000), 1);
		n = recv(fds[i], line, sizeof(line) - 1, 0);
		assert_true(n > 0);
		line[n] = '\0';
		if (strncmp(line, "SSH-2.0-", 8) == 0)
			n_open++;
		else
			assert_string_equal(line,
					    "paas: too many connections from your address; try "
					    "again in a minute\r\n");
	}
	assert_int_equal(n_open, 16);
	forget_events();
	for (size_t i = 0; i < 40; i++)
		(void)close(fds[i]);
	/* Their sessions end with them, and others come in again. */
	for (int i = 0; i < 500 && run(&out, SSH "paas args x", standin.dir) != 0; i++)
		(void)poll(NULL, 0, 10);
	logs_in_with_a_known_key(state);
}

/* The last one: there is no control any more afterwards. */
static void
ends_when_control_does(void **state)
{
	char pid[20];

	(void)state;
	make_app("never");
	forget_events();
	(void)snprintf(pid, sizeof(pid), "%d", (int)standin.control);
	assert_int_equal(
		run(&out,
		    "cd %s && { ssh -F ssh_config paas git-upload-pack never & for i in "
		    "{1..400}; do grep -q 'open fetch never' events && break; sleep 0.05; done; "
		    "kill -9 %s; wait $!; }",
		    standin.dir, pid),
		1);
	assert_says(&out, "paas: the platform is restarting; try again in a moment");
	/* And the receiver has ended, too; paasd would start another. */
	assert_int_equal(waitpid(standin.receiver, NULL, 0), standin.receiver);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(logs_in_with_a_known_key),
		cmocka_unit_test(finds_the_known_key_among_others),
		cmocka_unit_test(tells_a_stranger_what_to_do),
		cmocka_unit_test(takes_no_password),
		cmocka_unit_test(refuses_old_algorithms),
		cmocka_unit_test(runs_the_program),
		cmocka_unit_test(passes_exit_codes_and_signals),
		cmocka_unit_test(copies_stdin_byte_for_byte),
		cmocka_unit_test(gives_a_terminal),
		cmocka_unit_test(resizes_the_terminal),
		cmocka_unit_test(hangs_up_when_the_client_goes),
		cmocka_unit_test(refuses_what_is_no_command),
		cmocka_unit_test(forwards_nothing),
		cmocka_unit_test(serves_several_channels),
		cmocka_unit_test(pushes_and_clones),
		cmocka_unit_test(moves_a_large_repository),
		cmocka_unit_test(pushes_from_a_shallow_clone),
		cmocka_unit_test(refuses_other_branches_early),
		cmocka_unit_test(refuses_before_a_big_pack_travels),
		cmocka_unit_test(answers_several_refs_one_by_one),
		cmocka_unit_test(rejects_when_the_build_fails),
		cmocka_unit_test(says_what_control_says),
		cmocka_unit_test(goes_on_without_its_client),
		cmocka_unit_test(refuses_path_tricks),
		cmocka_unit_test(survives_a_broken_push),
		cmocka_unit_test(one_git_at_a_time),
		cmocka_unit_test(gives_up_a_stalled_upload),
		cmocka_unit_test(survives_garbage),
		cmocka_unit_test(bounds_the_login),
		cmocka_unit_test(bounds_strangers),
		cmocka_unit_test(ends_when_control_does),
	};

	if (argc > 0 && strcmp(argv[0], "paas") == 0)
		return program_main(argc, argv);
	if (argc > 0 && strcmp(argv[0], "paas-session") == 0)
		return standin_session_main();
	buf_init(&out, 64 << 20);
	return cmocka_run_group_tests(tests, standin_start, standin_stop);
}

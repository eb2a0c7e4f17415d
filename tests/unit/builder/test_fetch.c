/* Submodules and buildpacks from another git server: our own file server holds repositories. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/builder/driver.h"

#include "builder/fetch.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct fixture fx;
static struct result r;
static pid_t server;
static char port[16];

/* Serves the fixture's directory on a port of the kernel's choice. */
static void
start_server(void)
{
	const char *b = getenv("B");
	char program[128], line[128] = "";
	int ends[2], pid_fd;
	struct err err;
	FILE *f;

	(void)snprintf(program, sizeof(program), "%s/libexec/paas/paas-static", b ? b : "build");
	if (pipe2(ends, O_CLOEXEC) < 0)
		abort();
	struct spawn_fd fds[] = {{ends[1], 2}};
	struct spawn spawn = {
		.exe_fd = -1,
		.path = program,
		.argv = (const char *const[]){"paas-static", fx.dir, NULL},
		.envp = (const char *const[]){"PORT=0", NULL},
		.fds = fds,
		.n_fds = 1,
		.cwd_fd = -1,
		.uid = (uid_t)-1,
	};
	if (spawn_start(&spawn, &server, &pid_fd, &err) < 0)
		abort();
	(void)close(pid_fd);
	(void)close(ends[1]);
	f = fdopen(ends[0], "r");
	if (!f || !fgets(line, sizeof(line), f) ||
	    sscanf(line, "paas-static: serving on port %15s", port) != 1)
		abort();
	(void)fclose(f);
}

static int
setup(void **state)
{
	(void)state;
	fixture_init(&fx);
	start_server();
	make_pack(&fx, "plain", "echo Plain", "find . -type f -o -type l | sort | tr '\\n' ' '",
		  NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
	fixture_done(&fx);
	return 0;
}

/* A repository NAME.git with one commit of what the shell commands leave; its commit. */
static const char *
serve(const char *name, const char *commands)
{
	static char hex[64];
	char command[256];

	if (sh(&fx,
	       "git init -q -b main %s && cd %s && (%s) && git add -A -f . && git commit -q -m x "
	       "&& "
	       "cd .. && git clone -q --bare %s %s.git && git -C %s.git update-server-info",
	       name, name, commands, name, name, name) != 0)
		abort();
	(void)snprintf(command, sizeof(command), "git -C %s rev-parse HEAD", name);
	(void)snprintf(hex, sizeof(hex), "%s", sh_line(&fx, command));
	return hex;
}

static void
assert_said(const char *what)
{
	if (!strstr(r.transcript, what))
		fail_msg("the transcript does not say \"%s\":\n%s\n%s", what, r.transcript,
			 r.failed);
}

static void
assert_failed(const char *why)
{
	if (r.is_done || !strstr(r.failed, why))
		fail_msg("\"%s\" does not say \"%s\"", r.failed, why);
}

/* work/ gets a submodule at `path` with that address. */
static void
add_submodule(const char *path, const char *url, const char *hex)
{
	assert_int_equal(
		sh(&fx,
		   "cd work && printf '[submodule \"a.b\"]\\npath = %s\\nurl = %s\\n' >> "
		   ".gitmodules && echo main > main && git add -A && git update-index --add "
		   "--cacheinfo 160000,%s,%s && git commit -q -m x && git push -q -f origin "
		   "main",
		   path, url, hex, path),
		0);
}

static void
test_addresses(void **state)
{
	char shown[64];

	(void)state;
	assert_null(fetch_check_url("https://example.org/a.git"));
	assert_null(fetch_check_url("http://example.org:80/a"));
	assert_non_null(fetch_check_url("file:///etc"));
	assert_non_null(fetch_check_url("ssh://git@example.org/a"));
	assert_non_null(fetch_check_url("git@example.org:a.git"));
	assert_non_null(fetch_check_url("ext::sh -c x"));
	assert_non_null(fetch_check_url("--upload-pack=x"));
	assert_non_null(fetch_check_url("https://example.org/a b"));
	assert_non_null(strstr(fetch_check_url("../a.git"), "relative"));
	assert_string_equal(fetch_url_text("https://u:p@h.org/a@b", shown, sizeof(shown)),
			    "https://h.org/a@b");
	assert_string_equal(fetch_url_text("nodejs", shown, sizeof(shown)), "nodejs");
}

static void
test_submodules(void **state)
{
	char url[256], hex[64];

	(void)state;
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%s/inner.git", port);
	(void)snprintf(hex, sizeof(hex), "%s", serve("inner", "echo i > innermost"));
	char commands[1024];
	(void)snprintf(commands, sizeof(commands),
		       "printf '[submodule \"i\"]\\npath = in/ner\\nurl = %s\\n' > .gitmodules && "
		       "echo o > outer && ln -s outer link && git update-index --add --cacheinfo "
		       "160000,%s,in/ner",
		       url, hex);
	/* git add -A would drop the link to an empty folder, so the folder is a repository. */
	char all[2048];
	(void)snprintf(all, sizeof(all), "mkdir -p in && git clone -q ../inner.git in/ner && %s",
		       commands);
	(void)snprintf(hex, sizeof(hex), "%s", serve("outer", all));
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%s/outer.git", port);
	add_submodule("lib/outer", url, hex);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_said("-----> Fetching submodules\n       lib/outer: ");
	assert_said("       lib/outer/in/ner: ");
	assert_said("./.gitmodules ./lib/outer/.gitmodules ./lib/outer/in/ner/innermost "
		    "./lib/outer/link ./lib/outer/outer ./main ");
	assert_true(r.is_done);
}

static void
test_submodule_failures(void **state)
{
	static const char hex[] = "0123456789012345678901234567890123456789";
	char url[256];

	(void)state;
	(void)serve("inner", "echo i > innermost");
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%s/nosuch.git", port);
	add_submodule("gone", url, hex);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_failed("The submodule gone could not be fetched from http://127.0.0.1:");
	assert_int_equal(sh(&fx, "cd work && git rm -q --cached gone && rm .gitmodules"), 0);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%s/inner.git", port);
	add_submodule("gone", url, hex);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_failed("there is no commit 0123456789012345678901234567890123456789");
	assert_int_equal(sh(&fx, "cd work && git rm -q --cached gone && rm .gitmodules"), 0);
	add_submodule("there", "../inner.git", hex);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_failed("The submodule there is recorded at \"../inner.git\": a relative address");
	assert_int_equal(sh(&fx, "cd work && git rm -q --cached there && rm .gitmodules"), 0);
	add_submodule("there", "file:///etc", hex);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_failed("only https:// and http:// addresses can be fetched");
	assert_int_equal(sh(&fx,
			    "cd work && git rm -q --cached .gitmodules && git commit -q -m x && "
			    "git push -q origin main"),
			 0);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_said(" !     there is a submodule that .gitmodules does not name; it stays empty.");
	assert_true(r.is_done);
}

static void
test_submodule_hostile(void **state)
{
	char url[256], hex[64];

	(void)state;
	(void)snprintf(hex, sizeof(hex), "%s",
		       serve("evil", "ln -s /etc target && mkdir hooks && "
				     "echo '#!/bin/sh' > hooks/post-checkout && chmod +x hooks/*"));
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%s/evil.git", port);
	/* A path that leads out through .git or a link is an ordinary tree path, so it cannot. */
	add_submodule("sub", url, hex);
	build(&fx, &(struct order){.packs = LIST("plain")}, &r);
	assert_true(r.is_done);
	assert_said("./sub/hooks/post-checkout ./sub/target ");
}

static void
test_buildpack(void **state)
{
	char spec[256];

	(void)state;
	(void)serve("pack", "mkdir bin && for p in detect compile; do printf "
			    "'#!/bin/bash\\necho Fetched\\n' > bin/$p; done; chmod +x bin/*");
	assert_int_equal(sh(&fx, "git -C pack.git tag v1 && git -C pack.git update-server-info"),
			 0);
	commit(&fx);
	(void)snprintf(spec, sizeof(spec), "http://me:pass@127.0.0.1:%s/pack.git", port);
	build(&fx, &(struct order){.packs = LIST(spec)}, &r);
	assert_said("-----> Fetched app detected\nFetched\n");
	assert_null(strstr(r.transcript, "pass"));
	assert_true(r.is_done);
	(void)snprintf(spec, sizeof(spec), "http://127.0.0.1:%s/pack.git#v1", port);
	build(&fx, &(struct order){.packs = LIST(spec)}, &r);
	assert_true(r.is_done);
	(void)snprintf(spec, sizeof(spec), "http://127.0.0.1:%s/pack.git#nosuch", port);
	build(&fx, &(struct order){.packs = LIST(spec)}, &r);
	assert_failed("could not be fetched");
	(void)snprintf(spec, sizeof(spec), "http://127.0.0.1:%s/pack.git#--upload-pack=x", port);
	build(&fx, &(struct order){.packs = LIST(spec)}, &r);
	assert_failed("is no name of a branch or tag");
	(void)snprintf(spec, sizeof(spec), "http://127.0.0.1:%s/pack.tgz", port);
	build(&fx, &(struct order){.packs = LIST(spec)}, &r);
	assert_failed("archives are not supported");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(addresses),	 TEST(submodules), TEST(submodule_failures),
		TEST(submodule_hostile), TEST(buildpack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

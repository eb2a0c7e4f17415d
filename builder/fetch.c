/*
 * git is given no configuration, no prompt, no other transport, and no work tree: what it fetched
 * is written by source.c like the app itself, so neither hooks nor filters nor links come to life.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/buf.h"
#include "lib/err.h"

#include "builder/environ.h"
#include "builder/fetch.h"
#include "builder/run.h"

#define MAX_SAID 16384

struct fetch {
	const char *url, *dir;
	struct environ_list env;
	struct buf said; /* by the last command */
};

const char *
fetch_check_url(const char *url)
{
	bool is_web = strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;

	if (strncmp(url, "./", 2) == 0 || strncmp(url, "../", 3) == 0)
		return "a relative address means nothing here: write the whole https:// address";
	if (!is_web)
		return "only https:// and http:// addresses can be fetched during a build";
	if (strlen(url) > FETCH_MAX_URL)
		return "the address is longer than 1000 bytes";
	for (const char *p = url; *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return "an address cannot hold blanks or control characters";
	}
	return NULL;
}

const char *
fetch_url_text(const char *url, char *out, unsigned long cap)
{
	const char *host = strstr(url, "://");
	const char *at, *slash;

	host = host ? host + 3 : url;
	slash = strchr(host, '/');
	at = memrchr(host, '@', slash ? (size_t)(slash - host) : strlen(host));
	(void)snprintf(out, cap, "%.*s%s", (int)(host - url), url, at ? at + 1 : host);
	return out;
}

static bool
is_hex(const char *s)
{
	return strlen(s) == 40 && strspn(s, "0123456789abcdef") == 40;
}

/* A name that git will not take for an option or a refspec of more. */
static bool
is_ref(const char *s)
{
	if (*s == '-' || *s == '+' || *s == '/' || strlen(s) > 200 || strstr(s, ".."))
		return false;
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s) && !strchr("._/-", *s))
			return false;
	}
	return true;
}

/* What git said last, without its newline: that is where the reason stands. */
static const char *
last_line(struct buf *said)
{
	char *line;

	if (said->len == 0)
		return "git said nothing";
	while (said->len > 0 && isspace((unsigned char)said->data[said->len - 1]))
		said->data[--said->len] = '\0';
	line = memrchr(said->data, '\n', said->len);
	return line ? line + 1 : said->data;
}

static int
run_git(struct fetch *f, const char *const args[], struct err *err)
{
	const char *argv[24] = {
		"git", "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60", "-C", f->dir};
	size_t n = 7;
	int status, ret;

	while (*args && n < sizeof(argv) / sizeof(*argv) - 1)
		argv[n++] = *args++;
	argv[n] = NULL;
	buf_consume(&f->said, f->said.len);
	struct run run = {
		.path = "/usr/bin/git",
		.argv = argv,
		.envp = environ_vector(&f->env),
		.cwd_fd = -1,
		.capture = &f->said,
		.joins_stderr = true,
		.timeout_s = FETCH_TIMEOUT_S,
	};
	ret = run_program(&run, &status, NULL, err);
	if (ret < 0)
		return ret;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_say(err, -EIO, "%.300s", last_line(&f->said));
	return 0;
}

static int
prepare(struct fetch *f, const struct environ_list *env)
{
	static const char *const settings[][2] = {
		{"GIT_TERMINAL_PROMPT", "0"},	      {"GIT_ASKPASS", "/bin/false"},
		{"GIT_CONFIG_NOSYSTEM", "1"},	      {"GIT_CONFIG_GLOBAL", "/dev/null"},
		{"GIT_ALLOW_PROTOCOL", "http:https"},
	};
	int ret = environ_inherit(&f->env, (char *const *)env->v);

	for (size_t i = 0; ret == 0 && i < sizeof(settings) / sizeof(*settings); i++)
		ret = environ_set(&f->env, settings[i][0], settings[i][1]);
	return ret;
}

/* The commit that was asked for, as shallow as possible; then, for a server that cannot, all. */
static int
fetch_objects(struct fetch *f, const char *want, struct err *err)
{
	int ret = run_git(f,
			  (const char *const[]){"fetch", "-q", "--depth=1", "--no-tags", "--",
						f->url, *want ? want : "HEAD", NULL},
			  err);

	if (ret == 0 || ret == -ETIMEDOUT)
		return ret;
	if (!is_hex(want))
		return run_git(f,
			       (const char *const[]){"fetch", "-q", "--no-tags", "--", f->url,
						     *want ? want : "HEAD", NULL},
			       err);
	return run_git(f,
		       (const char *const[]){"fetch", "-q", "--no-tags", "--", f->url,
					     "+refs/heads/*:refs/heads/*",
					     "+refs/tags/*:refs/tags/*", NULL},
		       err);
}

static int
fetch_into(struct fetch *f, const char *want, char commit[41], struct err *err)
{
	const char *wanted = is_hex(want) ? want : "FETCH_HEAD";
	char name[64];
	int ret =
		run_git(f, (const char *const[]){"init", "-q", "--bare", "--template=", NULL}, err);

	if (ret == 0)
		ret = fetch_objects(f, want, err);
	if (ret < 0)
		return ret;
	(void)snprintf(name, sizeof(name), "%s^{commit}", wanted);
	ret = run_git(f, (const char *const[]){"rev-parse", "-q", "--verify", name, NULL}, err);
	(void)snprintf(commit, 41, "%.40s", last_line(&f->said));
	if (ret < 0 || !is_hex(commit))
		return err_say(err, -ENOENT, "there is no commit %.100s", want);
	return 0;
}

int
fetch_commit(const char *url, const char *want, const char *dir, const struct environ_list *env,
	     char commit[41], struct err *err)
{
	struct fetch f = {.url = url, .dir = dir};
	int ret;

	if (!is_ref(want))
		return err_say(err, -EINVAL, "\"%.100s\" is no name of a branch or tag", want);
	environ_init(&f.env);
	buf_init(&f.said, MAX_SAID);
	ret = prepare(&f, env);
	if (ret < 0)
		(void)err_set(err, ret, "prepare the fetch");
	else
		ret = fetch_into(&f, want, commit, err);
	environ_done(&f.env);
	buf_done(&f.said);
	return ret;
}

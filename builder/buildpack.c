/*
 * A buildpack writes into its own folder (`export`), so each used one is a copy on the build disk.
 * It sees nothing of the run environment: config vars are files in ENV_DIR.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include "builder/buildpack.h"
#include "builder/disk.h"
#include "builder/environ.h"
#include "builder/fetch.h"
#include "builder/release.h"
#include "builder/run.h"
#include "builder/source.h"
#include "builder/transcript.h"
#include "builder/types.h"

#define DETECT_MAX_BYTES 4096
#define PACK_MAX_ENTRIES 100000
#define PACK_MAX_BYTES (256ULL << 20)
#define MAX_NAMED 32

/* ---- which ones there are ------------------------------------------------------------------ */

static bool
is_plain_name(const char *s)
{
	if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s))
		return false;
	for (; *s; s++) {
		if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) &&
		    !strchr("._-", *s))
			return false;
	}
	return true;
}

/* "heroku/nodejs" means ours of that name. */
static const char *
short_name(const char *spec)
{
	if (strncmp(spec, "heroku/", 7) == 0)
		return spec + 7;
	return strncmp(spec, "paas/", 5) == 0 ? spec + 5 : spec;
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* "go, nodejs, python" */
static void
list_library(const char *library, char *out, size_t cap)
{
	struct dirent **entries = NULL;
	int n = scandir(library, &entries, is_visible, alphasort);
	size_t len = 0;

	(void)snprintf(out, cap, "none");
	for (int i = 0; i < n; i++) {
		if (i < MAX_NAMED && len < cap)
			len += (size_t)snprintf(out + len, cap - len, "%s%s", i ? ", " : "",
						entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static int
copy_own(const struct buildpack_host *host, const char *name, const char *dir, struct err *err)
{
	AUTO_FREE char *from = NULL;
	char names[300], how[64];
	struct stat st;
	int status, ret;

	if (!is_plain_name(name) || asprintf(&from, "%s/%s", host->library, name) < 0)
		from = NULL;
	if (!from || stat(from, &st) < 0 || !S_ISDIR(st.st_mode)) {
		list_library(host->library, names, sizeof(names));
		return err_say(err, -ENOENT,
			       "There is no buildpack \"%.60s\". There are: %s; the address of a "
			       "git repository (https://...) works as well.",
			       name, names);
	}
	struct run run = {
		.path = "/bin/cp",
		.argv = (const char *const[]){"cp", "-R", "-P", "--preserve=mode", "--", from, dir,
					      NULL},
		.envp = environ_vector(host->env),
		.cwd_fd = -1,
		.out = host->out,
	};
	ret = run_program(&run, &status, NULL, err);
	if (ret == 0 && status != 0)
		ret = err_say(err, -EIO, "The buildpack %s could not be copied: %s.", name,
			      run_status_text(status, how, sizeof(how)));
	return ret;
}

/* ---- from a git server --------------------------------------------------------------------- */

static int
write_pack(const char *objects, const char *commit, const char *dir, struct err *err)
{
	struct source_budget budget = {PACK_MAX_ENTRIES, PACK_MAX_BYTES, PACK_MAX_ENTRIES,
				       PACK_MAX_BYTES};
	struct source_report report = {0};
	struct source *source = NULL;
	AUTO_FD int dir_fd = -1;
	int ret = 0;

	if (mkdir(dir, 0755) == 0)
		dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0)
		ret = err_set(err, -errno, "make %s", dir);
	if (ret == 0)
		ret = source_open(objects, NULL, commit, &source, err);
	if (ret == 0)
		ret = source_write(source, dir_fd, "", NULL, &budget, &report, err);
	source_report_done(&report);
	source_close(source);
	return ret;
}

static int
fetch_pack(const struct buildpack_host *host, struct buildpack *pack, struct err *err)
{
	AUTO_FREE char *url = strdup(pack->spec), *git_dir = NULL, *objects = NULL;
	char commit[41], *hash;
	const char *wrong;
	int ret;

	if (!url || asprintf(&git_dir, "%s.git", pack->dir) < 0 ||
	    asprintf(&objects, "%s/objects", git_dir) < 0)
		return err_set(err, -ENOMEM, "fetch a buildpack");
	hash = strchr(url, '#');
	if (hash)
		*hash++ = '\0';
	wrong = fetch_check_url(url);
	if (!wrong && (strstr(url, ".tgz") || strstr(url, ".tar.gz")))
		wrong = "archives are not supported; name its git repository";
	if (wrong)
		return err_say(err, -EINVAL, "The buildpack %.200s cannot be used: %s.",
			       pack->label, wrong);
	if (mkdir(git_dir, 0700) < 0)
		return err_set(err, -errno, "make %s", git_dir);
	ret = fetch_commit(url, hash ? hash : "", git_dir, host->env, commit, err);
	if (ret == 0)
		ret = write_pack(objects, commit, pack->dir, err);
	if (ret < 0)
		return err_prefix(err, ret, "The buildpack %.200s could not be fetched",
				  pack->label);
	ret = disk_remove(AT_FDCWD, git_dir);
	return ret < 0 ? err_set(err, ret, "remove %s", git_dir) : 0;
}

int
buildpack_open(const struct buildpack_host *host, const char *spec, size_t index,
	       struct buildpack *pack, struct err *err)
{
	/* What was detected stays known when it is opened. */
	if (pack->spec != spec)
		(void)snprintf(pack->spec, sizeof(pack->spec), "%s", spec);
	(void)fetch_url_text(pack->spec, pack->label, sizeof(pack->label));
	if (asprintf(&pack->dir, "%s/%zu", host->work, index) < 0) {
		pack->dir = NULL;
		return err_set(err, -ENOMEM, "open a buildpack");
	}
	if (strstr(pack->spec, "://") || strchr(pack->spec, '@'))
		return fetch_pack(host, pack, err);
	return copy_own(host, short_name(pack->spec), pack->dir, err);
}

void
buildpack_done(struct buildpack *pack)
{
	free(pack->dir);
	pack->dir = NULL;
}

/* ---- running its programs ------------------------------------------------------------------ */

static bool
has_program(const char *dir, const char *name)
{
	AUTO_FREE char *path = NULL;

	if (asprintf(&path, "%s/bin/%s", dir, name) < 0) {
		path = NULL;
		return false;
	}
	return access(path, X_OK) == 0;
}

/* The first line, printable, without outer blanks. */
static void
take_name(const char *text, const char *otherwise, char *out, size_t cap)
{
	size_t n = 0;

	while (isspace((unsigned char)*text))
		text++;
	for (; *text && *text != '\n' && n < cap - 1; text++) {
		if (!iscntrl((unsigned char)*text))
			out[n++] = *text;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	if (n == 0)
		(void)snprintf(out, cap, "%.100s", otherwise);
}

static int
detect(const struct buildpack_host *host, const char *dir, struct buildpack *pack, bool is_quiet,
       struct err *err)
{
	AUTO_FREE char *path = NULL;
	AUTO_BUF struct buf said;
	int status, ret;

	buf_init(&said, DETECT_MAX_BYTES);
	if (!has_program(dir, "detect"))
		return err_say(err, -ENOEXEC, "The buildpack %.200s has no program bin/detect.",
			       pack->label);
	if (asprintf(&path, "%s/bin/detect", dir) < 0) {
		path = NULL;
		return err_set(err, -ENOMEM, "run bin/detect");
	}
	struct run run = {
		.path = path,
		.argv = (const char *const[]){path, host->build_dir, NULL},
		.envp = environ_vector(host->env),
		.cwd_fd = -1,
		.out = host->out,
		.capture = &said,
		.is_quiet = is_quiet,
		.disk = host->disk,
	};
	ret = run_program(&run, &status, NULL, err);
	if (ret < 0)
		return err_prefix(err, ret, "The buildpack %.200s", pack->label);
	if (status != 0)
		return 1;
	take_name(buf_text(&said), short_name(pack->label), pack->name, sizeof(pack->name));
	return 0;
}

int
buildpack_guess(const struct buildpack_host *host, struct buildpack *pack, struct err *err)
{
	static const char *const order[] = {"nodejs", "python", "go", "static", "procfile"};

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		AUTO_FREE char *dir = NULL;
		int ret;

		if (asprintf(&dir, "%s/%s", host->library, order[i]) < 0) {
			dir = NULL;
			return err_set(err, -ENOMEM, "look for a buildpack");
		}
		if (!has_program(dir, "detect"))
			continue;
		(void)snprintf(pack->spec, sizeof(pack->spec), "%s", order[i]);
		(void)snprintf(pack->label, sizeof(pack->label), "%s", order[i]);
		ret = detect(host, dir, pack, true, err);
		if (ret <= 0)
			return ret;
	}
	return 1;
}

int
buildpack_detect(const struct buildpack_host *host, struct buildpack *pack, struct err *err)
{
	return detect(host, pack->dir, pack, false, err);
}

/*
 * argv: bash -c SCRIPT bash COMPILE BUILD CACHE ENV EXPORT...: the exports are sourced, then
 * compile takes bash's place. Without exports compile runs directly.
 */
static size_t
compile_argv(const struct buildpack_host *host, const struct buildpack *packs, size_t i,
	     const char *compile, char *exports[JOB_MAX_PACKS], const char **argv)
{
	static const char script[] = "for f in \"${@:5}\"; do . \"$f\"; done; "
				     "exec \"$1\" \"$2\" \"$3\" \"$4\"";
	const char *plain[] = {compile, host->build_dir, host->cache_dir, host->env_dir};
	size_t n = 0, n_exports = 0;

	for (size_t j = 0; j < i; j++) {
		char *path = NULL;

		if (asprintf(&path, "%s/export", packs[j].dir) < 0)
			continue;
		if (access(path, R_OK) == 0)
			exports[n_exports++] = path;
		else
			free(path);
	}
	if (n_exports > 0) {
		argv[n++] = "bash";
		argv[n++] = "-c";
		argv[n++] = script;
		argv[n++] = "bash";
	}
	for (size_t j = 0; j < sizeof(plain) / sizeof(*plain); j++)
		argv[n++] = plain[j];
	for (size_t j = 0; j < n_exports; j++)
		argv[n++] = exports[j];
	argv[n] = NULL;
	return n_exports;
}

static int
run_compile(const struct buildpack_host *host, const struct buildpack *packs, size_t i,
	    const char *compile, int *status, struct err *err)
{
	char *exports[JOB_MAX_PACKS] = {0};
	const char *argv[JOB_MAX_PACKS + 10];
	AUTO_FD int cwd_fd = open(host->build_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	unsigned n_left = 0;
	size_t n_exports;
	int ret;

	n_exports = compile_argv(host, packs, i, compile, exports, argv);
	struct run run = {
		.path = n_exports > 0 ? "/bin/bash" : compile,
		.argv = argv,
		.envp = environ_vector(host->env),
		.cwd_fd = cwd_fd,
		.out = host->out,
		.disk = host->disk,
	};
	ret = run_program(&run, status, &n_left, err);
	for (size_t j = 0; j < n_exports; j++)
		free(exports[j]);
	if (n_left > 0)
		transcript_warn(host->out, "Ended %u process%s that the buildpack left running.",
				n_left, n_left == 1 ? "" : "es");
	return ret;
}

int
buildpack_compile(const struct buildpack_host *host, const struct buildpack *packs, size_t i,
		  struct err *err)
{
	const struct buildpack *pack = &packs[i];
	AUTO_FREE char *path = NULL;
	char how[64];
	int status, ret;

	if (!has_program(pack->dir, "compile"))
		return err_say(err, -ENOEXEC, "The buildpack %.200s has no program bin/compile.",
			       pack->label);
	if (asprintf(&path, "%s/bin/compile", pack->dir) < 0) {
		path = NULL;
		return err_set(err, -ENOMEM, "run bin/compile");
	}
	ret = run_compile(host, packs, i, path, &status, err);
	if (ret < 0)
		return err_prefix(err, ret, "The buildpack %.200s", pack->label);
	if (WIFSIGNALED(status))
		transcript_warn(host->out, "bin/compile of %s was %s.", pack->label,
				run_status_text(status, how, sizeof(how)));
	if (status != 0)
		return err_say(err, -EIO, "Push rejected, failed to compile %s app.", pack->name);
	return 0;
}

int
buildpack_release(const struct buildpack_host *host, const struct buildpack *pack,
		  struct types *types, struct err *err)
{
	AUTO_FREE char *path = NULL;
	AUTO_BUF struct buf said;
	char how[64];
	int status, ret;

	buf_init(&said, RELEASE_MAX_BYTES + 1);
	if (!has_program(pack->dir, "release"))
		return 0;
	if (asprintf(&path, "%s/bin/release", pack->dir) < 0) {
		path = NULL;
		return err_set(err, -ENOMEM, "run bin/release");
	}
	struct run run = {
		.path = path,
		.argv = (const char *const[]){path, host->build_dir, NULL},
		.envp = environ_vector(host->env),
		.cwd_fd = -1,
		.out = host->out,
		.capture = &said,
		.disk = host->disk,
	};
	ret = run_program(&run, &status, NULL, err);
	if (ret < 0)
		return err_prefix(err, ret, "The buildpack %.200s", pack->label);
	if (status != 0)
		return err_say(err, -EIO,
			       "Push rejected, bin/release of the buildpack %.200s "
			       "failed: %s.",
			       pack->label, run_status_text(status, how, sizeof(how)));
	ret = release_parse(buf_text(&said), said.len, types, err);
	if (ret < 0)
		return err_prefix(
			err, ret,
			"Push rejected, the output of bin/release of the buildpack %.200s "
			"cannot be used",
			pack->label);
	return 0;
}

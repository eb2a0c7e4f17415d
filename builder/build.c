/*
 * The disk of an app keeps cache/ from build to build; all else on it is made anew and removed at
 * the end: build/ (BUILD_DIR), packs/ (writable copies of buildpacks), tmp/ (TMPDIR, since /tmp is
 * a small tmpfs) and app/, which the sandbox shows at /app. ENV_DIR is in /tmp, so that config vars
 * never reach a disk.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "builder/build.h"
#include "builder/buildpack.h"
#include "builder/disk.h"
#include "builder/environ.h"
#include "builder/ignore.h"
#include "builder/job.h"
#include "builder/procfile.h"
#include "builder/run.h"
#include "builder/slug.h"
#include "builder/source.h"
#include "builder/submodule.h"
#include "builder/transcript.h"
#include "builder/types.h"

#define SOURCE_MAX_ENTRIES 1000000
#define SOURCE_MAX_BYTES (1ULL << 30)
#define SOFT_LIMIT_PERCENT 60
#define DEFAULT_STACK "heroku-24"

struct build {
	const struct build_paths *paths;
	struct job *job;
	int job_fd;
	struct err *err;
	struct transcript out;
	struct disk disk;
	struct environ_list env;
	struct ignore ignore;
	char *build_dir, *cache_dir, *work_dir, *tmp_dir; /* on the disk */
	char env_dir[32];				  /* in /tmp; "" until made */
	int build_fd;
	int64_t time; /* of the commit */
	struct buildpack_host host;
	struct buildpack packs[JOB_MAX_PACKS];
	size_t n_packs;
	struct types types;
	bool has_procfile;
};

/* ---- places -------------------------------------------------------------------------------- */

static int
make_dir(struct build *b, const char *name, char **path)
{
	if (asprintf(path, "%s/%s", b->paths->disk, name) < 0) {
		*path = NULL;
		return err_set(b->err, -ENOMEM, "prepare the build");
	}
	if (mkdirat(b->disk.fd, name, 0755) < 0 && errno != EEXIST)
		return err_set(b->err, -errno, "make %s", *path);
	return 0;
}

static int
purge_tight_cache(struct build *b)
{
	int ret;

	if (!disk_is_tight(&b->disk))
		return 0;
	transcript_warn(&b->out, "The build cache fills most of the build disk; it is purged.");
	ret = disk_remove(b->disk.fd, "cache");
	return ret < 0 ? err_set(b->err, ret, "purge the build cache") : 0;
}

static int
make_places(struct build *b)
{
	int ret = disk_clean(&b->disk, b->err);

	if (ret == 0)
		ret = purge_tight_cache(b);
	if (ret == 0)
		ret = make_dir(b, "build", &b->build_dir);
	if (ret == 0)
		ret = make_dir(b, "cache", &b->cache_dir);
	if (ret == 0)
		ret = make_dir(b, "packs", &b->work_dir);
	if (ret == 0)
		ret = make_dir(b, "tmp", &b->tmp_dir);
	if (ret < 0)
		return ret;
	b->build_fd = file_open_dir(b->disk.fd, "build");
	return b->build_fd < 0 ? err_set(b->err, b->build_fd, "open %s", b->build_dir) : 0;
}

static int
make_env_dir(struct build *b)
{
	AUTO_FD int fd = -1;

	(void)snprintf(b->env_dir, sizeof(b->env_dir), "/tmp/env.XXXXXX");
	if (!mkdtemp(b->env_dir)) {
		b->env_dir[0] = '\0';
		return err_set(b->err, -errno, "make the folder for config vars");
	}
	fd = open(b->env_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(b->err, -errno, "open %s", b->env_dir);
	if (!b->job->config.envp)
		return 0;
	return environ_write_dir(fd, b->job->config.envp, b->err);
}

static int
make_environment(struct build *b, char *const envp[])
{
	char request[33], epoch[24];
	uint8_t random[16];
	int ret = environ_inherit(&b->env, envp);

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		memset(random, 0, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(request + 2 * i, 3, "%02x", random[i]);
	(void)snprintf(epoch, sizeof(epoch), "%lld", (long long)b->time);
	const char *const settings[][2] = {
		{"HOME", b->paths->app},
		{"TMPDIR", b->tmp_dir},
		{"SOURCE_VERSION", b->job->commit},
		{"SOURCE_DATE_EPOCH", epoch},
		{"REQUEST_ID", request},
		{"CURL_CONNECT_TIMEOUT", "30"},
		{"CURL_TIMEOUT", "180"},
		{"PAAS_PROGRAMS", b->paths->programs},
	};
	for (size_t i = 0; ret == 0 && i < sizeof(settings) / sizeof(*settings); i++)
		ret = environ_set(&b->env, settings[i][0], settings[i][1]);
	if (ret == 0 && !environ_get(&b->env, "STACK"))
		ret = environ_set(&b->env, "STACK", DEFAULT_STACK);
	return ret < 0 ? err_set(b->err, ret, "prepare the build's environment") : 0;
}

/* ---- the source ---------------------------------------------------------------------------- */

static void
warn_lines(struct build *b, const struct buf *lines)
{
	const char *at = buf_text(lines);

	while (*at) {
		size_t n = strcspn(at, "\n");

		transcript_warn(&b->out, "%.*s", (int)n, at);
		at += n + (at[n] == '\n');
	}
}

static int
read_ignore(struct build *b, struct source *source)
{
	AUTO_BUF struct buf text;
	struct buf warnings;
	int ret;

	buf_init(&text, IGNORE_MAX_BYTES);
	ret = source_read(source, ".slugignore", &text, b->err);
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	buf_init(&warnings, 65536);
	ret = ignore_parse(buf_text(&text), text.len, &b->ignore, &warnings, b->err);
	warn_lines(b, &warnings);
	buf_done(&warnings);
	return ret;
}

static void
tell_report(struct build *b, const struct source_report *report)
{
	if (report->n_ignored > 0)
		transcript_head(&b->out, "Leaving out %llu entr%s matched by .slugignore",
				(unsigned long long)report->n_ignored,
				report->n_ignored == 1 ? "y" : "ies");
	if (report->n_lfs > 0)
		transcript_warn(&b->out,
				"%llu file%s of Git LFS in this app; only the pointers are there, "
				"LFS is not supported.",
				(unsigned long long)report->n_lfs,
				report->n_lfs == 1 ? " is" : "s are");
}

static int
write_tree(struct build *b, struct source *source)
{
	struct source_budget budget = {SOURCE_MAX_ENTRIES, SOURCE_MAX_BYTES, SOURCE_MAX_ENTRIES,
				       SOURCE_MAX_BYTES};
	struct source_report report = {0};
	struct submodule_job job = {
		.work = b->tmp_dir,
		.root_fd = b->build_fd,
		.ignore = &b->ignore,
		.budget = &budget,
		.env = &b->env,
		.out = &b->out,
	};
	int ret = source_write(source, b->build_fd, "", &b->ignore, &budget, &report, b->err);

	if (ret == 0)
		tell_report(b, &report);
	if (ret == 0 && report.n_links > 0)
		ret = submodule_write_all(&job, source, &report, b->err);
	source_report_done(&report);
	return ret;
}

static int
get_source(struct build *b, char *const envp[])
{
	AUTO_FREE char *objects = NULL, *quarantine = NULL;
	struct source *source = NULL;
	int ret;

	if (asprintf(&objects, "%s/objects", b->paths->repo) < 0 ||
	    asprintf(&quarantine, "%s/%s", objects, b->job->quarantine) < 0)
		return err_set(b->err, -ENOMEM, "open the repository");
	ret = source_open(objects, b->job->quarantine[0] ? quarantine : NULL, b->job->commit,
			  &source, b->err);
	if (ret < 0)
		return ret;
	b->time = source_time(source);
	ret = make_environment(b, envp);
	if (ret == 0)
		transcript_head(&b->out, "Building on the %s stack", environ_get(&b->env, "STACK"));
	if (ret == 0)
		ret = read_ignore(b, source);
	if (ret == 0)
		ret = write_tree(b, source);
	source_close(source);
	return ret;
}

/* ---- buildpacks ---------------------------------------------------------------------------- */

/* Reads the Procfile as it is now into `types`. Warnings are printed when `is_final`. */
static int
read_procfile(struct build *b, struct types *types, bool is_final)
{
	AUTO_FD int fd = file_open_beneath(b->build_fd, "Procfile", O_RDONLY | O_NONBLOCK, 0);
	AUTO_BUF struct buf text;
	struct buf warnings;
	struct stat st;
	int ret;

	b->has_procfile = false;
	buf_init(&text, PROCFILE_MAX_BYTES + 1);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_set(b->err, fd, "The Procfile cannot be read");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_say(b->err, -EINVAL, "The Procfile is no regular file.");
	ret = file_read_all(fd, &text);
	if (ret < 0 && ret != -ENOBUFS)
		return err_set(b->err, ret, "The Procfile cannot be read");
	b->has_procfile = true;
	buf_init(&warnings, 16384);
	ret = procfile_parse(buf_text(&text), text.len, types, &warnings, b->err);
	if (is_final)
		warn_lines(b, &warnings);
	buf_done(&warnings);
	return ret;
}

/* A bad Procfile is told before the long part of a build, not after it. */
static int
check_procfile(struct build *b)
{
	struct types types;
	int ret;

	types_init(&types);
	ret = read_procfile(b, &types, false);
	types_done(&types);
	return ret;
}

static int
no_language(struct build *b)
{
	transcript_warn(&b->out, "No default language could be detected for this app.");
	transcript_body(&b->out, "None of these was found at the root of the repository:");
	transcript_body(&b->out, "package.json (Node.js), requirements.txt or pyproject.toml "
				 "(Python), go.mod (Go),");
	transcript_body(&b->out, "index.html (static), Procfile (any program the stack can run).");
	transcript_body(&b->out, "Is the app in a subfolder, or did .slugignore hide the file? A "
				 "buildpack can");
	transcript_body(&b->out, "also be set by hand: paas buildpacks set NAME");
	return err_say(b->err, -ENOENT, "Push rejected, no buildpack fits this app.");
}

static int
guess_pack(struct build *b)
{
	struct buildpack *pack = &b->packs[0];
	int ret;

	transcript_head(&b->out, "Determining which buildpack to use for this app");
	ret = buildpack_guess(&b->host, pack, b->err);
	if (ret < 0)
		return ret;
	if (ret > 0)
		return no_language(b);
	transcript_head(&b->out, "%s app detected", pack->name);
	b->n_packs = 1;
	return buildpack_open(&b->host, pack->spec, 0, pack, b->err);
}

static int
open_packs(struct build *b)
{
	struct job *job = b->job;

	if (job->n_packs > 1)
		transcript_head(&b->out, "Using buildpacks:");
	for (size_t i = 0; i < job->n_packs; i++) {
		struct buildpack *pack = &b->packs[i];
		int ret;

		b->n_packs = i + 1;
		ret = buildpack_open(&b->host, job->packs[i], i, pack, b->err);
		if (ret < 0)
			return ret;
		if (job->n_packs > 1)
			transcript_body(&b->out, "%zu. %s", i + 1, pack->label);
		else
			transcript_head(&b->out, "Using buildpack: %s", pack->label);
	}
	return 0;
}

static int
detect_pack(struct build *b, struct buildpack *pack)
{
	int ret = buildpack_detect(&b->host, pack, b->err);

	if (ret < 0)
		return ret;
	if (ret > 0) {
		transcript_head(&b->out, "App not compatible with buildpack: %s", pack->label);
		return err_say(b->err, -EINVAL,
			       "Push rejected, the buildpack %.200s does not fit this app.",
			       pack->label);
	}
	transcript_head(&b->out, "%s app detected", pack->name);
	return 0;
}

static int
compile_packs(struct build *b)
{
	bool is_ordered = b->job->n_packs > 0;
	int ret = is_ordered ? open_packs(b) : guess_pack(b);

	for (size_t i = 0; ret == 0 && i < b->n_packs; i++) {
		if (is_ordered)
			ret = detect_pack(b, &b->packs[i]);
		if (ret < 0)
			return ret;
		ret = job_send_pack(b->job_fd, b->packs[i].spec, b->packs[i].name);
		if (ret < 0)
			return err_set(b->err, ret, "report the buildpack");
		ret = buildpack_compile(&b->host, b->packs, i, b->err);
	}
	return ret;
}

/* ---- process types ------------------------------------------------------------------------- */

static int
discover_types(struct build *b)
{
	char names[1024];
	struct types defaults;
	int ret;

	types_init(&defaults);
	ret = read_procfile(b, &b->types, true);
	if (ret == 0)
		ret = buildpack_release(&b->host, &b->packs[b->n_packs - 1], &defaults, b->err);
	if (ret == 0) {
		transcript_head(&b->out, "Discovering process types");
		(void)types_list(&b->types, NULL, names, sizeof(names));
		transcript_body(&b->out, "Procfile declares types -> %s",
				b->types.n > 0 ? names : "(none)");
		if (types_list(&defaults, &b->types, names, sizeof(names)) > 0)
			transcript_body(&b->out, "Default types for buildpack -> %s", names);
	}
	for (size_t i = 0; ret == 0 && i < defaults.n; i++) {
		const struct type *type = &defaults.items[i];

		if (types_find(&b->types, type->name))
			continue;
		ret = types_set(&b->types, type->name, type->command, strlen(type->command));
		if (ret < 0)
			(void)err_say(b->err, ret, "There are more than %d process types.",
				      TYPES_MAX);
	}
	if (ret == 0 && b->types.n == 0)
		transcript_warn(&b->out, "There is nothing to run: add a Procfile, for example "
					 "with the line \"web: ./server\".");
	types_done(&defaults);
	return ret;
}

/* ---- the slug ------------------------------------------------------------------------------ */

static int
is_script(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 3 && strcmp(entry->d_name + n - 3, ".sh") == 0;
}

static bool
has_profile(struct build *b)
{
	AUTO_FD int file_fd = file_open_beneath(b->build_fd, ".profile", O_PATH, 0);
	AUTO_FD int dir_fd = file_open_dir(b->build_fd, ".profile.d");
	struct dirent **entries = NULL;
	int n = 0;

	if (file_fd >= 0)
		return true;
	if (dir_fd >= 0)
		n = scandirat(dir_fd, ".", &entries, is_script, NULL);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return n > 0;
}

/* "45.2M", as Heroku writes it. */
static const char *
size_text(uint64_t bytes, char *out, size_t cap)
{
	double n = (double)bytes;

	if (bytes < 1024)
		(void)snprintf(out, cap, "%lluB", (unsigned long long)bytes);
	else if (bytes < 1024 * 1024)
		(void)snprintf(out, cap, "%.1fK", n / 1024);
	else if (bytes < 1024ULL * 1024 * 1024)
		(void)snprintf(out, cap, "%.1fM", n / (1024 * 1024));
	else
		(void)snprintf(out, cap, "%.1fG", n / (1024 * 1024 * 1024));
	return out;
}

static int
pack_slug(struct build *b)
{
	uint64_t max = b->job->slug_max_bytes, soft = max / 100 * SOFT_LIMIT_PERCENT;
	char size[32], limit[32];
	struct slug slug;
	int ret;

	transcript_blank(&b->out);
	transcript_head(&b->out, "Compressing...");
	ret = slug_pack(b->build_fd, b->job->slug_fd, b->time, max, b->disk.limit_bytes, &slug,
			b->err);
	if (ret < 0)
		return ret;
	(void)size_text(slug.bytes, size, sizeof(size));
	if (ret > 0)
		return err_say(b->err, -EFBIG,
			       "Push rejected, compiled slug size: %s is too large (max is %s).",
			       size, size_text(max, limit, sizeof(limit)));
	if (slug.n_skipped > 0)
		transcript_warn(&b->out, "Left out %llu sockets, pipes or devices.",
				(unsigned long long)slug.n_skipped);
	transcript_body(&b->out, "Done: %s", size);
	if (slug.bytes > soft)
		transcript_warn(&b->out,
				"Warning: Your slug size (%s) exceeds our soft limit (%s) which "
				"may affect boot time.",
				size, size_text(soft, limit, sizeof(limit)));
	ret = job_send_types(b->job_fd, &b->types);
	if (ret == 0)
		ret = job_send_done(b->job_fd, slug.sha256, slug.bytes, has_profile(b));
	return ret < 0 ? err_set(b->err, ret, "report the build") : 0;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int
run_steps(struct build *b, char *const envp[])
{
	int ret = disk_open(&b->disk, b->paths->disk, b->job->disk_bytes, b->err);

	if (ret == 0)
		ret = make_places(b);
	if (ret == 0)
		ret = make_env_dir(b);
	if (ret == 0)
		ret = get_source(b, envp);
	if (ret == 0)
		ret = check_procfile(b);
	if (ret < 0)
		return ret;
	b->host = (struct buildpack_host){
		.library = b->paths->buildpacks,
		.work = b->work_dir,
		.build_dir = b->build_dir,
		.cache_dir = b->cache_dir,
		.env_dir = b->env_dir,
		.env = &b->env,
		.out = &b->out,
		.disk = &b->disk,
	};
	ret = compile_packs(b);
	if (ret == 0)
		ret = discover_types(b);
	return ret < 0 ? ret : pack_slug(b);
}

static void
clean_up(struct build *b)
{
	struct err ignored;

	if (b->env_dir[0])
		(void)disk_remove(AT_FDCWD, b->env_dir);
	for (size_t i = 0; i < b->n_packs; i++)
		buildpack_done(&b->packs[i]);
	if (b->build_fd >= 0)
		(void)close(b->build_fd);
	if (b->disk.fd >= 0)
		(void)disk_clean(&b->disk, &ignored);
	disk_done(&b->disk);
	ignore_done(&b->ignore);
	types_done(&b->types);
	environ_done(&b->env);
	free(b->build_dir);
	free(b->cache_dir);
	free(b->work_dir);
	free(b->tmp_dir);
	free(b);
}

int
build_run(const struct build_paths *paths, struct job *job, int job_fd, char *const envp[],
	  struct err *err)
{
	struct build *b = calloc(1, sizeof(*b));
	int ret;

	if (!b)
		return err_set(err, -ENOMEM, "build");
	b->paths = paths;
	b->job = job;
	b->job_fd = job_fd;
	b->err = err;
	b->disk.fd = -1;
	b->build_fd = -1;
	transcript_init(&b->out, STDOUT_FILENO);
	environ_init(&b->env);
	types_init(&b->types);
	ret = run_steps(b, envp);
	/* Whatever failed, a full disk is the better explanation. */
	if (ret < 0 && b->disk.fd >= 0)
		(void)disk_explain(&b->disk, err);
	clean_up(b);
	return ret;
}

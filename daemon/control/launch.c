/*
 * Strings of a person go into specs only; what paasd reads is made of numbers and checked names.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

#include "daemon/control/config.h"
#include "daemon/control/env.h"
#include "daemon/control/launch.h"

#define MIB ((uint64_t)1 << 20)

#define PATH_INSIDE "/usr/local/bin:/usr/bin:/bin"
#define BUNDLE "/etc/ssl/certs/ca-certificates.crt"
#define BUILDER "/paas/bin/paas-build"
#define REPOSITORY "/repo"

enum {
	WEIGHT_WEB = 200,
	WEIGHT_GIT = 150,
	WEIGHT_OTHER = 100,
	WEIGHT_RUN = 50,
	WEIGHT_BUILD = 25,
};

#define GIT_MEMORY (1024 * MIB)
#define GIT_PIDS 128
#define UNPACK_MEMORY (512 * MIB)
#define UNPACK_PIDS 16

/* What the inside of every sandbox has in common; config vars may replace it. */
static void
set_common(struct env *env)
{
	env_set(env, "PATH", PATH_INSIDE);
	env_set(env, "LANG", "C.UTF-8");
	env_set(env, "SSL_CERT_FILE", BUNDLE);
	env_set(env, "NODE_EXTRA_CA_CERTS", BUNDLE);
	env_set(env, "REQUESTS_CA_BUNDLE", BUNDLE);
	env_set(env, "PIP_CERT", BUNDLE);
}

static int
write_spec(const char *cwd, const char *const argv[], const struct env *env, struct err *err)
{
	if (env->failed)
		return err_say(err, -E2BIG, "the environment has too many variables");
	int fd = spec_write(cwd, argv, (const char *const *)env->items);

	return fd < 0 ? err_set(err, fd, "write what is to be executed") : fd;
}

static void
copy(char *out, size_t cap, const char *text)
{
	(void)snprintf(out, cap, "%s", text);
}

/* ---- programs of an app ------------------------------------------------------------------ */

/* What the slug brings to prepare its environment, then the command in a shell of its own, so
 * that a simple command replaces it and no shell stays between init and program. */
static const char profile_script[] = "for f in /app/.profile.d/*.sh /app/.profile; do\n"
				     "\tif [ -r \"$f\" ]; then . \"$f\"; fi\n"
				     "done\n"
				     "exec /bin/bash -c \"$1\"\n";

static void
set_app_env(const struct launch *launch, struct env *env)
{
	char dyno[LABEL_MAX];

	set_common(env);
	if ((launch->flags & SANDBOX_PTY) != 0)
		env_set(env, "TERM", "xterm");
	for (size_t i = 0; i < launch->n_config; i++)
		env_set(env, launch->config[i].key, launch->config[i].value);
	for (const char *const *item = launch->env; item != NULL && *item != NULL; item++)
		env_put(env, *item);
	/* These are the platform's own, whatever the config says. */
	(void)snprintf(dyno, sizeof(dyno), "%s.%u", launch->type, launch->number);
	env_set(env, "DYNO", dyno);
	env_set(env, "HOME", "/app");
	env_set(env, "PWD", "/app");
	if (strcmp(launch->type, "web") == 0)
		env_set(env, "PORT", "5000");
}

static uint32_t
weight_of(const char *type)
{
	if (strcmp(type, "web") == 0)
		return WEIGHT_WEB;
	return strcmp(type, "run") == 0 ? WEIGHT_RUN : WEIGHT_OTHER;
}

int
launch_app(const struct options *options, const struct launch *launch, struct sandbox_order *order,
	   struct err *err)
{
	const char *const plain[] = {"/bin/bash", "-c", launch->command, NULL};
	const char *const profiled[] = {"/bin/bash",	 "-c", profile_script, "bash",
					launch->command, NULL};
	struct env env;

	*order = (struct sandbox_order){
		.kind = SANDBOX_APP,
		.slug = launch->slug,
		.uid = launch->run_uid,
		.memory_bytes = options->instance_memory,
		.disk_bytes = options->instance_disk,
		.pids = options->instance_pids,
		.cpu_weight = weight_of(launch->type),
		.flags = launch->flags,
		.columns = launch->columns,
		.rows = launch->rows,
	};
	copy(order->app, sizeof(order->app), launch->app);
	int n = snprintf(order->label, sizeof(order->label), "v%u.%s.%u%s", launch->version,
			 launch->type, launch->number, launch->is_attached ? ".attached" : "");
	int m = snprintf(order->source, sizeof(order->source), "app[%s.%u]", launch->type,
			 launch->number);

	if ((size_t)n >= sizeof(order->label) || (size_t)m >= sizeof(order->source))
		return err_say(err, -ENAMETOOLONG, "the process type %s has too long a name",
			       launch->type);
	env_init(&env);
	set_app_env(launch, &env);
	int fd = write_spec("/app", launch->has_profile ? profiled : plain, &env, err);

	env_done(&env);
	return fd;
}

int
launch_label_read(const char *label, struct launch_label *out)
{
	int end = -1;

	*out = (struct launch_label){0};
	if (sscanf(label, "v%u.%63[-A-Za-z0-9_].%u%n", &out->version, out->type, &out->number,
		   &end) != 3)
		return -EINVAL;
	out->is_attached = strcmp(label + end, ".attached") == 0;
	return label[end] == '\0' || out->is_attached ? 0 : -EINVAL;
}

/* ---- git --------------------------------------------------------------------------------- */

static void
order_git(const struct options *options, const char *app, uint32_t build_uid, const char *label,
	  struct sandbox_order *order)
{
	*order = (struct sandbox_order){
		.kind = SANDBOX_GIT,
		.uid = build_uid,
		.memory_bytes = GIT_MEMORY,
		.disk_bytes = options->push_size,
		.pids = GIT_PIDS,
		.cpu_weight = WEIGHT_GIT,
		.flags = SANDBOX_STDIO,
	};
	copy(order->app, sizeof(order->app), app);
	copy(order->label, sizeof(order->label), label);
	(void)snprintf(order->source, sizeof(order->source), "heroku[%s]", label);
}

static void
set_git_env(struct env *env)
{
	env_set(env, "PATH", PATH_INSIDE);
	env_set(env, "LANG", "C.UTF-8");
	env_set(env, "HOME", "/tmp");
	env_set(env, "GIT_CONFIG_NOSYSTEM", "1");
}

int
launch_git(const struct options *options, const char *app, uint32_t build_uid,
	   enum git_service service, const char *protocol, struct sandbox_order *order,
	   struct err *err)
{
	char limit[64];
	/* unpackLimit: a push always stays one pack, which leaves quarantine by a rename. */
	const char *const receive[] = {"/usr/bin/git",
				       "-c",
				       "safe.directory=*",
				       "-c",
				       "core.hooksPath=/paas/hooks",
				       "-c",
				       "receive.shallowUpdate=true",
				       "-c",
				       "receive.fsckObjects=true",
				       "-c",
				       "receive.unpackLimit=1",
				       "-c",
				       "receive.autogc=false",
				       "-c",
				       "gc.auto=0",
				       "-c",
				       limit,
				       "receive-pack",
				       "/repo",
				       NULL};
	const char *const upload[] = {"/usr/bin/git",
				      "-c",
				      "safe.directory=*",
				      "-c",
				      "uploadpack.allowFilter=true",
				      "-c",
				      "pack.threads=2",
				      "upload-pack",
				      "--strict",
				      "/repo",
				      NULL};
	struct env env;

	(void)snprintf(limit, sizeof(limit), "receive.maxInputSize=%llu",
		       (unsigned long long)options->push_size);
	order_git(options, app, build_uid, "git", order);
	if (service == GIT_RECEIVE_PACK)
		order->flags |= SANDBOX_JOB;
	env_init(&env);
	set_git_env(&env);
	if (protocol[0] != '\0')
		env_set(&env, "GIT_PROTOCOL", protocol);
	int fd = write_spec("/repo", service == GIT_RECEIVE_PACK ? receive : upload, &env, err);

	env_done(&env);
	return fd;
}

/*
 * What git's own end of a push does: the pack before its index, so that nobody sees an index
 * without a pack; what a shallow push knew of its boundary; then the ref. All of it can be
 * done again.
 */
static const char repair_script[] =
	"set -e\n"
	"cd \"$3\"\n"
	"for q in objects/incoming-* objects/tmp_objdir-incoming-*; do\n"
	"\t[ -d \"$q\" ] || continue\n"
	"\tmkdir -p objects/pack\n"
	"\tfor f in \"$q\"/pack/*.pack \"$q\"/pack/*.rev \"$q\"/pack/*.idx; do\n"
	"\t\tif [ -e \"$f\" ]; then mv -f \"$f\" objects/pack/; fi\n"
	"\tdone\n"
	"\tfor d in \"$q\"/[0-9a-f][0-9a-f]; do\n"
	"\t\t[ -d \"$d\" ] || continue\n"
	"\t\tmkdir -p \"objects/${d##*/}\"\n"
	"\t\tmv -f \"$d\"/* \"objects/${d##*/}/\"\n"
	"\tdone\n"
	"\trm -rf \"$q\"\n"
	"done\n"
	"for s in shallow_*; do\n"
	"\t[ -e \"$s\" ] || continue\n"
	"\tcat shallow \"$s\" 2>/dev/null | sort -u >shallow.new || true\n"
	"\tmv -f shallow.new shallow\n"
	"\trm -f \"$s\"\n"
	"done\n"
	"rm -f \"$1.lock\" shallow.lock\n"
	"git -c safe.directory='*' cat-file -e \"$2^{commit}\"\n"
	"exec git -c safe.directory='*' update-ref \"$1\" \"$2\"\n";

int
launch_repair(const struct options *options, const char *app, uint32_t build_uid, const char *ref,
	      const char *commit, struct sandbox_order *order, struct err *err)
{
	const char *const argv[] = {"/bin/sh", "-c",   repair_script, "sh",
				    ref,       commit, REPOSITORY,    NULL};
	struct env env;

	order_git(options, app, build_uid, "repair", order);
	order->flags = 0; /* what it says goes to the app's log */
	env_init(&env);
	set_git_env(&env);
	int fd = write_spec("/repo", argv, &env, err);

	env_done(&env);
	return fd;
}

int
launch_tidy(const struct options *options, const char *app, uint32_t build_uid,
	    struct sandbox_order *order, struct err *err)
{
	const char *const argv[] = {"/usr/bin/git",
				    "-c",
				    "safe.directory=*",
				    "-c",
				    "gc.autoPackLimit=10",
				    "-c",
				    "gc.autoDetach=false",
				    "-c",
				    "pack.threads=1",
				    "gc",
				    "--auto",
				    "--quiet",
				    NULL};
	struct env env;

	order_git(options, app, build_uid, "tidy", order);
	order->flags = 0; /* what it says goes to the app's log */
	order->cpu_weight = WEIGHT_BUILD;
	env_init(&env);
	set_git_env(&env);
	int fd = write_spec(REPOSITORY, argv, &env, err);

	env_done(&env);
	return fd;
}

/* ---- builds and slugs -------------------------------------------------------------------- */

int
launch_build(const struct options *options, const char *app, uint32_t build_uid, uint32_t slug,
	     const char *commit, struct sandbox_order *order, struct err *err)
{
	const char *const argv[] = {BUILDER, NULL};
	struct env env;

	*order = (struct sandbox_order){
		.kind = SANDBOX_BUILD,
		.slug = slug,
		.uid = build_uid,
		.memory_bytes = options->build_memory,
		.disk_bytes = options->build_disk,
		.pids = options->build_pids,
		.cpu_weight = WEIGHT_BUILD,
		.flags = SANDBOX_STDIO | SANDBOX_JOB,
	};
	copy(order->app, sizeof(order->app), app);
	copy(order->label, sizeof(order->label), "build");
	copy(order->source, sizeof(order->source), "heroku[build]");
	env_init(&env);
	set_common(&env);
	env_set(&env, "HOME", "/app");
	env_set(&env, "STACK", options->stack_name);
	env_set(&env, "SOURCE_VERSION", commit);
	for (const char *const *item = options->build_env; *item != NULL; item++)
		env_put(&env, *item);
	int fd = write_spec("/app", argv, &env, err);

	env_done(&env);
	return fd;
}

int
launch_unpack(const struct options *options, const char *app, uint32_t run_uid, uint32_t slug,
	      struct sandbox_order *order, struct err *err)
{
	const char *const argv[] = {BUILDER, "--unpack", NULL};
	struct env env;

	*order = (struct sandbox_order){
		.kind = SANDBOX_UNPACK,
		.slug = slug,
		.uid = run_uid,
		.memory_bytes = UNPACK_MEMORY,
		.disk_bytes = options->build_disk,
		.pids = UNPACK_PIDS,
		.cpu_weight = WEIGHT_OTHER,
		.flags = SANDBOX_STDIO,
	};
	copy(order->app, sizeof(order->app), app);
	copy(order->label, sizeof(order->label), "unpack");
	copy(order->source, sizeof(order->source), "heroku[unpack]");
	env_init(&env);
	env_set(&env, "PATH", PATH_INSIDE);
	env_set(&env, "LANG", "C.UTF-8");
	int fd = write_spec("/slug", argv, &env, err);

	env_done(&env);
	return fd;
}

int
launch_config(const struct config_var *config, size_t n, struct err *err)
{
	const char *const argv[] = {"config", NULL};
	struct env env;

	env_init(&env);
	for (size_t i = 0; i < n; i++)
		env_set(&env, config[i].key, config[i].value);
	int fd = write_spec("/", argv, &env, err);

	env_done(&env);
	return fd;
}

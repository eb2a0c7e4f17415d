/*
 * Options. A row of the table is everything there is to know about one: adding an option is
 * adding a row, and the tests compare the rows with the manual page.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/conf.h"
#include "lib/err.h"
#include "lib/name.h"

#include "daemon/config.h"

enum value_kind {
	VALUE_TEXT,
	VALUE_NUMBER,
	VALUE_BYTES,
	VALUE_TIME,
};

struct option_row {
	const char *key, *argument;
	enum value_kind kind;
	size_t offset, size;
	uint64_t min, max;
	const char *preset; /* NULL: found out by set_presets */
	const char *help;
};

#define TEXT(key, arg, field, preset, help)                                                        \
	{                                                                                          \
		key, arg, VALUE_TEXT, offsetof(struct config, field),                              \
			sizeof(((struct config *)0)->field), 0, 0, preset, help                    \
	}
#define VALUE(key, arg, kind, field, min, max, preset, help)                                       \
	{                                                                                          \
		key, arg, kind, offsetof(struct config, field), 0, min, max, preset, help          \
	}

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
#define SECOND 1000ULL
#define HOUR (3600 * SECOND)

static const struct option_row rows[] = {
	TEXT("name", "NAME", name, "paas",
	     "tells several platforms on one host apart: 1 to 6 of a-z, 0-9"),
	TEXT("state", "DIR", state, CONFIG_STATE,
	     "everything that must survive; given, control.sock is there too"),
	TEXT("http", "ADDR:PORT,...", http, "0.0.0.0:80,[::]:80", "where apps are served"),
	TEXT("https", "ADDR:PORT,...", https, "", "where apps are served with TLS"),
	TEXT("ssh", "ADDR:PORT,...", ssh, "0.0.0.0:2222,[::]:2222", "where git and ssh connect"),
	TEXT("domain", "DOMAIN", domain, NULL, "apps answer at APP.DOMAIN"),
	TEXT("subnet", "CIDR", subnet_text, "10.213.0.0/16", "addresses of instances"),
	TEXT("stack", "DIR", stack, "host", "root file system of instances, or \"host\""),
	TEXT("stack-name", "NAME", stack_name, NULL, "what buildpacks see as STACK"),
	VALUE("routers", "N", VALUE_NUMBER, routers, 1, CONFIG_ROUTERS_MAX, NULL,
	      "router processes"),
	VALUE("uid-base", "ID", VALUE_NUMBER, uid_base, 65536, 4000000000, "1900000000",
	      "first of the host ids given to apps"),
	VALUE("instance-memory", "SIZE", VALUE_BYTES, instance_memory, 4 * MIB, 64 * TIB, "512M",
	      "memory of one instance"),
	VALUE("instance-pids", "N", VALUE_NUMBER, instance_pids, 4, 1000000, "256",
	      "processes and threads of one instance"),
	VALUE("instance-disk", "SIZE", VALUE_BYTES, instance_disk, 16 * MIB, 64 * TIB, "1G",
	      "what the instances of one app may write to disk"),
	VALUE("build-memory", "SIZE", VALUE_BYTES, build_memory, 16 * MIB, 64 * TIB, "2G",
	      "memory of one build"),
	VALUE("build-pids", "N", VALUE_NUMBER, build_pids, 8, 1000000, "1024",
	      "processes and threads of one build"),
	VALUE("build-disk", "SIZE", VALUE_BYTES, build_disk, 64 * MIB, 64 * TIB, "4G",
	      "disk of one app's builds, the cache included"),
	VALUE("build-time", "TIME", VALUE_TIME, build_time_ms, SECOND, 24 * HOUR, "15m",
	      "after which a build is ended"),
	VALUE("builds", "N", VALUE_NUMBER, builds, 1, 64, "2", "builds at the same time"),
	TEXT("build-env", "K=V ...", build_env, "",
	     "environment of every build: proxies, registries"),
	VALUE("slug-size", "SIZE", VALUE_BYTES, slug_size, MIB, TIB, "500M", "of a packed slug"),
	VALUE("push-size", "SIZE", VALUE_BYTES, push_size, MIB, TIB, "1G",
	      "of what one push sends"),
	VALUE("boot-time", "TIME", VALUE_TIME, boot_time_ms, SECOND, HOUR, "60s",
	      "in which a web instance must accept connections"),
	VALUE("stop-time", "TIME", VALUE_TIME, stop_time_ms, SECOND, HOUR, "30s",
	      "between TERM and KILL"),
	VALUE("drain-time", "TIME", VALUE_TIME, drain_time_ms, SECOND, HOUR, "30s",
	      "for the requests of instances that were replaced"),
	VALUE("restart-max", "TIME", VALUE_TIME, restart_max_ms, SECOND, 24 * HOUR, "10m",
	      "longest wait before a crashed instance is started again"),
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* ---- one value ---------------------------------------------------------------------------- */

static const struct option_row *
find_row(const char *key)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (strcmp(rows[i].key, key) == 0)
			return &rows[i];
	}
	return NULL;
}

static int
set_text(struct config *config, const struct option_row *row, const char *value, struct err *err)
{
	size_t len = strlen(value);

	if (len >= row->size)
		return err_say(err, -EINVAL, "%s is longer than %zu characters", row->key,
			       row->size - 1);
	memcpy((char *)config + row->offset, value, len + 1);
	return 0;
}

static int
set_value(struct config *config, const struct option_row *row, const char *value, struct err *err)
{
	unsigned long long v = 0;
	long long number = 0;
	char low[32], high[32];
	int ret = -EINVAL;

	switch (row->kind) {
	case VALUE_TEXT:
		return set_text(config, row, value, err);
	case VALUE_NUMBER:
		ret = conf_number(value, (long long)row->min, (long long)row->max, &number);
		if (ret < 0)
			return err_say(err, -EINVAL,
				       "%s must be a whole number from %llu to %llu, not \"%s\"",
				       row->key, (unsigned long long)row->min,
				       (unsigned long long)row->max, value);
		v = (unsigned long long)number;
		break;
	case VALUE_BYTES:
		ret = conf_bytes(value, &v);
		if (ret < 0 || v < row->min || v > row->max)
			return err_say(err, -EINVAL,
				       "%s must be a size such as 512M, from %s to %s, not \"%s\"",
				       row->key, conf_bytes_text(row->min, low, sizeof(low)),
				       conf_bytes_text(row->max, high, sizeof(high)), value);
		break;
	case VALUE_TIME:
		ret = conf_duration(value, &v);
		if (ret < 0 || v < row->min || v > row->max)
			return err_say(err, -EINVAL,
				       "%s must be a time such as 90s or 15m, from %llus to %llus, "
				       "not \"%s\"",
				       row->key, (unsigned long long)(row->min / SECOND),
				       (unsigned long long)(row->max / SECOND), value);
		break;
	}
	*(uint64_t *)(void *)((char *)config + row->offset) = v;
	return 0;
}

/* ---- defaults ----------------------------------------------------------------------------- */

/* The machine's name when it is a whole one, otherwise what browsers resolve to themselves. */
static void
preset_domain(char *out, size_t cap)
{
	char host[256] = "";

	if (gethostname(host, sizeof(host) - 1) == 0 && strchr(host, '.') && !name_check_host(host))
		(void)snprintf(out, cap, "%s", host);
	else
		(void)snprintf(out, cap, "localhost");
}

static void
set_presets(struct config *config)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	memset(config, 0, sizeof(*config));
	for (size_t i = 0; i < N_ROWS; i++) {
		if (rows[i].preset) {
			int ret = set_value(config, &rows[i], rows[i].preset, NULL);

			(void)ret; /* the table is ours: config_load_text("") is tested */
		}
	}
	preset_domain(config->domain, sizeof(config->domain));
	config->routers = cpus < 1		      ? 1
			  : cpus > CONFIG_ROUTERS_MAX ? CONFIG_ROUTERS_MAX
						      : (uint64_t)cpus;
}

/* A field of os-release: KEY=value, the value maybe in quotes. */
static bool
os_release_field(const char *line, const char *key, char *out, size_t cap)
{
	size_t n = strlen(key), len;

	if (strncmp(line, key, n) != 0 || line[n] != '=')
		return false;
	line += n + 1;
	if (*line == '"')
		line++;
	len = strcspn(line, "\"\n");
	(void)snprintf(out, cap, "%.*s", (int)len, line);
	return true;
}

/* "debian-12", from the stack's own os-release. */
static void
find_stack_name(struct config *config)
{
	bool is_host = strcmp(config->stack, "host") == 0;
	char path[PATH_MAX + 32], line[512], id[24] = "", version[24] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/etc/os-release", is_host ? "" : config->stack);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		(void)(os_release_field(line, "ID", id, sizeof(id)) ||
		       os_release_field(line, "VERSION_ID", version, sizeof(version)));
	}
	if (f)
		(void)fclose(f);
	(void)snprintf(config->stack_name, sizeof(config->stack_name), "%s%s%s",
		       id[0] ? id : "linux", version[0] ? "-" : "", version);
}

/* ---- all values together ------------------------------------------------------------------- */

static int
check_listeners(const char *key, const char *text, struct err *err)
{
	struct addr addrs[CONFIG_LISTENERS_MAX];
	int ret;

	if (text[0] == '\0')
		return 0;
	ret = addr_parse_list(text, addrs, CONFIG_LISTENERS_MAX, err);
	return ret < 0 ? err_prefix(err, ret, "%s", key) : 0;
}

/* Words "KEY=VALUE" separated by blanks. */
static int
check_build_env(const char *text, struct err *err)
{
	size_t n = 0;

	for (const char *p = text + strspn(text, " \t"); *p; p += strspn(p, " \t")) {
		size_t len = strcspn(p, " \t"), key = strcspn(p, "= \t");
		bool good = key > 0 && p[key] == '=' && (p[0] < '0' || p[0] > '9');

		for (size_t i = 0; i < key; i++) {
			if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
				    "0123456789",
				    p[i]))
				good = false;
		}
		if (!good)
			return err_say(
				err, -EINVAL,
				"build-env must be words like KEY=VALUE, which \"%.*s\" is not",
				(int)(len < 80 ? len : 80), p);
		if (++n > CONFIG_BUILD_ENV_MAX)
			return err_say(err, -EINVAL, "build-env has more than %d variables",
				       CONFIG_BUILD_ENV_MAX);
		p += len;
	}
	return 0;
}

static int
check_stack_name(const char *name, struct err *err)
{
	if (name[0] == '\0')
		return err_say(err, -EINVAL, "stack-name is empty");
	for (const char *p = name; *p; p++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789.-_", *p))
			return err_say(err, -EINVAL,
				       "stack-name may have a-z, 0-9, \".\", \"-\" and \"_\" only, "
				       "which \"%s\" has not",
				       name);
	}
	return 0;
}

static int
check_all(struct config *config, struct err *err)
{
	const char *why = name_check_platform(config->name);
	int ret;

	if (why)
		return err_say(err, -EINVAL, "name \"%s\": %s", config->name, why);
	if (config->state[0] == '\0')
		return err_say(err, -EINVAL, "state is empty: name a directory");
	why = name_check_host(config->domain);
	if (why || config->domain[0] == '*')
		return err_say(err, -EINVAL, "domain \"%s\": %s", config->domain,
			       why ? why : "a wildcard is no domain to put app names before");
	ret = subnet_parse(config->subnet_text, &config->subnet, err);
	if (ret < 0)
		return err_prefix(err, ret, "subnet");
	if (config->https[0])
		return err_say(err, -EINVAL, "https is not served yet: remove this option");
	ret = check_listeners("http", config->http, err);
	if (ret == 0)
		ret = check_listeners("ssh", config->ssh, err);
	if (ret == 0)
		ret = check_build_env(config->build_env, err);
	if (ret < 0)
		return ret;
	if (config->http[0] == '\0' || config->ssh[0] == '\0')
		return err_say(err, -EINVAL, "%s is empty: give ADDR:PORT",
			       config->http[0] ? "ssh" : "http");
	if (strcmp(config->stack, "host") != 0 && config->stack[0] != '/')
		return err_say(err, -EINVAL, "stack must be \"host\" or begin with /, not \"%s\"",
			       config->stack);
	if (config->stack_name[0] == '\0')
		find_stack_name(config);
	ret = check_stack_name(config->stack_name, err);
	if (ret < 0)
		return ret;
	(void)snprintf(config->runtime, sizeof(config->runtime), "%s",
		       strcmp(config->state, CONFIG_STATE) == 0 ? CONFIG_RUNTIME : config->state);
	return 0;
}

/* ---- the file ------------------------------------------------------------------------------ */

struct file_parse {
	struct config *config;
	const char *name;
	bool seen[N_ROWS];
};

static int
on_pair(void *user, const char *key, const char *value, unsigned line, struct err *err)
{
	struct file_parse *parse = user;
	const struct option_row *row = find_row(key);
	int ret;

	if (!row)
		return err_say(err, -EINVAL, "%s:%u: unknown key \"%s\"; paasd --help lists them",
			       parse->name, line, key);
	if (parse->seen[row - rows])
		return err_say(err, -EINVAL, "%s:%u: %s was already given above", parse->name, line,
			       key);
	parse->seen[row - rows] = true;
	ret = set_value(parse->config, row, value, err);
	return ret < 0 ? err_prefix(err, ret, "%s:%u", parse->name, line) : 0;
}

int
config_load_text(struct config *config, const char *text, size_t n, struct err *err)
{
	struct file_parse parse = {.config = config, .name = "paas.conf"};
	int ret;

	set_presets(config);
	ret = conf_parse(text, n, "paas.conf", on_pair, &parse, err);
	return ret < 0 ? ret : check_all(config, err);
}

/* ---- the command line ----------------------------------------------------------------------- */

struct arguments {
	const char *file;	   /* --config */
	const char *given[N_ROWS]; /* by row */
};

static int
read_arguments(struct arguments *args, int argc, char **argv, enum config_mode *mode,
	       struct err *err)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *value;
		const struct option_row *row;
		char key[32];
		size_t n;

		if (strncmp(arg, "--", 2) != 0)
			return err_say(err, -EINVAL,
				       "\"%s\" is not an option; paasd --help lists them", arg);
		n = strcspn(arg + 2, "=");
		(void)snprintf(key, sizeof(key), "%.*s", (int)n, arg + 2);
		value = arg[2 + n] ? arg + 3 + n : NULL;
		if (!value && (strcmp(key, "help") == 0 || strcmp(key, "version") == 0 ||
			       strcmp(key, "self-test") == 0)) {
			*mode = key[0] == 'h'	? CONFIG_HELP
				: key[0] == 'v' ? CONFIG_VERSION
						: CONFIG_SELF_TEST;
			if (*mode != CONFIG_SELF_TEST)
				return 0;
			continue;
		}
		row = find_row(key);
		if (n >= sizeof(key) || (!row && strcmp(key, "config") != 0))
			return err_say(err, -EINVAL,
				       "unknown option \"%s\"; paasd --help lists them", arg);
		if (!value) {
			if (++i == argc)
				return err_say(err, -EINVAL, "--%s needs a value", key);
			value = argv[i];
		}
		if (row)
			args->given[row - rows] = value;
		else
			args->file = value;
	}
	return 0;
}

int
config_load(struct config *config, int argc, char **argv, enum config_mode *mode, struct err *err)
{
	struct arguments args = {0};
	struct file_parse parse = {.config = config};
	int ret;

	*mode = CONFIG_RUN;
	ret = read_arguments(&args, argc, argv, mode, err);
	if (ret < 0 || *mode == CONFIG_HELP || *mode == CONFIG_VERSION)
		return ret;

	set_presets(config);
	(void)snprintf(config->file, sizeof(config->file), "%s",
		       args.file ? args.file : CONFIG_FILE);
	parse.name = config->file;
	ret = conf_load(config->file, on_pair, &parse, err);
	if (ret < 0 && !(ret == -ENOENT && !args.file))
		return ret;

	for (size_t i = 0; i < N_ROWS; i++) {
		if (!args.given[i])
			continue;
		ret = set_value(config, &rows[i], args.given[i], err);
		if (ret < 0)
			return ret;
	}
	return check_all(config, err);
}

void
config_help(FILE *out)
{
	char left[48];

	(void)fprintf(out,
		      "usage: paasd [--config FILE] [--KEY VALUE ...]\n\n"
		      "The platform's parent: makes and keeps everything else. Needs root.\n\n");
	(void)fprintf(out, "  %-27s  %s\n", "--config FILE",
		      "options as KEY = VALUE (" CONFIG_FILE ")");
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct option_row *row = &rows[i];

		(void)snprintf(left, sizeof(left), "--%s %s", row->key, row->argument);
		(void)fprintf(out, "  %-27s  %s", left, row->help);
		if (row->preset && row->preset[0])
			(void)fprintf(out, " (%s)", row->preset);
		(void)fputc('\n', out);
	}
	(void)fprintf(out, "  %-27s  %s\n", "--self-test", "check options and programs, then end");
	(void)fprintf(out, "  %-27s  %s\n", "--version", "print the version");
	(void)fprintf(out, "  %-27s  %s\n", "--help", "print this");
}

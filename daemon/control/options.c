/* One table, from which the command line is read and the defaults come. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conf.h"
#include "lib/err.h"

#include "daemon/control/options.h"

enum kind {
	TEXT,
	BYTES,
	TIME,
	NUMBER,
	SUBNET,
	BUILD_ENV,
};

struct row {
	const char *name;
	enum kind kind;
	size_t offset;
	long long min, max; /* NUMBER, BYTES, TIME (ms) */
	const char *otherwise;
};

#define AT(field) offsetof(struct options, field)
#define ROOM (1LL << 50)
#define DAY_MS 86400000LL

/* Limits here are those of sense; paasd has checked what the administrator wrote. */
static const struct row rows[] = {
	{"domain", TEXT, AT(domain), 0, 0, "localhost"},
	{"http", TEXT, AT(http), 0, 0, ""},
	{"ssh", TEXT, AT(ssh), 0, 0, ""},
	{"stack-name", TEXT, AT(stack_name), 0, 0, "host"},
	{"subnet", SUBNET, AT(subnet), 0, 0, "10.90.0.0/16"},
	{"uid-base", NUMBER, AT(uid_base), 1000, 4000000000LL, "1900000000"},
	{"instance-memory", BYTES, AT(instance_memory), 1 << 20, ROOM, "512M"},
	{"instance-disk", BYTES, AT(instance_disk), 1 << 20, ROOM, "1G"},
	{"instance-pids", NUMBER, AT(instance_pids), 2, 1 << 22, "256"},
	{"build-memory", BYTES, AT(build_memory), 1 << 20, ROOM, "2G"},
	{"build-disk", BYTES, AT(build_disk), 1 << 20, ROOM, "4G"},
	{"build-time", TIME, AT(build_time_ms), 1, DAY_MS, "15m"},
	{"build-pids", NUMBER, AT(build_pids), 2, 1 << 22, "1024"},
	{"builds", NUMBER, AT(builds), 1, 1000, "2"},
	{"slug-size", BYTES, AT(slug_size), 4096, ROOM, "500M"},
	{"push-size", BYTES, AT(push_size), 4096, ROOM, "1G"},
	{"boot-time", TIME, AT(boot_time_ms), 1, DAY_MS, "60s"},
	{"drain-time", TIME, AT(drain_time_ms), 1, DAY_MS, "30s"},
	{"stop-time", TIME, AT(stop_time_ms), 1, DAY_MS, "30s"},
	{"restart-max", TIME, AT(restart_max_ms), 1, DAY_MS, "10m"},
	{"build-env", BUILD_ENV, 0, 0, 0, ""},
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static int
read_build_env(struct options *options, const char *value, struct err *err)
{
	char *rest;

	free(options->build_env_text);
	options->n_build_env = 0;
	options->build_env[0] = NULL;
	options->build_env_text = strdup(value);
	if (options->build_env_text == NULL)
		return err_set(err, -ENOMEM, "read --build-env");
	rest = options->build_env_text;
	for (char *item; (item = strsep(&rest, " ")) != NULL;) {
		if (item[0] == '\0')
			continue;
		if (strchr(item, '=') == NULL || item[0] == '=')
			return err_say(err, -EINVAL, "--build-env takes KEY=VALUE, not %s", item);
		if (options->n_build_env == OPTIONS_MAX_BUILD_ENV)
			return err_say(err, -EINVAL, "--build-env takes at most %d variables",
				       OPTIONS_MAX_BUILD_ENV);
		options->build_env[options->n_build_env++] = item;
		options->build_env[options->n_build_env] = NULL;
	}
	return 0;
}

static int
read_amount(const struct row *row, const char *value, long long *out)
{
	unsigned long long n = 0;
	int ret = row->kind == BYTES ? conf_bytes(value, &n) : conf_duration(value, &n);

	if (ret < 0 || n > LLONG_MAX)
		return -EINVAL;
	*out = (long long)n;
	return *out < row->min || *out > row->max ? -EINVAL : 0;
}

static int
set(struct options *options, const struct row *row, const char *value, struct err *err)
{
	char *field = (char *)options + row->offset;
	long long n = 0;
	int ret = 0;

	switch (row->kind) {
	case TEXT:
		memcpy(field, &value, sizeof(value));
		return 0;
	case SUBNET:
		return subnet_parse(value, &options->subnet, err);
	case BUILD_ENV:
		return read_build_env(options, value, err);
	case NUMBER:
		ret = conf_number(value, row->min, row->max, &n);
		uint32_t n32 = (uint32_t)n;

		memcpy(field, &n32, sizeof(n32));
		break;
	case BYTES:
	case TIME:
		ret = read_amount(row, value, &n);
		uint64_t n64 = (uint64_t)n;

		memcpy(field, &n64, sizeof(n64));
		break;
	}
	return ret < 0 ? err_say(err, -EINVAL, "--%s cannot be %s", row->name, value) : 0;
}

int
options_parse(struct options *options, int argc, char **argv, struct err *err)
{
	struct option table[N_ROWS + 1] = {0};
	int ret = 0, chosen;

	*options = (struct options){0};
	for (size_t i = 0; i < N_ROWS; i++) {
		table[i] = (struct option){rows[i].name, required_argument, NULL, (int)i + 256};
		ret = set(options, &rows[i], rows[i].otherwise, err);
		if (ret < 0)
			return ret;
	}
	optind = 0;
	opterr = 0;
	while ((chosen = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (chosen < 256)
			return err_say(err, -EINVAL, "there is no option %s", argv[optind - 1]);
		ret = set(options, &rows[chosen - 256], optarg, err);
		if (ret < 0)
			return ret;
	}
	if (optind < argc)
		return err_say(err, -EINVAL, "%s is not an option", argv[optind]);
	return 0;
}

void
options_done(struct options *options)
{
	free(options->build_env_text);
	options->build_env_text = NULL;
}

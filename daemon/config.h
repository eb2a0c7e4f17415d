/*
 * Every option of paasd: one table, from which the command line, paas.conf and --help are read.
 * The command line wins over the file, the file over the defaults.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/addr.h"

struct err;

#define CONFIG_FILE "/etc/paas/paas.conf"
#define CONFIG_STATE "/var/lib/paas"
#define CONFIG_RUNTIME "/run/paas"
#define CONFIG_ROUTERS_MAX 64
#define CONFIG_LISTENERS_MAX 8 /* of each kind */
#define CONFIG_BUILD_ENV_MAX 32

struct config {
	char file[PATH_MAX];
	char name[8];
	char state[PATH_MAX];
	char runtime[PATH_MAX]; /* derived: where control.sock is */
	char http[512], https[512], ssh[512];
	char domain[256];
	char subnet_text[32];
	struct subnet subnet; /* derived */
	char stack[PATH_MAX]; /* "host" or a directory */
	char stack_name[64];
	uint64_t routers, uid_base;
	uint64_t instance_memory, instance_disk, instance_pids;
	uint64_t build_memory, build_disk, build_pids, build_time_ms, builds;
	uint64_t slug_size, push_size;
	uint64_t boot_time_ms, stop_time_ms, drain_time_ms, restart_max_ms;
	char build_env[4096]; /* "K=V K2=V2" */
};

enum config_mode {
	CONFIG_RUN,
	CONFIG_SELF_TEST,
	CONFIG_HELP,
	CONFIG_VERSION,
};

/*
 * Fills `config` from defaults, the configuration file and the arguments, and checks every
 * value. 0 and *mode; -EINVAL (usage) or another negative errno with a sentence that names the
 * option, or the file and line.
 */
int config_load(struct config *config, int argc, char **argv, enum config_mode *mode,
		struct err *err);
/* As config_load of the text of a file alone, over the defaults. For tests. */
int config_load_text(struct config *config, const char *text, size_t n, struct err *err);

/* Writes the help of all options. */
void config_help(FILE *out);

#endif

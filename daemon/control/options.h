/* What paasd tells control on its command line. */
#ifndef DAEMON_CONTROL_OPTIONS_H
#define DAEMON_CONTROL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

struct err;

#define OPTIONS_MAX_BUILD_ENV 32

struct options {
	const char *domain;	/* apps answer at APP.domain */
	const char *http, *ssh; /* advertised addresses, "A:P,A:P" */
	const char *stack_name;
	struct subnet subnet;
	uint32_t uid_base;
	uint64_t instance_memory, instance_disk;
	uint32_t instance_pids;
	uint64_t build_memory, build_disk, build_time_ms;
	uint32_t build_pids, builds;
	uint64_t slug_size, push_size;
	uint64_t boot_time_ms, drain_time_ms, stop_time_ms, restart_max_ms;
	char *build_env_text;				  /* owned: what build_env points into */
	const char *build_env[OPTIONS_MAX_BUILD_ENV + 1]; /* "K=V", NULL-terminated */
	size_t n_build_env;
};

/* Reads `--key=value` arguments; strings point into argv. 0, or -EINVAL with a sentence. */
int options_parse(struct options *options, int argc, char **argv, struct err *err);
void options_done(struct options *options);

#endif

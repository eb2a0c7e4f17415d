/* The options of a command line and what every command is given. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>

struct err;

/* Which options a command takes besides --help. */
enum arg {
	ARG_APP = 1,		/* -a APP, -r REMOTE: the command concerns one app */
	ARG_JSON = 2,		/* --json */
	ARG_NUM = 4,		/* -n N */
	ARG_TAIL = 8,		/* -t */
	ARG_SOURCE = 16,	/* -s app|heroku, -d web.1 */
	ARG_CONFIRM = 32,	/* --confirm APP */
	ARG_ROLE = 64,		/* --role ROLE */
	ARG_RUN = 128,		/* -d, --no-tty, -e K=V; options end at the first other word */
	ARG_APP_OPTIONAL = 256, /* -a APP narrows the command but may be missing */
};

struct args {
	const char *app, *remote;
	bool json, tail, detached, no_tty, help;
	long num; /* 0: not given */
	const char *source, *instance, *confirm, *role, *env;
	char **words; /* what is left, NULL-terminated; borrowed from argv */
	int n_words;
};

/* Parses argv[1..] of a command (argv[0] is ignored). 0 or -EINVAL with a sentence. */
int args_parse(struct args *args, int argc, char **argv, unsigned allowed, struct err *err);

#endif

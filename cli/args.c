/* One table of options for all commands; a command names those it takes. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "lib/conf.h"
#include "lib/err.h"

#include "cli/args.h"

enum {
	OPT_JSON = 256,
	OPT_CONFIRM,
	OPT_ROLE,
	OPT_NO_TTY,
	OPT_DYNO,
	OPT_DETACHED,
	OPT_EXIT_CODE,
};

static const struct option options[] = {
	{"app", required_argument, NULL, 'a'},
	{"remote", required_argument, NULL, 'r'},
	{"json", no_argument, NULL, OPT_JSON},
	{"num", required_argument, NULL, 'n'},
	{"tail", no_argument, NULL, 't'},
	{"source", required_argument, NULL, 's'},
	{"ps", required_argument, NULL, 'p'},
	{"dyno", required_argument, NULL, OPT_DYNO},
	{"detached", no_argument, NULL, OPT_DETACHED},
	{"no-tty", no_argument, NULL, OPT_NO_TTY},
	{"env", required_argument, NULL, 'e'},
	{"exit-code", no_argument, NULL, OPT_EXIT_CODE},
	{"confirm", required_argument, NULL, OPT_CONFIRM},
	{"role", required_argument, NULL, OPT_ROLE},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static unsigned
needs(int opt)
{
	switch (opt) {
	case 'a':
	case 'r':
		return ARG_APP | ARG_APP_OPTIONAL;
	case OPT_JSON:
		return ARG_JSON;
	case 'n':
		return ARG_NUM;
	case 't':
		return ARG_TAIL;
	case 's':
	case 'p':
	case OPT_DYNO:
		return ARG_SOURCE;
	case 'd':
		return ARG_SOURCE | ARG_RUN;
	case 'e':
	case 'x':
	case OPT_DETACHED:
	case OPT_NO_TTY:
	case OPT_EXIT_CODE:
		return ARG_RUN;
	case OPT_CONFIRM:
	case 'c':
		return ARG_CONFIRM;
	case OPT_ROLE:
		return ARG_ROLE;
	default:
		return ~0U;
	}
}

static int
take(struct args *args, int opt, unsigned allowed, struct err *err)
{
	long long n;
	switch (opt) {
	case 'a':
		args->app = optarg;
		break;
	case 'r':
		args->remote = optarg;
		break;
	case OPT_JSON:
		args->json = true;
		break;
	case 'n':
		if (conf_number(optarg, 1, 100000, &n) < 0)
			return err_say(err, -EINVAL, "-n takes a number from 1 to 100000, not %s",
				       optarg);
		args->num = (long)n;
		break;
	case 't':
		args->tail = true;
		break;
	case 's':
		args->source = optarg;
		break;
	case 'd':
		/* Heroku's letters: logs -d web.1, run -d. */
		if (allowed & ARG_RUN) {
			args->detached = true;
			break;
		}
		return err_say(err, -EINVAL, "-d is not an option here; use --dyno NAME");
	case 'p':
	case OPT_DYNO:
		args->instance = optarg;
		break;
	case OPT_DETACHED:
		args->detached = true;
		break;
	case OPT_NO_TTY:
		args->no_tty = true;
		break;
	case 'e':
		args->env = optarg;
		break;
	case 'x':
	case OPT_EXIT_CODE:
		break; /* the exit code is passed through always */
	case OPT_CONFIRM:
	case 'c':
		args->confirm = optarg;
		break;
	case OPT_ROLE:
		args->role = optarg;
		break;
	case 'h':
		args->help = true;
		break;
	default:
		break;
	}
	return 0;
}

int
args_parse(struct args *args, int argc, char **argv, unsigned allowed, struct err *err)
{
	memset(args, 0, sizeof(*args));
	optind = 0;
	opterr = 0;
	/* The words of `run` are somebody else's command line: ours ends at the first of them. */
	const char *letters = allowed & ARG_RUN ? "+:a:r:de:xh" : ":a:r:n:ts:p:c:h";
	int opt;
	while ((opt = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
		const char *word = argv[optind - 1];
		if (opt == ':')
			return err_say(err, -EINVAL, "%s needs a value", word);
		if (opt == '?') {
			/* web-1 is a word of scale; -1 alone or an unknown letter is a mistake. */
			return err_say(err, -EINVAL, "there is no option %s", word);
		}
		if (!(needs(opt) & allowed) && opt != 'h')
			return err_say(err, -EINVAL, "%s is not an option of this command", word);
		int ret = take(args, opt, allowed, err);
		if (ret < 0)
			return ret;
	}
	args->words = argv + optind;
	args->n_words = argc - optind;
	return 0;
}

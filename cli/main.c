/*
 * paas COMMAND: speaks to the platform's socket when it is at hand, and otherwise lets ssh run
 * the same command line on the machine that the git remote names, where paas-session starts
 * this very program with a connection to the API. So every command is written once.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include "cli/command.h"
#include "cli/ssh.h"

enum exit_status {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
};

static void
print_usage(FILE *out, const struct command *c)
{
	fprintf(out, "Usage: paas %s%s%s%s%s\n", c->name, *c->usage ? " " : "", c->usage,
		c->options & ARG_APP ? " [-a APP] [-r REMOTE]" : "",
		c->options & ARG_JSON ? " [--json]" : "");
}

static void
print_commands(FILE *out)
{
	fprintf(out, "Usage: paas COMMAND [-a APP] [-r REMOTE] [--json]\n\n");
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-18s %.*s\n", c->name, (int)strcspn(c->help, "\n"), c->help);
	fprintf(out, "\npaas help COMMAND tells more. Heroku's spelling (config:set) works too.\n"
		     "In a clone with a git remote named platform the app is known; elsewhere name "
		     "it with -a.\n");
}

static int
help(char **words, int n_words)
{
	int n_used;
	const struct command *c = n_words ? command_find(words, n_words, &n_used) : NULL;
	if (!c) {
		print_commands(n_words ? stderr : stdout);
		return n_words ? EXIT_USAGE : EXIT_DONE;
	}
	print_usage(stdout, c);
	printf("\n%s\n", c->help);
	/* "config" also names its family. */
	size_t n = strlen(c->name);
	for (const struct command *s = commands; s->name; s++)
		if (strncmp(s->name, c->name, n) == 0 && s->name[n] == ' ')
			printf("  paas %-16s %.*s\n", s->name, (int)strcspn(s->help, "\n"),
			       s->help);
	return EXIT_DONE;
}

static int
fail(const struct err *err, int status)
{
	fprintf(stderr, "paas: %s\n", err->text);
	return status;
}

/* `keys add NAME FILE` and `config import FILE` elsewhere: the file is read here. */
static int
send_file_as_stdin(const struct command *c, struct args *args, struct err *err)
{
	int at = c->fn == command_keys_add ? 1 : c->fn == command_config_import ? 0 : -1;
	if (at < 0 || at >= args->n_words || strcmp(args->words[at], "-") == 0)
		return 0;
	AUTO_FD int fd = open(args->words[at], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "open %s", args->words[at]);
	if (dup2(fd, STDIN_FILENO) < 0)
		return err_set(err, -errno, "open %s", args->words[at]);
	static char dash[] = "-";
	args->words[at] = dash;
	return 0;
}

/* The same command for the paas at the other end, with the app spelled out. */
static int
go_there(const struct command *c, struct args *args, const struct remote *remote, struct err *err)
{
	int ret = send_file_as_stdin(c, args, err);
	if (ret < 0)
		return ret;
	AUTO_FREE char **words = calloc((size_t)args->n_words + 32, sizeof(*words));
	AUTO_FREE char *name = strdup(c->name);
	if (!words || !name)
		return err_set(err, -ENOMEM, "send the command");
	char number[24];
	const char *const app = args->app ? args->app : c->options & ARG_APP ? remote->app : NULL;
	(void)snprintf(number, sizeof(number), "%ld", args->num);
	const struct {
		const char *option, *value;
		bool given;
	} options[] = {
		{"-a", app, app != NULL},
		{"--json", NULL, args->json},
		{"-n", number, args->num > 0},
		{"--tail", NULL, args->tail},
		{"--source", args->source, args->source != NULL},
		{"--ps", args->instance, args->instance != NULL},
		{"--confirm", args->confirm, args->confirm != NULL},
		{"--role", args->role, args->role != NULL},
		{"--detached", NULL, args->detached},
		{"--no-tty", NULL, args->no_tty},
		{"--env", args->env, args->env != NULL},
	};
	size_t n = 0;
	char *rest = name;
	for (char *word; (word = strsep(&rest, " "));)
		words[n++] = word;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		if (!options[i].given)
			continue;
		words[n++] = (char *)(uintptr_t)options[i].option;
		if (options[i].value)
			words[n++] = (char *)(uintptr_t)options[i].value;
	}
	static char end[] = "--";
	words[n++] = end;
	for (int i = 0; i < args->n_words; i++)
		words[n++] = args->words[i];
	bool tty = (c->options & ARG_RUN) && !args->detached && !args->no_tty &&
		   isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	return remote_exec(remote, tty, words, err);
}

/* Is the platform's socket ours to use, without looking for a remote first? */
static bool
has_socket(void)
{
	return getenv("PAAS_API_FD") || (getenv("PAAS_SOCKET") && *getenv("PAAS_SOCKET"));
}

static int
run_command(const struct command *c, struct args *args)
{
	struct err err = {""};
	struct remote remote = {.port = ""};
	bool here = has_socket();
	bool wants_app = (c->options & ARG_APP) && c->fn != command_create;
	const char *app = args->app ? args->app : getenv("PAAS_APP");
	int found = 0;
	if (!getenv("PAAS_API_FD") && (args->remote || !here || (wants_app && !app))) {
		found = remote_find(args->remote, &remote, &err);
		if (found < 0)
			return fail(&err, EXIT_REFUSED);
		if (!found && args->remote) {
			(void)err_say(&err, -ENOENT, "this repository has no git remote named %s",
				      args->remote);
			return fail(&err, EXIT_REFUSED);
		}
	}
	if (found && !here) {
		if (!args->app)
			args->app = c->options & ARG_APP ? app : NULL;
		(void)go_there(c, args, &remote, &err);
		return fail(&err, EXIT_REFUSED);
	}
	if (!app && found)
		app = remote.app;
	bool names_itself =
		(c->fn == command_destroy || c->fn == command_info) && args->n_words == 1;
	if (wants_app && !app && !names_itself) {
		(void)err_say(&err, -EINVAL,
			      "which app? Name it with -a APP, or run this in a clone with a git "
			      "remote named platform");
		return fail(&err, EXIT_USAGE);
	}
	struct context context = {.args = *args, .app = app};
	int ret = api_open(&context.api, &err);
	if (ret == 0 || c->fn == command_version)
		ret = c->fn(&context, &err);
	api_close(&context.api);
	if (fflush(stdout) != 0 && ret >= 0)
		ret = err_set(&err, -errno, "write the output");
	return ret < 0 ? fail(&err, EXIT_REFUSED) : ret;
}

int
main(int argc, char **argv)
{
	(void)signal(SIGPIPE, SIG_IGN);
	char **words = argv + 1;
	int n_words = argc - 1, n_used = 0;
	if (n_words == 0 || strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0)
		return help(words, 0);
	if (strcmp(words[0], "help") == 0)
		return help(words + 1, n_words - 1);
	if (strcmp(words[0], "--version") == 0) {
		static char version[] = "version";
		words[0] = version;
	}
	const struct command *c = command_find(words, n_words, &n_used);
	if (!c) {
		fprintf(stderr, "paas: there is no command %s; paas help lists them all\n",
			words[0]);
		return EXIT_USAGE;
	}
	struct err err = {""};
	struct args args;
	if (args_parse(&args, argc - n_used, argv + n_used, c->options, &err) < 0) {
		(void)fail(&err, EXIT_USAGE);
		print_usage(stderr, c);
		return EXIT_USAGE;
	}
	if (args.help)
		return help(words, n_words);
	if (args.n_words < c->min_words || (c->max_words >= 0 && args.n_words > c->max_words)) {
		(void)err_say(&err, -EINVAL,
			      args.n_words < c->min_words ? "%s needs more words"
							  : "%s takes fewer words",
			      c->name);
		(void)fail(&err, EXIT_USAGE);
		print_usage(stderr, c);
		return EXIT_USAGE;
	}
	return run_command(c, &args);
}

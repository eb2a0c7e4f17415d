/* The table of all commands. Completions, help and the manual are written from it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include "cli/command.h"

#define APP ARG_APP
#define LIST (ARG_APP | ARG_JSON)

const struct command commands[] = {
	{"apps", "", "List your apps.", ARG_JSON, 0, 0, command_apps},
	{"create", "[NAME]",
	 "Create an app.\nPushing to a name that does not exist yet does the same.", ARG_JSON | APP,
	 0, 1, command_create},
	{"destroy", "[--confirm APP]",
	 "Destroy an app: its instances, releases, config, logs and repository.\n"
	 "Asks for the name, or takes it from --confirm.",
	 APP | ARG_CONFIRM, 0, 1, command_destroy},
	{"info", "", "Show an app.", LIST, 0, 1, command_info},
	{"whoami", "", "Show who you are to the platform.", ARG_JSON, 0, 0, command_whoami},
	{"ps", "", "List an app's instances.", LIST, 0, 0, command_ps},
	{"scale", "[TYPE=N | TYPE+N | TYPE-N]...",
	 "Set how many instances of each process type run.\nWithout arguments shows it.", LIST, 0,
	 -1, command_scale},
	{"restart", "[TYPE | INSTANCE]",
	 "Restart all instances, those of a type, or one.\n"
	 "Web instances are replaced by new ones before the old stop.",
	 APP, 0, 1, command_restart},
	{"stop", "TYPE | INSTANCE",
	 "Stop an instance or those of a type; down until a restart, scale or release.", APP, 1, 1,
	 command_stop},
	{"config", "", "List an app's config vars.", LIST, 0, 0, command_config},
	{"config get", "KEY", "Print the value of a config var.", LIST, 1, 1, command_config_get},
	{"config set", "KEY=VALUE...", "Set config vars; makes a release and restarts the app.",
	 LIST, 1, -1, command_config_set},
	{"config unset", "KEY...", "Remove config vars; makes a release and restarts the app.",
	 LIST, 1, -1, command_config_unset},
	{"config import", "FILE",
	 "Set config vars from a file of KEY=VALUE lines, - for standard input.", LIST, 1, 1,
	 command_config_import},
	{"logs", "[-n N] [--tail] [--source app|heroku] [--dyno web.1]",
	 "Show what an app and the platform said.", APP | ARG_NUM | ARG_TAIL | ARG_SOURCE, 0, 0,
	 command_logs},
	{"releases", "[-n N]", "List an app's releases.", LIST | ARG_NUM, 0, 0, command_releases},
	{"releases info", "[vN]", "Show a release, the current one without argument.", LIST, 0, 1,
	 command_release_info},
	{"rollback", "[vN]",
	 "Make a new release of an earlier one's slug and config, the previous one without "
	 "argument.",
	 LIST, 0, 1, command_rollback},
	{"run", "[-d] [--no-tty] [-e K=V;K2=V2] COMMAND...",
	 "Run a command in an instance of its own, attached; ends with its exit status.\n"
	 "-d leaves it alone: its output goes to the log.",
	 LIST | ARG_RUN, 1, -1, command_run},
	{"run detached", "COMMAND...", "The same as run -d.", LIST | ARG_RUN, 1, -1,
	 command_run_detached},
	{"domains", "", "List the host names an app answers at.", LIST, 0, 0, command_domains},
	{"domains add", "HOST", "Let an app answer at a host name; *.example.org is a wildcard.",
	 LIST, 1, 1, command_domains_add},
	{"domains remove", "HOST", "Take a host name away.", APP, 1, 1, command_domains_remove},
	{"keys", "", "List the users' SSH keys.", ARG_JSON, 0, 0, command_keys},
	{"keys add", "NAME FILE [--role admin|deploy|read] [-a APP]",
	 "Give a user an SSH public key (- reads standard input).\n"
	 "The first user is an admin, later ones deploy unless --role says otherwise;\n"
	 "with -a the role is for that app only.",
	 ARG_APP_OPTIONAL | ARG_JSON | ARG_ROLE, 2, 2, command_keys_add},
	{"keys remove", "NAME | FINGERPRINT", "Take a key away, or all keys of a user.", 0, 1, 1,
	 command_keys_remove},
	{"access", "", "List who may do what with an app.", LIST, 0, 0, command_access},
	{"access add", "NAME [--role admin|deploy|read]", "Give a user a role on an app.",
	 LIST | ARG_ROLE, 1, 1, command_access_add},
	{"access remove", "NAME", "Take a user's role on an app away.", APP, 1, 1,
	 command_access_remove},
	{"buildpacks", "", "List an app's buildpacks; none: they are detected.", LIST, 0, 0,
	 command_buildpacks},
	{"buildpacks set", "NAME...", "Set the buildpacks, run in this order by the next push.",
	 LIST, 1, -1, command_buildpacks_set},
	{"buildpacks add", "NAME", "Add a buildpack behind the others.", LIST, 1, 1,
	 command_buildpacks_add},
	{"buildpacks remove", "NAME", "Remove a buildpack.", LIST, 1, 1, command_buildpacks_remove},
	{"buildpacks clear", "", "Go back to detecting.", APP, 0, 0, command_buildpacks_clear},
	{"version", "", "Show the versions of this program and the platform.", ARG_JSON, 0, 0,
	 command_version},
	{NULL, NULL, NULL, 0, 0, 0, NULL},
};

/* Other spellings, Heroku's among them. */
static const struct {
	const char *alias, *name;
} aliases[] = {
	{"apps list", "apps"},
	{"apps create", "create"},
	{"apps destroy", "destroy"},
	{"apps delete", "destroy"},
	{"apps info", "info"},
	{"auth whoami", "whoami"},
	{"ps list", "ps"},
	{"ps scale", "scale"},
	{"ps restart", "restart"},
	{"dyno restart", "restart"},
	{"dyno scale", "scale"},
	{"ps stop", "stop"},
	{"dyno stop", "stop"},
	{"config list", "config"},
	{"config add", "config set"},
	{"config remove", "config unset"},
	{"releases list", "releases"},
	{"releases rollback", "rollback"},
	{"domains list", "domains"},
	{"keys list", "keys"},
	{"access list", "access"},
	{"buildpacks list", "buildpacks"},
};

/* Is `name` the first word, or the first two, of `words`? How many, or 0. */
static int
names(const char *name, char **words, int n_words)
{
	char first[64];
	if (n_words == 0 || strlen(words[0]) >= sizeof(first))
		return 0;
	(void)strcpy(first, words[0]);
	char *colon = strchr(first, ':');
	if (colon) {
		*colon = ' ';
		return strcmp(first, name) == 0 ? 1 : 0;
	}
	const char *space = strchr(name, ' ');
	if (!space)
		return strcmp(first, name) == 0 ? 1 : 0;
	size_t n = (size_t)(space - name);
	if (n_words < 2 || strlen(first) != n || memcmp(first, name, n) != 0)
		return 0;
	return strcmp(words[1], space + 1) == 0 ? 2 : 0;
}

static const struct command *
by_name(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

const struct command *
command_find(char **words, int n_words, int *n_used)
{
	const struct command *best = NULL;
	*n_used = 0;
	for (const struct command *c = commands; c->name; c++) {
		int n = names(c->name, words, n_words);
		/* "config set" is more than "config"; with a colon both words are one. */
		if (n > 0 && (!best || strlen(c->name) > strlen(best->name))) {
			best = c;
			*n_used = n;
		}
	}
	for (size_t i = 0; i < sizeof(aliases) / sizeof(*aliases); i++) {
		int n = names(aliases[i].alias, words, n_words);
		if (n > 0 && (!best || !strchr(best->name, ' '))) {
			best = by_name(aliases[i].name);
			*n_used = n;
			break;
		}
	}
	return best;
}

char *
app_path(const struct context *c, const char *fmt, ...)
{
	AUTO_BUF struct buf path;
	buf_init(&path, 4096);
	char rest[2048];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(rest, sizeof(rest), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(rest))
		return NULL;
	if (buf_add_string(&path, "/apps") < 0 || api_path_add(&path, c->app) < 0 ||
	    buf_add_string(&path, rest) < 0)
		return NULL;
	return buf_take(&path);
}

int
app_call(struct context *c, const char *method, char *path, json_t *body, json_t **answer,
	 struct err *err)
{
	int ret = path ? api_call(&c->api, method, path, body, answer, err)
		       : err_set(err, -ENOMEM, "write the request");
	free(path);
	json_decref(body);
	return ret;
}

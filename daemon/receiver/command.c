/*
 * The only reader of command lines. A repository is named by its app alone, so there is no path
 * in here that could lead anywhere: what is not an app's name is refused before anyone opens it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/name.h"

#include "daemon/receiver/command.h"
#include "daemon/receiver/sentence.h"

/* Where the next word is read from and written to; words only ever get shorter. */
struct splitter {
	const char *at, *end;
	char *to;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What a backslash takes the meaning from, inside double quotes. */
static bool
is_escapable(char c)
{
	return c == '"' || c == '\\' || c == '$' || c == '`' || c == '\n';
}

static int
split_single(struct splitter *s, struct err *err)
{
	const char *close = memchr(s->at, '\'', (size_t)(s->end - s->at));

	if (!close)
		return err_say(err, -EINVAL, "a single quote is not closed in this command line");
	memcpy(s->to, s->at, (size_t)(close - s->at));
	s->to += close - s->at;
	s->at = close + 1;
	return 0;
}

static int
split_double(struct splitter *s, struct err *err)
{
	while (s->at < s->end && *s->at != '"') {
		if (*s->at == '\\' && s->at + 1 < s->end && is_escapable(s->at[1]))
			s->at++;
		*s->to++ = *s->at++;
	}
	if (s->at == s->end)
		return err_say(err, -EINVAL, "a double quote is not closed in this command line");
	s->at++;
	return 0;
}

/* One word, s->at on its first character. */
static int
split_word(struct splitter *s, struct err *err)
{
	while (s->at < s->end && !is_blank(*s->at)) {
		char c = *s->at++;
		int ret = 0;

		if (c == '\n' || c == '\r')
			return err_say(err, -EINVAL,
				       "a line break in a command line must be inside quotes");
		if (c == '\\') {
			if (s->at == s->end)
				return err_say(err, -EINVAL,
					       "this command line ends with a backslash");
			*s->to++ = *s->at++;
		} else if (c == '\'') {
			ret = split_single(s, err);
		} else if (c == '"') {
			ret = split_double(s, err);
		} else {
			*s->to++ = c;
		}
		if (ret < 0)
			return ret;
	}
	*s->to++ = '\0';
	return 0;
}

/* argv[0] stays free for the program's name. */
static int
split_words(struct command *command, const char *line, size_t n, struct err *err)
{
	struct splitter s = {.at = line, .end = line + n, .to = command->memory};

	for (;;) {
		int ret;

		while (s.at < s.end && is_blank(*s.at))
			s.at++;
		if (s.at == s.end)
			return 0;
		if (command->n_words == COMMAND_MAX_WORDS)
			return err_say(err, -EINVAL, "a command line may have at most %d words",
				       COMMAND_MAX_WORDS);
		command->argv[1 + command->n_words++] = s.to;
		ret = split_word(&s, err);
		if (ret < 0)
			return ret;
	}
}

int
command_app(const char *path, char app[APP_NAME_MAX + 1], struct err *err)
{
	char quoted[64];
	const char *why;
	size_t n;

	(void)sentence_quote(path, strlen(path), quoted, sizeof(quoted));
	/* ssh://HOST/~/app.git arrives as "~/app.git", and some clients keep the slash. */
	if (path[0] == '/')
		path++;
	if (path[0] == '~' && path[1] == '/')
		path += 2;
	n = strlen(path);
	if (n > 0 && path[n - 1] == '/')
		n--;
	if (n >= 4 && memcmp(path + n - 4, ".git", 4) == 0)
		n -= 4;
	if (n == 0)
		return err_say(err, -EINVAL,
			       "name the app in the address: ssh://paas@HOST:PORT/APP.git");
	if (n > APP_NAME_MAX || memchr(path, '/', n))
		return err_say(err, -EINVAL,
			       "'%s' is not an app's repository; the address is "
			       "ssh://paas@HOST:PORT/APP.git",
			       quoted);
	memcpy(app, path, n);
	app[n] = '\0';
	why = name_check_app(app);
	if (why)
		return err_say(err, -EINVAL, "'%s' is not an app's name: %s", quoted, why);
	return 0;
}

/* 1: it is git's; 0: it is not. The words a git client sends are fixed: a program and a path. */
static int
parse_git(struct command *command, struct err *err)
{
	static const struct {
		const char *word;
		enum command_kind kind;
	} services[] = {
		{"receive-pack", COMMAND_RECEIVE_PACK},
		{"upload-pack", COMMAND_UPLOAD_PACK},
	};
	const char *word = command->argv[1];
	size_t used = 1;

	if (strcmp(word, "git") == 0) {
		if (command->n_words < 2)
			return 0;
		word = command->argv[2];
		used = 2;
	} else if (strncmp(word, "git-", 4) == 0) {
		word += 4;
	} else {
		return 0;
	}
	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		int ret;

		if (strcmp(word, services[i].word) != 0)
			continue;
		if (command->n_words != used + 1)
			return err_say(err, -EINVAL, "git-%s takes one repository here: 'APP.git'",
				       services[i].word);
		command->kind = services[i].kind;
		ret = command_app(command->argv[used + 1], command->app, err);
		return ret < 0 ? ret : 1;
	}
	return err_say(err, -EINVAL, "only git push, fetch and clone work here");
}

int
command_parse(struct command *command, const char *line, size_t n, struct err *err)
{
	int ret;

	memset(command, 0, sizeof(*command));
	if (n > COMMAND_MAX_BYTES)
		return err_say(err, -EINVAL, "a command line may have at most %d bytes",
			       COMMAND_MAX_BYTES);
	if (memchr(line, '\0', n))
		return err_say(err, -EINVAL, "a command line must not hold a NUL byte");
	/* Every word loses at least the blank behind it, or is the last one. */
	command->memory = malloc(n + 1);
	command->argv = calloc(COMMAND_MAX_WORDS + 2, sizeof(*command->argv));
	if (!command->memory || !command->argv) {
		command_done(command);
		return err_set(err, -ENOMEM, "read the command line");
	}
	ret = split_words(command, line, n, err);
	if (ret == 0 && command->n_words == 0)
		ret = err_say(err, -EINVAL, "the command line is empty");
	if (ret == 0)
		ret = parse_git(command, err);
	if (ret < 0) {
		command_done(command);
		return ret;
	}
	if (ret == 0) {
		static char program[] = "paas";

		/* `ssh host paas ps` is as clear as `ssh host ps`. */
		if (strcmp(command->argv[1], program) == 0) {
			memmove(command->argv + 1, command->argv + 2,
				command->n_words * sizeof(*command->argv));
			command->n_words--;
		}
		command->argv[0] = program;
	}
	return 0;
}

void
command_done(struct command *command)
{
	free(command->memory);
	free(command->argv);
	memset(command, 0, sizeof(*command));
}

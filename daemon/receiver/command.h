/*
 * The one string a client asks to have executed: git on one of the repositories, or a line for
 * the `paas` program. Split as a shell would split it, but there is no shell: nothing expands.
 */
#ifndef RECEIVER_COMMAND_H
#define RECEIVER_COMMAND_H

#include <stddef.h>

#include "lib/sandbox.h"

struct err;

#define COMMAND_MAX_BYTES (128 * 1024)
#define COMMAND_MAX_WORDS 1024

enum command_kind {
	COMMAND_PAAS, /* argv[0] is "paas" */
	COMMAND_RECEIVE_PACK,
	COMMAND_UPLOAD_PACK,
};

struct command {
	enum command_kind kind;
	char app[APP_NAME_MAX + 1]; /* of the git kinds, checked */
	char *memory;		    /* owns the words */
	char **argv;		    /* NULL-terminated */
	size_t n_words;
};

/*
 * Single and double quotes and backslashes mean what they mean to sh; `$`, backquotes and
 * operators are characters like any other; a line break or NUL must not stand outside quotes
 * (a NUL nowhere). 0, -EINVAL with a sentence for the client, or -ENOMEM with one.
 */
int command_parse(struct command *command, const char *line, size_t n, struct err *err);
/* A zeroed or failed one is fine. */
void command_done(struct command *command);

/* The app in "app", "app.git", "/app.git", "~/app.git": 0 or -EINVAL with a sentence. */
int command_app(const char *path, char app[APP_NAME_MAX + 1], struct err *err);

#endif

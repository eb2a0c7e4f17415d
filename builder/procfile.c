/*
 * Heroku ignores lines it cannot read; people then wonder why their worker never starts. Here
 * such a line fails the push, by number and text.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/name.h"

#include "builder/procfile.h"
#include "builder/types.h"

#define SHOWN_BYTES 80

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A piece of the line that can be printed: no control characters, not too long. */
static void
show(const char *line, size_t n, char out[SHOWN_BYTES + 4])
{
	size_t len = n < SHOWN_BYTES ? n : SHOWN_BYTES;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		out[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	memcpy(out + len, n > len ? "..." : "", n > len ? 4 : 1);
}

static int
bad_line(struct err *err, unsigned number, const char *line, size_t n, const char *what)
{
	char shown[SHOWN_BYTES + 4];

	show(line, n, shown);
	return err_say(err, -EINVAL, "Procfile line %u is not \"type: command\" (%s): %s", number,
		       what, shown);
}

static int
parse_line(const char *line, size_t n, unsigned number, struct types *types, struct buf *warnings,
	   struct err *err)
{
	const char *colon = memchr(line, ':', n);
	char name[TYPE_NAME_MAX + 2];
	const char *command, *wrong;
	size_t n_name, n_command;
	int ret;

	if (memchr(line, '\0', n))
		return bad_line(err, number, line, n, "a NUL byte");
	if (!colon)
		return bad_line(err, number, line, n, "no colon");
	n_name = (size_t)(colon - line);
	while (n_name > 0 && is_blank(line[n_name - 1]))
		n_name--;
	if (n_name > TYPE_NAME_MAX)
		n_name = TYPE_NAME_MAX + 1;
	memcpy(name, line, n_name);
	name[n_name] = '\0';
	wrong = name_check_type(name);
	if (wrong)
		return bad_line(err, number, line, n,
				n_name == 0 ? "no type before the colon"
					    : "a type is 1 to 63 letters, digits, - and _");
	command = colon + 1;
	n_command = n - (size_t)(command - line);
	while (n_command > 0 && is_blank(*command)) {
		command++;
		n_command--;
	}
	if (n_command == 0)
		return bad_line(err, number, line, n, "no command after the colon");
	ret = types_set(types, name, command, n_command);
	if (ret == -E2BIG)
		return err_say(err, -EINVAL,
			       "Procfile line %u: there are more than %d process types.", number,
			       TYPES_MAX);
	if (ret == -ENAMETOOLONG)
		return err_say(err, -EINVAL,
			       "Procfile line %u: the command is longer than %d bytes.", number,
			       TYPE_COMMAND_MAX);
	if (ret < 0)
		return err_set(err, ret, "Procfile line %u", number);
	if (ret > 0 && warnings)
		(void)buf_printf(warnings, "Procfile line %u replaces an earlier line for %s.\n",
				 number, name);
	return 0;
}

int
procfile_parse(const char *text, size_t n, struct types *types, struct buf *warnings,
	       struct err *err)
{
	const char *end = text + n;
	unsigned number = 0;

	if (n > PROCFILE_MAX_BYTES)
		return err_say(err, -EINVAL, "The Procfile is larger than %d bytes.",
			       PROCFILE_MAX_BYTES);
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line = text;
		size_t len = (size_t)((newline ? newline : end) - text);
		int ret;

		number++;
		text = newline ? newline + 1 : end;
		while (len > 0 && (is_blank(line[len - 1]) || line[len - 1] == '\r'))
			len--;
		while (len > 0 && is_blank(*line)) {
			line++;
			len--;
		}
		if (len == 0 || *line == '#')
			continue;
		ret = parse_line(line, len, number, types, warnings, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

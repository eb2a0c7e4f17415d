/* proc(5): ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG..] - TYPE SOURCE SUPEROPTIONS */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/file.h"
#include "daemon/supervisor/mountinfo.h"

/* Is `word` one of the comma-separated words in `list`? */
static bool
has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (*list) {
		size_t len = strcspn(list, ",");

		if (len == n && strncmp(list, word, n) == 0)
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

static bool
is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Three octal digits stand for blanks and backslashes. */
static void
unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && is_octal(s[1]) && is_octal(s[2]) && is_octal(s[3])) {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

int
mountinfo_search(const char *text, const char *type, const char *option,
		 char out[MOUNTINFO_PATH_MAX])
{
	int ret = -ENOENT;

	while (*text) {
		char line[2048], root[512], point[MOUNTINFO_PATH_MAX], super_options[512];
		char found_type[64];
		size_t n = strcspn(text, "\n");
		const char *rest;

		if (n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = '\0';
			rest = strstr(line, " - ");
			if (rest && sscanf(line, "%*s %*s %*s %511s %255s", root, point) == 2 &&
			    sscanf(rest, " - %63s %*s %511s", found_type, super_options) == 2 &&
			    strcmp(found_type, type) == 0 &&
			    (!option || has_word(super_options, option)) &&
			    (ret < 0 || strcmp(root, "/") == 0)) {
				unescape(point);
				strcpy(out, point);
				ret = 0;
				if (strcmp(root, "/") == 0)
					return 0;
			}
		}
		text += n + (text[n] == '\n');
	}
	return ret;
}

int
mountinfo_find(const char *type, const char *option, char out[MOUNTINFO_PATH_MAX])
{
	AUTO_BUF struct buf text;

	buf_init(&text, (size_t)4 * 1024 * 1024);
	if (file_read_at(AT_FDCWD, "/proc/self/mountinfo", &text) < 0)
		return -ENOENT;
	return mountinfo_search(buf_text(&text), type, option, out);
}

/*
 * A pattern is kept as its parts between slashes. Parts are matched one by one with the usual
 * greedy star that remembers one place to go back to, and whole paths likewise with ** as the star,
 * so matching costs at most pattern times path, whatever the pattern is.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include "builder/ignore.h"

#define MAX_PARTS 64

struct ignore_rule {
	char *pattern; /* parts, each ended by NUL */
	unsigned n_parts;
	bool dir_only;
};

/* ---- one part ------------------------------------------------------------------------------ */

static bool
is_in_class(const char *name, size_t n, unsigned char c)
{
	static const struct {
		const char *name;
		int (*is)(int);
	} classes[] = {
		{"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
		{"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
		{"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
	};

	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
		if (strlen(classes[i].name) == n && memcmp(classes[i].name, name, n) == 0)
			return c < 0x80 && classes[i].is(c);
	}
	return false;
}

/* Matches `c` against the set at `p` (behind its '['). The end of the set, or NULL when it never
 * ends, in which case '[' is an ordinary character. */
static const char *
match_set(const char *p, unsigned char c, bool *matches)
{
	bool negated = *p == '!' || *p == '^';
	bool found = false, first = true;

	p += negated;
	for (; *p && (first || *p != ']'); first = false) {
		unsigned char low, high;

		if (p[0] == '[' && p[1] == ':') {
			const char *end = strstr(p + 2, ":]");

			if (end) {
				found |= is_in_class(p + 2, (size_t)(end - p - 2), c);
				p = end + 2;
				continue;
			}
		}
		if (*p == '\\' && p[1])
			p++;
		low = high = (unsigned char)*p++;
		if (p[0] == '-' && p[1] && p[1] != ']') {
			p++;
			if (*p == '\\' && p[1])
				p++;
			high = (unsigned char)*p++;
		}
		found |= c >= low && c <= high;
	}
	if (*p != ']')
		return NULL;
	*matches = found != negated;
	return p + 1;
}

/* One character of the pattern against one of the name. The pattern behind it, NULL: no match. */
static const char *
match_one(const char *p, char c)
{
	bool matches = false;
	const char *end;

	if (*p == '?')
		return p + 1;
	if (*p == '[') {
		end = match_set(p + 1, (unsigned char)c, &matches);
		if (end)
			return matches ? end : NULL;
	}
	if (*p == '\\' && p[1])
		p++;
	return *p && *p == c ? p + 1 : NULL;
}

static bool
match_part(const char *p, const char *s, size_t n)
{
	const char *end = s + n, *star = NULL, *retry = NULL;

	while (s < end) {
		const char *next;

		if (*p == '*') {
			star = ++p;
			retry = s;
			continue;
		}
		next = match_one(p, *s);
		if (next) {
			p = next;
			s++;
		} else if (star) {
			p = star;
			s = ++retry;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return !*p;
}

/* ---- paths --------------------------------------------------------------------------------- */

static bool
match_rule(const struct ignore_rule *rule, const char *path)
{
	const char *p = rule->pattern, *star = NULL, *retry = NULL, *s = path;
	unsigned left = rule->n_parts, left_at_star = 0;

	while (*s) {
		size_t n = strcspn(s, "/");

		if (left > 0 && strcmp(p, "**") == 0) {
			p += 3;
			star = p;
			left_at_star = --left;
			retry = s;
			continue;
		}
		if (left > 0 && match_part(p, s, n)) {
			p += strlen(p) + 1;
			left--;
			s += n;
			s += *s == '/';
		} else if (star) {
			p = star;
			left = left_at_star;
			retry += strcspn(retry, "/");
			retry += *retry == '/';
			s = retry;
		} else {
			return false;
		}
	}
	while (left > 0 && strcmp(p, "**") == 0) {
		p += 3;
		left--;
	}
	return left == 0;
}

bool
ignore_match(const struct ignore *ignore, const char *path, bool is_dir)
{
	for (size_t i = 0; i < ignore->n; i++) {
		if (ignore->rules[i].dir_only && !is_dir)
			continue;
		if (match_rule(&ignore->rules[i], path))
			return true;
	}
	return false;
}

/* ---- the file ------------------------------------------------------------------------------ */

/* Trailing blanks do not count unless escaped. */
static size_t
trimmed(const char *line, size_t n)
{
	if (n > 0 && line[n - 1] == '\r')
		n--;
	while (n > 0 && line[n - 1] == ' ') {
		if (n > 1 && line[n - 2] == '\\')
			break;
		n--;
	}
	return n;
}

static int
add_part(struct buf *b, struct ignore_rule *rule, const char *part, size_t n)
{
	if (rule->n_parts == MAX_PARTS)
		return -EINVAL;
	rule->n_parts++;
	if (buf_add(b, part, n) < 0)
		return -ENOMEM;
	return buf_add(b, "", 1) < 0 ? -ENOMEM : 0;
}

/* -EINVAL: too many parts. */
static int
make_rule(const char *line, size_t n, struct ignore_rule *rule)
{
	AUTO_BUF struct buf b;
	bool anchored;
	int ret = 0;

	buf_init(&b, IGNORE_MAX_BYTES + 2 * MAX_PARTS);
	rule->n_parts = 0;
	rule->dir_only = line[n - 1] == '/';
	while (n > 0 && line[n - 1] == '/')
		n--;
	anchored = memchr(line, '/', n) != NULL;
	if (!anchored)
		ret = add_part(&b, rule, "**", 2);
	while (ret == 0 && n > 0) {
		const char *slash = memchr(line, '/', n);
		size_t len = slash ? (size_t)(slash - line) : n;
		bool is_last = !slash;

		/* A last ** means everything inside, but not the folder itself. */
		if (is_last && len == 2 && memcmp(line, "**", 2) == 0)
			ret = add_part(&b, rule, "*", 1);
		if (ret == 0 && len > 0)
			ret = add_part(&b, rule, line, len);
		line += len + !is_last;
		n -= len + !is_last;
	}
	if (ret < 0)
		return ret;
	rule->pattern = buf_take(&b);
	return rule->pattern ? 0 : -ENOMEM;
}

static int
parse_line(const char *line, size_t n, unsigned number, struct ignore *ignore, struct buf *warnings,
	   struct err *err)
{
	struct ignore_rule *rules;
	int ret;

	n = trimmed(line, n);
	if (n == 0 || *line == '#')
		return 0;
	if (*line == '!') {
		if (warnings)
			(void)buf_printf(warnings,
					 ".slugignore line %u: patterns with ! are not supported; "
					 "the line is left out.\n",
					 number);
		return 0;
	}
	if (strspn(line, "/") >= n)
		return 0;
	if (memchr(line, '\0', n))
		return err_say(err, -EINVAL, ".slugignore line %u holds a NUL byte.", number);
	if (ignore->n == IGNORE_MAX_RULES)
		return err_say(err, -EINVAL, ".slugignore has more than %d patterns.",
			       IGNORE_MAX_RULES);
	rules = reallocarray(ignore->rules, ignore->n + 1, sizeof(*rules));
	if (!rules)
		return err_set(err, -ENOMEM, ".slugignore");
	ignore->rules = rules;
	ret = make_rule(line, n, &rules[ignore->n]);
	if (ret == -EINVAL)
		return err_say(err, ret, ".slugignore line %u has more than %d folders.", number,
			       MAX_PARTS - 2);
	if (ret < 0)
		return err_set(err, ret, ".slugignore");
	ignore->n++;
	return 0;
}

int
ignore_parse(const char *text, size_t n, struct ignore *ignore, struct buf *warnings,
	     struct err *err)
{
	AUTO_FREE char *copy = NULL;
	unsigned number = 0;
	char *line, *end;
	int ret = 0;

	ignore->rules = NULL;
	ignore->n = 0;
	if (n > IGNORE_MAX_BYTES)
		return err_say(err, -EINVAL, ".slugignore is larger than %d bytes.",
			       IGNORE_MAX_BYTES);
	copy = malloc(n + 1);
	if (!copy)
		return err_set(err, -ENOMEM, ".slugignore");
	memcpy(copy, text, n);
	copy[n] = '\0';
	end = copy + n;
	line = copy;
	if (n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0)
		line += 3;
	while (ret == 0 && line < end) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		char *stop = newline ? newline : end;

		*stop = '\0';
		ret = parse_line(line, (size_t)(stop - line), ++number, ignore, warnings, err);
		line = stop + 1;
	}
	if (ret < 0)
		ignore_done(ignore);
	return ret;
}

void
ignore_done(struct ignore *ignore)
{
	for (size_t i = 0; i < ignore->n; i++)
		free(ignore->rules[i].pattern);
	free(ignore->rules);
	ignore->rules = NULL;
	ignore->n = 0;
}

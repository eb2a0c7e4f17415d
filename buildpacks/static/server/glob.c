/* Two places to go back to: the last '*', which stops at slashes, and the last '**'. */
#include <stddef.h>

#include "buildpacks/static/server/glob.h"

static bool
match(const char *p, const char *s)
{
	const char *one = NULL, *one_at = NULL, *any = NULL, *any_at = NULL;

	while (*s) {
		if (p[0] == '*' && p[1] == '*') {
			p += 2;
			any = p;
			any_at = s;
			one = NULL;
		} else if (*p == '*') {
			one = ++p;
			one_at = s;
		} else if (*p == *s) {
			p++;
			s++;
		} else if (one && *one_at != '/') {
			p = one;
			s = ++one_at;
		} else if (any) {
			p = any;
			s = ++any_at;
			one = NULL;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return !*p;
}

bool
glob_match(const char *pattern, const char *path)
{
	if (*pattern == '/' || (pattern[0] == '*' && pattern[1] == '*'))
		return match(pattern, path);
	for (const char *s = path; *s; s++) {
		if (*s == '/' && match(pattern, s + 1))
			return true;
	}
	return false;
}

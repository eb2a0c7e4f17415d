/*
 * The same rules as git's own verify_path and fsck. On ext4 most of these names would be harmless,
 * but a tree that holds one was made to attack somebody, and apps are copied elsewhere.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "builder/entry.h"

#define ENTRY_NAME_MAX 255 /* of a name on every Linux file system */

/* The next code point of UTF-8, or the byte itself where it is none; moves *at on. */
static uint32_t
next_code_point(const unsigned char **at)
{
	const unsigned char *p = *at;
	uint32_t c = *p;
	int more = c >= 0xf0 && c < 0xf8 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;

	if (c >= 0xf8)
		more = 0;
	for (int i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*at = p + 1;
			return *p;
		}
	}
	if (more == 1)
		c = (c & 0x1f) << 6 | (p[1] & 0x3f);
	else if (more == 2)
		c = (c & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
	else if (more == 3)
		c = (c & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
		    (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
	*at = p + 1 + more;
	return c;
}

/* Code points that HFS+ leaves out when it compares names. */
static bool
is_ignored_by_hfs(uint32_t c)
{
	return (c >= 0x200c && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
	       (c >= 0x206a && c <= 0x206f) || c == 0xfeff;
}

static bool
is_hfs_dotgit(const char *name)
{
	const unsigned char *at = (const unsigned char *)name;
	const char *want = ".git";

	while (*at) {
		uint32_t c = next_code_point(&at);

		if (is_ignored_by_hfs(c))
			continue;
		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (!*want || c != (uint32_t)(unsigned char)*want)
			return false;
		want++;
	}
	return !*want;
}

static bool
has_prefix_nocase(const char *name, const char *prefix)
{
	for (; *prefix; name++, prefix++) {
		char c = *name;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 'a' - 'A');
		if (c != *prefix)
			return false;
	}
	return true;
}

static bool
is_ntfs_dotgit(const char *name)
{
	if (has_prefix_nocase(name, ".git"))
		name += 4;
	else if (has_prefix_nocase(name, "git~1"))
		name += 5;
	else
		return false;
	name += strspn(name, ". ");
	return *name == '\0' || *name == '\\' || *name == ':';
}

const char *
entry_check(const char *name)
{
	if (!*name)
		return "an empty name";
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "a name that leads out of its folder";
	if (strchr(name, '/'))
		return "a name with a slash";
	if (strlen(name) > ENTRY_NAME_MAX)
		return "a name longer than 255 bytes";
	if (is_hfs_dotgit(name))
		return "a name that stands for .git";
	for (const char *part = name; part; part = strchr(part, '\\')) {
		part += *part == '\\';
		if (is_ntfs_dotgit(part))
			return "a name that stands for .git";
	}
	return NULL;
}

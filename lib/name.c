/* Pure checks; ASCII by hand, since what isalpha() thinks depends on a locale. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "lib/name.h"

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

const char *
name_check_app(const char *name)
{
	size_t n = strnlen(name, 31);

	if (n == 0)
		return "The name of an app must not be empty.";
	if (n > 30)
		return "The name of an app may have at most 30 characters.";
	if (!is_lower(name[0]))
		return "The name of an app must begin with a letter from a to z.";
	for (size_t i = 1; i < n; i++) {
		if (!is_lower(name[i]) && !is_digit(name[i]) && name[i] != '-')
			return "The name of an app may only contain the letters a to z, digits "
			       "and hyphens.";
	}
	if (name[n - 1] == '-')
		return "The name of an app must not end with a hyphen.";
	return NULL;
}

const char *
name_check_type(const char *type)
{
	size_t n = strnlen(type, 64);

	if (n == 0)
		return "The name of a process type must not be empty.";
	if (n > 63)
		return "The name of a process type may have at most 63 characters.";
	for (size_t i = 0; i < n; i++) {
		if (!is_lower(type[i]) && !is_upper(type[i]) && !is_digit(type[i]) &&
		    type[i] != '-' && type[i] != '_')
			return "The name of a process type may only contain letters, digits, "
			       "hyphens and underscores.";
	}
	return NULL;
}

const char *
name_check_config(const char *key)
{
	static const char *const reserved[] = {"PORT", "DYNO", "HOME"};
	size_t n = strnlen(key, 257);

	if (n == 0)
		return "The name of a config var must not be empty.";
	if (n > 256)
		return "The name of a config var may have at most 256 characters.";
	if (is_digit(key[0]))
		return "The name of a config var must not begin with a digit.";
	for (size_t i = 0; i < n; i++) {
		if (!is_lower(key[i]) && !is_upper(key[i]) && !is_digit(key[i]) && key[i] != '_')
			return "The name of a config var may only contain letters, digits and "
			       "underscores.";
	}
	for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++) {
		if (strcmp(key, reserved[i]) == 0)
			return "PORT, DYNO and HOME are set by the platform.";
	}
	if (strncmp(key, "PAAS_", 5) == 0)
		return "Names that begin with PAAS_ belong to the platform.";
	return NULL;
}

const char *
name_check_host(const char *host)
{
	size_t n = strnlen(host, 254), label = 0;

	if (n == 0)
		return "A host name must not be empty.";
	if (n > 253)
		return "A host name may have at most 253 characters.";
	if (strncmp(host, "*.", 2) == 0) {
		host += 2;
		n -= 2;
	}
	for (size_t i = 0; i <= n; i++) {
		char c = host[i];

		if (i == n || c == '.') {
			if (label == 0)
				return "A host name must not have an empty part between its dots.";
			if (label > 63)
				return "The parts of a host name may have at most 63 characters.";
			if (host[i - 1] == '-' || host[i - label] == '-')
				return "The parts of a host name must not begin or end with a "
				       "hyphen.";
			label = 0;
			continue;
		}
		if (!is_lower(c) && !is_upper(c) && !is_digit(c) && c != '-')
			return "A host name may only contain letters, digits, hyphens and dots.";
		label++;
	}
	return NULL;
}

const char *
name_check_user(const char *user)
{
	size_t n = strnlen(user, 65);

	if (n == 0)
		return "The name of a user must not be empty.";
	if (n > 64)
		return "The name of a user may have at most 64 characters.";
	if (!is_lower(user[0]))
		return "The name of a user must begin with a letter from a to z.";
	for (size_t i = 1; i < n; i++) {
		if (!is_lower(user[i]) && !is_digit(user[i]) && user[i] != '.' && user[i] != '_' &&
		    user[i] != '-')
			return "The name of a user may only contain the letters a to z, digits, "
			       "dots, underscores and hyphens.";
	}
	return NULL;
}

const char *
name_check_platform(const char *name)
{
	size_t n = strnlen(name, 7);

	if (n == 0 || n > 6)
		return "The name of a platform must have 1 to 6 characters.";
	for (size_t i = 0; i < n; i++) {
		if (!is_lower(name[i]) && !is_digit(name[i]))
			return "The name of a platform may only contain the letters a to z and "
			       "digits.";
	}
	return NULL;
}

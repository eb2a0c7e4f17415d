/* Only names: what a name means is a folder that paas-build finds, or does not. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/err.h"

#include "daemon/control/buildpacks.h"
#include "daemon/control/query.h"
#include "daemon/control/store.h"

static void
buildpack_of_row(struct query *q, void *row)
{
	struct buildpack *buildpack = row;

	query_text(q, 0, buildpack->name, sizeof(buildpack->name));
}

int
buildpacks_list(struct store *store, int64_t app_id, struct buildpack **list, size_t *n,
		struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store, "SELECT name FROM buildpacks WHERE app_id = ?1 ORDER BY ordinal");
	query_put_int(&q, 1, app_id);
	*list = query_list(&q, sizeof(**list), buildpack_of_row, n, &code, err);
	return code;
}

/* The short name in "nodejs", "heroku/nodejs" or "paas/nodejs". */
static const char *
short_name(const char *name)
{
	static const char *const prefixes[] = {"heroku/", "paas/"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i]);

		if (strncmp(name, prefixes[i], len) == 0)
			return name + len;
	}
	return name;
}

static int
check_name(const char *name, struct err *err)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (strstr(name, "://") || strncmp(name, "git@", 4) == 0)
		return err_say(err, -EINVAL,
			       "%.80s is a URL; buildpacks are chosen by name from those the "
			       "platform has, such as nodejs.",
			       name);
	if (n == 0 || n >= sizeof(((struct buildpack *)0)->name) || name[n] || name[0] == '-')
		return err_say(err, -EINVAL,
			       "%.80s is not the name of a buildpack: lower-case letters, digits "
			       "and hyphens, such as nodejs.",
			       name);
	return 0;
}

static int
put(struct store *store, int64_t app_id, const char *const *names, size_t n, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store, "DELETE FROM buildpacks WHERE app_id = ?1");
	query_put_int(&q, 1, app_id);
	code = query_run(&q, err);
	for (size_t i = 0; code == 0 && i < n; i++) {
		query_begin(&q, store,
			    "INSERT INTO buildpacks (app_id, ordinal, name) VALUES (?1, ?2, ?3)");
		query_put_int(&q, 1, app_id);
		query_put_int(&q, 2, (int64_t)i);
		query_put_text(&q, 3, short_name(names[i]));
		code = query_run(&q, err);
	}
	return code;
}

int
buildpacks_put(struct store *store, int64_t app_id, const char *const *names, size_t n,
	       struct err *err)
{
	int code;

	if (n > BUILDPACKS_MAX)
		return err_say(err, -EINVAL, "An app may have at most %d buildpacks.",
			       BUILDPACKS_MAX);
	for (size_t i = 0; i < n; i++) {
		code = check_name(short_name(names[i]), err);
		if (code < 0)
			return code;
	}
	code = store_begin(store, err);
	if (code < 0)
		return code;
	code = put(store, app_id, names, n, err);
	return query_finish(store, code, err);
}

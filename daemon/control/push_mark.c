/* One number per app in the store. */
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

#include "daemon/control/push_mark.h"
#include "daemon/control/store.h"

/* The version, and below it two bits for the ref. */
static const char *const refs[] = {NULL, "refs/heads/master", "refs/heads/main", NULL};

int64_t
push_mark_of(const char *ref, uint32_t version)
{
	for (int64_t code = 1; refs[code] != NULL; code++)
		if (strcmp(refs[code], ref) == 0)
			return (int64_t)version << 2 | code;
	return 0;
}

const char *
push_mark_ref(int64_t mark)
{
	return mark > 0 ? refs[mark & 3] : NULL;
}

uint32_t
push_mark_version(int64_t mark)
{
	return (uint32_t)(mark >> 2);
}

static void
key_of(int64_t app_id, char key[48])
{
	(void)snprintf(key, 48, "push.%lld", (long long)app_id);
}

int
push_mark_set(struct store *store, int64_t app_id, int64_t mark, struct err *err)
{
	char key[48];

	key_of(app_id, key);
	return store_put_number(store, key, mark, err);
}

int64_t
push_mark_get(struct store *store, int64_t app_id)
{
	int64_t mark = 0;
	char key[48];

	key_of(app_id, key);
	/* What cannot be read is as if it were not there: the next push sets the ref. */
	return store_get_number(store, key, 0, &mark, NULL) < 0 ? 0 : mark;
}

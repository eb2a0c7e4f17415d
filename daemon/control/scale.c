/* The rows of an app are exactly the process types of the slug in force, without "release". */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"

#include "daemon/control/query.h"
#include "daemon/control/scale.h"
#include "daemon/control/slugs.h"
#include "daemon/control/store.h"

static void
scale_of_row(struct query *q, void *row)
{
	struct scale *scale = row;

	query_text(q, 0, scale->type, sizeof(scale->type));
	scale->quantity = query_u32(q, 1);
}

int
scale_list(struct store *store, int64_t app_id, struct scale **list, size_t *n, struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "SELECT type, quantity FROM scale WHERE app_id = ?1"
		    " ORDER BY type <> 'web', type");
	query_put_int(&q, 1, app_id);
	*list = query_list(&q, sizeof(**list), scale_of_row, n, &code, err);
	return code;
}

static struct scale *
find(struct scale *list, size_t n, const char *type)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].type, type) == 0)
			return &list[i];
	}
	return NULL;
}

static int
refuse_type(const struct scale *list, size_t n, const char *type, struct err *err)
{
	AUTO_BUF struct buf names = {.max = 256};

	if (n == 0)
		return err_say(err, -EINVAL,
			       "There is no process type %.63s: nothing has been deployed yet.",
			       type);
	for (size_t i = 0; i < n; i++)
		(void)buf_printf(&names, "%s%s", i ? ", " : "", list[i].type);
	return err_say(err, -EINVAL, "There is no process type %.63s; the app has: %s.", type,
		       buf_text(&names));
}

/* "2", "+1" or "-1" applied to what there is. */
static int
apply(struct scale *row, const char *text, struct err *err)
{
	bool is_relative = text[0] == '+' || text[0] == '-';
	const char *digits = is_relative ? text + 1 : text;
	long long number, result;

	if (digits[0] < '0' || digits[0] > '9' || conf_number(digits, 0, 1000000000, &number) < 0)
		return err_say(err, -EINVAL,
			       "%.40s is not a number of instances; say %s=2, %s+1 or %s-1.", text,
			       row->type, row->type, row->type);
	result = number;
	if (text[0] == '+')
		result = row->quantity + number;
	else if (text[0] == '-')
		result = row->quantity - number;
	if (result < 0 && row->quantity == 0)
		return err_say(err, -EINVAL, "%s has no instances that could be taken away.",
			       row->type);
	if (result < 0)
		return err_say(err, -EINVAL, "%s has only %u instances; %lld cannot be taken away.",
			       row->type, row->quantity, number);
	if (result > SCALE_MAX)
		return err_say(err, -EINVAL,
			       "%s would have %lld instances; an app may have at most %d.",
			       row->type, result, SCALE_MAX);
	row->quantity = (unsigned)result;
	return 0;
}

static int
write_row(struct store *store, int64_t app_id, const struct scale *row, struct err *err)
{
	struct query q;

	query_begin(&q, store,
		    "INSERT INTO scale (app_id, type, quantity) VALUES (?1, ?2, ?3)"
		    " ON CONFLICT (app_id, type) DO UPDATE SET quantity = ?3");
	query_put_int(&q, 1, app_id);
	query_put_text(&q, 2, row->type);
	query_put_int(&q, 3, row->quantity);
	return query_run(&q, err);
}

static int
write_rows(struct store *store, int64_t app_id, const struct scale *list, size_t n, struct err *err)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < n; i++)
		code = write_row(store, app_id, &list[i], err);
	return code;
}

static int
change(struct store *store, int64_t app_id, const struct scale_update *updates, size_t n,
       struct err *err)
{
	AUTO_FREE struct scale *list = NULL;
	size_t n_rows;
	unsigned total = 0;
	int code;

	code = scale_list(store, app_id, &list, &n_rows, err);
	for (size_t i = 0; code == 0 && i < n; i++) {
		struct scale *row = find(list, n_rows, updates[i].type);

		if (!row)
			return refuse_type(list, n_rows, updates[i].type, err);
		code = apply(row, updates[i].quantity, err);
	}
	if (code < 0)
		return code;
	for (size_t i = 0; i < n_rows; i++)
		total += list[i].quantity;
	if (total > SCALE_MAX)
		return err_say(err, -EINVAL,
			       "The app would have %u instances; an app may have at most %d.",
			       total, SCALE_MAX);
	return write_rows(store, app_id, list, n_rows, err);
}

int
scale_change(struct store *store, int64_t app_id, const struct scale_update *updates, size_t n,
	     struct err *err)
{
	int code = store_begin(store, err);

	if (code < 0)
		return code;
	code = change(store, app_id, updates, n, err);
	return query_finish(store, code, err);
}

int
scale_preview(struct store *store, int64_t app_id, uint32_t slug, struct scale **list, size_t *n,
	      struct err *err)
{
	AUTO_FREE struct scale *before = NULL, *after = NULL;
	AUTO_FREE struct process_type *types = NULL;
	size_t n_before = 0, n_types = 0, count = 0;
	int code;

	*list = NULL;
	*n = 0;
	code = scale_list(store, app_id, &before, &n_before, err);
	if (code == 0)
		code = slugs_types(store, app_id, slug, &types, &n_types, err);
	if (code < 0 || n_types == 0)
		return code;
	after = calloc(n_types, sizeof(*after));
	if (!after)
		return err_say(err, -ENOMEM, "Out of memory.");
	for (size_t i = 0; i < n_types; i++) {
		const struct scale *had;

		if (strcmp(types[i].name, "release") == 0)
			continue;
		had = find(before, n_before, types[i].name);
		(void)snprintf(after[count].type, sizeof(after[count].type), "%s", types[i].name);
		if (had)
			after[count].quantity = had->quantity;
		else if (n_before == 0 && strcmp(types[i].name, "web") == 0)
			after[count].quantity = 1;
		count++;
	}
	*n = count;
	*list = take_ptr(after);
	return 0;
}

static int
follow(struct store *store, int64_t app_id, uint32_t slug, struct err *err)
{
	AUTO_FREE struct scale *list = NULL;
	struct query q;
	size_t n;
	int code;

	code = scale_preview(store, app_id, slug, &list, &n, err);
	if (code < 0)
		return code;
	query_begin(&q, store, "DELETE FROM scale WHERE app_id = ?1");
	query_put_int(&q, 1, app_id);
	code = query_run(&q, err);
	if (code == 0)
		code = write_rows(store, app_id, list, n, err);
	return code;
}

int
scale_follow(struct store *store, int64_t app_id, uint32_t slug, struct err *err)
{
	int code = store_begin(store, err);

	if (code < 0)
		return code;
	code = follow(store, app_id, slug, err);
	return query_finish(store, code, err);
}

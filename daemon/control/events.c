/* Written in the same transaction as what it tells of. */
#include "lib/err.h"

#include "daemon/control/events.h"
#include "daemon/control/query.h"
#include "daemon/control/store.h"

static void
event_of_row(struct query *q, void *row)
{
	struct event *event = row;

	event->id = query_int(q, 0);
	event->time_ms = query_int(q, 1);
	query_text(q, 2, event->user, sizeof(event->user));
	query_text(q, 3, event->app, sizeof(event->app));
	query_text(q, 4, event->text, sizeof(event->text));
}

int
events_add(struct store *store, const char *user, const char *app, const char *text,
	   struct err *err)
{
	struct query q;

	query_begin(&q, store,
		    "INSERT INTO events (time_ms, user, app, text) VALUES (?1, ?2, ?3, ?4)");
	query_put_int(&q, 1, store_now_ms(store));
	query_put_text(&q, 2, user);
	query_put_text(&q, 3, app);
	query_put_text_cut(&q, 4, text, sizeof(((struct event *)0)->text) - 1);
	return query_run(&q, err);
}

int
events_list(struct store *store, const char *app, size_t max, struct event **events, size_t *n,
	    struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    app ? "SELECT id, time_ms, user, app, text FROM events WHERE app = ?1"
			  " ORDER BY id DESC LIMIT ?2"
			: "SELECT id, time_ms, user, app, text FROM events"
			  " ORDER BY id DESC LIMIT ?2");
	if (app)
		query_put_text(&q, 1, app);
	query_put_int(&q, 2, (int64_t)max);
	*events = query_list(&q, sizeof(**events), event_of_row, n, &code, err);
	return code;
}

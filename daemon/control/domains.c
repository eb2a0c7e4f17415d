/* Hosts are compared as the router compares them: lower case, no trailing dot. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/name.h"

#include "daemon/control/domains.h"
#include "daemon/control/query.h"
#include "daemon/control/store.h"

#define DOMAINS_MAX 1000 /* of one app */

static void
domain_of_row(struct query *q, void *row)
{
	struct domain *domain = row;

	domain->id = query_int(q, 0);
	domain->app_id = query_int(q, 1);
	query_text(q, 2, domain->host, sizeof(domain->host));
	domain->created_ms = query_int(q, 3);
}

/* Lower case of ASCII; false when it does not fit. */
static bool
fold(const char *host, char *out, size_t cap)
{
	size_t n = strlen(host);

	if (n >= cap)
		return false;
	for (size_t i = 0; i <= n; i++)
		out[i] = host[i] >= 'A' && host[i] <= 'Z' ? (char)(host[i] + 32) : host[i];
	return true;
}

/* Is `host` the platform's domain or below it? */
static bool
is_below(const char *host, const char *domain)
{
	size_t n_host = strlen(host), n_domain = strlen(domain);

	if (n_domain == 0 || n_host < n_domain || strcmp(host + n_host - n_domain, domain) != 0)
		return false;
	return n_host == n_domain || host[n_host - n_domain - 1] == '.';
}

static int
check_free(struct store *store, int64_t app_id, const char *host, struct err *err)
{
	struct query q;
	bool taken = false;
	int64_t owner = 0, count = 0;
	int code;

	query_begin(&q, store,
		    "SELECT (SELECT app_id FROM domains WHERE host = ?2),"
		    " (SELECT count(*) FROM domains WHERE app_id = ?1)");
	query_put_int(&q, 1, app_id);
	query_put_text(&q, 2, host);
	if (query_row(&q)) {
		owner = query_int(&q, 0);
		taken = owner != 0;
		count = query_int(&q, 1);
	}
	code = query_end(&q, err);
	if (code < 0)
		return code;
	if (taken)
		return err_say(err, -EEXIST,
			       owner == app_id ? "%.253s is a domain of this app already."
					       : "%.253s is a domain of another app.",
			       host);
	if (count >= DOMAINS_MAX)
		return err_say(err, -EINVAL, "An app may have at most %d domains.", DOMAINS_MAX);
	return 0;
}

static int
insert(struct store *store, int64_t app_id, const char *host, struct domain *domain,
       struct err *err)
{
	struct query q;

	*domain = (struct domain){.app_id = app_id, .created_ms = store_now_ms(store)};
	(void)snprintf(domain->host, sizeof(domain->host), "%s", host);
	query_begin(&q, store,
		    "INSERT INTO domains (app_id, host, created_ms) VALUES (?1, ?2, ?3)"
		    " RETURNING id");
	query_put_int(&q, 1, app_id);
	query_put_text(&q, 2, host);
	query_put_int(&q, 3, domain->created_ms);
	if (query_row(&q))
		domain->id = query_int(&q, 0);
	return query_run(&q, err);
}

int
domains_add(struct store *store, int64_t app_id, const char *host, const char *platform_domain,
	    struct domain *domain, struct err *err)
{
	const char *wrong = name_check_host(host);
	char folded[254];
	int code;

	if (wrong || !fold(host, folded, sizeof(folded)))
		return err_say(err, -EINVAL, "%s", wrong ? wrong : "The host name is too long.");
	if (is_below(folded, platform_domain))
		return err_say(err, -EINVAL,
			       "%.200s belongs to the platform itself; apps answer at NAME.%.200s "
			       "without being told.",
			       folded, platform_domain);
	code = store_begin(store, err);
	if (code < 0)
		return code;
	code = check_free(store, app_id, folded, err);
	if (code == 0)
		code = insert(store, app_id, folded, domain, err);
	return query_finish(store, code, err);
}

int
domains_find(struct store *store, int64_t app_id, const char *host, struct domain *domain,
	     struct err *err)
{
	struct query q;
	char folded[254] = "";
	bool found = false;
	int code;

	*domain = (struct domain){0};
	if (!fold(host, folded, sizeof(folded)))
		return err_say(err, -ENOENT, "That is no domain of this app.");
	query_begin(&q, store,
		    "SELECT id, app_id, host, created_ms FROM domains"
		    " WHERE app_id = ?1 AND host = ?2");
	query_put_int(&q, 1, app_id);
	query_put_text(&q, 2, folded);
	if (query_row(&q)) {
		domain_of_row(&q, domain);
		found = true;
	}
	code = query_end(&q, err);
	if (code == 0 && !found)
		return err_say(err, -ENOENT, "%.253s is no domain of this app.", folded);
	return code;
}

int
domains_remove(struct store *store, int64_t app_id, const char *host, struct err *err)
{
	struct domain domain;
	struct query q;
	int code = domains_find(store, app_id, host, &domain, err);

	if (code < 0)
		return code;
	query_begin(&q, store, "DELETE FROM domains WHERE id = ?1");
	query_put_int(&q, 1, domain.id);
	return query_run(&q, err);
}

int
domains_list(struct store *store, int64_t app_id, struct domain **domains, size_t *n,
	     struct err *err)
{
	struct query q;
	int code;

	query_begin(&q, store,
		    "SELECT id, app_id, host, created_ms FROM domains"
		    " WHERE ?1 IN (0, app_id) ORDER BY host");
	query_put_int(&q, 1, app_id);
	*domains = query_list(&q, sizeof(**domains), domain_of_row, n, &code, err);
	return code;
}

/* Where an app answers, and what builds it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/api_request.h"
#include "daemon/control/buildpacks.h"
#include "daemon/control/domains.h"
#include "daemon/control/ident.h"
#include "daemon/control/live.h"
#include "daemon/control/options.h"
#include "daemon/control/store.h"

/* ---- domains ----------------------------------------------------------------------------- */

static json_t *
json_of_host(const struct api_request *r, const char *host, int64_t number, const char *kind,
	     int64_t created_ms)
{
	char id[IDENT_TEXT_MAX], own[512];
	int is_custom = strcmp(kind, "custom") == 0;

	(void)snprintf(own, sizeof(own), "%s.%s", r->app.name, r->options->domain);
	return json_pack("{s:s, s:o, s:s, s:s, s:o, s:s, s:n, s:n, s:n, s:o, s:o}", "id",
			 ident_text(IDENT_DOMAIN, r->app.id, (uint64_t)number, id), "app",
			 json_app_ref(&r->app), "hostname", host, "kind", kind, "cname",
			 is_custom ? json_string(own) : json_null(), "status", "succeeded",
			 "acm_status", "acm_status_reason", "sni_endpoint", "created_at",
			 json_time(created_ms), "updated_at", json_time(created_ms));
}

static json_t *
json_of_domain(const struct api_request *r, const struct domain *domain)
{
	return json_of_host(r, domain->host, domain->id, "custom", domain->created_ms);
}

/* APP.DOMAIN, which Heroku lists too. */
static json_t *
json_of_own(const struct api_request *r)
{
	char own[512];

	(void)snprintf(own, sizeof(own), "%s.%s", r->app.name, r->options->domain);
	return json_of_host(r, own, 0, "heroku", r->app.created_ms);
}

int
api_domains_list(struct api_request *r, struct err *err)
{
	AUTO_FREE struct domain *domains = NULL;
	json_t *list;
	size_t n;
	int code = domains_list(r->store, r->app.id, &domains, &n, err);

	if (code < 0)
		return code;
	list = json_array();
	json_add(&list, json_of_own(r));
	for (size_t i = 0; i < n; i++)
		json_add(&list, json_of_domain(r, &domains[i]));
	return reply(r, 200, list);
}

/* By host or id. */
static int
find_domain(struct api_request *r, const char *which, struct domain *domain, struct err *err)
{
	AUTO_FREE struct domain *domains = NULL;
	int64_t app_id;
	uint64_t number;
	size_t n;
	int code;

	if (!ident_parse(which, IDENT_DOMAIN, &app_id, &number))
		return domains_find(r->store, r->app.id, which, domain, err);
	code = domains_list(r->store, r->app.id, &domains, &n, err);
	for (size_t i = 0; code == 0 && i < n; i++) {
		if ((uint64_t)domains[i].id == number) {
			*domain = domains[i];
			return 0;
		}
	}
	return code < 0 ? code : err_say(err, -ENOENT, "%s is no domain of this app.", which);
}

int
api_domain_get(struct api_request *r, struct err *err)
{
	struct domain domain;
	int code = find_domain(r, r->args[0], &domain, err);

	return code < 0 ? code : reply(r, 200, json_of_domain(r, &domain));
}

int
api_domains_add(struct api_request *r, struct err *err)
{
	struct domain domain = {0};
	const char *host;
	int code = json_text(r->body, "hostname", 1, &host, err);

	if (code == 0)
		code = store_begin(r->store, err);
	if (code < 0)
		return code;
	code = domains_add(r->store, r->app.id, host, r->options->domain, &domain, err);
	code = api_commit(r, r->app.name, code, err, "Add domain %s", domain.host);
	if (code < 0)
		return code;
	live_changed(r->live, r->app.name);
	return reply(r, 201, json_of_domain(r, &domain));
}

int
api_domain_remove(struct api_request *r, struct err *err)
{
	struct domain domain;
	int code = find_domain(r, r->args[0], &domain, err);

	if (code == 0)
		code = store_begin(r->store, err);
	if (code < 0)
		return code;
	code = domains_remove(r->store, r->app.id, domain.host, err);
	code = api_commit(r, r->app.name, code, err, "Remove domain %s", domain.host);
	if (code < 0)
		return code;
	live_changed(r->live, r->app.name);
	return reply(r, 200, json_of_domain(r, &domain));
}

/* ---- buildpacks -------------------------------------------------------------------------- */

int
api_buildpacks_list(struct api_request *r, struct err *err)
{
	AUTO_FREE struct buildpack *buildpacks = NULL;
	json_t *list;
	size_t n;
	int code = buildpacks_list(r->store, r->app.id, &buildpacks, &n, err);

	if (code < 0)
		return code;
	list = json_array();
	for (size_t i = 0; i < n; i++)
		json_add(&list, json_pack("{s:i, s:{s:s, s:s}}", "ordinal", (int)i, "buildpack",
					  "url", buildpacks[i].name, "name", buildpacks[i].name));
	return reply(r, 200, list);
}

int
api_buildpacks_put(struct api_request *r, struct err *err)
{
	const json_t *updates = json_object_get(r->body, "updates");
	const char *names[BUILDPACKS_MAX];
	size_t n = json_array_size(updates);
	int code = 0;

	if (!json_is_array(updates))
		return err_say(err, -EINVAL, "\"updates\" must be a list of {\"buildpack\"}.");
	if (n > BUILDPACKS_MAX)
		return err_say(err, -EINVAL, "An app may have at most %d buildpacks.",
			       BUILDPACKS_MAX);
	for (size_t i = 0; code == 0 && i < n; i++)
		code = json_text(json_array_get(updates, i), "buildpack", 1, &names[i], err);
	if (code == 0)
		code = store_begin(r->store, err);
	if (code < 0)
		return code;
	code = buildpacks_put(r->store, r->app.id, names, n, err);
	code = api_commit(r, r->app.name, code, err, "Set buildpacks");
	return code < 0 ? code : api_buildpacks_list(r, err);
}

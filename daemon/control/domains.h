/* Host names an app answers at besides APP.DOMAIN; unique on the platform, lower case. */
#ifndef CONTROL_DOMAINS_H
#define CONTROL_DOMAINS_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct store;

struct domain {
	int64_t id;
	int64_t app_id;
	char host[254];
	int64_t created_ms;
};

/* `platform_domain`: hosts below it are refused, they are the apps' own. -EINVAL, -EEXIST. */
int domains_add(struct store *store, int64_t app_id, const char *host, const char *platform_domain,
		struct domain *domain, struct err *err);
int domains_remove(struct store *store, int64_t app_id, const char *host, struct err *err);
int domains_find(struct store *store, int64_t app_id, const char *host, struct domain *domain,
		 struct err *err);
/* Of one app, or of all when app_id is 0, by host. */
int domains_list(struct store *store, int64_t app_id, struct domain **domains, size_t *n,
		 struct err *err);

#endif

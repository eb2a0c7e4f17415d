/* domains, domains add, domains remove. */
#include <errno.h>
#include <stdio.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#include "cli/command.h"
#include "cli/output.h"

int
command_domains(struct context *c, struct err *err)
{
	AUTO_JSON json_t *domains = NULL;
	int ret = app_call(c, "GET", app_path(c, "/domains"), NULL, &domains, err);
	if (ret < 0)
		return ret;
	if (c->args.json) {
		output_json(domains);
		return 0;
	}
	size_t i;
	json_t *domain;
	printf("=== %s Domains\n", c->app);
	json_array_foreach(domains, i, domain) puts(output_text(domain, "hostname"));
	return 0;
}

int
command_domains_add(struct context *c, struct err *err)
{
	AUTO_JSON json_t *domain = NULL;
	int ret = app_call(c, "POST", app_path(c, "/domains"),
			   json_pack("{s:s}", "hostname", c->args.words[0]), &domain, err);
	if (ret < 0)
		return ret;
	if (c->args.json)
		output_json(domain);
	else
		printf("Adding %s to %s... done\n"
		       "Point its DNS (an A, AAAA or CNAME record) at this platform's host.\n",
		       output_text(domain, "hostname"), c->app);
	return 0;
}

int
command_domains_remove(struct context *c, struct err *err)
{
	AUTO_BUF struct buf segment;
	buf_init(&segment, 2048);
	if (api_path_add(&segment, c->args.words[0]) < 0)
		return err_set(err, -EINVAL, "%s", c->args.words[0]);
	int ret = app_call(c, "DELETE", app_path(c, "/domains%s", buf_text(&segment)), NULL, NULL,
			   err);
	if (ret == 0)
		printf("Removing %s from %s... done\n", c->args.words[0], c->app);
	return ret;
}

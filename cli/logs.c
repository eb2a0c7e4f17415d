/* logs: a session is asked for, then its stream is copied until it ends or Ctrl-C. */
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "cli/command.h"
#include "cli/output.h"

int
command_logs(struct context *c, struct err *err)
{
	const struct args *a = &c->args;
	json_t *body =
		json_pack("{s:i, s:b}", "lines", (int)(a->num ? a->num : 100), "tail", a->tail);
	if (a->source)
		(void)json_object_set_new(body, "source", json_string(a->source));
	if (a->instance)
		(void)json_object_set_new(body, "dyno", json_string(a->instance));
	AUTO_JSON json_t *session = NULL;
	int ret = app_call(c, "POST", app_path(c, "/log-sessions"), body, &session, err);
	if (ret < 0)
		return ret;
	return api_stream(&c->api, output_text(session, "logplex_url"), err);
}

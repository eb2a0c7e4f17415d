/* Read from the store at every start: a few small queries, and nothing that could be stale. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/config.h"
#include "daemon/control/core.h"
#include "daemon/control/instances.h"
#include "daemon/control/launch.h"
#include "daemon/control/member_start.h"
#include "daemon/control/releases.h"
#include "daemon/control/slugs.h"

char *
member_command(struct live_app *app, uint32_t slug, const char *type)
{
	AUTO_FREE struct process_type *types = NULL;
	size_t n = 0;

	if (slugs_types(app->live->store, app->row.id, slug, &types, &n, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strcmp(types[i].name, type) == 0)
			return strdup(types[i].command);
	return NULL;
}

int
member_prepare(struct live_app *app, uint32_t version, struct launch *launch,
	       struct config_var **config, struct err *err)
{
	struct store *store = app->live->store;
	struct release release;
	struct slug slug;

	*config = NULL;
	int ret = releases_find(store, app->row.id, version, &release, err);

	if (ret == 0)
		ret = slugs_find(store, app->row.id, release.slug, &slug, err);
	if (ret == 0)
		ret = config_load(store, release.config_id, config, &launch->n_config, err);
	if (ret != 0)
		return ret;
	launch->app = app->row.name;
	launch->run_uid = app->row.run_uid;
	launch->version = version;
	launch->slug = release.slug;
	launch->config = *config;
	launch->has_profile = slug.has_profile;
	return 0;
}

int
member_start(struct member *member, sandbox_fn *fn, struct err *err)
{
	struct live_app *app = member->app;
	AUTO_FREE struct config_var *config = NULL;
	struct sandbox_order order;
	struct launch launch = {.type = member->self.type, .number = member->self.number};
	int ret = member_prepare(app, member->version, &launch, &config, err);

	if (ret < 0)
		return ret;
	free(member->command);
	member->command = member_command(app, launch.slug, member->self.type);
	if (member->command == NULL)
		return err_say(err, -ENOENT, "v%u has no process type %s", member->version,
			       member->self.type);
	launch.command = member->command;
	AUTO_FD int spec_fd = launch_app(app->live->options, &launch, &order, err);

	if (spec_fd < 0)
		return spec_fd;
	ret = sandbox_start(&app->live->sandboxes, &member->sandbox, &order, spec_fd, NULL, -1, fn,
			    err);
	if (ret == 0)
		member->last_id = member->sandbox.id;
	return ret;
}

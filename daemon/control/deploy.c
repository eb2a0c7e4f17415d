/*
 * What always holds: exactly one of slot, build, rollout and the transcript's end drives a deploy
 * on, and each failure passes through reject_push.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"

#include "daemon/control/api.h"
#include "daemon/control/archive.h"
#include "daemon/control/build.h"
#include "daemon/control/builds.h"
#include "daemon/control/core.h"
#include "daemon/control/deploy.h"
#include "daemon/control/push_mark.h"
#include "daemon/control/releases.h"
#include "daemon/control/rollout.h"
#include "daemon/control/slugs.h"
#include "daemon/control/store.h"
#include "daemon/control/transcript.h"

struct deploy {
	struct live_app *app;
	char user[USER_NAME_MAX + 1];
	char ref[64], commit[65], quarantine[64];
	struct transcript transcript;
	struct turn slot; /* a build slot */
	struct build *build;
	struct rollout *rollout;
	struct loop_timer timer; /* to begin from the loop */
	uint32_t number;	 /* of the build's row; 0: none */
	uint32_t slug;		 /* 0: none allotted */
	bool has_archive;	 /* published: belongs to a release row */
	uint32_t version;
	bool is_released, is_accepted;
	deploy_fn *fn;
	void *fn_user;
};

/* ---- the end ------------------------------------------------------------------------------- */

static void
deploy_free(struct deploy *deploy)
{
	loop_timer_cancel(deploy->app->live->loop, &deploy->timer);
	build_cancel(deploy->build);
	turn_give(&deploy->slot);
	transcript_close(&deploy->transcript);
	free(deploy);
}

static void
on_transcript_end(struct transcript *transcript)
{
	struct deploy *deploy = container_of(transcript, struct deploy, transcript);
	deploy_fn *fn = deploy->fn;
	void *user = deploy->fn_user;
	bool accepted = deploy->is_accepted;

	deploy_free(deploy);
	fn(user, accepted);
}

/* A failed build leaves nothing but its row. */
static void
clean_up(struct deploy *deploy, const char *sentence)
{
	struct live_app *app = deploy->app;
	struct store *store = app->live->store;
	struct err err = {0};

	if (deploy->slug != 0 && !deploy->has_archive) {
		archive_remove(app->row.name, deploy->slug);
		if (slugs_mark_removed(store, app->row.id, deploy->slug, &err) < 0)
			log_line("%s: note the end of a build: %s", app->row.name, err.text);
	}
	if (deploy->number != 0 &&
	    builds_end(store, app->row.id, deploy->number, 0, sentence, &err) < 0)
		log_line("%s: note the end of a build: %s", app->row.name, err.text);
}

static void
reject_push(struct deploy *deploy, const struct err *why)
{
	struct live_app *app = deploy->app;

	turn_give(&deploy->slot);
	clean_up(deploy, why->text);
	core_log(app, "api", "Push of %.8s by %s failed: %s", deploy->commit, deploy->user,
		 why->text);
	transcript_say(&deploy->transcript, " !     %s\n !\n !     Push rejected to %s.\n\n",
		       why->text, app->row.name);
	transcript_end(&deploy->transcript, on_transcript_end);
}

static void
accept_push(struct deploy *deploy)
{
	struct live_app *app = deploy->app;
	struct err err = {0};
	char url[512];

	deploy->is_released = deploy->is_accepted = true;
	if (builds_end(app->live->store, app->row.id, deploy->number, deploy->version, NULL, &err) <
	    0)
		log_line("%s: note the end of a build: %s", app->row.name, err.text);
	transcript_say(&deploy->transcript,
		       "       Released v%u\n       %s deployed to paas\n\n"
		       "Verifying deploy... done.\n",
		       deploy->version,
		       api_web_url(app->live->options, app->row.name, url, sizeof(url)));
	transcript_end(&deploy->transcript, on_transcript_end);
}

/* ---- release ------------------------------------------------------------------------------- */

static void
on_rollout(void *user, const struct err *why)
{
	struct deploy *deploy = user;

	deploy->rollout = NULL;
	if (why != NULL)
		reject_push(deploy, why);
	else
		accept_push(deploy);
}

static int
publish(struct deploy *deploy, const struct build_result *result, struct err *err)
{
	struct live_app *app = deploy->app;
	struct slug slug = result->slug;
	int ret = archive_publish(app->row.name, deploy->slug, result->slug_fd, slug.bytes, err);

	if (ret < 0)
		return ret;
	slug.app_id = app->row.id;
	slug.number = deploy->slug;
	return slugs_finish(app->live->store, &slug, result->types, result->n_types, err);
}

/* The archive is on disk before its row says ready, and both before a release names it. */
static int
make_release(struct deploy *deploy, const struct build_result *result, struct err *err)
{
	struct live_app *app = deploy->app;
	struct release release;
	int ret = publish(deploy, result, err);

	if (ret == 0)
		ret = releases_add_deploy(app->live->store, app->row.id, deploy->slug,
					  deploy->commit, deploy->user, &release, err);
	if (ret != 0)
		return ret;
	deploy->has_archive = true;
	deploy->version = release.version;
	core_log(app, "api", "Deploy %.8s by user %s", deploy->commit, deploy->user);
	core_log(app, "api", "Release v%u created by user %s", release.version, deploy->user);
	return 0;
}

static void
on_built(void *user, const struct err *why, const struct build_result *result)
{
	struct deploy *deploy = user;
	struct err err = {0};

	deploy->build = NULL;
	turn_give(&deploy->slot);
	if (why != NULL) {
		reject_push(deploy, why);
		return;
	}
	if (make_release(deploy, result, &err) < 0) {
		reject_push(deploy, &err);
		return;
	}
	deploy->rollout = rollout_release(
		deploy->app, deploy->version, &deploy->transcript, deploy->transcript.fd,
		push_mark_of(deploy->ref, deploy->version), on_rollout, deploy);
	if (deploy->rollout == NULL) {
		(void)err_set(&err, -ENOMEM, "start the release");
		reject_push(deploy, &err);
	}
}

/* ---- build --------------------------------------------------------------------------------- */

static int
start_build(struct deploy *deploy, struct err *err)
{
	struct live_app *app = deploy->app;
	struct store *store = app->live->store;
	int ret = builds_start(store, app->row.id, deploy->commit, deploy->user, &deploy->number,
			       err);

	if (ret == 0)
		ret = slugs_allot(store, app->row.id, deploy->commit, &deploy->slug, err);
	if (ret < 0)
		return ret;
	deploy->build = build_start(app, deploy->slug, deploy->commit, deploy->quarantine,
				    deploy->transcript.fd, on_built, deploy, err);
	return deploy->build == NULL ? -EIO : 0;
}

static void
on_begin(struct loop_timer *timer)
{
	struct deploy *deploy = container_of(timer, struct deploy, timer);
	struct err err = {0};

	if (start_build(deploy, &err) < 0)
		reject_push(deploy, &err);
}

static void
on_slot(struct turn *turn, unsigned place)
{
	struct deploy *deploy = container_of(turn, struct deploy, slot);

	if (place == 0)
		(void)loop_timer_set(deploy->app->live->loop, &deploy->timer, 0, on_begin);
	else
		transcript_say(&deploy->transcript,
			       "-----> Waiting for a build slot, %u build%s before this one\n",
			       place, place == 1 ? "" : "s");
}

/* The hook sits in a sandbox where the pusher's pack was parsed: nothing it says is believed. */
static bool
is_sound(const struct deploy_push *push)
{
	static const char hex[] = "0123456789abcdef";
	size_t len = strlen(push->commit);

	return (len == 40 || len == 64) && strspn(push->commit, hex) == len &&
	       push_mark_of(push->ref, 1) != 0 && strlen(push->quarantine) < 64 &&
	       push->quarantine[0] != '.' && strchr(push->quarantine, '/') == NULL;
}

static void
on_unsound(struct loop_timer *timer)
{
	struct err err;

	(void)err_say(&err, -EINVAL, "The push could not be understood; push again");
	reject_push(container_of(timer, struct deploy, timer), &err);
}

struct deploy *
deploy_start(struct live_app *app, const struct deploy_push *push, deploy_fn *fn, void *user)
{
	struct deploy *deploy = calloc(1, sizeof(*deploy));

	if (deploy == NULL) {
		if (push->transcript_fd >= 0)
			(void)close(push->transcript_fd);
		return NULL;
	}
	deploy->app = app;
	deploy->fn = fn;
	deploy->fn_user = user;
	/* Without a transcript the push goes on all the same, unseen. */
	(void)transcript_open(&deploy->transcript, app->live->loop, push->transcript_fd);
	(void)snprintf(deploy->user, sizeof(deploy->user), "%s", push->user);
	if (!is_sound(push)) {
		(void)loop_timer_set(app->live->loop, &deploy->timer, 0, on_unsound);
		return deploy;
	}
	(void)snprintf(deploy->ref, sizeof(deploy->ref), "%s", push->ref);
	(void)snprintf(deploy->commit, sizeof(deploy->commit), "%s", push->commit);
	(void)snprintf(deploy->quarantine, sizeof(deploy->quarantine), "%s", push->quarantine);
	turn_take(&app->live->build_slots, &deploy->slot, on_slot);
	return deploy;
}

bool
deploy_is_released(const struct deploy *deploy)
{
	return deploy->is_released;
}

void
deploy_abort(struct deploy *deploy)
{
	if (deploy == NULL)
		return;
	if (!deploy->is_released) {
		if (deploy->rollout != NULL)
			rollout_cancel(deploy->rollout);
		build_cancel(deploy->build);
		deploy->build = NULL;
		clean_up(deploy, "The push was broken off");
	}
	deploy_free(deploy);
}

void
deploy_forget(struct deploy *deploy)
{
	if (deploy != NULL)
		deploy_free(deploy);
}

/*
 * A build has ended when two things have: its sandbox, and what it had still to say on its channel.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"
#include "lib/name.h"

#include "daemon/control/archive.h"
#include "daemon/control/build.h"
#include "daemon/control/buildpacks.h"
#include "daemon/control/config.h"
#include "daemon/control/core.h"
#include "daemon/control/launch.h"

#define COMMAND_MAX 8192
#define LAST_WORDS_MS 2000 /* after the sandbox ended, for its channel to end too */
#define QUEUE_MAX 16

struct build {
	struct live_app *app;
	struct sandbox sandbox;
	struct chan job;
	struct loop_timer timer;
	struct build_result result;
	bool is_done, has_failed, is_late, has_ended, is_silent;
	struct err why;		  /* of BUILD_FAILED */
	struct sandbox_news news; /* of the end */
	char news_text[480];
	build_fn *fn;
	void *user;
};

static void
build_free(struct build *build)
{
	loop_timer_cancel(build->app->live->loop, &build->timer);
	sandbox_abandon(&build->sandbox);
	chan_close(&build->job);
	if (build->result.slug_fd >= 0)
		(void)close(build->result.slug_fd);
	for (size_t i = 0; i < build->result.n_types; i++) {
		free((void *)(uintptr_t)build->result.types[i].name);
		free((void *)(uintptr_t)build->result.types[i].command);
	}
	free(build);
}

/* ---- the verdict -------------------------------------------------------------------------- */

static const char *
time_text(uint64_t ms, char *out, size_t cap)
{
	if (ms % 60000 == 0)
		(void)snprintf(out, cap, "%llu min", (unsigned long long)ms / 60000);
	else
		(void)snprintf(out, cap, "%.1f s", (double)ms / 1000);
	return out;
}

/* 0 when the build succeeded; else the sentence for the pusher. */
static int
judge(struct build *build, struct err *why)
{
	const struct options *options = build->app->live->options;
	const struct sandbox_news *news = &build->news;
	char peak[32], limit[32];

	if (news->report == SANDBOX_BROKEN)
		return err_say(why, -EIO, "The build could not be started: %s", build->news_text);
	if (build->is_late)
		return err_say(
			why, -ETIMEDOUT,
			"The build was stopped: it took longer than its limit of %s (peak of "
			"memory: %s)",
			time_text(options->build_time_ms, limit, sizeof(limit)),
			conf_bytes_text(news->peak_bytes, peak, sizeof(peak)));
	if (build->is_done && !build->has_failed && news->status == 0)
		return 0;
	if (news->is_oom)
		return err_say(why, -ENOMEM,
			       "The build ran out of memory: its limit is %s and its peak was %s",
			       conf_bytes_text(news->limit_bytes, limit, sizeof(limit)),
			       conf_bytes_text(news->peak_bytes, peak, sizeof(peak)));
	if (build->has_failed) {
		*why = build->why;
		return -EIO;
	}
	if (WIFSIGNALED(news->status))
		return err_say(why, -EIO, "The builder was killed by signal %d (%s)",
			       WTERMSIG(news->status), strsignal(WTERMSIG(news->status)));
	return err_say(why, -EIO, "The builder ended without a result (exit status %d)",
		       WEXITSTATUS(news->status));
}

static void
finish(struct build *build)
{
	struct err why = {0};
	int ret = judge(build, &why);

	chan_close(&build->job);
	build->fn(build->user, ret < 0 ? &why : NULL, &build->result);
	build_free(build);
}

/* paasd's report and the builder's last message come on two ways; both must have arrived. */
static void
check_end(struct build *build)
{
	if (build->has_ended && build->is_silent)
		finish(build);
}

static void
on_last_words_late(struct loop_timer *timer)
{
	finish(container_of(timer, struct build, timer));
}

static void
on_news(struct sandbox *sandbox, struct sandbox_news *news)
{
	struct build *build = container_of(sandbox, struct build, sandbox);

	if (news->report != SANDBOX_BROKEN && news->report != SANDBOX_ENDED)
		return;
	build->has_ended = true;
	build->news = *news;
	(void)snprintf(build->news_text, sizeof(build->news_text), "%s", news->text);
	(void)loop_timer_set(build->app->live->loop, &build->timer, LAST_WORDS_MS,
			     on_last_words_late);
	check_end(build);
}

static void
on_late(struct loop_timer *timer)
{
	struct build *build = container_of(timer, struct build, timer);

	build->is_late = true;
	sandbox_kill(&build->sandbox);
}

/* ---- what the builder says ----------------------------------------------------------------- */

static void
fail(struct build *build, const char *sentence)
{
	if (build->has_failed)
		return;
	build->has_failed = true;
	(void)err_say(&build->why, 0, "%s", sentence);
}

static void
hear_pack(struct build *build, struct msg *m)
{
	char pack[64], name[128];
	char *all = build->result.slug.buildpacks;
	size_t cap = sizeof(build->result.slug.buildpacks), len = strlen(all);

	wire_get_str(&m->in, pack, sizeof(pack));
	wire_get_str(&m->in, name, sizeof(name));
	if (wire_end(&m->in) < 0)
		fail(build, "The builder named a buildpack that is not one");
	else
		(void)snprintf(all + len, cap - len, "%s%s", len > 0 ? ", " : "", name);
}

static void
hear_type(struct build *build, struct msg *m)
{
	struct build_result *result = &build->result;
	char type[64], command[COMMAND_MAX];

	wire_get_str(&m->in, type, sizeof(type));
	wire_get_str(&m->in, command, sizeof(command));
	if (wire_end(&m->in) < 0 || name_check_type(type) != NULL) {
		fail(build, "The builder named a process type that is not one");
		return;
	}
	if (result->n_types == BUILD_MAX_TYPES) {
		fail(build, "The app has more than 64 process types");
		return;
	}
	char *name = strdup(type), *copy = strdup(command);

	if (name == NULL || copy == NULL) {
		free(name);
		free(copy);
		fail(build, "Out of memory for the process types; push again");
		return;
	}
	result->types[result->n_types++] = (struct process_type){name, copy};
}

static void
hear_done(struct build *build, struct msg *m)
{
	struct slug *slug = &build->result.slug;

	wire_get_str(&m->in, slug->sha256, sizeof(slug->sha256));
	slug->bytes = wire_get_u64(&m->in);
	slug->has_profile = wire_get_u8(&m->in) != 0;
	if (wire_end(&m->in) < 0 || strlen(slug->sha256) != 64 ||
	    strspn(slug->sha256, "0123456789abcdef") != 64)
		fail(build, "The builder reported a slug that is not one");
	else
		build->is_done = true;
}

static void
hear_failed(struct build *build, struct msg *m)
{
	char why[400];

	wire_get_str(&m->in, why, sizeof(why));
	fail(build, wire_end(&m->in) == 0 && why[0] != '\0' ? why : "The build failed");
}

static void
on_message(struct chan *chan, struct msg *m)
{
	struct build *build = chan->user;

	if (m->type == MSG_BUILD_PACK)
		hear_pack(build, m);
	else if (m->type == MSG_BUILD_TYPE)
		hear_type(build, m);
	else if (m->type == MSG_BUILD_DONE)
		hear_done(build, m);
	else if (m->type == MSG_BUILD_FAILED)
		hear_failed(build, m);
}

static void
on_closed(struct chan *chan, const struct err *why)
{
	struct build *build = chan->user;

	build->is_silent = true;
	if (why != NULL && !build->is_done)
		fail(build, "The builder broke off the conversation");
	check_end(build);
}

/* ---- starting ------------------------------------------------------------------------------ */

static int
send_order(struct build *build, const char *commit, const char *quarantine, struct err *err)
{
	struct live *live = build->app->live;
	AUTO_FREE struct buildpack *packs = NULL;
	AUTO_FREE struct config_var *config = NULL;
	size_t n_packs = 0, n_config = 0;
	struct msg m;
	int ret = buildpacks_list(live->store, build->app->row.id, &packs, &n_packs, err);

	if (ret == 0)
		ret = config_of_app(live->store, build->app->row.id, &config, &n_config, err);
	if (ret < 0)
		return ret;
	AUTO_FD int config_fd = launch_config(config, n_config, err);

	if (config_fd < 0)
		return config_fd;
	msg_begin(&m, MSG_BUILD_ORDER, 0);
	wire_put_str(&m.out, commit);
	wire_put_str(&m.out, quarantine);
	wire_put_u64(&m.out, live->options->slug_size);
	wire_put_u64(&m.out, live->options->build_disk);
	wire_put_u16(&m.out, (uint16_t)n_packs);
	for (size_t i = 0; i < n_packs; i++)
		wire_put_str(&m.out, packs[i].name);
	msg_add_fd(&m, build->result.slug_fd);
	msg_add_fd(&m, config_fd);
	ret = chan_send(&build->job, &m);
	return ret < 0 ? err_set(err, ret, "tell the builder what to build") : 0;
}

static int
start(struct build *build, uint32_t slug, const char *commit, const char *quarantine, int output_fd,
      struct err *err)
{
	struct live *live = build->app->live;
	const struct app *row = &build->app->row;
	struct sandbox_order order;
	int ends[2];

	build->result.slug_fd = archive_create(row->name, slug, err);
	if (build->result.slug_fd < 0)
		return build->result.slug_fd;
	int ret = msg_pair(ends, false);

	if (ret < 0)
		return err_set(err, ret, "make a channel to the builder");
	AUTO_FD int theirs_fd = ends[1];

	ret = chan_open(&build->job, live->loop, ends[0], ROLE_CONTROL, ROLE_BUILD, QUEUE_MAX,
			on_message, on_closed, build);
	if (ret < 0)
		return err_set(err, ret, "make a channel to the builder");
	ret = send_order(build, commit, quarantine, err);
	if (ret < 0)
		return ret;
	AUTO_FD int spec_fd =
		launch_build(live->options, row->name, row->build_uid, slug, commit, &order, err);
	AUTO_FD int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (spec_fd < 0)
		return spec_fd;
	if (null_fd < 0)
		return err_set(err, -errno, "open /dev/null");
	int out_fd = output_fd >= 0 ? output_fd : null_fd;
	int stdio[3] = {null_fd, out_fd, out_fd};

	ret = sandbox_start(&live->sandboxes, &build->sandbox, &order, spec_fd, stdio, theirs_fd,
			    on_news, err);
	if (ret == 0)
		ret = loop_timer_set(live->loop, &build->timer, live->options->build_time_ms,
				     on_late);
	return ret;
}

struct build *
build_start(struct live_app *app, uint32_t slug, const char *commit, const char *quarantine,
	    int output_fd, build_fn *fn, void *user, struct err *err)
{
	struct build *build = calloc(1, sizeof(*build));

	if (build == NULL) {
		(void)err_set(err, -ENOMEM, "start the build");
		return NULL;
	}
	build->app = app;
	build->result.slug_fd = -1;
	build->fn = fn;
	build->user = user;
	if (start(build, slug, commit, quarantine, output_fd, err) < 0) {
		build_free(build);
		return NULL;
	}
	return build;
}

void
build_cancel(struct build *build)
{
	if (build != NULL)
		build_free(build);
}

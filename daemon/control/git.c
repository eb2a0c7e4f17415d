/*
 * A git has a turn (receive-pack), then files, then a sandbox, in this order, and gives the turn
 * back last. What was released is noted in the store until the ref follows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/control/access.h"
#include "daemon/control/core.h"
#include "daemon/control/deploy.h"
#include "daemon/control/events.h"
#include "daemon/control/git.h"
#include "daemon/control/launch.h"
#include "daemon/control/live_app.h"
#include "daemon/control/push_mark.h"
#include "daemon/control/releases.h"

#define QUEUE_MAX 16
#define PROTOCOL_MAX 128

/* What a turn is taken for. Only the first has a session and a service. */
enum git_duty {
	DUTY_SERVE,
	DUTY_REPAIR, /* of an interrupted push */
	DUTY_TIDY,   /* one pack of the many that pushes left */
};

/* Each push leaves a pack. */
#define PUSHES_PER_TIDY 20

struct git {
	struct git *next;
	struct live_app *app;
	const struct git_calls *calls; /* NULL: nobody listens */
	void *user;
	char person[USER_NAME_MAX + 1];
	char protocol[PROTOCOL_MAX];
	enum git_service service;
	enum git_duty duty;
	bool is_pushed; /* the hook has the whole push */
	bool is_marked; /* released: the ref must follow */
	int fds[3];
	struct turn turn;
	struct loop_timer timer; /* to begin from the loop */
	uint32_t chore;
	struct sandbox sandbox;
	struct chan hook;
	struct deploy *deploy;
};

static struct git *
git_new(struct live_app *app)
{
	struct git *git = calloc(1, sizeof(*git));

	if (git == NULL)
		return NULL;
	git->fds[0] = git->fds[1] = git->fds[2] = -1;
	git->app = app;
	git->next = app->gits;
	app->gits = git;
	return git;
}

static void
close_fds(int fds[3])
{
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
		fds[i] = -1;
	}
}

/* Gives up the turn last: the next push may begin at once. */
static void
git_free(struct git *git)
{
	struct live_app *app = git->app;

	for (struct git **at = &app->gits; *at != NULL; at = &(*at)->next)
		if (*at == git) {
			*at = git->next;
			break;
		}
	loop_timer_cancel(app->live->loop, &git->timer);
	chores_forget(&app->live->chores, git->chore);
	deploy_abort(git->deploy);
	sandbox_abandon(&git->sandbox);
	chan_close(&git->hook);
	close_fds(git->fds);
	turn_give(&git->turn);
	free(git);
	live_app_check_gone(app);
}

static void
refuse(struct git *git, const struct err *why)
{
	const struct git_calls *calls = git->calls;
	void *user = git->user;
	struct err copy = *why;

	if (git->duty == DUTY_REPAIR)
		log_line("%s: set the ref of its last push: %s", git->app->row.name, copy.text);
	else if (git->duty == DUTY_TIDY)
		log_line("%s: tidy its repository: %s", git->app->row.name, copy.text);
	git_free(git);
	if (calls != NULL)
		calls->refused(user, copy.text);
}

static void on_turn(struct turn *turn, unsigned place);

/* ---- the end ------------------------------------------------------------------------------- */

static void
clear_mark(struct git *git)
{
	struct err err = {0};

	if (push_mark_set(git->app->live->store, git->app->row.id, 0, &err) < 0)
		log_line("%s: note that the ref is set: %s", git->app->row.name, err.text);
}

/* Behind whoever waits: it is nobody's hurry. */
static void
tidy(struct live_app *app)
{
	struct git *git = git_new(app);

	app->n_untidy = 0;
	if (git == NULL)
		return;
	git->duty = DUTY_TIDY;
	turn_take(&app->pushes, &git->turn, on_turn);
}

static uint32_t
exit_code(const struct sandbox_news *news)
{
	return (uint32_t)(WIFSIGNALED(news->status) ? 128 + WTERMSIG(news->status)
						    : WEXITSTATUS(news->status));
}

static void
end(struct git *git, const struct sandbox_news *news)
{
	struct live_app *app = git->app;
	const struct git_calls *calls = git->calls;
	void *user = git->user;
	uint32_t code = exit_code(news);
	bool must_repair = false;

	/* What the hook wrote last may still lie in its channel, but after its end nothing
	 * can be accepted any more; what was released stays released. */
	if (git->deploy != NULL && deploy_is_released(git->deploy))
		git->is_marked = true;
	if (git->is_marked && code == 0)
		clear_mark(git);
	else if (git->is_marked && git->duty != DUTY_REPAIR)
		must_repair = true;
	else if (git->duty == DUTY_REPAIR && code != 0)
		log_line("%s: the ref of its last push could not be set (exit status %u); the next "
			 "push sets it",
			 app->row.name, code);
	if (git->duty == DUTY_TIDY && code != 0)
		log_line("%s: git gc ended with status %u; a later push tries again", app->row.name,
			 code);
	/* In line before the turn is given up: no push may see the old ref. */
	if (must_repair && !app->is_going)
		git_repair(app);
	else if (git->is_pushed && code == 0 && ++app->n_untidy >= PUSHES_PER_TIDY &&
		 !app->is_going)
		tidy(app);
	git_free(git);
	if (calls != NULL)
		calls->done(user, code);
}

static void
on_news(struct sandbox *sandbox, struct sandbox_news *news)
{
	struct git *git = container_of(sandbox, struct git, sandbox);
	struct err why;

	switch (news->report) {
	case SANDBOX_RAN:
		if (git->calls != NULL)
			git->calls->started(git->user);
		break;
	case SANDBOX_TTY:
	case SANDBOX_HEARS:
		break;
	case SANDBOX_BROKEN:
		(void)err_say(&why, -EIO, "git could not be started: %s", news->text);
		refuse(git, &why);
		break;
	case SANDBOX_ENDED:
		end(git, news);
		break;
	}
}

/* ---- the hook ------------------------------------------------------------------------------ */

static void
on_deployed(void *user, bool accepted)
{
	struct git *git = user;
	struct msg m;

	git->deploy = NULL;
	git->is_marked = accepted;
	msg_begin(&m, MSG_HOOK_VERDICT, 0);
	wire_put_u8(&m.out, accepted);
	/* If the hook is gone, the end of receive-pack shows what is to be done about the ref. */
	(void)chan_send(&git->hook, &m);
}

static void
on_hook(struct chan *chan, struct msg *m)
{
	struct git *git = chan->user;
	char ref[256], old_id[65], new_id[65], quarantine[128];

	if (m->type != MSG_HOOK_PUSH)
		return;
	wire_get_str(&m->in, ref, sizeof(ref));
	wire_get_str(&m->in, old_id, sizeof(old_id));
	wire_get_str(&m->in, new_id, sizeof(new_id));
	wire_get_str(&m->in, quarantine, sizeof(quarantine));
	/* A second push on one receive-pack, or nonsense, is not of our hook. */
	if (wire_end(&m->in) < 0 || git->is_pushed) {
		sandbox_kill(&git->sandbox);
		return;
	}
	git->is_pushed = true;
	const struct deploy_push push = {
		.user = git->person,
		.ref = ref,
		.commit = new_id,
		.quarantine = quarantine,
		.transcript_fd = msg_take_fd(m, 0),
	};

	git->deploy = deploy_start(git->app, &push, on_deployed, git);
	if (git->deploy == NULL)
		on_deployed(git, false);
}

/* The hook waits for its verdict; when it is gone before, there is nobody to accept the ref. */
static void
on_hook_closed(struct chan *chan, const struct err *why)
{
	struct git *git = chan->user;

	(void)why;
	if (git->deploy == NULL)
		return;
	if (deploy_is_released(git->deploy))
		git->is_marked = true;
	deploy_abort(git->deploy);
	git->deploy = NULL;
}

/* ---- starting ------------------------------------------------------------------------------- */

static int
start_service(struct git *git, struct err *err)
{
	struct live *live = git->app->live;
	struct sandbox_order order;
	int ends[2] = {-1, -1}, ret;

	if (git->service == GIT_RECEIVE_PACK) {
		ret = msg_pair(ends, false);
		if (ret == 0)
			ret = chan_open(&git->hook, live->loop, ends[0], ROLE_CONTROL, ROLE_HOOK,
					QUEUE_MAX, on_hook, on_hook_closed, git);
		if (ret < 0)
			return err_set(err, ret, "make a channel to the hook");
	}
	AUTO_FD int theirs_fd = ends[1];
	AUTO_FD int spec_fd = launch_git(live->options, git->app->row.name, git->app->row.build_uid,
					 git->service, git->protocol, &order, err);

	if (spec_fd < 0)
		return spec_fd;
	ret = sandbox_start(&live->sandboxes, &git->sandbox, &order, spec_fd, git->fds, theirs_fd,
			    on_news, err);
	close_fds(git->fds);
	return ret;
}

/* The commit that was released with the mark. */
static int
start_repair(struct git *git, struct err *err)
{
	struct live *live = git->app->live;
	int64_t mark = push_mark_get(live->store, git->app->row.id);
	const char *ref = push_mark_ref(mark);
	struct sandbox_order order;
	struct release release;

	if (ref == NULL)
		return err_say(err, -ENOENT, "there is no push to finish");
	int ret = releases_find(live->store, git->app->row.id, push_mark_version(mark), &release,
				err);

	if (ret < 0)
		return ret;
	AUTO_FD int spec_fd =
		launch_repair(live->options, git->app->row.name, git->app->row.build_uid, ref,
			      release.commit, &order, err);

	if (spec_fd < 0)
		return spec_fd;
	git->is_marked = true;
	return sandbox_start(&live->sandboxes, &git->sandbox, &order, spec_fd, NULL, -1, on_news,
			     err);
}

static int
start_tidy(struct git *git, struct err *err)
{
	const struct app *row = &git->app->row;
	struct live *live = git->app->live;
	struct sandbox_order order;
	AUTO_FD int spec_fd = launch_tidy(live->options, row->name, row->build_uid, &order, err);

	if (spec_fd < 0)
		return spec_fd;
	return sandbox_start(&live->sandboxes, &git->sandbox, &order, spec_fd, NULL, -1, on_news,
			     err);
}

static void
start(struct git *git)
{
	struct err err = {0};
	int ret = git->duty == DUTY_REPAIR ? start_repair(git, &err)
		  : git->duty == DUTY_TIDY ? start_tidy(git, &err)
					   : start_service(git, &err);

	if (ret < 0)
		refuse(git, &err);
}

static void
on_files(void *user, int code, const struct err *why)
{
	struct git *git = user;
	struct err err;

	git->chore = 0;
	if (code < 0) {
		(void)err_say(&err, code, "The files of %s could not be made: %s",
			      git->app->row.name, why->text);
		refuse(git, &err);
		return;
	}
	git->app->has_files = true;
	start(git);
}

static void
on_begin(struct loop_timer *timer)
{
	struct git *git = container_of(timer, struct git, timer);
	const struct app *row = &git->app->row;
	struct err err;

	if (git->app->has_files || git->duty != DUTY_SERVE) {
		start(git);
		return;
	}
	git->chore = chores_create_app(&git->app->live->chores, row->name, row->run_uid,
				       row->build_uid, on_files, git);
	if (git->chore == 0) {
		(void)err_set(&err, -ENOMEM, "make the files of %s", row->name);
		refuse(git, &err);
	}
}

static void
begin_soon(struct git *git)
{
	(void)loop_timer_set(git->app->live->loop, &git->timer, 0, on_begin);
}

static void
on_turn(struct turn *turn, unsigned place)
{
	struct git *git = container_of(turn, struct git, turn);

	if (place == 0)
		begin_soon(git);
	else if (git->calls != NULL)
		git->calls->wait(git->user, place);
}

/* Finds the app the person may use, or makes it. NULL with a sentence. */
static struct live_app *
open_app(struct live *live, const struct git_wish *wish, struct err *err)
{
	bool is_push = wish->service == GIT_RECEIVE_PACK;
	struct app row;
	int create = 0;
	int ret = access_open_git(live->store, wish->person, wish->app,
				  is_push ? RIGHT_DEPLOY : RIGHT_READ, &row,
				  is_push ? &create : NULL, err);

	if (ret == 0 && create) {
		ret = apps_create(live->store, wish->app, wish->person, &row, err);
		if (ret == 0)
			(void)events_add(live->store, wish->person, wish->app, "created by a push",
					 NULL);
	}
	if (ret < 0)
		return NULL;
	struct live_app *app = live_app_get(live, &row);

	if (app == NULL)
		(void)err_set(err, -ENOMEM, "open %s", wish->app);
	else if (app->is_going) {
		(void)err_say(err, -EBUSY, "%s is being removed; try again in a moment", wish->app);
		return NULL;
	}
	return app;
}

struct git *
git_open(struct live *live, const struct git_wish *wish, const struct git_calls *calls, void *user,
	 struct err *err)
{
	struct live_app *app = open_app(live, wish, err);
	struct git *git = app != NULL ? git_new(app) : NULL;
	int fds[3] = {wish->fds[0], wish->fds[1], wish->fds[2]};

	if (git == NULL) {
		if (app != NULL)
			(void)err_set(err, -ENOMEM, "start git");
		close_fds(fds);
		return NULL;
	}
	memcpy(git->fds, fds, sizeof(fds));
	git->calls = calls;
	git->user = user;
	git->service = wish->service;
	(void)snprintf(git->person, sizeof(git->person), "%s", wish->person);
	(void)snprintf(git->protocol, sizeof(git->protocol), "%s", wish->protocol);
	if (git->service == GIT_RECEIVE_PACK)
		turn_take(&app->pushes, &git->turn, on_turn);
	else
		begin_soon(git);
	return git;
}

void
git_repair(struct live_app *app)
{
	struct git *git = git_new(app);

	if (git == NULL) {
		log_line("%s: set the ref of its last push: out of memory", app->row.name);
		return;
	}
	git->duty = DUTY_REPAIR;
	/* Before everybody who waits: the refs they will be shown must be right. */
	turn_take_first(&app->pushes, &git->turn, on_turn);
}

void
git_stalled(struct git *git)
{
	struct err why;

	if (git->is_pushed)
		return;
	if (git->sandbox.id != 0) {
		sandbox_kill(&git->sandbox);
		return;
	}
	(void)err_say(&why, -ETIMEDOUT, "the upload stalled");
	refuse(git, &why);
}

void
git_leave(struct git *git)
{
	git->calls = NULL;
	if (git->is_pushed)
		return;
	if (git->sandbox.id != 0)
		sandbox_kill(&git->sandbox);
	else
		git_free(git);
}

void
gits_stop_all(struct live_app *app)
{
	struct err why;

	(void)err_say(&why, -ECANCELED, "%s was removed", app->row.name);
	for (struct git *git = app->gits, *next; git != NULL; git = next) {
		next = git->next;
		if (git->sandbox.id != 0)
			sandbox_kill(&git->sandbox);
		else
			refuse(git, &why);
	}
}

void
gits_forget(struct live_app *app)
{
	while (app->gits != NULL) {
		struct git *git = app->gits;

		deploy_forget(git->deploy);
		git->deploy = NULL;
		git_free(git);
	}
}

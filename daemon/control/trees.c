/*
 * A tree is ready exactly while its mark is there or something runs from it; the mark goes first.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "daemon/control/archive.h"
#include "daemon/control/core.h"
#include "daemon/control/instances.h"
#include "daemon/control/launch.h"
#include "daemon/control/live_app.h"
#include "daemon/control/slugs.h"
#include "daemon/control/trees.h"

#define KEEP_TREES 3
#define KEEP_RELEASES 20
#define RETRY_MS 10000
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_BYTES 64

enum tree_state {
	TREE_ABSENT,
	TREE_UNPACKING,
	TREE_READY,
	TREE_REMOVING,
};

struct tree {
	struct tree *next;
	struct live_app *app;
	uint32_t slug;
	enum tree_state state;
	bool is_for_formation;
	struct sandbox sandbox;
	int said_fd; /* read end of what the unpacker complains to */
	uint32_t chore;
	struct tree_need *needs;
	struct loop_timer timer; /* to report or to try again */
	int code;
	struct err why;
};

static void begin(struct tree *tree);

/* ---- the mark ---------------------------------------------------------------------------- */

static void
mark_path(const struct tree *tree, char path[128])
{
	(void)snprintf(path, 128, "slugs/%s/%" PRIu32 ".ready", tree->app->row.name, tree->slug);
}

static bool
read_small(const char *path, char out[BOOT_ID_BYTES])
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, BOOT_ID_BYTES - 1);

	if (n <= 0)
		return false;
	out[n] = '\0';
	return true;
}

static bool
has_mark(const struct tree *tree)
{
	char path[128], now[BOOT_ID_BYTES], then[BOOT_ID_BYTES];

	mark_path(tree, path);
	return read_small(BOOT_ID, now) && read_small(path, then) && strcmp(now, then) == 0;
}

/* A mark that cannot be written costs an unpacking after the next start of control. */
static void
set_mark(const struct tree *tree)
{
	char path[128], now[BOOT_ID_BYTES];

	if (!read_small(BOOT_ID, now))
		return;
	mark_path(tree, path);
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);

	if (fd >= 0)
		(void)file_write_all(fd, now, strlen(now));
}

static void
remove_mark(const struct tree *tree)
{
	char path[128];

	mark_path(tree, path);
	(void)unlink(path);
}

/* ---- one tree ---------------------------------------------------------------------------- */

static struct tree *
tree_find(struct live_app *app, uint32_t slug)
{
	for (struct tree *tree = app->trees; tree != NULL; tree = tree->next)
		if (tree->slug == slug)
			return tree;
	return NULL;
}

/* What runs from a tree proves that it is there, whatever its mark says. */
static struct tree *
tree_get(struct live_app *app, uint32_t slug)
{
	struct tree *tree = tree_find(app, slug);

	if (tree != NULL)
		return tree;
	tree = calloc(1, sizeof(*tree));
	if (tree == NULL)
		return NULL;
	tree->app = app;
	tree->slug = slug;
	tree->said_fd = -1;
	tree->next = app->trees;
	app->trees = tree;
	if (has_mark(tree) || instances_use_slug(app, slug))
		tree->state = TREE_READY;
	return tree;
}

static void
tree_free(struct tree *tree)
{
	struct live *live = tree->app->live;

	loop_timer_cancel(live->loop, &tree->timer);
	sandbox_abandon(&tree->sandbox);
	chores_forget(&live->chores, tree->chore);
	if (tree->said_fd >= 0)
		(void)close(tree->said_fd);
	while (tree->needs != NULL) {
		struct tree_need *need = tree->needs;

		tree->needs = need->next;
		need->tree = NULL;
	}
	free(tree);
}

static void
on_report(struct loop_timer *timer)
{
	struct tree *tree = container_of(timer, struct tree, timer);
	struct live_app *app = tree->app;
	struct err why = tree->why;
	int code = tree->code;
	bool is_for_formation = tree->is_for_formation;

	if (tree->state == TREE_ABSENT && tree->needs == NULL && code == 0) {
		if (is_for_formation)
			begin(tree); /* the time to try again has come */
		return;
	}
	tree->code = 0;
	while (tree->needs != NULL) {
		struct tree_need *need = tree->needs;

		tree->needs = need->next;
		need->tree = NULL;
		need->fn(need, code, &why);
		/* A callback may end the app, and this tree with it; then nobody waits here. */
		tree = tree_find(app, tree->slug);
		if (tree == NULL)
			return;
	}
	if (!is_for_formation) {
		live_app_check_gone(app);
		return;
	}
	if (code < 0) {
		core_log(app, "slug", "Error: %s; it is tried again in %d seconds", why.text,
			 RETRY_MS / 1000);
		(void)loop_timer_set(app->live->loop, &tree->timer, RETRY_MS, on_report);
		return;
	}
	tree->is_for_formation = false;
	instances_reconcile(app);
	live_app_check_gone(app);
}

static void
report_soon(struct tree *tree, int code, const struct err *why)
{
	tree->state = code == 0 ? TREE_READY : TREE_ABSENT;
	tree->code = code;
	tree->why = why != NULL ? *why : (struct err){0};
	(void)loop_timer_set(tree->app->live->loop, &tree->timer, 0, on_report);
}

/* The unpacker's last words, if it had any, are better than its exit status. */
static int
explain_failure(struct tree *tree, const struct sandbox_news *news, struct err *why)
{
	char said[400] = "";
	ssize_t n = read(tree->said_fd, said, sizeof(said) - 1);

	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\r\n")] = '\0';
	if (news->report == SANDBOX_BROKEN)
		return err_say(why, -EIO, "the slug cannot be unpacked: %s", news->text);
	if (said[0] != '\0')
		return err_say(why, -EIO, "the slug cannot be unpacked: %s", said);
	if (WIFSIGNALED(news->status))
		return err_say(why, -EIO, "the slug cannot be unpacked: killed by signal %d",
			       WTERMSIG(news->status));
	return err_say(why, -EIO, "the slug cannot be unpacked: exit status %d",
		       WEXITSTATUS(news->status));
}

static void
on_news(struct sandbox *sandbox, struct sandbox_news *news)
{
	struct tree *tree = container_of(sandbox, struct tree, sandbox);
	struct err why = {0};
	int code = 0;

	if (news->report != SANDBOX_BROKEN && news->report != SANDBOX_ENDED)
		return;
	if (news->report == SANDBOX_BROKEN || news->status != 0)
		code = explain_failure(tree, news, &why);
	else
		set_mark(tree);
	(void)close(tree->said_fd);
	tree->said_fd = -1;
	report_soon(tree, code, &why);
}

static int
start_unpacking(struct tree *tree, struct err *err)
{
	struct live *live = tree->app->live;
	const struct app *row = &tree->app->row;
	struct sandbox_order order;
	AUTO_FD int slug_fd = archive_open(row->name, tree->slug, err);
	int ends[2];

	if (slug_fd < 0)
		return slug_fd;
	AUTO_FD int spec_fd =
		launch_unpack(live->options, row->name, row->run_uid, tree->slug, &order, err);

	if (spec_fd < 0)
		return spec_fd;
	AUTO_FD int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null_fd < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "prepare to unpack the slug");
	AUTO_FD int say_fd = ends[1];

	tree->said_fd = ends[0];
	(void)file_set_nonblocking(tree->said_fd, true);
	int stdio[3] = {slug_fd, null_fd, say_fd};
	int ret = sandbox_start(&live->sandboxes, &tree->sandbox, &order, spec_fd, stdio, -1,
				on_news, err);

	if (ret < 0) {
		(void)close(tree->said_fd);
		tree->said_fd = -1;
	}
	return ret;
}

static void
begin(struct tree *tree)
{
	struct err err = {0};

	remove_mark(tree);
	tree->state = TREE_UNPACKING;
	int ret = start_unpacking(tree, &err);

	if (ret < 0)
		report_soon(tree, ret, &err);
}

/* ---- what others ask --------------------------------------------------------------------- */

bool
tree_is_ready(struct live_app *app, uint32_t slug)
{
	struct tree *tree = tree_get(app, slug);

	return tree != NULL && tree->state == TREE_READY;
}

/* Without memory for it a tree is simply not ready; there is nobody to tell. */
void
tree_prepare(struct live_app *app, uint32_t slug)
{
	struct tree *tree = tree_get(app, slug);

	if (tree == NULL || tree->state == TREE_READY)
		return;
	tree->is_for_formation = true;
	/* An armed timer means that it has just failed and will be tried again. */
	if (tree->state == TREE_ABSENT && tree->timer.slot == 0)
		begin(tree);
}

int
tree_await(struct live_app *app, uint32_t slug, struct tree_need *need, tree_fn *fn)
{
	struct tree *tree = tree_get(app, slug);

	*need = (struct tree_need){.tree = tree, .fn = fn};
	if (tree == NULL)
		return -ENOMEM;
	need->next = tree->needs;
	tree->needs = need;
	if (tree->state == TREE_READY) {
		report_soon(tree, 0, NULL);
	} else if (tree->state == TREE_ABSENT) {
		loop_timer_cancel(app->live->loop, &tree->timer);
		begin(tree);
	}
	return 0;
}

void
tree_need_cancel(struct tree_need *need)
{
	if (need->tree == NULL)
		return;
	for (struct tree_need **at = &need->tree->needs; *at != NULL; at = &(*at)->next)
		if (*at == need) {
			*at = need->next;
			break;
		}
	need->tree = NULL;
}

/* ---- what is not needed any more --------------------------------------------------------- */

static void
on_removed(void *user, int code, const struct err *why)
{
	struct tree *tree = user;

	tree->chore = 0;
	if (code < 0)
		log_line("remove the unpacked slug %s/%u: %s", tree->app->row.name, tree->slug,
			 why->text);
	tree->state = TREE_ABSENT;
	if (tree->needs != NULL || tree->is_for_formation)
		begin(tree);
	else
		live_app_check_gone(tree->app);
}

static void
remove_tree(struct live_app *app, uint32_t slug)
{
	struct tree *tree = tree_get(app, slug);

	if (tree == NULL || tree->state == TREE_UNPACKING || tree->state == TREE_REMOVING ||
	    tree->needs != NULL || instances_use_slug(app, slug))
		return;
	remove_mark(tree);
	tree->state = TREE_REMOVING;
	tree->chore = chores_remove_slug(&app->live->chores, app->row.name, slug, on_removed, tree);
	if (tree->chore == 0)
		tree->state = TREE_ABSENT;
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? 1 : left > right ? -1 : 0;
}

#define TREES_MAX 256

/* The numbers of all marked trees, newest first. */
static size_t
list_marked(const struct live_app *app, uint32_t numbers[TREES_MAX])
{
	char path[128];
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "slugs/%s", app->row.name);
	DIR *dir = opendir(path);

	if (dir == NULL)
		return 0;
	for (struct dirent *entry; n < TREES_MAX && (entry = readdir(dir)) != NULL;) {
		int end = -1;

		if (sscanf(entry->d_name, "%" SCNu32 ".ready%n", &numbers[n], &end) == 1 &&
		    end > 0 && entry->d_name[end] == '\0')
			n++;
	}
	(void)closedir(dir);
	qsort(numbers, n, sizeof(numbers[0]), compare_numbers);
	return n;
}

static void
remove_archives(struct live_app *app)
{
	AUTO_FREE uint32_t *unneeded = NULL;
	struct err err = {0};
	size_t n = 0;

	if (slugs_list_unneeded(app->live->store, app->row.id, KEEP_RELEASES, &unneeded, &n, &err) <
	    0) {
		log_line("%s: list the slugs not needed any more: %s", app->row.name, err.text);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		/* Marked first: a file without a row is cleaned up, a row without a file is not. */
		if (slugs_mark_removed(app->live->store, app->row.id, unneeded[i], &err) < 0)
			continue;
		archive_remove(app->row.name, unneeded[i]);
		remove_tree(app, unneeded[i]);
	}
}

void
trees_prune(struct live_app *app)
{
	uint32_t marked[TREES_MAX];
	size_t n = list_marked(app, marked);

	for (size_t i = KEEP_TREES; i < n; i++)
		if (marked[i] != app->slug)
			remove_tree(app, marked[i]);
	remove_archives(app);
}

bool
trees_are_busy(const struct live_app *app)
{
	for (const struct tree *tree = app->trees; tree != NULL; tree = tree->next)
		if (tree->state == TREE_UNPACKING || tree->state == TREE_REMOVING)
			return true;
	return false;
}

void
trees_drop(struct live_app *app)
{
	while (app->trees != NULL) {
		struct tree *tree = app->trees;

		app->trees = tree->next;
		tree_free(tree);
	}
}

/*
 * A queue: the submodules of a submodule are appended, so nesting costs no recursion and the number
 * of all of them is bounded by SOURCE_MAX_LINKS.
 */
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "builder/disk.h"
#include "builder/environ.h"
#include "builder/fetch.h"
#include "builder/source.h"
#include "builder/submodule.h"
#include "builder/transcript.h"

#define GITMODULES_MAX_BYTES 262144

/* A link whose URL is known: what is still to be done. */
struct pending {
	char *path, *url;
	char commit[41];
};

struct queue {
	struct pending items[SOURCE_MAX_LINKS];
	size_t n;
};

static void
queue_done(struct queue *queue)
{
	for (size_t i = 0; i < queue->n; i++) {
		free(queue->items[i].path);
		free(queue->items[i].url);
	}
}

/* The submodule's name between "submodule." and ".path". */
static int
name_of(const char *key, char *out, size_t cap)
{
	const char *dot = strrchr(key, '.');
	size_t head = strlen("submodule.");

	if (!dot || (size_t)(dot - key) <= head || (size_t)(dot - key) - head >= cap)
		return -EINVAL;
	memcpy(out, key + head, (size_t)(dot - key) - head);
	out[(size_t)(dot - key) - head] = '\0';
	return 0;
}

/* The URL that `config` gives for the submodule at `path`, a copy, or NULL. */
static char *
find_url(git_config *config, const char *path)
{
	git_config_iterator *it = NULL;
	git_config_entry *entry;
	char *url = NULL;

	if (git_config_iterator_glob_new(&it, config, "^submodule\\..*\\.path$") < 0)
		return NULL;
	while (!url && git_config_next(&entry, it) == 0) {
		char name[1024], key[1100];
		git_buf value = {0};

		if (strcmp(entry->value, path) != 0 || name_of(entry->name, name, sizeof(name)) < 0)
			continue;
		(void)snprintf(key, sizeof(key), "submodule.%s.url", name);
		if (git_config_get_string_buf(&value, config, key) == 0)
			url = strdup(value.ptr);
		git_buf_dispose(&value);
	}
	git_config_iterator_free(it);
	return url;
}

/* .gitmodules as a configuration of libgit2, which reads only files. NULL when there is none. */
static int
load_gitmodules(const struct submodule_job *job, struct source *source, git_config **config,
		struct err *err)
{
	AUTO_FREE char *file = NULL;
	AUTO_BUF struct buf text;
	AUTO_FD int fd = -1;
	int ret;

	*config = NULL;
	buf_init(&text, GITMODULES_MAX_BYTES);
	ret = source_read(source, ".gitmodules", &text, err);
	if (ret < 0)
		return ret == -ENOENT ? 0 : ret;
	if (asprintf(&file, "%s/gitmodules", job->work) < 0)
		return err_set(err, -ENOMEM, ".gitmodules");
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	ret = fd < 0 ? -errno : file_write_all(fd, buf_text(&text), text.len);
	if (ret < 0)
		return err_set(err, ret, "write %s", file);
	if (git_config_open_ondisk(config, file) < 0)
		return err_say(err, -EINVAL, ".gitmodules cannot be read: %s",
			       git_error_last() ? git_error_last()->message : "bad syntax");
	return 0;
}

/* Appends the links of one source; `prefix` is where it lies ("" or "a/b/"). */
static int
enqueue(const struct submodule_job *job, struct source *source, const char *prefix,
	struct source_report *report, struct queue *queue, struct err *err)
{
	git_config *config = NULL;
	int ret;

	if (report->n_links == 0)
		return 0;
	ret = load_gitmodules(job, source, &config, err);
	for (size_t i = 0; ret == 0 && i < report->n_links; i++) {
		struct source_link *link = &report->links[i];
		char *url = config ? find_url(config, link->path + strlen(prefix)) : NULL;

		if (!url) {
			transcript_warn(
				job->out,
				"%s is a submodule that .gitmodules does not name; it stays "
				"empty.",
				link->path);
			continue;
		}
		if (queue->n == SOURCE_MAX_LINKS) {
			free(url);
			ret = err_say(err, -E2BIG, "The source has more than %d submodules.",
				      SOURCE_MAX_LINKS);
			break;
		}
		struct pending *item = &queue->items[queue->n++];
		item->path = take_ptr(link->path);
		item->url = url;
		memcpy(item->commit, link->commit, sizeof(item->commit));
	}
	git_config_free(config);
	return ret;
}

static int
write_fetched(const struct submodule_job *job, const char *objects, const struct pending *item,
	      struct queue *queue, struct err *err)
{
	struct source_report report = {0};
	struct source *source = NULL;
	AUTO_FREE char *prefix = NULL;
	AUTO_FD int dir_fd = -1;
	int ret;

	if (asprintf(&prefix, "%s/", item->path) < 0)
		return err_set(err, -ENOMEM, "write a submodule");
	dir_fd = file_open_dir(job->root_fd, item->path);
	if (dir_fd < 0)
		return err_set(err, dir_fd, "open its folder");
	ret = source_open(objects, NULL, item->commit, &source, err);
	if (ret == 0)
		ret = source_write(source, dir_fd, prefix, job->ignore, job->budget, &report, err);
	if (ret == 0)
		ret = enqueue(job, source, prefix, &report, queue, err);
	source_report_done(&report);
	source_close(source);
	return ret;
}

static int
fetch_one(const struct submodule_job *job, const struct pending *item, struct queue *queue,
	  struct err *err)
{
	AUTO_FREE char *dir = NULL, *objects = NULL;
	char shown[FETCH_MAX_URL + 1], commit[41];
	const char *wrong = fetch_check_url(item->url);
	int ret;

	(void)fetch_url_text(item->url, shown, sizeof(shown));
	if (wrong)
		return err_say(err, -EINVAL, "The submodule %s is recorded at \"%.200s\": %s.",
			       item->path, shown, wrong);
	if (asprintf(&dir, "%s/module.git", job->work) < 0 ||
	    asprintf(&objects, "%s/objects", dir) < 0)
		return err_set(err, -ENOMEM, "fetch a submodule");
	transcript_body(job->out, "%s: %.7s from %s", item->path, item->commit, shown);
	if (mkdir(dir, 0700) < 0)
		return err_set(err, -errno, "make %s", dir);
	ret = fetch_commit(item->url, item->commit, dir, job->env, commit, err);
	if (ret < 0)
		return err_prefix(err, ret, "The submodule %s could not be fetched from %.200s",
				  item->path, shown);
	ret = write_fetched(job, objects, item, queue, err);
	if (ret < 0)
		return err_prefix(err, ret, "The submodule %s", item->path);
	ret = disk_remove(AT_FDCWD, dir);
	return ret < 0 ? err_set(err, ret, "remove %s", dir) : 0;
}

int
submodule_write_all(const struct submodule_job *job, struct source *source,
		    struct source_report *report, struct err *err)
{
	AUTO_FREE struct queue *queue = calloc(1, sizeof(*queue));
	int ret;

	if (!queue)
		return err_set(err, -ENOMEM, "fetch submodules");
	ret = enqueue(job, source, "", report, queue, err);
	if (ret == 0 && queue->n > 0)
		transcript_head(job->out, "Fetching submodules");
	for (size_t i = 0; ret == 0 && i < queue->n; i++)
		ret = fetch_one(job, &queue->items[i], queue, err);
	queue_done(queue);
	return ret;
}

/*
 * The repository is made by hand rather than by git: nothing of the host's templates and
 * configuration gets into it, and it is the build id's from its first file on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/app_files.h"
#include "daemon/supervisor/disk.h"
#include "daemon/supervisor/paths.h"

static const char head[] = "ref: refs/heads/master\n";
static const char config[] = "[core]\n"
			     "\trepositoryformatversion = 0\n"
			     "\tfilemode = true\n"
			     "\tbare = true\n";

static int
make_dir(int dir_fd, const char *name, mode_t mode, uint32_t owner)
{
	int fd = file_make_dir(dir_fd, name, mode, owner, owner);

	if (fd < 0)
		return fd;
	(void)close(fd);
	return 0;
}

/* Written once; afterwards it is git's. */
static int
make_file(int dir_fd, const char *name, const char *text, uint32_t owner)
{
	AUTO_FD int fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	if (fchown(fd, owner, owner) < 0)
		return -errno;
	return file_write_all(fd, text, strlen(text));
}

static int
make_repository(int fd, uint32_t owner)
{
	static const char *const dirs[] = {"objects", "objects/info", "objects/pack",
					   "refs",    "refs/heads",   "refs/tags"};
	int ret = 0;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs) && ret == 0; i++) {
		const char *slash = strchr(dirs[i], '/');
		char parent[16];
		AUTO_FD int parent_fd = -1;

		/* Of the app's making, once it exists: never followed out of. */
		(void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - dirs[i]) : 1,
			       slash ? dirs[i] : ".");
		parent_fd = path_open_dir(fd, parent);
		if (parent_fd < 0)
			return parent_fd;
		ret = make_dir(parent_fd, slash ? slash + 1 : dirs[i], 0755, owner);
	}
	if (ret == 0)
		ret = make_file(fd, "config", config, owner);
	/* Last: git takes a directory with a HEAD for a repository. */
	if (ret == 0)
		ret = make_file(fd, "HEAD", head, owner);
	return ret;
}

int
app_files_create(void *what, struct err *err)
{
	const struct app_files *files = what;
	AUTO_FD int repos_fd = file_make_dir(files->state_fd, "repos", 0711, 0, 0);
	AUTO_FD int slugs_fd = -1, repo_fd = -1, slug_fd = -1;
	char name[APP_NAME_MAX + 8];
	int ret;

	if (repos_fd < 0)
		return err_set(err, repos_fd, "make repos");
	(void)snprintf(name, sizeof(name), "%s.git", files->app);
	repo_fd = file_make_dir(repos_fd, name, 0700, files->build_uid, files->build_uid);
	if (repo_fd < 0)
		return err_set(err, repo_fd, "make the repository of %s", files->app);
	ret = make_repository(repo_fd, files->build_uid);
	if (ret < 0)
		return err_set(err, ret, "make the repository of %s", files->app);

	slugs_fd = file_make_dir(files->state_fd, "slugs", 0771, 0, files->control_gid);
	if (slugs_fd < 0)
		return err_set(err, slugs_fd, "make slugs");
	slug_fd = file_make_dir(slugs_fd, files->app, 0770, 0, files->control_gid);
	if (slug_fd < 0)
		return err_set(err, slug_fd, "make slugs/%s", files->app);
	if (fsync(repo_fd) < 0 || fsync(repos_fd) < 0 || fsync(slugs_fd) < 0)
		return err_set(err, -errno, "write the files of %s to the disk", files->app);
	return 0;
}

/* Removes DIR/NAME below the state directory; what is missing is gone already. */
static int
remove_below(int state_fd, const char *dir, const char *name)
{
	AUTO_FD int dir_fd = path_open_dir(state_fd, dir);

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	return file_remove_tree(dir_fd, name);
}

int
app_files_remove(void *what, struct err *err)
{
	const struct app_files *files = what;
	char repo[APP_NAME_MAX + 8], image[APP_NAME_MAX + 8];
	const struct {
		const char *dir, *name;
	} trees[] = {
		{"disks", image},      {"disks", files->app}, {"cache", image},
		{"cache", files->app}, {"slugs", files->app}, {"repos", repo},
	};
	int ret;

	(void)snprintf(repo, sizeof(repo), "%s.git", files->app);
	(void)snprintf(image, sizeof(image), "%s.img", files->app);
	ret = disk_unmount(files->state_fd, DISK_INSTANCE, files->app, err);
	if (ret == 0)
		ret = disk_unmount(files->state_fd, DISK_BUILD, files->app, err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
		ret = remove_below(files->state_fd, trees[i].dir, trees[i].name);
		if (ret < 0)
			return err_set(err, ret, "remove %s/%s", trees[i].dir, trees[i].name);
	}
	return 0;
}

int
app_files_remove_slug(void *what, struct err *err)
{
	const struct app_files *files = what;
	char dir[APP_NAME_MAX + 8], name[16];
	int ret;

	(void)snprintf(dir, sizeof(dir), "slugs/%s", files->app);
	(void)snprintf(name, sizeof(name), "%u", files->slug);
	ret = remove_below(files->state_fd, dir, name);
	return ret < 0 ? err_set(err, ret, "remove %s/%s", dir, name) : 0;
}

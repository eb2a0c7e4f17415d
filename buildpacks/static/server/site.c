/*
 * Paths are decoded once, and everything odd (NUL, "." and ".." parts) is no file. Hidden names are
 * never served except .well-known. openat2 with RESOLVE_BENEATH is what a mistake here would run
 * into: links inside the root work, nothing leads out of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "buildpacks/static/server/glob.h"
#include "buildpacks/static/server/site.h"

/* ---- opening ------------------------------------------------------------------------------- */

static int
load_config(struct site *site, int app_fd, struct err *err)
{
	AUTO_FD int fd = file_open_beneath(app_fd, "static.json", O_RDONLY | O_NONBLOCK, 0);
	AUTO_BUF struct buf text;
	int ret;

	buf_init(&text, CONFIG_MAX_BYTES + 1);
	if (fd == -ENOENT)
		return 0;
	ret = fd < 0 ? fd : file_read_all(fd, &text);
	if (ret < 0 && ret != -ENOBUFS)
		return err_set(err, ret, "read static.json");
	return config_parse(&site->config, buf_text(&text), text.len, err);
}

static bool
has_file(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, 0) == 0 && S_ISREG(st.st_mode);
}

int
site_open(struct site *site, const char *dir, struct err *err)
{
	AUTO_FD int app_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *root;
	int ret;

	*site = (struct site){.root_fd = -1};
	if (app_fd < 0)
		return err_set(err, -errno, "open %s", dir);
	ret = load_config(site, app_fd, err);
	if (ret < 0)
		return ret;
	root = site->config.root;
	if (!*root)
		root = !has_file(app_fd, "index.html") && has_file(app_fd, "public/index.html")
			       ? "public"
			       : ".";
	site->serves_app = strcmp(root, ".") == 0;
	site->root_fd = file_open_dir(app_fd, root);
	if (site->root_fd < 0)
		return err_set(err, site->root_fd, "open the root \"%s\" of static.json", root);
	return 0;
}

void
site_close(struct site *site)
{
	config_done(&site->config);
	if (site->root_fd >= 0)
		(void)close(site->root_fd);
	site->root_fd = -1;
}

/* ---- paths --------------------------------------------------------------------------------- */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The path of a target without its query, percent-decoded. Its length, or -1. */
static int
decode(const char *target, size_t n, char out[SITE_MAX_PATH])
{
	size_t len = 0;

	for (size_t i = 0; i < n && target[i] != '?' && target[i] != '#'; i++) {
		int c = (unsigned char)target[i];

		if (c == '%') {
			int high = i + 2 < n ? hex_value(target[i + 1]) : -1;
			int low = i + 2 < n ? hex_value(target[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -1;
			c = high << 4 | low;
			i += 2;
		}
		if (c == 0 || len == SITE_MAX_PATH - 1)
			return -1;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return out[0] == '/' ? (int)len : -1;
}

/* May anything at this path be seen? "." and ".." begin with a dot as well. */
static bool
is_visible(const struct site *site, const char *path)
{
	static const char *const own[] = {"/Procfile", "/static.json"};

	for (const char *s = path; (s = strchr(s, '/')); s++) {
		if (s[1] == '.' && strncmp(s + 1, ".well-known", 11) != 0)
			return false;
		if (s[1] == '.' && s[12] != '/' && s[12] != '\0')
			return false;
	}
	for (size_t i = 0; site->serves_app && i < sizeof(own) / sizeof(*own); i++) {
		if (strcmp(path, own[i]) == 0)
			return false;
	}
	return true;
}

/* ---- files --------------------------------------------------------------------------------- */

/* Opens root/path (without leading slashes) when it is a regular file. 0, -EISDIR, -ENOENT ... */
static int
open_file(const struct site *site, const char *path, struct site_file *file)
{
	AUTO_FD int fd = -1;
	struct stat st;

	path += strspn(path, "/");
	fd = file_open_beneath(site->root_fd, *path ? path : ".", O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	if (path != file->path)
		(void)snprintf(file->path, sizeof(file->path), "%s", path);
	file->fd = take_fd(&fd);
	file->size = (uint64_t)st.st_size;
	file->mtime = st.st_mtim.tv_sec;
	/* A slug's files carry the commit's time; when they were written tells releases apart. */
	file->tag = (uint64_t)st.st_ctim.tv_sec * 1000000000 + (uint64_t)st.st_ctim.tv_nsec;
	return 0;
}

static int
open_with(const struct site *site, const char *path, const char *suffix, struct site_file *file)
{
	char longer[SITE_MAX_PATH];
	int n = snprintf(longer, sizeof(longer), "%s%s", path, suffix);

	if (n < 0 || (size_t)n >= sizeof(longer))
		return -ENAMETOOLONG;
	return open_file(site, longer, file);
}

/* The file that the path itself names. 0, 301 in file->status too, or negative. */
static int
find_direct(const struct site *site, const char *path, size_t n, struct site_file *file)
{
	bool is_folder = path[n - 1] == '/';
	int ret;

	file->status = 200;
	if (is_folder)
		return open_with(site, path, "index.html", file);
	ret = open_file(site, path, file);
	if (ret == -EISDIR && n + 1 < sizeof(file->path)) {
		(void)snprintf(file->path, sizeof(file->path), "%.*s/", (int)n, path);
		file->status = 301;
		return 0;
	}
	if (ret == -ENOENT && site->config.clean_urls)
		ret = open_with(site, path, ".html", file);
	return ret;
}

static int
find_route(const struct site *site, const char *path, struct site_file *file)
{
	for (size_t i = 0; i < site->config.n_routes; i++) {
		const struct config_route *route = &site->config.routes[i];

		if (glob_match(route->pattern, path))
			return open_file(site, route->file, file);
	}
	return -ENOENT;
}

int
site_find(const struct site *site, const char *target, size_t n, struct site_file *file)
{
	const char *page = site->config.error_page[0] ? site->config.error_page : "404.html";
	char path[SITE_MAX_PATH];
	int len = decode(target, n, path);

	file->fd = -1;
	file->path[0] = '\0';
	file->size = 0;
	if (len < 0)
		return 400;
	if (is_visible(site, path)) {
		if (find_direct(site, path, (size_t)len, file) == 0)
			return 0;
		if (find_route(site, path, file) == 0)
			return 0;
	}
	file->status = 404;
	if (open_file(site, page, file) < 0)
		file->fd = -1;
	return 0;
}

int
site_find_gzip(const struct site *site, const struct site_file *file, struct site_file *gzip)
{
	gzip->status = file->status;
	return open_with(site, file->path, ".gz", gzip) == 0 ? 0 : -ENOENT;
}

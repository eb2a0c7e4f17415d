/* Finding the platform from a clone, and going there with the system's ssh like git does. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "cli/ssh.h"

/* Copies n bytes as a string. Too long is false. */
static bool
copy_part(char *out, size_t cap, const char *at, size_t n)
{
	if (n >= cap)
		return false;
	memcpy(out, at, n);
	out[n] = '\0';
	return true;
}

static bool
split(const char *url, struct remote *r)
{
	const char *host = url, *end, *path;
	if (strncmp(url, "ssh://", 6) == 0) {
		host = url + 6;
		path = strchr(host, '/');
		if (!path)
			return false;
		const char *bracket = memchr(host, ']', (size_t)(path - host));
		const char *from = bracket ? bracket : host;
		end = memchr(from, ':', (size_t)(path - from));
		if (end && !copy_part(r->port, sizeof(r->port), end + 1, (size_t)(path - end - 1)))
			return false;
		if (!end)
			end = path;
		path++;
	} else {
		end = strchr(url, ':');
		if (!end || memchr(url, '/', (size_t)(end - url)))
			return false;
		path = end + 1;
	}
	path += strspn(path, "/~");
	size_t n = strlen(path);
	if (n > 4 && strcmp(path + n - 4, ".git") == 0)
		n -= 4;
	/* A host that ssh would take for an option is no host. */
	return end > host && *host != '-' && n > 0 && !memchr(path, '/', n) &&
	       copy_part(r->user_host, sizeof(r->user_host), host, (size_t)(end - host)) &&
	       copy_part(r->app, sizeof(r->app), path, n);
}

int
remote_parse(const char *url, struct remote *remote, struct err *err)
{
	memset(remote, 0, sizeof(*remote));
	if (!split(url, remote))
		return err_say(err, -EINVAL,
			       "the git remote %s is no platform's: it should look like "
			       "ssh://paas@HOST:2222/APP.git",
			       url);
	/* ssh wants IPv6 addresses without the brackets of a URL. */
	char *open = strchr(remote->user_host, '['), *close = strchr(remote->user_host, ']');
	if (open && close) {
		*close = '\0';
		memmove(open, open + 1, strlen(open));
	}
	return 0;
}

/* libexec/paas/paas-remote beside the bin directory this program lies in. */
static int
helper_path(char *out, size_t cap, struct err *err)
{
	ssize_t n = readlink("/proc/self/exe", out, cap - 1);
	if (n < 0)
		return err_set(err, -errno, "read /proc/self/exe");
	out[n] = '\0';
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(out, '/');
		if (slash)
			*slash = '\0';
	}
	size_t len = strlen(out);
	int added = snprintf(out + len, cap - len, "/libexec/paas/paas-remote");
	if (added < 0 || (size_t)added >= cap - len)
		return err_set(err, -ENAMETOOLONG, "%s", out);
	return 0;
}

int
remote_find(const char *name, struct remote *remote, struct err *err)
{
	char path[PATH_MAX];
	int ret = helper_path(path, sizeof(path), err);
	if (ret < 0)
		return ret;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, -errno, "pipe");
	AUTO_FD int from = ends[0];
	AUTO_FD int to = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "fork");
	if (pid == 0) {
		(void)dup2(to, STDOUT_FILENO);
		(void)execl(path, "paas-remote", name ? name : "platform", (char *)NULL);
		_exit(127);
	}
	(void)close(take_fd(&to));
	AUTO_BUF struct buf text;
	buf_init(&text, 8192);
	ret = file_read_all(from, &text);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ret < 0 || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return err_say(err, -EIO, "%s did not run; install paas again", path);
	if (WEXITSTATUS(status) == 1)
		return 0;
	/* The URL, a newline, core.sshCommand if any. */
	char *line = text.data, *command = line ? strchr(line, '\n') : NULL;
	if (!command)
		return 0;
	*command++ = '\0';
	ret = remote_parse(line, remote, err);
	if (ret < 0)
		return ret;
	command[strcspn(command, "\n")] = '\0';
	(void)snprintf(remote->command, sizeof(remote->command), "%s", command);
	return 1;
}

/* Appends one word in single quotes. */
static int
add_quoted(struct buf *line, const char *word)
{
	int ret = buf_add(line, "'", 1);
	for (; *word && ret == 0; word++)
		ret = *word == '\'' ? buf_add_string(line, "'\\''") : buf_add(line, word, 1);
	return ret < 0 ? ret : buf_add(line, "'", 1);
}

int
remote_exec(const struct remote *remote, bool tty, char *const *words, struct err *err)
{
	AUTO_BUF struct buf line;
	buf_init(&line, 128 * 1024);
	for (; *words; words++)
		if ((line.len && buf_add(&line, " ", 1) < 0) || add_quoted(&line, *words) < 0)
			return err_say(err, -E2BIG, "the command is too long to send");
	const char *argv[12];
	size_t n = 0;
	const char *shell_command = getenv("GIT_SSH_COMMAND");
	if (!shell_command && *remote->command)
		shell_command = remote->command;
	AUTO_FREE char *script = NULL;
	const char *program = getenv("GIT_SSH") ? getenv("GIT_SSH") : "ssh";
	if (shell_command) {
		if (asprintf(&script, "exec %s \"$@\"", shell_command) < 0)
			return err_set(err, -ENOMEM, "run ssh");
		argv[n++] = program = "/bin/sh";
		argv[n++] = "-c";
		argv[n++] = script;
		argv[n++] = "ssh";
	} else {
		argv[n++] = "ssh";
	}
	if (tty)
		argv[n++] = "-t";
	if (*remote->port) {
		argv[n++] = "-p";
		argv[n++] = remote->port;
	}
	argv[n++] = remote->user_host;
	argv[n++] = "--";
	argv[n++] = buf_text(&line);
	argv[n] = NULL;
	(void)execvp(program, (char *const *)(uintptr_t)argv);
	return err_set(err, -errno, "run %s", program);
}

/*
 * One connection to control.sock or to whatever paas-session handed us. Requests are small
 * and answers bounded, so everything is blocking; only log streams are passed on unread.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/http.h"

#include "cli/api.h"

#define ANSWER_MAX_BYTES (32 * 1024 * 1024)
#define DEFAULT_SOCKET "/run/paas/control.sock"

/* A path beyond sun_path's 108 bytes is reached through its directory's fd. 0 or -errno. */
static int
socket_address(const char *path, struct sockaddr_un *sa, int *dir_fd)
{
	const char *slash = strrchr(path, '/');
	if (strlen(path) < sizeof(sa->sun_path)) {
		memcpy(sa->sun_path, path, strlen(path));
		return 0;
	}
	AUTO_FREE char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : NULL;
	if (!dir)
		return slash ? -ENOMEM : -ENAMETOOLONG;
	*dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir_fd < 0)
		return -errno;
	int n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d%s", *dir_fd, slash);
	return n < 0 || (size_t)n >= sizeof(sa->sun_path) ? -ENAMETOOLONG : 0;
}

static int
open_socket(const char *path, struct err *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	AUTO_FD int dir_fd = -1;
	int ret = socket_address(path, &sa, &dir_fd);
	if (ret < 0)
		return err_set(err, ret, "find the platform's socket %s", path);
	AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(err, -errno, "socket");
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int code = -errno;
		if (code == -EACCES)
			return err_say(
				err, code,
				"%s may be used by root and the group paas only; from elsewhere, "
				"run paas in a clone with a git remote to the platform",
				path);
		return err_say(
			err, code,
			"no platform answers at %s (%s); start paasd, set PAAS_SOCKET, or run "
			"paas in a clone with a git remote named platform",
			path, strerror(-code));
	}
	return take_fd(&fd);
}

int
api_open(struct api *api, struct err *err)
{
	memset(api, 0, sizeof(*api));
	api->fd = -1;
	buf_init(&api->in, ANSWER_MAX_BYTES);
	const char *inherited = getenv("PAAS_API_FD");
	if (inherited) {
		long long fd;

		if (conf_number(inherited, 3, INT_MAX, &fd) < 0)
			return err_say(err, -EINVAL, "PAAS_API_FD is no file descriptor: %s",
				       inherited);
		api->fd = (int)fd;
		return 0;
	}
	const char *path = getenv("PAAS_SOCKET");
	api->fd = open_socket(path && *path ? path : DEFAULT_SOCKET, err);
	return api->fd < 0 ? api->fd : 0;
}

static void
drop_fds(struct api *api)
{
	for (size_t i = 0; i < api->n_fds; i++)
		if (api->fds[i] >= 0)
			(void)close(api->fds[i]);
	api->n_fds = 0;
}

void
api_close(struct api *api)
{
	drop_fds(api);
	buf_done(&api->in);
	if (api->fd >= 0)
		(void)close(api->fd);
	api->fd = -1;
}

/* Reads once, keeping fds that came along. Bytes read, 0 at the end, or -errno. */
static ssize_t
read_more(struct api *api)
{
	int ret = buf_reserve(&api->in, 65536);
	if (ret < 0)
		return ret;
	union {
		char bytes[CMSG_SPACE(sizeof(int) * API_MAX_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = api->in.data + api->in.len, .iov_len = 65536};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes)};
	ssize_t n;
	do
		n = recvmsg(api->fd, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n_new = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		drop_fds(api);
		memcpy(api->fds, CMSG_DATA(c), n_new * sizeof(int));
		api->n_fds = n_new;
	}
	api->in.len += (size_t)n;
	api->in.data[api->in.len] = '\0';
	return n;
}

static int
send_request(struct api *api, const char *method, const char *path, const char *body,
	     struct err *err)
{
	AUTO_BUF struct buf out;
	buf_init(&out, ANSWER_MAX_BYTES);
	int ret = buf_printf(&out,
			     "%s %s HTTP/1.1\r\nHost: paas\r\n"
			     "Accept: application/vnd.heroku+json; version=3\r\n",
			     method, path);
	if (ret == 0 && body)
		ret = buf_printf(&out,
				 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
				 strlen(body), body);
	else if (ret == 0)
		ret = buf_add_string(&out, "\r\n");
	if (ret == 0)
		ret = file_write_all(api->fd, out.data, out.len);
	if (ret < 0)
		return err_set(err, ret, "the platform does not take the request");
	return 0;
}

/* Reads until a whole final head is there; it stays at the front of api->in. */
static int
read_head(struct api *api, struct http_head *head, struct err *err)
{
	for (;;) {
		int n = http_parse_response(head, buf_text(&api->in), api->in.len, false);
		if (n < 0)
			return err_say(err, -EBADMSG, "the platform's answer is not HTTP");
		if (n > 0 && head->status >= 200)
			return 0;
		if (n > 0) {
			buf_consume(&api->in, (size_t)n);
			continue;
		}
		ssize_t got = read_more(api);
		if (got == 0)
			return err_say(err, -ECONNRESET,
				       "the platform closed the connection; it may be restarting, "
				       "try again");
		if (got < 0)
			return err_set(err, (int)got, "read the platform's answer");
	}
}

/* Reads the body that follows `head` to the end, giving each piece to `out` or stdout. */
static int
read_body(struct api *api, const struct http_head *head, struct buf *out, struct err *err)
{
	struct http_body body;
	http_body_init(&body, head->body, head->content_length);
	buf_consume(&api->in, head->bytes);
	for (;;) {
		const char *data;
		size_t n_data;
		long used = http_body_next(&body, buf_text(&api->in), api->in.len, &data, &n_data);
		if (used < 0)
			return err_say(err, -EBADMSG, "the platform's answer is cut or garbled");
		int ret = 0;
		if (n_data > 0)
			ret = out ? buf_add(out, data, n_data)
				  : file_write_all(STDOUT_FILENO, data, n_data);
		if (ret < 0)
			return err_set(err, ret, "take the platform's answer");
		buf_consume(&api->in, (size_t)used);
		if (body.done)
			return 0;
		if (used > 0)
			continue;
		ssize_t got = read_more(api);
		if (got == 0 && head->body == HTTP_BODY_EOF)
			return 0;
		if (got <= 0)
			return err_say(err, got < 0 ? (int)got : -ECONNRESET,
				       "the platform's answer ended early; try again");
	}
}

/* The sentence of an error answer. */
static int
say_refusal(int status, const char *text, struct err *err)
{
	json_t *root = json_loads(text, 0, NULL);
	const char *message = json_string_value(json_object_get(root, "message"));
	int code = status == 404 ? -ENOENT : -EINVAL;
	if (message)
		(void)err_say(err, code, "%s", message);
	else
		(void)err_say(err, code, "the platform refused with status %d", status);
	json_decref(root);
	return code;
}

int
api_call(struct api *api, const char *method, const char *path, const json_t *body, json_t **answer,
	 struct err *err)
{
	AUTO_FREE char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	if (body && !text)
		return err_set(err, -ENOMEM, "write the request");
	drop_fds(api);
	int ret = send_request(api, method, path, text, err);
	if (ret < 0)
		return ret;
	struct http_head head;
	ret = read_head(api, &head, err);
	if (ret < 0)
		return ret;
	int status = head.status;
	AUTO_BUF struct buf got;
	buf_init(&got, ANSWER_MAX_BYTES);
	ret = read_body(api, &head, &got, err);
	if (ret < 0)
		return ret;
	if (status >= 300)
		return say_refusal(status, buf_text(&got), err);
	if (!answer)
		return 0;
	json_error_t why;
	*answer = got.len ? json_loadb(got.data, got.len, JSON_DECODE_ANY, &why) : json_null();
	if (!*answer)
		return err_say(err, -EBADMSG, "the platform's answer is not JSON: %s", why.text);
	return 0;
}

int
api_stream(struct api *api, const char *path, struct err *err)
{
	int ret = send_request(api, "GET", path, NULL, err);
	if (ret < 0)
		return ret;
	struct http_head head;
	ret = read_head(api, &head, err);
	if (ret < 0)
		return ret;
	if (head.status >= 300) {
		int status = head.status;
		AUTO_BUF struct buf got;
		buf_init(&got, ANSWER_MAX_BYTES);
		ret = read_body(api, &head, &got, err);
		return ret < 0 ? ret : say_refusal(status, buf_text(&got), err);
	}
	return read_body(api, &head, NULL, err);
}

int
api_path_add(struct buf *path, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	int ret = buf_add(path, "/", 1);
	for (; *text && ret == 0; text++) {
		unsigned char c = (unsigned char)*text;
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-._~", c)) {
			ret = buf_add(path, text, 1);
		} else {
			char code[3] = {'%', hex[c >> 4], hex[c & 15]};
			ret = buf_add(path, code, sizeof(code));
		}
	}
	return ret;
}

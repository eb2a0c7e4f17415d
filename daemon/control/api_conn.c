/*
 * A small state machine around three buffers. The descriptor is watched for what the state
 * needs: to read, to write, or (EPOLLPRI, which never comes on such a socket) only to learn
 * that the client is gone; a client that merely shut down its sending half still gets its
 * answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "daemon/control/api_conn.h"
#include "daemon/control/live.h"

#define MAX_IN (HTTP_MAX_HEAD + 65536)
#define MAX_OUT (32 * 1024 * 1024)
#define READ_CHUNK 16384

static void run(struct api_conn *conn);

/* ---- its life ---------------------------------------------------------------------------- */

static void
drop_fds(struct api_conn *conn)
{
	for (size_t i = 0; i < conn->n_fds; i++)
		(void)close(conn->fds[i]);
	conn->n_fds = 0;
}

void
api_conn_close(struct api_conn *conn)
{
	struct live *live = conn->request.live;

	if (conn->ticket)
		live_cancel(live, conn->ticket);
	if (conn->held)
		live_cancel(live, conn->held);
	api_conn_gone(conn->api, conn);
	loop_timer_cancel(conn->loop, &conn->timer);
	loop_remove(conn->loop, &conn->io);
	if (conn->io.fd >= 0)
		(void)close(conn->io.fd);
	drop_fds(conn);
	json_decref(conn->request.body);
	free(conn->take_user);
	buf_done(&conn->in);
	buf_done(&conn->body);
	buf_done(&conn->out);
	free(conn);
}

bool
api_conn_is_idle(const struct api_conn *conn)
{
	return conn->state == CONN_HEAD && conn->in.len == 0 && conn->held == 0;
}

static void
on_timer(struct loop_timer *timer)
{
	api_conn_close(container_of(timer, struct api_conn, timer));
}

/* Watches for what the state needs. False: the connection is gone. */
static bool
watch(struct api_conn *conn)
{
	uint32_t events = EPOLLPRI;

	if (conn->state == CONN_HEAD || conn->state == CONN_BODY || conn->state == CONN_LINGER)
		events = EPOLLIN;
	else if (conn->state == CONN_REPLY)
		events = EPOLLOUT;
	if (loop_change(conn->loop, &conn->io, events) < 0) {
		api_conn_close(conn);
		return false;
	}
	return true;
}

/* Enters a state and gives it its time. False: the connection is gone. */
static bool
enter(struct api_conn *conn, enum api_conn_state state)
{
	uint64_t ms = state == CONN_LINGER ? API_LINGER_MS : API_IDLE_MS;

	conn->state = state;
	if (state == CONN_WAITING) {
		loop_timer_cancel(conn->loop, &conn->timer);
	} else if (state != CONN_BODY &&
		   loop_timer_set(conn->loop, &conn->timer, ms, on_timer) < 0) {
		api_conn_close(conn);
		return false;
	}
	return true;
}

/* ---- answers ----------------------------------------------------------------------------- */

static int
add_head(struct api_conn *conn, int status, const char *type, size_t length)
{
	char date[40];
	struct tm tm;
	time_t now = time(NULL);
	int code;

	(void)gmtime_r(&now, &tm);
	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	code = buf_printf(&conn->out, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n", status,
			  http_reason(status), date, type);
	if (code == 0 && !conn->take)
		code = buf_printf(&conn->out, "Content-Length: %zu\r\n", length);
	if (code == 0 && !conn->keep_alive)
		code = buf_add_string(&conn->out, "Connection: close\r\n");
	return code < 0 ? code : buf_add_string(&conn->out, "\r\n");
}

/* Starts an answer; without memory for it the connection just ends after what there is. */
static void
answer(struct api_conn *conn, int status, const char *type, const char *text, size_t n)
{
	if (conn->answered)
		return;
	conn->answered = true;
	if (add_head(conn, status, type, n) < 0 || buf_add(&conn->out, text, n) < 0) {
		conn->keep_alive = false;
		drop_fds(conn);
		buf_done(&conn->out);
	}
}

/* The text of `body`, whose reference is taken, or NULL. Measured first: json_dumps goes on when
 * its buffer could not grow, and leaves the text out. */
static char *
text_of(json_t *body, size_t *n)
{
	AUTO_FREE char *text = NULL;

	*n = body ? json_dumpb(body, NULL, 0, JSON_COMPACT) : 0;
	if (*n > 0 && *n <= MAX_OUT)
		text = malloc(*n);
	if (text && json_dumpb(body, text, *n, JSON_COMPACT) != *n) {
		free(text);
		text = NULL;
	}
	json_decref(body);
	return take_ptr(text);
}

int
reply(struct api_request *r, int status, json_t *body)
{
	size_t n;
	AUTO_FREE char *text = text_of(body, &n);

	if (!text)
		return reply_error(r, 500, "internal_server_error", "Out of memory.");
	answer(r->conn, status, "application/json", text, n);
	return 0;
}

int
reply_error(struct api_request *r, int status, const char *id, const char *message)
{
	static const char fallback[] =
		"{\"id\":\"internal_server_error\",\"message\":\"Out of memory.\"}";
	size_t n;
	AUTO_FREE char *text =
		text_of(json_pack("{s:s, s:o}", "id", id, "message", json_safe(message)), &n);

	if (text)
		answer(r->conn, status, "application/json", text, n);
	else
		answer(r->conn, 500, "application/json", fallback, sizeof(fallback) - 1);
	return 0;
}

int
reply_takeover(struct api_request *r, void (*take)(struct live *live, void *user, int fd),
	       void *take_user)
{
	struct api_conn *conn = r->conn;

	conn->take = take;
	conn->take_user = take_user;
	conn->keep_alive = false;
	answer(conn, 200, "text/plain; charset=utf-8", "", 0);
	return 0;
}

int
api_attach_fds(struct api_request *r, const int *fds, size_t n)
{
	struct api_conn *conn = r->conn;

	for (size_t i = 0; i < n && conn->n_fds < API_MAX_FDS; i++) {
		int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

		if (copy < 0) {
			int code = -errno;

			drop_fds(conn);
			return code;
		}
		conn->fds[conn->n_fds++] = copy;
	}
	return 0;
}

void
api_wait(struct api_request *r, uint64_t ticket)
{
	r->conn->ticket = ticket;
}

void
api_hold(struct api_request *r, uint64_t ticket)
{
	/* One attached run a connection: the one before is not attended any more. */
	if (r->conn->held)
		live_cancel(r->live, r->conn->held);
	r->conn->held = ticket;
}

void
api_resume(struct api_request *r)
{
	struct api_conn *conn = r->conn;

	conn->ticket = 0;
	if (!conn->answered)
		(void)reply_error(r, 500, "internal_server_error", "There was no answer.");
	if (enter(conn, CONN_REPLY))
		run(conn);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* Sends some of `out`; the fds go with its first byte. The number of bytes or -errno. */
static ssize_t
send_some(struct api_conn *conn)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int) * API_MAX_FDS)];
	} control;
	struct iovec iov = {
		.iov_base = conn->out.data + conn->n_sent,
		.iov_len = conn->out.len - conn->n_sent,
	};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (conn->n_fds > 0) {
		size_t bytes = sizeof(int) * conn->n_fds;

		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(bytes);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(&control.head), conn->fds, bytes);
	}
	n = sendmsg(conn->io.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	drop_fds(conn);
	return n;
}

/* 1 all is sent, 0 wait for room, negative: the client is gone. */
static int
flush(struct api_conn *conn)
{
	while (conn->n_sent < conn->out.len) {
		ssize_t n = send_some(conn);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		conn->n_sent += (size_t)n;
	}
	conn->n_sent = 0;
	buf_done(&conn->out);
	return 1;
}

/* ---- reading ----------------------------------------------------------------------------- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decodes one segment of `n` bytes to *out, which moves behind its NUL. */
static bool
decode_segment(const char *at, size_t n, char **out)
{
	char *to = *out;

	for (size_t i = 0; i < n; i++) {
		char c = at[i];

		if (c == '%') {
			int high = i + 2 < n ? hex_digit(at[i + 1]) : -1;
			int low = i + 2 < n ? hex_digit(at[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			return false;
		*to++ = c;
	}
	*to++ = '\0';
	*out = to;
	return true;
}

/* Takes the path apart; the query is of no use to any handler. */
static bool
split_path(struct api_conn *conn)
{
	struct api_request *r = &conn->request;
	const char *at = conn->path;
	char *out = conn->decoded;
	size_t left = strcspn(at, "?");

	r->n_segments = 0;
	while (left > 0) {
		size_t n = 0;

		while (left > 0 && *at == '/') {
			at++;
			left--;
		}
		while (n < left && at[n] != '/')
			n++;
		if (n == 0)
			break;
		if (r->n_segments == API_MAX_SEGMENTS)
			return false;
		r->segments[r->n_segments++] = out;
		if (!decode_segment(at, n, &out))
			return false;
		at += n;
		left -= n;
	}
	return true;
}

static void
copy_text(struct http_text text, char *out, size_t cap)
{
	size_t n = text.len < cap ? text.len : 0;

	memcpy(out, text.at, n);
	out[n] = '\0';
}

/* Answers what cannot be parsed, and ends: where the next request begins is not known. */
static bool
refuse(struct api_conn *conn, int status, const char *id, const char *why)
{
	conn->keep_alive = false;
	conn->refused = true;
	(void)reply_error(&conn->request, status, id, why);
	return enter(conn, CONN_REPLY);
}

static bool
refuse_head(struct api_conn *conn, int status)
{
	switch (status) {
	case 414:
		return refuse(conn, status, "bad_request", "The path is too long.");
	case 431:
		return refuse(conn, status, "bad_request", "The head of the request is too large.");
	case 501:
		return refuse(conn, status, "bad_request",
			      "This transfer coding is not supported.");
	case 505:
		return refuse(conn, status, "bad_request",
			      "Only HTTP/1.0 and HTTP/1.1 are spoken.");
	default:
		return refuse(conn, 400, "bad_request", "This is not an HTTP request.");
	}
}

/* Takes over what the head says. False: the connection is gone, or the head was refused. */
static bool
begin_body(struct api_conn *conn, const struct http_head *head)
{
	const struct http_header *range = http_find(head, "Range");

	conn->keep_alive = head->keep_alive;
	conn->answered = false;
	if (head->method.len >= sizeof(conn->method))
		return refuse(conn, 400, "bad_request", "There is no such method.");
	if (head->path.len > API_MAX_PATH)
		return refuse_head(conn, 414);
	if (head->body == HTTP_BODY_LENGTH && head->content_length > API_MAX_BODY)
		return refuse(conn, 413, "bad_request", "The body is larger than 1 MiB.");
	copy_text(head->method, conn->method, sizeof(conn->method));
	copy_text(head->path, conn->path, sizeof(conn->path));
	conn->range[0] = '\0';
	if (range)
		copy_text(range->value, conn->range, sizeof(conn->range));
	http_body_init(&conn->framing, head->body, head->content_length);
	if (head->expects_continue && head->body != HTTP_BODY_NONE && conn->in.len == head->bytes) {
		if (buf_add_string(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n") < 0 ||
		    flush(conn) < 0) {
			api_conn_close(conn);
			return false;
		}
	}
	return enter(conn, CONN_BODY);
}

/* 1: go on; 0: more bytes are needed; -1: the connection is gone. */
static int
read_head(struct api_conn *conn)
{
	struct http_head head;
	int n = http_parse_request(&head, buf_text(&conn->in), conn->in.len);

	if (n == 0)
		return 0;
	if (n < 0) {
		conn->answered = false;
		return refuse_head(conn, -n) ? 1 : -1;
	}
	if (!begin_body(conn, &head))
		return -1;
	buf_consume(&conn->in, head.bytes);
	return 1;
}

/* The request is whole: answers it, or has it answered later. */
static bool
dispatch(struct api_conn *conn)
{
	struct api_request *r = &conn->request;
	json_error_t why;
	struct err err;
	bool is_empty;

	json_decref(r->body);
	is_empty = conn->body.len == 0;
	r->body = is_empty ? json_object()
			   : json_loadb(conn->body.data, conn->body.len, JSON_REJECT_DUPLICATES,
					&why);
	buf_done(&conn->body);
	if (!r->body && (is_empty || json_error_code(&why) == json_error_out_of_memory)) {
		(void)reply_error(r, 500, "internal_server_error", "Out of memory.");
	} else if (!r->body) {
		(void)err_say(&err, 0, "The body is not JSON: %s (line %d, column %d).", why.text,
			      why.line, why.column);
		(void)reply_error(r, 400, "bad_request", err.text);
	} else if (!json_is_object(r->body)) {
		(void)reply_error(r, 400, "bad_request", "The body must be a JSON object.");
	} else if (!split_path(conn)) {
		(void)reply_error(r, 400, "bad_request", "The path is not well-formed.");
	} else if (!conn->user[0]) {
		conn->keep_alive = false;
		(void)reply_error(r, 401, "unauthorized",
				  "Only root and members of the group paas may use this socket.");
	} else {
		api_route(r);
	}
	return enter(conn, conn->answered ? CONN_REPLY : CONN_WAITING);
}

/* As read_head. */
static int
read_body(struct api_conn *conn)
{
	while (!conn->framing.done) {
		const char *bytes = NULL;
		size_t n_bytes = 0;
		long n = http_body_next(&conn->framing, conn->in.data, conn->in.len, &bytes,
					&n_bytes);

		if (n < 0)
			return refuse(conn, 400, "bad_request",
				      "The body's chunks are not "
				      "well-formed.")
				       ? 1
				       : -1;
		if (conn->body.len + n_bytes > API_MAX_BODY)
			return refuse(conn, 413, "bad_request", "The body is larger than 1 MiB.")
				       ? 1
				       : -1;
		if (n_bytes > 0 && buf_add(&conn->body, bytes, n_bytes) < 0) {
			api_conn_close(conn);
			return -1;
		}
		if (n == 0 && !conn->framing.done)
			return 0;
		buf_consume(&conn->in, (size_t)n);
	}
	return dispatch(conn) ? 1 : -1;
}

/* 1 something came; 0 nothing now; -1: the connection is gone. */
static int
read_some(struct api_conn *conn)
{
	ssize_t n;

	if (buf_reserve(&conn->in, READ_CHUNK) < 0) {
		api_conn_close(conn);
		return -1;
	}
	n = recv(conn->io.fd, conn->in.data + conn->in.len, READ_CHUNK, MSG_DONTWAIT);
	if (n > 0) {
		conn->in.len += (size_t)n;
		conn->in.data[conn->in.len] = '\0';
		return 1;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	api_conn_close(conn);
	return -1;
}

/* ---- the machine ------------------------------------------------------------------------- */

/* The answer is out. 1: go on with the next request; 0: linger; -1: the connection is gone. */
static int
finish(struct api_conn *conn)
{
	if (conn->take)
		conn->take(conn->request.live, conn->take_user, conn->io.fd);
	/* Closing with bytes unread would reset the connection, and the answer with it. */
	if (conn->refused && shutdown(conn->io.fd, SHUT_WR) == 0)
		return enter(conn, CONN_LINGER) ? 0 : -1;
	if (!conn->keep_alive) {
		api_conn_close(conn);
		return -1;
	}
	if (conn->in.len == 0)
		buf_done(&conn->in);
	return enter(conn, CONN_HEAD) ? 1 : -1;
}

static int
step(struct api_conn *conn)
{
	int n;

	switch (conn->state) {
	case CONN_HEAD:
		return read_head(conn);
	case CONN_BODY:
		return read_body(conn);
	case CONN_REPLY:
		n = flush(conn);
		if (n < 0) {
			api_conn_close(conn);
			return -1;
		}
		return n == 0 ? 0 : finish(conn);
	case CONN_LINGER:
		buf_done(&conn->in);
		return 0;
	case CONN_WAITING:
		break;
	}
	return 0;
}

static void
run(struct api_conn *conn)
{
	int n;

	do {
		n = step(conn);
	} while (n > 0);
	if (n == 0)
		(void)watch(conn);
}

static void
on_io(struct loop_io *io, uint32_t events)
{
	struct api_conn *conn = container_of(io, struct api_conn, io);

	if (conn->state == CONN_WAITING) {
		if (events & (EPOLLHUP | EPOLLERR))
			api_conn_close(conn);
		return;
	}
	if (conn->state != CONN_REPLY && read_some(conn) <= 0)
		return;
	run(conn);
}

int
api_conn_open(struct loop *loop, struct api *api, int fd, const char *user,
	      const struct api_request *prototype, struct api_conn **out)
{
	struct api_conn *conn = calloc(1, sizeof(*conn));
	int code;

	*out = NULL;
	if (!conn) {
		(void)close(fd);
		return -ENOMEM;
	}
	conn->api = api;
	conn->loop = loop;
	conn->request = *prototype;
	conn->request.conn = conn;
	conn->request.user = conn->user;
	conn->request.method = conn->method;
	conn->request.path = conn->path;
	conn->request.range = conn->range;
	(void)snprintf(conn->user, sizeof(conn->user), "%s", user);
	buf_init(&conn->in, MAX_IN);
	buf_init(&conn->body, API_MAX_BODY);
	buf_init(&conn->out, MAX_OUT);
	code = file_set_nonblocking(fd, true);
	if (code == 0)
		code = loop_add(loop, &conn->io, fd, EPOLLIN, on_io);
	if (code == 0)
		code = loop_timer_set(loop, &conn->timer, API_IDLE_MS, on_timer);
	if (code < 0) {
		loop_remove(loop, &conn->io);
		(void)close(fd);
		free(conn);
		return code;
	}
	*out = conn;
	return 0;
}

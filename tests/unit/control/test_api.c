/* The API over a real connection and a real store; only the live side is a fake. */
#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <jansson.h>

#include "lib/buf.h"
#include "lib/http.h"
#include "lib/loop.h"

#include "daemon/control/api.h"
#include "daemon/control/builds.h"
#include "daemon/control/events.h"
#include "daemon/control/options.h"
#include "daemon/control/users.h"
#include "tests/unit/control/fake_live.h"
#include "tests/unit/control/fixture.h"

static struct loop loop;
static struct api *api;
static int client_fd;
static int got_fds[8];
static size_t n_got_fds;
static struct http_head head;
static struct buf in;
static struct options options;

static void
connect_as(const char *user)
{
	int ends[2];

	if (client_fd >= 0)
		(void)close(client_fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	client_fd = ends[0];
	assert_int_equal(file_set_nonblocking(client_fd, true), 0);
	buf_done(&in);
	assert_int_equal(api_serve(api, ends[1], user), 0);
}

static int
set_up(void **state)
{
	options = (struct options){.domain = "paas.test",
				   .http = "0.0.0.0:8080,[::]:8080",
				   .ssh = "0.0.0.0:2222",
				   .stack_name = "host"};
	(void)fixture_set_up(state);
	assert_int_equal(loop_init(&loop), 0);
	assert_int_equal(api_open(&loop, store, NULL, &options, -1, &api, &err), 0);
	client_fd = -1;
	n_got_fds = 0;
	buf_init(&in, 64 * 1024 * 1024);
	connect_as("root");
	fake_forget();
	return 0;
}

static int
tear_down(void **state)
{
	api_close(api);
	loop_done(&loop);
	if (client_fd >= 0)
		(void)close(client_fd);
	for (size_t i = 0; i < n_got_fds; i++)
		(void)close(got_fds[i]);
	buf_done(&in);
	return fixture_tear_down(state);
}

#define API_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* ---- a small client ---------------------------------------------------------------------- */

static void
send_text(const char *text, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(client_fd, text, n, MSG_NOSIGNAL);

		if (sent < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_int_equal(loop_turn(&loop, 1000), 0);
			continue;
		}
		text += sent;
		n -= (size_t)sent;
	}
}

/* Takes what is there. False at the end of the connection. */
static bool
receive(void)
{
	char space[CMSG_SPACE(sizeof(got_fds))];
	struct iovec iov;
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = sizeof(space)};
	ssize_t n;

	assert_int_equal(buf_reserve(&in, 65536), 0);
	iov = (struct iovec){in.data + in.len, 65536};
	n = recvmsg(client_fd, &m, MSG_CMSG_CLOEXEC);
	if (n < 0) {
		assert_true(errno == EAGAIN || errno == ECONNRESET);
		return errno == EAGAIN;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		n_got_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(got_fds, CMSG_DATA(c), n_got_fds * sizeof(int));
	}
	in.len += (size_t)n;
	in.data[in.len] = '\0';
	return n > 0;
}

/* Is a whole answer there? */
static bool
is_whole(void)
{
	int n = http_parse_response(&head, buf_text(&in), in.len, false);

	assert_true(n >= 0);
	return n > 0 && in.len >= head.bytes + head.content_length;
}

/* Turns the loop until an answer is whole; its status, *body owned by the caller. */
static int
answer(json_t **body)
{
	for (int i = 0; i < 1000 && !is_whole(); i++) {
		assert_int_equal(loop_turn(&loop, 10), 0);
		if (!receive())
			break;
	}
	assert_true(is_whole());
	*body = json_loadb(in.data + head.bytes, (size_t)head.content_length, JSON_DECODE_ANY,
			   NULL);
	assert_non_null(*body);
	return head.status;
}

static void
consume_answer(void)
{
	buf_consume(&in, head.bytes + (size_t)head.content_length);
}

static void
request(const char *method, const char *path, const char *headers, const char *body)
{
	char *text = NULL;
	int n = asprintf(&text, "%s %s HTTP/1.1\r\nHost: paas\r\n%sContent-Length: %zu\r\n\r\n%s",
			 method, path, headers, strlen(body), body);

	assert_true(n > 0);
	send_text(text, (size_t)n);
	free(text);
}

/* One request, one answer, which must have this status. The JSON stays until the next call. */
static json_t *
call(int status, const char *method, const char *path, const char *body)
{
	static json_t *last;
	int got;

	json_decref(last);
	last = NULL;
	if (!method)
		return NULL;
	request(method, path, "", body);
	got = answer(&last);
	if (got != status)
		print_message("%s %s: %d %s\n", method, path, got,
			      json_string_value(json_object_get(last, "message")));
	assert_int_equal(got, status);
	consume_answer();
	return last;
}

static const char *
text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "(no text)";
}

static json_int_t
number_at(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* A refusal with this status, id and a part of its sentence. */
static void
refused(int status, const char *id, const char *part, const char *method, const char *path,
	const char *body)
{
	json_t *answered = call(status, method, path, body);

	assert_string_equal(text_at(answered, "id"), id);
	if (!strstr(text_at(answered, "message"), part))
		print_message("said: %s\n", text_at(answered, "message"));
	assert_non_null(strstr(text_at(answered, "message"), part));
}

#define assert_called(part) assert_non_null(strstr(fake_calls, part))

static struct app
deployed_app(void)
{
	struct app app = fixture_app("hello");

	(void)fixture_deploy(&app, "web worker");
	return app;
}

/* ---- HTTP -------------------------------------------------------------------------------- */

static void
connection_stays_for_more(void **state)
{
	(void)state;
	assert_string_equal(text_at(call(200, "GET", "/version", ""), "version"), PAAS_VERSION);
	assert_string_equal(text_at(call(200, "GET", "/account", ""), "email"), "root");
	assert_string_equal(text_at(call(200, "GET", "/account?x=y", "{}"), "role"), "admin");
	(void)call(0, NULL, NULL, NULL);
}

static void
requests_may_come_in_pieces_or_together(void **state)
{
	static const char two[] = "GET /version HTTP/1.1\r\nHost: paas\r\n\r\n"
				  "GET /account HTTP/1.1\r\nHost: paas\r\n\r\n";
	json_t *body;

	(void)state;
	for (size_t i = 0; i < sizeof(two) - 1; i++) {
		send_text(two + i, 1);
		assert_int_equal(loop_turn(&loop, 0), 0);
	}
	assert_int_equal(answer(&body), 200);
	json_decref(body);
	consume_answer();
	assert_int_equal(answer(&body), 200);
	json_decref(body);
	consume_answer();
	send_text(two, sizeof(two) - 1);
	assert_int_equal(answer(&body), 200);
	json_decref(body);
	consume_answer();
	assert_int_equal(answer(&body), 200);
	assert_string_equal(text_at(body, "email"), "root");
	json_decref(body);
}

static void
body_may_be_chunked(void **state)
{
	static const char text[] = "POST /apps HTTP/1.1\r\nHost: paas\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n"
				   "6\r\n{\"name\r\n7\r\n\":\"abc\"\r\n1\r\n}\r\n0\r\n\r\n";
	json_t *body;

	(void)state;
	send_text(text, sizeof(text) - 1);
	assert_int_equal(answer(&body), 201);
	assert_string_equal(text_at(body, "name"), "abc");
	json_decref(body);
}

static void
continue_is_answered(void **state)
{
	static const char first[] = "POST /apps HTTP/1.1\r\nHost: paas\r\nContent-Length: 14\r\n"
				    "Expect: 100-continue\r\n\r\n";
	json_t *body;

	(void)state;
	send_text(first, sizeof(first) - 1);
	while (in.len < 25) {
		assert_int_equal(loop_turn(&loop, 1000), 0);
		assert_true(receive());
	}
	assert_string_equal(buf_text(&in), "HTTP/1.1 100 Continue\r\n\r\n");
	buf_consume(&in, in.len);
	send_text("{\"name\":\"abc\"}", 14);
	assert_int_equal(answer(&body), 201);
	json_decref(body);
}

/* Sends raw bytes on a fresh connection; expects this status and the end of the connection. */
static void
raw_is_refused(const char *text, int status)
{
	json_t *body;

	connect_as("root");
	send_text(text, strlen(text));
	assert_int_equal(answer(&body), status);
	assert_true(json_is_string(json_object_get(body, "message")));
	json_decref(body);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(loop_turn(&loop, 1), 0);
		if (!receive())
			return;
	}
	fail_msg("the connection is still open");
}

static void
garbage_is_refused(void **state)
{
	char *large = malloc(70000);

	(void)state;
	raw_is_refused("hello\r\n\r\n", 400);
	raw_is_refused("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
	raw_is_refused("GET /version HTTP/1.1\r\n\r\n", 400);
	raw_is_refused("POST /apps HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n", 413);
	raw_is_refused("POST /apps HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		       400);
	raw_is_refused("PROPFINDPROPFINDPROPFIND /apps HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	assert_non_null(large);
	memset(large, 'a', 70000);
	memcpy(large, "GET /", 5);
	(void)strcpy(large + 3000, " HTTP/1.1\r\nHost: a\r\n\r\n");
	raw_is_refused(large, 414);
	memset(large, 'a', 70000);
	memcpy(large, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 28);
	large[69999] = '\0';
	raw_is_refused(large, 431);
	free(large);
}

static void
body_over_the_limit_in_chunks(void **state)
{
	static const char start[] = "POST /apps HTTP/1.1\r\nHost: a\r\n"
				    "Transfer-Encoding: chunked\r\n\r\n200000\r\n";
	char *large = malloc(0x200000);
	json_t *body;

	(void)state;
	assert_non_null(large);
	memset(large, ' ', 0x200000);
	send_text(start, sizeof(start) - 1);
	send_text(large, 0x200000);
	free(large);
	assert_int_equal(answer(&body), 413);
	json_decref(body);
}

static void
bad_bodies_and_paths(void **state)
{
	(void)state;
	refused(400, "bad_request", "not JSON", "POST", "/apps", "{");
	refused(400, "bad_request", "JSON object", "POST", "/apps", "[]");
	refused(400, "bad_request", "not JSON", "POST", "/apps", "{\"name\":\"a\",\"name\":\"b\"}");
	refused(400, "bad_request", "not JSON", "POST", "/apps", "{\"name\":\"\xff\"}");
	refused(422, "invalid_params", "must be a string", "POST", "/apps", "{\"name\":5}");
	refused(400, "bad_request", "path", "GET", "/apps/%zz", "");
	refused(400, "bad_request", "path", "GET", "/apps/%00", "");
	refused(400, "bad_request", "path", "GET", "/apps/a%2", "");
	refused(404, "not_found", "/nowhere", "GET", "/nowhere", "");
	refused(404, "not_found", "API has no", "GET", "/", "");
	refused(405, "method_not_allowed", "PUT", "PUT", "/apps", "");
	refused(404, "not_found", "No app has such a name", "GET", "/apps/..%2f..%2fetc", "");
	refused(404, "not_found", "API has no", "GET", "/apps/a/b/c/d/e/f", "");
	refused(400, "bad_request", "path", "GET", "/apps/a/b/c/d/e/f/g/h/i/j", "");
	(void)call(0, NULL, NULL, NULL);
}

static void
head_of_connection_close(void **state)
{
	json_t *body;

	(void)state;
	request("GET", "/version", "Connection: close\r\n", "");
	assert_int_equal(answer(&body), 200);
	assert_false(head.keep_alive);
	json_decref(body);
	consume_answer();
	assert_int_equal(loop_turn(&loop, 0), 0);
	assert_false(receive());
}

static void
half_closed_client_gets_its_answer(void **state)
{
	json_t *body;

	(void)state;
	request("GET", "/version", "", "");
	assert_int_equal(shutdown(client_fd, SHUT_WR), 0);
	assert_int_equal(answer(&body), 200);
	json_decref(body);
}

static void
connections_are_bounded(void **state)
{
	static int fds[API_MAX_CONNECTIONS + 20];
	int n_open = 0;
	char byte;

	(void)state;
	/* ours, and as many idle ones as there may be: the oldest are let go */
	for (int i = 0; i < API_MAX_CONNECTIONS + 20; i++) {
		int ends[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
		fds[i] = ends[0];
		assert_int_equal(api_serve(api, ends[1], "root"), 0);
	}
	for (int i = 0; i < API_MAX_CONNECTIONS + 20; i++)
		n_open += recv(fds[i], &byte, 1, MSG_DONTWAIT) < 0;
	assert_int_equal(n_open, API_MAX_CONNECTIONS);
	/* those in the middle of a request are not */
	for (int i = 0; i < API_MAX_CONNECTIONS + 20; i++)
		(void)send(fds[i], "GET ", 4, MSG_NOSIGNAL);
	for (int i = 0; i < 20; i++)
		assert_int_equal(loop_turn(&loop, 0), 0);
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(api_serve(api, ends[1], "root"), -ENFILE);
	(void)close(ends[0]);
	for (int i = 0; i < API_MAX_CONNECTIONS + 20; i++)
		(void)close(fds[i]);
}

/* ---- who may ----------------------------------------------------------------------------- */

static int listen_fd;

/* Connects to ./control.sock in a child with these ids and asks for /account; its status. */
static int
status_as(uid_t uid, gid_t gid)
{
	int fds[2], status = 0;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "control.sock"};
		static const char ask[] = "GET /account HTTP/1.1\r\nHost: a\r\n\r\n";
		char text[1024] = "";
		int fd = socket(AF_UNIX, SOCK_STREAM, 0), got;

		if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0 ||
		    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		    write(fd, ask, sizeof(ask) - 1) < 0 || read(fd, text, sizeof(text) - 1) < 12)
			_exit(1);
		got = atoi(text + 9);
		_exit(write(fds[1], &got, sizeof(got)) == sizeof(got) ? 0 : 1);
	}
	(void)close(fds[1]);
	assert_int_equal(file_set_nonblocking(fds[0], true), 0);
	for (int i = 0; i < 500 && status == 0; i++) {
		assert_int_equal(loop_turn(&loop, 10), 0);
		if (read(fds[0], &status, sizeof(status)) == 0)
			break;
	}
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return status;
}

static void
socket_knows_its_peers(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "control.sock"};
	const struct group *group = getgrnam(API_GROUP);

	(void)state;
	api_close(api);
	api = NULL;
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listen_fd, 10), 0);
	assert_int_equal(chmod("control.sock", 0666), 0);
	assert_int_equal(chmod(".", 0755), 0);
	assert_int_equal(api_open(&loop, store, NULL, &options, listen_fd, &api, &err), 0);
	assert_int_equal(status_as(0, 0), 200);
	assert_int_equal(status_as(65534, 65534), 401);
	if (group)
		assert_int_equal(status_as(65534, group->gr_gid), 200);
	api_close(api);
	api = NULL;
	(void)close(listen_fd);
}

static void
roles_are_enforced(void **state)
{
	struct app app = deployed_app();
	struct key key;

	(void)state;
	fixture_user("boss", RIGHT_NONE);
	fixture_user("reader", RIGHT_READ);
	fixture_user("dev", RIGHT_DEPLOY);
	(void)app;
	connect_as("reader");
	(void)call(200, "GET", "/apps/hello", "");
	(void)call(200, "GET", "/apps/hello/config-vars", "");
	refused(403, "forbidden", "this needs the role deploy", "PATCH", "/apps/hello/formation",
		"{\"updates\":[{\"type\":\"web\",\"quantity\":2}]}");
	refused(403, "forbidden", "deploy", "PATCH", "/apps/hello/config-vars", "{\"A\":\"1\"}");
	refused(403, "forbidden", "deploy", "POST", "/apps/hello/dynos", "{\"command\":\"ls\"}");
	refused(403, "forbidden", "deploy", "DELETE", "/apps/hello/dynos", "");
	refused(403, "forbidden", "deploy", "POST", "/apps", "{}");
	refused(403, "forbidden", "admin", "DELETE", "/apps/hello", "");
	refused(403, "forbidden", "admin", "GET", "/events", "");
	connect_as("dev");
	(void)call(200, "PATCH", "/apps/hello/config-vars", "{\"A\":\"1\"}");
	refused(403, "forbidden", "admin", "DELETE", "/apps/hello", "");
	refused(403, "forbidden", "admin", "POST", "/apps/hello/collaborators",
		"{\"user\":\"reader\",\"role\":\"admin\"}");
	(void)call(201, "POST", "/apps", "{\"name\":\"devs\"}");
	(void)call(201, "POST", "/apps/devs/collaborators", "{\"user\":\"reader\"}");
	/* without a role an app is not there */
	assert_int_equal(keys_add(store, "guest", fixture_key(1), RIGHT_READ, app.id, &key, &err),
			 0);
	connect_as("guest");
	assert_int_equal(json_array_size(call(200, "GET", "/apps", "")), 1);
	refused(404, "not_found", "There is no app devs.", "GET", "/apps/devs", "");
	refused(404, "not_found", "There is no app nosuch.", "GET", "/apps/nosuch", "");
	connect_as("removed-meanwhile");
	assert_int_equal(json_array_size(call(200, "GET", "/users/~/apps", "")), 0);
	refused(404, "not_found", "There is no app hello.", "GET", "/apps/hello", "");
	(void)call(0, NULL, NULL, NULL);
}

/* ---- apps -------------------------------------------------------------------------------- */

static void
app_is_created_shown_and_destroyed(void **state)
{
	json_t *app;
	struct event *events;
	size_t n;

	(void)state;
	app = call(201, "POST", "/apps", "{\"name\":\"hello\"}");
	assert_string_equal(text_at(app, "web_url"), "http://hello.paas.test:8080/");
	assert_string_equal(text_at(app, "git_url"), "ssh://paas@paas.test:2222/hello.git");
	assert_string_equal(text_at(json_object_get(app, "owner"), "email"), "root");
	assert_true(json_is_null(json_object_get(app, "slug_size")));
	assert_string_equal(fake_calls, "log hello heroku[api]: Create app by user root\n"
					"created hello\n");
	refused(409, "conflict", "taken", "POST", "/apps", "{\"name\":\"hello\"}");
	refused(422, "invalid_params", "begin with a letter", "POST", "/apps",
		"{\"name\":\"../x\"}");
	app = call(200, "GET", "/apps/hello", "");
	assert_string_equal(text_at(json_object_get(app, "stack"), "name"), "host");
	/* by its id as well */
	char path[64];
	(void)snprintf(path, sizeof(path), "/apps/%s", text_at(app, "id"));
	assert_string_equal(text_at(call(200, "GET", path, ""), "name"), "hello");
	refused(422, "invalid_params", "renamed", "PATCH", "/apps/hello", "{\"name\":\"other\"}");
	(void)call(200, "PATCH", "/apps/hello", "{\"maintenance\":false}");
	fake_forget();
	(void)call(200, "DELETE", "/apps/hello", "");
	assert_string_equal(fake_calls, "removed hello\n");
	(void)call(404, "GET", "/apps/hello", "");
	refused(409, "conflict", "still being removed", "POST", "/apps", "{\"name\":\"hello\"}");
	assert_int_equal(apps_forget(store, "hello", &err), 0);
	(void)call(201, "POST", "/apps", "{\"name\":\"hello\"}");
	assert_int_equal(events_list(store, "hello", 10, &events, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_string_equal(events[1].text, "Destroy app");
	free(events);
	/* a name is invented for who brings none */
	assert_true(strlen(text_at(call(201, "POST", "/apps", ""), "name")) > 8);
	assert_int_equal(json_array_size(call(200, "GET", "/apps", "")), 2);
	(void)call(0, NULL, NULL, NULL);
}

static void
formation_is_scaled(void **state)
{
	json_t *list;

	(void)state;
	(void)deployed_app();
	list = call(200, "GET", "/apps/hello/formation", "");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_at(json_array_get(list, 0), "command"), "./web");
	list = call(200, "PATCH", "/apps/hello/formation",
		    "{\"updates\":[{\"type\":\"web\",\"quantity\":\"+2\"},"
		    "{\"type\":\"worker\",\"quantity\":1,\"size\":\"Basic\"}]}");
	assert_int_equal(number_at(json_array_get(list, 0), "quantity"), 3);
	assert_int_equal(number_at(json_array_get(list, 1), "quantity"), 1);
	assert_string_equal(
		fake_calls,
		"log hello heroku[api]: Scaled to web@3:Basic worker@1:Basic by user root\n"
		"changed hello\n");
	fake_forget();
	static const char *const bad[][2] = {
		{"{\"updates\":[{\"type\":\"web\",\"quantity\":\"abc\"}]}", "not a number"},
		{"{\"updates\":[{\"type\":\"web\",\"quantity\":-1}]}", "not a number"},
		{"{\"updates\":[{\"type\":\"web\",\"quantity\":\"-9\"}]}", "only 3"},
		{"{\"updates\":[{\"type\":\"web\",\"quantity\":10000}]}", "at most 100"},
		{"{\"updates\":[{\"type\":\"nosuch\",\"quantity\":1}]}", "web, worker"},
		{"{\"updates\":[{\"type\":\"web\",\"quantity\":1.5}]}", "must be a number"},
		{"{\"updates\":[{\"type\":\"web\"}]}", "must be a number"},
		{"{\"updates\":[{\"quantity\":1}]}", "\\\"type\\\" is missing"},
		{"{\"updates\":[5]}", "object"},
		{"{\"updates\":[]}", "list"},
		{"{}", "list"},
		{"{\"updates\":[{\"type\":\"web\",\"quantity\":1,\"size\":\"2x\"}]}", "size"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(422, "invalid_params", bad[i][1][0] == '\\' ? "is missing" : bad[i][1],
			"PATCH", "/apps/hello/formation", bad[i][0]);
	assert_string_equal(fake_calls, "");
	assert_int_equal(
		number_at(call(200, "PATCH", "/apps/hello/formation/web", "{\"quantity\":0}"),
			  "quantity"),
		0);
	assert_int_equal(number_at(call(200, "GET", "/apps/hello/formation/web", ""), "quantity"),
			 0);
	(void)call(404, "GET", "/apps/hello/formation/nosuch", "");
	(void)call(0, NULL, NULL, NULL);
}

static void
instances_are_shown_restarted_and_stopped(void **state)
{
	json_t *list, *one;

	(void)state;
	(void)deployed_app();
	list = call(200, "GET", "/apps/hello/dynos", "");
	assert_int_equal(json_array_size(list), 2);
	one = json_array_get(list, 0);
	assert_string_equal(text_at(one, "name"), "web.1");
	assert_string_equal(text_at(one, "state"), "up");
	assert_string_equal(text_at(one, "updated_at"), "2026-09-21T14:13:21Z");
	assert_int_equal(number_at(json_object_get(one, "release"), "version"), 2);
	assert_true(json_is_null(json_object_get(one, "exit")));
	one = call(200, "GET", "/apps/hello/dynos/worker.1", "");
	assert_int_equal(number_at(json_object_get(one, "exit"), "signal"), 9);
	assert_true(json_is_null(json_object_get(json_object_get(one, "exit"), "code")));
	refused(404, "not_found", "web.9", "GET", "/apps/hello/dynos/web.9", "");
	fake_forget();
	(void)call(202, "DELETE", "/apps/hello/dynos", "");
	(void)call(202, "DELETE", "/apps/hello/dynos/web.1", "");
	(void)call(202, "DELETE", "/apps/hello/formations/web", "");
	(void)call(202, "POST", "/apps/hello/dynos/web.1/actions/stop", "");
	(void)call(202, "POST", "/apps/hello/formations/worker/actions/stop", "");
	assert_string_equal(fake_calls, "restart hello \n"
					"log hello heroku[api]: Restart all by user root\n"
					"restart hello web.1\n"
					"log hello heroku[api]: Restart web.1 by user root\n"
					"restart hello web\n"
					"log hello heroku[api]: Restart web by user root\n"
					"stop hello web.1\n"
					"log hello heroku[api]: Stop web.1 by user root\n"
					"stop hello worker\n"
					"log hello heroku[api]: Stop worker by user root\n");
	refused(404, "not_found", "nosuch", "DELETE", "/apps/hello/dynos/nosuch.1", "");
	refused(404, "not_found", "nosuch", "POST", "/apps/hello/dynos/nosuch.1/actions/stop", "");
	(void)call(0, NULL, NULL, NULL);
}

/* ---- run and wait ------------------------------------------------------------------------ */

static const struct instance_view run_view = {.id = 9,
					      .app = "hello",
					      .name = "run.4711",
					      .type = "run",
					      .command = "bash",
					      .state = INSTANCE_UP,
					      .version = 2};

/* Lets the API take what was sent. */
static void
settle(void)
{
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(&loop, 0), 0);
}

static void
attached_run_passes_its_fds(void **state)
{
	int streams[3][2], fds[3];
	json_t *body;
	char text[8] = "";

	(void)state;
	(void)deployed_app();
	request("POST", "/apps/hello/dynos", "",
		"{\"command\":\"bash\",\"attach\":true,\"force_no_tty\":true,"
		"\"env\":{\"TERM\":\"xterm\",\"COLUMNS\":\"120\",\"LINES\":\"40\",\"A\":\"1 2\"}}");
	settle();
	assert_string_equal(fake_calls, "run hello by root: bash attach 120x40\n"
					"env TERM=xterm\n"
					"env A=1 2\n");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pipe2(streams[i], O_CLOEXEC), 0);
		fds[i] = streams[i][i == 0];
	}
	fake_run_done(fake_user, NULL, &run_view, fds, 3);
	for (int i = 0; i < 3; i++)
		(void)close(fds[i]);
	assert_int_equal(answer(&body), 201);
	assert_string_equal(text_at(body, "name"), "run.4711");
	json_decref(body);
	consume_answer();
	assert_int_equal(n_got_fds, 3);
	assert_int_equal(write(got_fds[0], "in", 2), 2);
	assert_int_equal(read(streams[0][0], text, sizeof(text)), 2);
	assert_int_equal(write(streams[1][1], "out", 3), 3);
	assert_int_equal(read(got_fds[1], text, sizeof(text)), 3);
	(void)close(streams[0][0]);
	(void)close(streams[1][1]);
	(void)close(streams[2][1]);
	/* its end is asked for on the same connection */
	request("GET", "/apps/hello/dynos/run.4711/wait", "", "");
	settle();
	const struct instance_exit ended = {.code = 3, .reason = "Process exited with status 3"};
	fake_exit_done(fake_user, &ended);
	assert_int_equal(answer(&body), 200);
	assert_int_equal(number_at(body, "exit_code"), 3);
	assert_true(json_is_null(json_object_get(body, "signal")));
	json_decref(body);
	consume_answer();
	/* whoever leaves gives the run up */
	fake_forget();
	(void)close(client_fd);
	client_fd = -1;
	settle();
	assert_string_equal(fake_calls, "cancel 41\n");
}

static void
tty_is_the_default_of_attach(void **state)
{
	json_t *body;
	int ends[2];

	(void)state;
	(void)deployed_app();
	request("POST", "/apps/hello/dynos", "", "{\"command\":\"top\",\"attach\":true}");
	settle();
	assert_called("run hello by root: top attach tty 80x24\n");
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fake_run_done(fake_user, NULL, &run_view, ends, 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
	assert_int_equal(answer(&body), 201);
	assert_int_equal(n_got_fds, 1);
	json_decref(body);
}

static void
detached_run_and_refusals(void **state)
{
	const struct err why = {"The instance could not be set up."};
	json_t *body;

	(void)state;
	(void)deployed_app();
	request("POST", "/apps/hello/dynos", "", "{\"command\":\"rake db:migrate\"}");
	settle();
	assert_called("run hello by root: rake db:migrate 80x24\n");
	fake_run_done(fake_user, NULL, &run_view, NULL, 0);
	assert_int_equal(answer(&body), 201);
	assert_int_equal(n_got_fds, 0);
	json_decref(body);
	consume_answer();
	request("POST", "/apps/hello/dynos", "", "{\"command\":\"ls\"}");
	settle();
	fake_run_done(fake_user, &why, NULL, NULL, 0);
	assert_int_equal(answer(&body), 422);
	assert_string_equal(text_at(body, "message"), why.text);
	json_decref(body);
	consume_answer();
	refused(422, "invalid_params", "Nothing was deployed", "POST", "/apps/hello/dynos",
		"{\"command\":\"refuse\"}");
	refused(422, "invalid_params", "missing", "POST", "/apps/hello/dynos", "{}");
	refused(422, "invalid_params", "empty", "POST", "/apps/hello/dynos",
		"{\"command\":\" \\n\"}");
	refused(422, "invalid_params", "PORT", "POST", "/apps/hello/dynos",
		"{\"command\":\"ls\",\"env\":{\"PORT\":\"1\"}}");
	refused(422, "invalid_params", "strings", "POST", "/apps/hello/dynos",
		"{\"command\":\"ls\",\"env\":{\"A\":1}}");
	(void)call(0, NULL, NULL, NULL);
}

static void
client_that_leaves_is_not_waited_for(void **state)
{
	(void)state;
	(void)deployed_app();
	request("GET", "/apps/hello/dynos/web.1/wait", "", "");
	settle();
	assert_called("wait hello web.1\n");
	fake_cancelled = 0;
	(void)close(client_fd);
	client_fd = -1;
	settle();
	assert_int_equal(fake_cancelled, 42);
}

static void
wait_for_what_is_not_there(void **state)
{
	json_t *body;

	(void)state;
	(void)deployed_app();
	refused(404, "not_found", "nosuch.1", "GET", "/apps/hello/dynos/nosuch.1/wait", "");
	request("GET", "/apps/hello/dynos/web.1/wait", "", "");
	settle();
	fake_exit_done(fake_user, NULL);
	assert_int_equal(answer(&body), 200);
	assert_non_null(strstr(text_at(body, "reason"), "restarted"));
	json_decref(body);
	(void)call(0, NULL, NULL, NULL);
}

/* ---- config and releases ----------------------------------------------------------------- */

static void
config_is_changed(void **state)
{
	json_t *vars;

	(void)state;
	(void)deployed_app();
	vars = call(200, "PATCH", "/apps/hello/config-vars",
		    "{\"FOO\":\"1\",\"BAR\":\"\xc3\xa4 \\\"x\\\"\"}");
	assert_string_equal(text_at(vars, "FOO"), "1");
	assert_string_equal(text_at(vars, "BAR"), "\xc3\xa4 \"x\"");
	assert_string_equal(fake_calls,
			    "log hello heroku[api]: Set FOO, BAR config vars by user root\n"
			    "release hello v3\n");
	fake_forget();
	/* the same again is nothing */
	vars = call(200, "PATCH", "/apps/hello/config-vars", "{\"FOO\":\"1\"}");
	assert_int_equal(json_object_size(vars), 2);
	vars = call(200, "PATCH", "/apps/hello/config-vars", "{}");
	assert_string_equal(fake_calls, "");
	vars = call(200, "PATCH", "/apps/hello/config-vars", "{\"BAR\":null}");
	assert_int_equal(json_object_size(vars), 1);
	assert_called("release hello v4\n");
	vars = call(200, "GET", "/apps/hello/config-vars", "");
	assert_int_equal(json_object_size(vars), 1);
	vars = call(200, "GET", "/apps/hello/releases/3/config-vars", "");
	assert_int_equal(json_object_size(vars), 2);
	refused(422, "invalid_params", "must be a string", "PATCH", "/apps/hello/config-vars",
		"{\"A\":5}");
	refused(422, "invalid_params", "PORT", "PATCH", "/apps/hello/config-vars",
		"{\"PORT\":\"80\"}");
	(void)call(0, NULL, NULL, NULL);
}

static void
releases_are_listed_and_rolled_back_to(void **state)
{
	struct app app = deployed_app();
	json_t *list, *one, *body;
	char id[64], text[128];

	(void)state;
	(void)fixture_deploy(&app, "web");
	list = call(200, "GET", "/apps/hello/releases", "");
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(number_at(json_array_get(list, 0), "version"), 1);
	one = json_array_get(list, 2);
	assert_true(json_is_true(json_object_get(one, "current")));
	assert_true(json_is_true(json_object_get(one, "eligible_for_rollback")));
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "slug")));
	assert_false(
		json_is_true(json_object_get(json_array_get(list, 0), "eligible_for_rollback")));
	(void)snprintf(id, sizeof(id), "%s", text_at(json_array_get(list, 1), "id"));

	request("GET", "/apps/hello/releases", "Range: version ..; order=desc,max=1\r\n", "");
	assert_int_equal(answer(&body), 206);
	assert_int_equal(json_array_size(body), 1);
	assert_int_equal(number_at(json_array_get(body, 0), "version"), 3);
	json_decref(body);
	consume_answer();
	request("GET", "/apps/hello/releases", "Range: version ..; max=2, order=asc\r\n", "");
	assert_int_equal(answer(&body), 206);
	assert_int_equal(number_at(json_array_get(body, 1), "version"), 2);
	json_decref(body);
	consume_answer();
	request("GET", "/apps/hello/releases", "Range: version ..; max=0\r\n", "");
	assert_int_equal(answer(&body), 422);
	json_decref(body);
	consume_answer();

	assert_string_equal(text_at(call(200, "GET", "/apps/hello/releases/v2", ""), "description"),
			    "Deploy 1a2b3c4d");
	assert_int_equal(number_at(call(200, "GET", "/apps/hello/releases/current", ""), "version"),
			 3);
	refused(404, "not_found", "v1 to v3", "GET", "/apps/hello/releases/9", "");
	refused(404, "not_found", "no release", "GET", "/apps/hello/releases/x", "");

	(void)snprintf(text, sizeof(text), "{\"release\":\"%s\"}", id);
	one = call(201, "POST", "/apps/hello/releases", text);
	assert_int_equal(number_at(one, "version"), 4);
	assert_string_equal(text_at(one, "status"), "pending");
	assert_called("log hello heroku[api]: Rollback to v2 by user root\nrelease hello v4\n");
	(void)call(201, "POST", "/apps/hello/releases", "{\"release\":2}");
	(void)call(201, "POST", "/apps/hello/releases", "{\"release\":\"v3\"}");
	refused(422, "invalid_params", "no code", "POST", "/apps/hello/releases",
		"{\"release\":1}");
	refused(422, "invalid_params", "must name", "POST", "/apps/hello/releases", "{}");
	refused(404, "not_found", "v99", "POST", "/apps/hello/releases", "{\"release\":99}");
	refused(404, "not_found", "-1", "POST", "/apps/hello/releases", "{\"release\":-1}");
	(void)call(0, NULL, NULL, NULL);
}

/* ---- logs -------------------------------------------------------------------------------- */

static void
log_session_hands_the_connection_over(void **state)
{
	json_t *session;
	char path[128];

	(void)state;
	(void)deployed_app();
	session = call(201, "POST", "/apps/hello/log-sessions",
		       "{\"lines\":20,\"tail\":true,\"source\":\"app\",\"dyno\":\"web.1\"}");
	(void)snprintf(path, sizeof(path), "%s", text_at(session, "logplex_url"));
	/* the secret is enough */
	connect_as("somebody");
	request("GET", path, "", "");
	for (int i = 0; i < 100; i++) {
		assert_int_equal(loop_turn(&loop, 1), 0);
		if (!receive())
			break;
	}
	assert_called("logs hello 20 tail 'app' 'web.1'\n");
	assert_true(http_parse_response(&head, buf_text(&in), in.len, false) > 0);
	assert_int_equal(head.status, 200);
	assert_int_equal(head.body, HTTP_BODY_EOF);
	assert_string_equal(in.data + head.bytes,
			    "2026-11-20T10:00:00.000000+00:00 app[web.1]: hello\n");
	connect_as("root");
	refused(404, "not_found", "ended", "GET", "/log-sessions/00", "");
	refused(404, "not_found", "ended", "GET", "/log-sessions/00000000000000000000000000000000",
		"");
	fixture_time += 6 * 60 * 1000;
	refused(404, "not_found", "ended", "GET", path, "");
	refused(422, "invalid_params", "source", "POST", "/apps/hello/log-sessions",
		"{\"source\":\"x\"}");
	refused(422, "invalid_params", "instance", "POST", "/apps/hello/log-sessions",
		"{\"dyno\":\"web.1/../x\"}");
	refused(422, "invalid_params", "lines", "POST", "/apps/hello/log-sessions",
		"{\"lines\":-1}");
	(void)call(201, "POST", "/apps/hello/log-sessions", "{\"dyno\":\"web\"}");
	(void)call(0, NULL, NULL, NULL);
}

/* ---- domains, buildpacks, people, history ------------------------------------------------ */

static void
domains_and_buildpacks(void **state)
{
	json_t *list, *one;

	(void)state;
	(void)deployed_app();
	one = call(201, "POST", "/apps/hello/domains", "{\"hostname\":\"Example.org\"}");
	assert_string_equal(text_at(one, "hostname"), "example.org");
	assert_string_equal(text_at(one, "cname"), "hello.paas.test");
	assert_called(
		"log hello heroku[api]: Add domain example.org by user root\nchanged hello\n");
	list = call(200, "GET", "/apps/hello/domains", "");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_at(json_array_get(list, 0), "kind"), "heroku");
	refused(409, "conflict", "already", "POST", "/apps/hello/domains",
		"{\"hostname\":\"example.org\"}");
	refused(422, "invalid_params", "platform", "POST", "/apps/hello/domains",
		"{\"hostname\":\"other.paas.test\"}");
	refused(422, "invalid_params", "missing", "POST", "/apps/hello/domains", "{}");
	(void)call(201, "POST", "/apps/hello/domains", "{\"hostname\":\"*.example.org\"}");
	(void)call(200, "GET", "/apps/hello/domains/%2A.example.org", "");
	(void)call(200, "DELETE", "/apps/hello/domains/*.example.org", "");
	fake_forget();
	(void)call(200, "DELETE", "/apps/hello/domains/example.org", "");
	assert_called("changed hello\n");
	refused(404, "not_found", "no domain", "DELETE", "/apps/hello/domains/example.org", "");

	list = call(200, "PUT", "/apps/hello/buildpack-installations",
		    "{\"updates\":[{\"buildpack\":\"heroku/nodejs\"},{\"buildpack\":\"static\"}]}");
	one = json_object_get(json_array_get(list, 0), "buildpack");
	assert_string_equal(text_at(one, "name"), "nodejs");
	assert_int_equal(number_at(json_array_get(list, 1), "ordinal"), 1);
	refused(422, "invalid_params", "URL", "PUT", "/apps/hello/buildpack-installations",
		"{\"updates\":[{\"buildpack\":\"https://example.org/b.git\"}]}");
	refused(422, "invalid_params", "list", "PUT", "/apps/hello/buildpack-installations", "{}");
	list = call(200, "PUT", "/apps/hello/buildpack-installations", "{\"updates\":[]}");
	assert_int_equal(json_array_size(list), 0);
	(void)call(0, NULL, NULL, NULL);
}

/* POST /keys with a fresh key; the status must be this one. */
static json_t *
add_key(int status, unsigned number, const char *rest)
{
	char body[512];

	(void)snprintf(body, sizeof(body), "{\"public_key\":\"%s\",%s}", fixture_key(number), rest);
	return call(status, "POST", "/keys", body);
}

static void
keys_and_users(void **state)
{
	json_t *key, *list;
	char path[256];

	(void)state;
	(void)deployed_app();
	key = add_key(201, 1, "\"name\":\"me\"");
	assert_string_equal(text_at(key, "role"), "admin");
	assert_int_equal(strncmp(text_at(key, "fingerprint"), "SHA256:", 7), 0);
	assert_string_equal(text_at(add_key(201, 2, "\"name\":\"ann\""), "role"), "deploy");
	assert_string_equal(
		text_at(add_key(201, 3, "\"name\":\"cat\",\"app\":\"hello\",\"role\":\"read\""),
			"role"),
		"read");
	(void)add_key(409, 1, "\"name\":\"bob\"");
	(void)add_key(422, 4, "\"name\":\"Bob X\"");
	(void)add_key(422, 4, "\"name\":\"bob\",\"role\":\"king\"");
	(void)add_key(404, 4, "\"name\":\"bob\",\"app\":\"nosuch\"");
	(void)add_key(422, 4, "\"x\":1");
	refused(422, "invalid_params", "private key", "POST", "/keys",
		"{\"name\":\"bob\",\"public_key\":\"-----BEGIN OPENSSH PRIVATE KEY-----\"}");
	assert_int_equal(json_array_size(call(200, "GET", "/keys", "")), 3);
	assert_int_equal(json_array_size(call(200, "GET", "/users", "")), 3);

	connect_as("ann");
	assert_int_equal(json_array_size(call(200, "GET", "/keys", "")), 1);
	assert_int_equal(json_array_size(call(200, "GET", "/users", "")), 1);
	(void)add_key(201, 5, "\"name\":\"ann\"");
	/* neither more rights nor somebody else's identity */
	(void)add_key(403, 6, "\"name\":\"ann\",\"role\":\"admin\"");
	(void)add_key(403, 6, "\"name\":\"me\"");
	(void)add_key(403, 6, "\"name\":\"new\"");
	refused(403, "forbidden", "no key of yours", "DELETE", "/keys/me", "");
	/* the admin of an app lets new people in to it, and only to it */
	(void)call(201, "POST", "/apps", "{\"name\":\"anns\"}");
	(void)add_key(201, 6, "\"name\":\"new\",\"app\":\"anns\"");
	(void)add_key(403, 7, "\"name\":\"new\",\"app\":\"anns\"");
	(void)add_key(403, 7, "\"name\":\"newer\",\"app\":\"hello\"");
	list = call(200, "GET", "/keys", "");
	(void)snprintf(path, sizeof(path), "/keys/%s", text_at(json_array_get(list, 1), "id"));
	(void)call(200, "DELETE", path, "");
	assert_int_equal(json_array_size(call(200, "GET", "/keys", "")), 1);

	connect_as("root");
	assert_int_equal(number_at(call(200, "DELETE", "/keys/ann", ""), "removed"), 1);
	refused(404, "not_found", "fingerprint", "DELETE", "/keys/ann", "");
	refused(404, "not_found", "fingerprint", "DELETE", "/keys/SHA256:a%2Fb", "");
	(void)call(0, NULL, NULL, NULL);
}

static void
collaborators(void **state)
{
	json_t *list;

	(void)state;
	(void)deployed_app();
	fixture_user("boss", RIGHT_NONE);
	fixture_user("ann", RIGHT_READ);
	assert_string_equal(text_at(call(201, "POST", "/apps/hello/collaborators",
					 "{\"user\":\"ann\",\"role\":\"admin\"}"),
				    "role"),
			    "admin");
	assert_called("heroku[api]: Give ann the role admin by user root\n");
	list = call(200, "GET", "/apps/hello/collaborators", "");
	assert_int_equal(json_array_size(list), 2);
	refused(404, "not_found", "nobody", "POST", "/apps/hello/collaborators",
		"{\"user\":\"nobody\"}");
	refused(422, "invalid_params", "role", "POST", "/apps/hello/collaborators",
		"{\"user\":\"ann\",\"role\":\"x\"}");
	(void)call(200, "DELETE", "/apps/hello/collaborators/ann", "");
	refused(404, "not_found", "on all apps", "DELETE", "/apps/hello/collaborators/ann", "");
	(void)call(0, NULL, NULL, NULL);
}

static void
history(void **state)
{
	struct app app = deployed_app();
	json_t *list;
	uint32_t number;

	(void)state;
	assert_int_equal(builds_start(store, app.id, "c0ffee", "ann", &number, &err), 0);
	assert_int_equal(builds_end(store, app.id, number, 0, "npm failed.", &err), 0);
	list = call(200, "GET", "/apps/hello/builds", "");
	assert_string_equal(text_at(json_array_get(list, 0), "status"), "failed");
	assert_string_equal(text_at(json_array_get(list, 0), "failure"), "npm failed.");
	(void)call(200, "PATCH", "/apps/hello/config-vars", "{\"A\":\"1\"}");
	list = call(200, "GET", "/apps/hello/events", "");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text_at(json_array_get(list, 0), "text"), "Set A config vars");
	assert_int_equal(json_array_size(call(200, "GET", "/events", "")), 1);
	(void)call(0, NULL, NULL, NULL);
}

/* Commands come from Procfiles, which hold any bytes. */
static void
bytes_that_are_no_utf8(void **state)
{
	const struct process_type type = {"web",
					  "./w\xe4 \xc3\xa4 \xf0\x9f\x98\x80 \xed\xa0\x80 \xc3"};
	struct app app = fixture_app("hello");
	struct slug slug = {.app_id = app.id};
	struct release release;
	struct event *events;
	json_t *list;
	char command[600] = "{\"command\":\"";
	size_t n;

	(void)state;
	assert_int_equal(slugs_allot(store, app.id, "c0ffee", &slug.number, &err), 0);
	assert_int_equal(slugs_finish(store, &slug, &type, 1, &err), 0);
	assert_int_equal(
		releases_add_deploy(store, app.id, slug.number, "c0", "ann", &release, &err), 0);
	assert_int_equal(releases_settle(store, app.id, 2, RELEASE_SUCCEEDED, &err), 0);
	list = call(200, "GET", "/apps/hello/formation", "");
	assert_string_equal(text_at(json_array_get(list, 0), "command"),
			    "./w\xef\xbf\xbd \xc3\xa4 \xf0\x9f\x98\x80 "
			    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd");
	refused(404, "not_found", "no instance \xef\xbf\xbd of", "GET", "/apps/hello/dynos/%e4",
		"");
	/* a long text is cut between characters */
	for (int i = 0; i < 200; i++)
		(void)strcat(command, "\xc3\xa4");
	(void)strcat(command, "\"}");
	request("POST", "/apps/hello/dynos", "", command);
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(&loop, 0), 0);
	assert_int_equal(events_list(store, "hello", 1, &events, &n, &err), 0);
	assert_int_equal(strlen(events[0].text), 254);
	free(events);
	(void)call(0, NULL, NULL, NULL);
}

static void
urls_without_the_usual_ports(void **state)
{
	const struct options plain = {.domain = "x.org", .http = "[::]:80", .ssh = "1.2.3.4:22"};
	const struct options off = {.domain = "x.org", .http = NULL, .ssh = ""};
	char url[128];

	(void)state;
	assert_string_equal(api_web_url(&plain, "a", url, sizeof(url)), "http://a.x.org/");
	assert_string_equal(api_git_url(&plain, "a", url, sizeof(url)), "ssh://paas@x.org/a.git");
	assert_string_equal(api_web_url(&off, "a", url, sizeof(url)), "http://a.x.org/");
	assert_string_equal(api_git_url(&off, "a", url, sizeof(url)), "ssh://paas@x.org/a.git");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		API_TEST(connection_stays_for_more),
		API_TEST(requests_may_come_in_pieces_or_together),
		API_TEST(body_may_be_chunked),
		API_TEST(continue_is_answered),
		API_TEST(garbage_is_refused),
		API_TEST(body_over_the_limit_in_chunks),
		API_TEST(bad_bodies_and_paths),
		API_TEST(head_of_connection_close),
		API_TEST(half_closed_client_gets_its_answer),
		API_TEST(connections_are_bounded),
		API_TEST(socket_knows_its_peers),
		API_TEST(roles_are_enforced),
		API_TEST(app_is_created_shown_and_destroyed),
		API_TEST(formation_is_scaled),
		API_TEST(instances_are_shown_restarted_and_stopped),
		API_TEST(attached_run_passes_its_fds),
		API_TEST(tty_is_the_default_of_attach),
		API_TEST(detached_run_and_refusals),
		API_TEST(client_that_leaves_is_not_waited_for),
		API_TEST(wait_for_what_is_not_there),
		API_TEST(config_is_changed),
		API_TEST(releases_are_listed_and_rolled_back_to),
		API_TEST(log_session_hands_the_connection_over),
		API_TEST(domains_and_buildpacks),
		API_TEST(keys_and_users),
		API_TEST(collaborators),
		API_TEST(history),
		API_TEST(bytes_that_are_no_utf8),
		API_TEST(urls_without_the_usual_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

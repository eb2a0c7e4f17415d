/* The file server over real sockets: what a browser, a router and a stranger send. */
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/err.h"
#include "lib/spawn.h"

static char dir[64];
static pid_t server;
static int port, fd = -1;
static char got[1 << 20]; /* the last answer: its head, NUL-terminated, and its body */
static char *body;
static size_t n_body;

static void
put(const char *name, const void *p, size_t n)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0)
		abort();
}

static void
put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static void
start(void)
{
	const char *b = getenv("B");
	static const char started[] = "paas-static: serving on port ";
	char program[128], line[128] = "";
	int ends[2], pid_fd;
	struct err err;
	FILE *f;

	(void)snprintf(program, sizeof(program), "%s/libexec/paas/paas-static", b ? b : "build");
	if (pipe2(ends, O_CLOEXEC) < 0)
		abort();
	struct spawn_fd fds[] = {{ends[1], 2}};
	struct spawn spawn = {
		.exe_fd = -1,
		.path = program,
		.argv = (const char *const[]){"paas-static", dir, NULL},
		.envp = (const char *const[]){"PORT=0", NULL},
		.fds = fds,
		.n_fds = 1,
		.cwd_fd = -1,
		.uid = (uid_t)-1,
	};
	if (spawn_start(&spawn, &server, &pid_fd, &err) < 0)
		abort();
	(void)close(pid_fd);
	(void)close(ends[1]);
	f = fdopen(ends[0], "r");
	if (!f || !fgets(line, sizeof(line), f) || strncmp(line, started, strlen(started)) != 0)
		abort();
	port = (int)strtol(line + strlen(started), NULL, 10);
	(void)fclose(f);
}

static int
setup(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/static-test.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	for (int i = 0; i < 3; i++) {
		static const char *const folders[] = {"sub", ".hidden", ".well-known"};

		(void)snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
		if (mkdir(path, 0755) < 0)
			return -1;
	}
	put_text("index.html", "<h1>home</h1>");
	put_text("sub/index.html", "sub");
	put_text("about.html", "about");
	put_text("digits.bin", "0123456789");
	put_text("empty.txt", "");
	put_text(".hidden/secret", "secret");
	put_text(".well-known/x", "known");
	put_text("Procfile", "secret");
	put_text("plain.css", "body {}");
	put_text("plain.css.gz", "compressed");
	(void)snprintf(path, sizeof(path), "%s/passwd", dir);
	return symlink("/etc/passwd", path);
}

static void
stop(void)
{
	if (fd >= 0)
		(void)close(fd);
	fd = -1;
	if (server > 0) {
		(void)kill(server, SIGKILL);
		(void)waitpid(server, NULL, 0);
	}
	server = 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	stop();
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void
dial(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_sec = 20};

	if (fd >= 0)
		(void)close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
		abort();
}

static void
say(const char *bytes)
{
	assert_int_equal(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

/* Reads one byte more; false at the end. */
static bool
more(size_t *n)
{
	if (*n == sizeof(got) - 1 || recv(fd, got + *n, 1, 0) != 1)
		return false;
	got[++*n] = '\0';
	return true;
}

/* Reads one answer; the status. `to_head`: it has no body. */
static int
answer(bool to_head)
{
	size_t n = 0, length = 0;
	const char *header;
	int status;

	got[0] = '\0';
	body = got;
	while (!strstr(got + (n > 4 ? n - 4 : 0), "\r\n\r\n")) {
		if (!more(&n))
			return -1;
	}
	if (strncmp(got, "HTTP/1.1 ", 9) != 0)
		return -1;
	status = (int)strtol(got + 9, NULL, 10);
	got[n - 2] = '\0';
	header = strcasestr(got, "\r\nContent-Length: ");
	if (header && !to_head && status != 304)
		length = strtoul(header + 18, NULL, 10);
	body = got + n;
	n_body = 0;
	while (n_body < length) {
		ssize_t done = recv(fd, body + n_body, length - n_body, 0);

		if (done <= 0)
			return -1;
		n_body += (size_t)done;
	}
	body[n_body] = '\0';
	return status;
}

static int
get(const char *path, const char *headers)
{
	char request[2048];

	if (fd < 0)
		dial();
	(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path,
		       headers);
	say(request);
	return answer(false);
}

static const char *
header(const char *name)
{
	static char value[512];
	char key[64];
	const char *at;

	(void)snprintf(key, sizeof(key), "\r\n%s: ", name);
	at = strcasestr(got, key);
	if (!at)
		return NULL;
	at += strlen(key);
	(void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
	return value;
}

static void
test_files(void **state)
{
	(void)state;
	start();
	assert_int_equal(get("/", ""), 200);
	assert_string_equal(body, "<h1>home</h1>");
	assert_string_equal(header("Content-Type"), "text/html; charset=utf-8");
	assert_int_equal(get("/sub/", ""), 200);
	assert_string_equal(body, "sub");
	assert_int_equal(get("/sub?a=b", ""), 301);
	assert_string_equal(header("Location"), "/sub/?a=b");
	assert_int_equal(get("/empty.txt?x", ""), 200);
	assert_int_equal(n_body, 0);
	assert_int_equal(get("/%64igits.bin", ""), 200);
	assert_string_equal(header("Content-Type"), "application/octet-stream");
	assert_int_equal(get("/.well-known/x", ""), 200);
	assert_int_equal(get("/nope", ""), 404);
	assert_int_equal(get("/index.html/", ""), 404);
	assert_null(header("Connection"));
	put_text("404.html", "custom");
	assert_int_equal(get("/nope", ""), 404);
	assert_string_equal(body, "custom");
	assert_null(header("ETag"));
}

static void
test_nothing_escapes(void **state)
{
	static const char *const paths[] = {
		"/../../../etc/passwd",
		"/%2e%2e/%2e%2e/etc/passwd",
		"/..%2f..%2fetc/passwd",
		"/sub/../../etc/passwd",
		"//etc/passwd",
		"/passwd",
		"/.hidden/secret",
		"/%2ehidden/secret",
		"/Procfile",
		"/sub/../.hidden/secret",
		"/./Procfile",
		"/.well-knownx/x",
		"/.well-known/../Procfile",
	};

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		assert_int_equal(get(paths[i], ""), 404);
		assert_null(strstr(body, "root:"));
		assert_null(strstr(body, "secret"));
	}
	assert_int_equal(get("/%00", ""), 400);
	assert_int_equal(get("/%zz", ""), 400);
	assert_int_equal(get("/%4", ""), 400);
}

/* A folder whose name would make a redirect lead to another host. */
static void
test_redirect_stays(void **state)
{
	char path[128];

	(void)state;
	start();
	assert_int_equal(get("//sub", ""), 301);
	assert_string_equal(header("Location"), "/sub/");
	(void)snprintf(path, sizeof(path), "%s/\\evil\r\nX: y", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(get("/%5cevil%0d%0aX:%20y", ""), 301);
	assert_string_equal(header("Location"), "/%5Cevil%0D%0AX:%20y/");
}

static void
test_ranges(void **state)
{
	static const struct {
		const char *range, *body, *content_range;
		int status;
	} cases[] = {
		{"bytes=2-4", "234", "bytes 2-4/10", 206},
		{"bytes=7-", "789", "bytes 7-9/10", 206},
		{"bytes=-3", "789", "bytes 7-9/10", 206},
		{"bytes=-99", "0123456789", "bytes 0-9/10", 206},
		{"bytes=0-99", "0123456789", "bytes 0-9/10", 206},
		{"BYTES=9-9", "9", "bytes 9-9/10", 206},
		{"bytes=10-", NULL, "bytes */10", 416},
		{"bytes=-0", NULL, "bytes */10", 416},
		{"bytes=4-2", "0123456789", NULL, 200},
		{"bytes=1-2,4-5", "0123456789", NULL, 200},
		{"bytes=a-b", "0123456789", NULL, 200},
		{"bytes=-", "0123456789", NULL, 200},
		{"lines=1-2", "0123456789", NULL, 200},
		{"bytes=99999999999999999999-", "0123456789", NULL, 200},
	};
	char headers[128], tag[128];

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		(void)snprintf(headers, sizeof(headers), "Range: %s\r\n", cases[i].range);
		assert_int_equal(get("/digits.bin", headers), cases[i].status);
		if (cases[i].body)
			assert_string_equal(body, cases[i].body);
		if (cases[i].content_range)
			assert_string_equal(header("Content-Range"), cases[i].content_range);
		else
			assert_null(header("Content-Range"));
	}
	assert_int_equal(get("/empty.txt", "Range: bytes=0-\r\n"), 416);
	assert_int_equal(get("/digits.bin", ""), 200);
	(void)snprintf(tag, sizeof(tag), "Range: bytes=1-1\r\nIf-Range: %s\r\n", header("ETag"));
	assert_int_equal(get("/digits.bin", tag), 206);
	assert_int_equal(get("/digits.bin", "Range: bytes=1-1\r\nIf-Range: \"other\"\r\n"), 200);
	assert_int_equal(get("/nope", "Range: bytes=1-1\r\n"), 404);
}

static void
test_conditions(void **state)
{
	char headers[256], date[128], tag[128];

	(void)state;
	start();
	assert_int_equal(get("/digits.bin", ""), 200);
	(void)snprintf(tag, sizeof(tag), "%s", header("ETag"));
	(void)snprintf(date, sizeof(date), "%s", header("Last-Modified"));
	(void)snprintf(headers, sizeof(headers), "If-None-Match: \"a\", W/%s\r\n", tag);
	assert_int_equal(get("/digits.bin", headers), 304);
	assert_string_equal(header("ETag"), tag);
	assert_int_equal(get("/digits.bin", "If-None-Match: *\r\n"), 304);
	(void)snprintf(headers, sizeof(headers), "If-Modified-Since: %s\r\n", date);
	assert_int_equal(get("/digits.bin", headers), 304);
	/* A tag that does not match decides, whatever the date says. */
	(void)snprintf(headers, sizeof(headers),
		       "If-None-Match: \"a\"\r\nIf-Modified-Since: %s\r\n", date);
	assert_int_equal(get("/digits.bin", headers), 200);
	assert_int_equal(get("/digits.bin", "If-Modified-Since: Mon, 01 Jan 2001 00:00:00 GMT\r\n"),
			 200);
	assert_int_equal(get("/digits.bin", "If-Modified-Since: yesterday\r\n"), 200);
	assert_int_equal(get("/digits.bin", "If-None-Match: \"unfinished\r\n"), 200);
}

static void
test_compressed(void **state)
{
	char tag[128];

	(void)state;
	start();
	assert_int_equal(get("/plain.css", "Accept-Encoding: br, gzip;q=0.5\r\n"), 200);
	assert_string_equal(body, "compressed");
	assert_string_equal(header("Content-Encoding"), "gzip");
	assert_string_equal(header("Content-Type"), "text/css; charset=utf-8");
	assert_string_equal(header("Vary"), "Accept-Encoding");
	(void)snprintf(tag, sizeof(tag), "%s", header("ETag"));
	assert_int_equal(get("/plain.css", ""), 200);
	assert_string_equal(body, "body {}");
	assert_string_equal(header("Vary"), "Accept-Encoding");
	assert_string_not_equal(header("ETag"), tag);
	assert_int_equal(get("/plain.css", "Accept-Encoding: gzip;q=0, br\r\n"), 200);
	assert_null(header("Content-Encoding"));
	assert_int_equal(get("/", "Accept-Encoding: gzip\r\n"), 200);
	assert_null(header("Vary"));
}

static void
test_configured(void **state)
{
	(void)state;
	put_text("static.json",
		 "{\"clean_urls\":true,\"routes\":{\"/app/"
		 "**\":\"index.html\"},\"error_page\":\"about.html\","
		 "\"headers\":{\"/"
		 "**\":{\"X-All\":\"1\"},\"*.css\":{\"Cache-Control\":\"max-age=5\"}}}");
	start();
	assert_int_equal(get("/about", ""), 200);
	assert_string_equal(body, "about");
	assert_string_equal(header("X-All"), "1");
	assert_null(header("Cache-Control"));
	assert_int_equal(get("/plain.css", ""), 200);
	assert_string_equal(header("Cache-Control"), "max-age=5");
	assert_int_equal(get("/app/deep/link", ""), 200);
	assert_string_equal(body, "<h1>home</h1>");
	assert_int_equal(get("/nope", ""), 404);
	assert_string_equal(body, "about");
	assert_int_equal(get("/static.json", ""), 404);
}

static void
test_public_folder(void **state)
{
	char from[128], to[128];

	(void)state;
	(void)snprintf(from, sizeof(from), "%s/sub", dir);
	(void)snprintf(to, sizeof(to), "%s/public", dir);
	assert_int_equal(rename(from, to), 0);
	(void)snprintf(from, sizeof(from), "%s/index.html", dir);
	assert_int_equal(unlink(from), 0);
	start();
	assert_int_equal(get("/", ""), 200);
	assert_string_equal(body, "sub");
	assert_int_equal(get("/digits.bin", ""), 404);
}

static void
test_methods(void **state)
{
	(void)state;
	start();
	dial();
	say("HEAD /digits.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\n\r\n");
	assert_int_equal(answer(true), 200);
	assert_string_equal(header("Content-Length"), "10");
	assert_int_equal(get("/digits.bin", ""), 200); /* the connection is still in step */
	assert_string_equal(body, "0123456789");
	say("HEAD /nope HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(answer(true), 404);
	say("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(answer(false), 405);
	assert_string_equal(header("Allow"), "GET, HEAD");
	assert_null(header("Connection"));
	say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
	assert_int_equal(answer(false), 405);
	assert_string_equal(header("Connection"), "close");
	assert_int_equal(recv(fd, got, 1, 0), 0);
}

static void
test_connections(void **state)
{
	(void)state;
	start();
	dial();
	say("GET /digits.bin HTTP/1.1\r\nHost: x\r\n\r\nGET /about.html HTTP/1.1\r\nHost: "
	    "x\r\n\r\n");
	assert_int_equal(answer(false), 200);
	assert_string_equal(body, "0123456789");
	assert_int_equal(answer(false), 200);
	assert_string_equal(body, "about");
	say("GET / HT");
	say("TP/1.0\r\n\r\n");
	assert_int_equal(answer(false), 200);
	assert_string_equal(header("Connection"), "close");
	assert_int_equal(recv(fd, got, 1, 0), 0);
	dial();
	say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_int_equal(answer(false), 200);
	assert_string_equal(header("Connection"), "keep-alive");
	/* The sender is done, and still gets its answer. */
	dial();
	say("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(answer(false), 200);
	assert_int_equal(recv(fd, got, 1, 0), 0);
}

static void
test_garbage(void **state)
{
	static const char *const texts[] = {
		"garbage\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\n",
		"\x16\x03\x01\x02\r\n\r\n",
	};
	static char big[20000];

	(void)state;
	start();
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		dial();
		say(texts[i]);
		assert_int_equal(answer(false), 400);
		assert_int_equal(recv(fd, got, 1, 0), 0);
	}
	dial();
	(void)snprintf(big, sizeof(big), "GET / HTTP/1.1\r\nHost: x\r\n");
	for (size_t n = strlen(big); n < sizeof(big) - 100; n += 84)
		(void)snprintf(big + n, sizeof(big) - n, "X-%08zu: %070d\r\n", n, 0);
	say(big);
	assert_int_equal(answer(false), 431);
	(void)close(fd);
	fd = -1;
	assert_int_equal(get("/", ""), 200);
}

/* More than the sockets hold, and a slow reader. */
static void
test_big_file(void **state)
{
	static unsigned char bytes[900 * 1024];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 2654435761U >> 24);
	put("big", bytes, sizeof(bytes));
	start();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(get("/big", ""), 200);
		assert_int_equal(n_body, sizeof(bytes));
		assert_memory_equal(body, bytes, sizeof(bytes));
	}
}

static void
test_ends(void **state)
{
	int status;

	(void)state;
	start();
	assert_int_equal(get("/", ""), 200);
	assert_int_equal(kill(server, SIGTERM), 0);
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_int_equal(status, 0);
	server = 0;
	assert_int_equal(recv(fd, got, 1, 0), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(files),	  TEST(nothing_escapes), TEST(redirect_stays), TEST(ranges),
		TEST(conditions), TEST(compressed),	 TEST(configured),     TEST(public_folder),
		TEST(methods),	  TEST(connections),	 TEST(garbage),	       TEST(big_file),
		TEST(ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* lib/http: every way a head or a body may be refused, and the one reading of what is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/http.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct http_head head;

/* Parses an exact heap copy, so that a sanitizer sees one byte too far. */
static int
request_n(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);
	int ret;

	assert_non_null(copy);
	memcpy(copy, text, len);
	ret = http_parse_request(&head, copy, len);
	free(copy);
	return ret;
}

/* The result, after asserting that every beginning of the text is incomplete or refused alike. */
static int
request(const char *text)
{
	size_t len = strlen(text);
	int ret = request_n(text, len);

	for (size_t i = 0; i < len; i++) {
		int part = request_n(text, i);

		if (part != 0 && part != ret && (size_t)part > i)
			fail_msg("%zu bytes of \"%s\" give %d, all give %d", i, text, part, ret);
	}
	(void)http_parse_request(&head, text, len);
	return ret;
}

static int
response(const char *text, bool to_head)
{
	size_t len = strlen(text);
	int ret = http_parse_response(&head, text, len, to_head);

	for (size_t i = 0; i < len; i++) {
		int part = http_parse_response(&head, text, i, to_head);

		if (part != 0 && part != ret)
			fail_msg("%zu bytes of \"%s\" give %d, all give %d", i, text, part, ret);
	}
	(void)http_parse_response(&head, text, len, to_head);
	return ret;
}

static void
assert_text(struct http_text t, const char *expected)
{
	if (!http_text_is(t, expected))
		fail_msg("\"%.*s\" is not \"%s\"", (int)t.len, t.at, expected);
}

static void
test_request_plain(void **state)
{
	static const char text[] = "GET /a/b?c=d HTTP/1.1\r\n"
				   "Host: Hello.localhost:8080\r\n"
				   "X-Empty:\r\n"
				   "X-Space: \t a b \t \r\n"
				   "\r\n";
	(void)state;

	assert_int_equal(request(text), strlen(text));
	assert_int_equal(head.bytes, strlen(text));
	assert_text(head.method, "GET");
	assert_text(head.target, "/a/b?c=d");
	assert_text(head.path, "/a/b?c=d");
	assert_text(head.host, "Hello.localhost");
	assert_int_equal(head.minor, 1);
	assert_true(head.keep_alive);
	assert_false(head.is_head || head.is_upgrade || head.expects_continue || head.has_length);
	assert_int_equal(head.body, HTTP_BODY_NONE);
	assert_int_equal(head.n_headers, 3);
	assert_int_equal(head.headers[0].field, HTTP_HOST);
	assert_text(head.headers[1].value, "");
	assert_text(head.headers[2].name, "X-Space");
	assert_text(head.headers[2].value, "a b");
	assert_ptr_equal(http_find(&head, "x-space"), &head.headers[2]);
	assert_null(http_find(&head, "nosuch"));
}

static void
test_request_pipelined(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\n";
	(void)state;

	assert_int_equal(http_parse_request(&head, text, strlen(text)), 27);
	assert_int_equal(request("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 29);
	assert_text(head.method, "GET");
	assert_int_equal(request("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), -400);
}

static void
test_request_accepted(void **state)
{
	static const struct {
		const char *text, *path, *host;
	} cases[] = {
		{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", "a"},
		{"M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", "/", "a"},
		{"GET http://a.b HTTP/1.1\r\nHost: A.B:80\r\n\r\n", "/", "a.b"},
		{"GET HTTP://a.b:80/c?d HTTP/1.1\r\nHost: a.b\r\n\r\n", "/c?d", "a.b"},
		{"GET https://a.b:443/ HTTP/1.1\r\nHost: a.b:\r\n\r\n", "/", "a.b"},
		{"GET http://a.b:8080/ HTTP/1.1\r\nHost: a.b:8080\r\n\r\n", "/", "a.b"},
		{"GET http://a.b/ HTTP/1.0\r\n\r\n", "/", "a.b"},
		{"GET / HTTP/1.0\r\n\r\n", "/", ""},
		{"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "/", "[::1]"},
		{"GET / HTTP/1.1\r\nHost: a_b-c.d\r\n\r\n", "/", "a_b-c.d"},
		{"GET /\xc3\xbc?\"<>[]^`{|}\\ HTTP/1.1\r\nHost: a\r\n\r\n",
		 "/\xc3\xbc?\"<>[]^`{|}\\", "a"},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xbc\t.\r\n\r\n", "/", "a"},
	};
	(void)state;

	for (size_t i = 0; i < N(cases); i++) {
		if (request(cases[i].text) != (int)strlen(cases[i].text))
			fail_msg("refused: %s", cases[i].text);
		assert_text(head.path, cases[i].path);
		assert_text(head.host, cases[i].host);
	}
}

static void
test_request_refused(void **state)
{
	static const struct {
		int status;
		const char *text;
	} cases[] = {
		/* lines */
		{400, "GET / HTTP/1.1\nHost: a\n\n"},
		{400, "GET / HTTP/1.1\rHost: a\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\n\rX"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"},
		{400, "\n"},
		{400, "\rG"},
		/* request line */
		{400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
		{400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET /\tb HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET /\r\nHost: a\r\n\r\n"},
		{400, "GET\r\n\r\n"},
		{400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "G\xc3T / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET / http/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET / HTTP/1,1\r\nHost: a\r\n\r\n"},
		{400, "GET / HTTP/11\r\nHost: a\r\n\r\n"},
		{400, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"},
		{400, "GET / ICE/1.1\r\nHost: a\r\n\r\n"},
		{505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
		{505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
		{505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{501, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"},
		/* header lines */
		{400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nNoColon\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nX: \x0b\r\n\r\n"},
		/* host */
		{400, "GET / HTTP/1.1\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
		{400, "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: a:000080\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: []\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nHost: [g]\r\n\r\n"},
		/* absolute form */
		{400, "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET https://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n"},
		{400, "GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n"},
		{400, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
		/* framing */
		{400,
		 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 1\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
		      "Transfer-Encoding: chunked\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
		      "Content-Length: 0\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
		      "Transfer-Encoding: chunked\r\n\r\n"},
		{400, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
		{501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"},
		{501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n"},
		{501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n"},
		{501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"},
		{501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n"},
	};
	(void)state;

	for (size_t i = 0; i < N(cases); i++) {
		int ret = request(cases[i].text);

		if (ret != -cases[i].status)
			fail_msg("%d instead of %d for %s", ret, -cases[i].status, cases[i].text);
	}
}

static void
test_request_nul(void **state)
{
	static const char in_target[] = "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n";
	static const char in_value[] = "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n";
	static const char in_name[] = "GET / HTTP/1.1\r\nHost: a\r\nX\0: \r\n\r\n";
	(void)state;

	assert_int_equal(request_n(in_target, sizeof(in_target) - 1), -400);
	assert_int_equal(request_n(in_value, sizeof(in_value) - 1), -400);
	assert_int_equal(request_n(in_name, sizeof(in_name) - 1), -400);
}

/* "GET /aaa… HTTP/1.1" with a line of `line` bytes, then a header line of `header` bytes. */
static int
request_sized(size_t line, size_t header)
{
	static char text[3 * HTTP_MAX_LINE];
	size_t n = 0, a = line - strlen("GET / HTTP/1.1"), b = header - strlen("X:");

	n += (size_t)sprintf(text, "GET /");
	memset(text + n, 'a', a);
	n += a;
	n += (size_t)sprintf(text + n, " HTTP/1.1\r\nHost: a\r\nX:");
	memset(text + n, 'b', b);
	n += b;
	n += (size_t)sprintf(text + n, "\r\n\r\n");
	return request_n(text, n) == (int)n ? 0 : request_n(text, n);
}

static void
test_request_limits(void **state)
{
	static char text[HTTP_MAX_HEAD + 4096];
	size_t n;
	(void)state;

	assert_int_equal(request_sized(HTTP_MAX_LINE, 10), 0);
	assert_int_equal(request_sized(HTTP_MAX_LINE + 1, 10), -414);
	assert_int_equal(request_sized(HTTP_MAX_LINE + 100, 10), -414);
	assert_int_equal(request_sized(20, HTTP_MAX_LINE), 0);
	assert_int_equal(request_sized(20, HTTP_MAX_LINE + 1), -431);

	memset(text, 'G', sizeof(text));
	assert_int_equal(request_n(text, 127), 0);
	assert_int_equal(request_n(text, 128), -400);
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
	memset(text + n, 'h', sizeof(text) - n);
	assert_int_equal(request_n(text, n + HTTP_MAX_LINE), 0);
	assert_int_equal(request_n(text, n + HTTP_MAX_LINE + 1), -431);

	/* 100 headers, Host among them, pass; one more does not. */
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 1; i < HTTP_MAX_HEADERS; i++)
		n += (size_t)sprintf(text + n, "X: y\r\n");
	assert_int_equal(request_n(text, n), 0);
	memcpy(text + n, "\r\n", 2);
	assert_int_equal(request_n(text, n + 2), n + 2);
	memcpy(text + n, "X: y\r\n", 6);
	assert_int_equal(request_n(text, n + 6), -431);

	/* 64 KiB of head pass; one more byte does not, nor does an unfinished head that long. */
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
	while (n < HTTP_MAX_HEAD - 2) {
		size_t line = HTTP_MAX_HEAD - 2 - n < 8000 ? HTTP_MAX_HEAD - 2 - n : 8000;

		if (HTTP_MAX_HEAD - 2 - n - line < 4 && line == 8000)
			line -= 4;
		memset(text + n, 'x', line);
		text[n + 1] = ':';
		memcpy(text + n + line - 2, "\r\n", 2);
		n += line;
	}
	memcpy(text + n, "\r\n", 2);
	assert_int_equal(n + 2, HTTP_MAX_HEAD);
	assert_int_equal(request_n(text, n + 2), HTTP_MAX_HEAD);
	assert_int_equal(request_n(text, n + 1), 0);
	memcpy(text + n, "X: y\r\n\r\n", 8);
	assert_int_equal(request_n(text, n + 8), -431);
	assert_int_equal(request_n(text, n + 2), -431);

	/* a host name of 255 bytes passes, 256 do not */
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: ");
	memset(text + n, 'h', 256);
	memcpy(text + n + 255, "\r\n\r\n", 4);
	assert_int_equal(request_n(text, n + 259), n + 259);
	memcpy(text + n + 255, "h\r\n\r\n", 5);
	assert_int_equal(request_n(text, n + 260), -400);
}

static void
test_request_persistence(void **state)
{
	static const struct {
		const char *text;
		bool keep_alive;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: foo , CLOSE,bar\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: x\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: ,,\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", false},
	};
	(void)state;

	for (size_t i = 0; i < N(cases); i++) {
		assert_int_equal(request(cases[i].text), strlen(cases[i].text));
		assert_int_equal(head.keep_alive, cases[i].keep_alive);
	}
}

static void
test_request_bodies(void **state)
{
	(void)state;

	assert_true(request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n") > 0);
	assert_int_equal(head.body, HTTP_BODY_LENGTH);
	assert_int_equal(head.content_length, 7);
	assert_true(head.has_length);
	assert_true(request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") > 0);
	assert_int_equal(head.body, HTTP_BODY_NONE);
	assert_true(head.has_length);
	assert_true(request("POST / HTTP/1.1\r\nHost: a\r\n"
			    "Content-Length: 9223372036854775807\r\n\r\n") > 0);
	assert_true(head.content_length == INT64_MAX);
	assert_true(request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n") >
		    0);
	assert_int_equal(head.body, HTTP_BODY_CHUNKED);
	assert_false(head.has_length);
	assert_true(request("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n") > 0);
	assert_true(head.is_head);
	assert_true(request("head / HTTP/1.1\r\nHost: a\r\n\r\n") > 0);
	assert_false(head.is_head);
}

static void
test_request_expect_upgrade(void **state)
{
	(void)state;

	assert_true(request("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n") > 0);
	assert_true(head.expects_continue);
	assert_true(request("PUT / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n") > 0);
	assert_false(head.expects_continue);
	assert_true(request("PUT / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n") > 0);
	assert_false(head.expects_continue);
	assert_true(request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
			    "Connection: keep-alive, Upgrade\r\n\r\n") > 0);
	assert_true(head.is_upgrade);
	assert_true(head.keep_alive);
	assert_text(head.connection, "keep-alive, Upgrade");
	assert_true(request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n") > 0);
	assert_false(head.is_upgrade);
	assert_true(request("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n") > 0);
	assert_false(head.is_upgrade);
	assert_true(request("GET / HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\n"
			    "Connection: upgrade\r\n\r\n") > 0);
	assert_false(head.is_upgrade);
}

static void
test_fields(void **state)
{
	static const struct {
		const char *name;
		enum http_field field;
	} cases[] = {
		{"TE", HTTP_TE},
		{"Via", HTTP_VIA},
		{"Host", HTTP_HOST},
		{"expect", HTTP_EXPECT},
		{"Trailer", HTTP_TRAILER},
		{"UPGRADE", HTTP_UPGRADE},
		{"Connection", HTTP_CONNECTION},
		{"Keep-Alive", HTTP_KEEP_ALIVE},
		{"X-Request-Id", HTTP_X_REQUEST_ID},
		{"Content-Length", HTTP_CONTENT_LENGTH},
		{"X-Forwarded-For", HTTP_X_FORWARDED_FOR},
		{"X-Request-Start", HTTP_X_REQUEST_START},
		{"Proxy-Connection", HTTP_PROXY_CONNECTION},
		{"X-Forwarded-Port", HTTP_X_FORWARDED_PORT},
		{"Transfer-Encoding", HTTP_TRANSFER_ENCODING},
		{"X-Forwarded-Proto", HTTP_X_FORWARDED_PROTO},
		{"T", HTTP_OTHER},
		{"Tf", HTTP_OTHER},
		{"Hos", HTTP_OTHER},
		{"Upgrad3", HTTP_OTHER},
		{"X-Forwarded-Hosts-And-More", HTTP_OTHER},
		{"X-Forwarded-Port12", HTTP_OTHER},
		{"X-Forwarded-Prot\x7e", HTTP_OTHER},
	};
	char text[200];
	(void)state;

	for (size_t i = 0; i < N(cases); i++) {
		(void)snprintf(text, sizeof(text), "HTTP/1.1 204 X\r\n%s: %d\r\n\r\n",
			       cases[i].name, 0);
		if (cases[i].field == HTTP_TRANSFER_ENCODING) {
			assert_int_equal(response(text, false), -502);
		} else {
			assert_true(response(text, false) > 0);
		}
		assert_int_equal(head.headers[0].field, cases[i].field);
	}
}

static void
test_response_accepted(void **state)
{
	static const struct {
		const char *text;
		int status;
		const char *reason;
		enum http_body_kind body;
		bool keep_alive, to_head;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 200, "OK", HTTP_BODY_LENGTH, true,
		 false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "OK", HTTP_BODY_NONE, true,
		 false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 200, "OK", HTTP_BODY_NONE, true,
		 true},
		{"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", HTTP_BODY_CHUNKED,
		 true, false},
		{"HTTP/1.1 200\r\n\r\n", 200, "", HTTP_BODY_EOF, false, false},
		{"HTTP/1.1 200\r\n\r\n", 200, "", HTTP_BODY_NONE, true, true},
		{"HTTP/1.0 404 Not  Found\t\r\n\r\n", 404, "Not  Found\t", HTTP_BODY_EOF, false,
		 false},
		{"HTTP/1.0 200 \xc3\xbc\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n",
		 200, "\xc3\xbc", HTTP_BODY_LENGTH, true, false},
		{"HTTP/1.1 100 Continue\r\n\r\n", 100, "Continue", HTTP_BODY_NONE, true, false},
		{"HTTP/1.1 204 N\r\nContent-Length: 3\r\n\r\n", 204, "N", HTTP_BODY_NONE, true,
		 false},
		{"HTTP/1.1 304 N\r\nTransfer-Encoding: chunked\r\n\r\n", 304, "N", HTTP_BODY_NONE,
		 true, false},
		{"HTTP/1.1 999 X\r\nConnection: close\r\nContent-Length: 1\r\n\r\n", 999, "X",
		 HTTP_BODY_LENGTH, false, false},
	};
	(void)state;

	for (size_t i = 0; i < N(cases); i++) {
		if (response(cases[i].text, cases[i].to_head) != (int)strlen(cases[i].text))
			fail_msg("refused: %s", cases[i].text);
		assert_int_equal(head.status, cases[i].status);
		assert_text(head.reason, cases[i].reason);
		assert_int_equal(head.body, cases[i].body);
		assert_int_equal(head.keep_alive, cases[i].keep_alive);
	}
}

static void
test_response_refused(void **state)
{
	static const char *const cases[] = {
		"HTTP/1.1 200 OK\n\n",
		"HTTP/1.1 200 OK\r\nX: a\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"HTTP/1.1\r\n\r\n",
		"HTTP/2 200\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"ICY 200 OK\r\n\r\n",
		"hello\r\n",
		"\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 O\x01K\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	};
	static char text[HTTP_MAX_LINE + 100];
	(void)state;

	for (size_t i = 0; i < N(cases); i++)
		if (response(cases[i], false) != -502)
			fail_msg("accepted: %s", cases[i]);
	memset(text, 'x', sizeof(text));
	memcpy(text, "HTTP/1.1 200 ", 13);
	assert_int_equal(http_parse_response(&head, text, 13 + HTTP_MAX_LINE, false), 0);
	assert_int_equal(http_parse_response(&head, text, 14 + HTTP_MAX_LINE, false), -502);
}

static void
test_lists(void **state)
{
	static const char text[] = " a ,,b\t, ,c";
	struct http_text list = {text, sizeof(text) - 1}, member;
	(void)state;

	assert_true(http_list_has(list, "A"));
	assert_true(http_list_has(list, "b"));
	assert_true(http_list_has(list, "c"));
	assert_false(http_list_has(list, ""));
	assert_false(http_list_has(list, "ab"));
	assert_true(http_list_next(&list, &member));
	assert_text(member, "a");
	assert_true(http_list_next(&list, &member));
	assert_text(member, "b");
	assert_true(http_list_next(&list, &member));
	assert_text(member, "c");
	assert_false(http_list_next(&list, &member));
	assert_true(http_text_is_nocase((struct http_text){"AbC", 3}, "aBc"));
	assert_false(http_text_is((struct http_text){"AbC", 3}, "aBc"));
}

/* Feeds `in` in pieces of `step` bytes; the payload to `out`. Bytes consumed, or -EBADMSG. */
static long
read_body(struct http_body *b, const char *in, size_t len, size_t step, char *out, size_t *n_out)
{
	size_t at = 0;

	*n_out = 0;
	while (at < len && !b->done) {
		size_t n = len - at < step ? len - at : step;
		const char *bytes;
		size_t n_bytes;
		long used = http_body_next(b, in + at, n, &bytes, &n_bytes);

		if (used < 0)
			return used;
		assert_true((size_t)used <= n);
		assert_true(n_bytes <= (size_t)used);
		memcpy(out + *n_out, bytes, n_bytes);
		*n_out += n_bytes;
		at += (size_t)used;
		if (used == 0)
			break;
	}
	return (long)at;
}

static void
test_chunked(void **state)
{
	static const struct {
		const char *in, *payload;
		long used; /* -1: all of it */
	} cases[] = {
		{"0\r\n\r\n", "", -1},
		{"3\r\nabc\r\n0\r\n\r\nGET", "abc", 13},
		{"3\r\nabc\r\n02;x=\"y z\"\r\n\r\n\r\n000\r\n\r\n", "abc\r\n", -1},
		{"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\nX: y\r\nZ:\r\n\r\n",
		 "01234567890123456789", -1},
		{"3\r\nabc\r\n", "abc", -1},
	};
	char out[100];
	(void)state;

	for (size_t i = 0; i < N(cases); i++) {
		for (size_t step = 1; step <= strlen(cases[i].in); step++) {
			struct http_body b;
			size_t n;
			long used;

			http_body_init(&b, HTTP_BODY_CHUNKED, 0);
			used = read_body(&b, cases[i].in, strlen(cases[i].in), step, out, &n);
			assert_int_equal(used, cases[i].used < 0 ? (long)strlen(cases[i].in)
								 : cases[i].used);
			assert_int_equal(n, strlen(cases[i].payload));
			assert_memory_equal(out, cases[i].payload, n);
			assert_int_equal(b.done, i + 1 < N(cases));
		}
	}
}

static void
test_chunked_refused(void **state)
{
	static const char *const cases[] = {
		"\r\n",
		" 3\r\nabc\r\n",
		"3 \r\nabc\r\n",
		"x\r\n",
		"-1\r\n",
		"0x3\r\nabc\r\n",
		"3\nabc\r\n",
		"3\rabc\r\n",
		"3;a\x01\r\nabc\r\n",
		"3;a\nabc\r\n",
		"3\r\nabcd\r\n",
		"3\r\nabc\n0\r\n\r\n",
		"3\r\nabc\rX",
		"8000000000000000\r\n",
		"10000000000000000\r\n",
		"0\r\n\n",
		"0\r\n\rX",
		"0\r\n X: y\r\n\r\n",
		"0\r\nX : y\r\n\r\n",
		"0\r\nX: y\n\r\n",
		"0\r\nX: \x01\r\n\r\n",
		"0\r\nX: y\rZ",
		"0\r\n: y\r\n\r\n",
	};
	char out[100];
	(void)state;

	for (size_t i = 0; i < N(cases); i++) {
		for (size_t step = 1; step <= strlen(cases[i]); step++) {
			struct http_body b;
			size_t n;

			http_body_init(&b, HTTP_BODY_CHUNKED, 0);
			if (read_body(&b, cases[i], strlen(cases[i]), step, out, &n) != -EBADMSG)
				fail_msg("accepted: %s", cases[i]);
		}
	}
}

static void
test_chunked_limits(void **state)
{
	static char in[HTTP_MAX_LINE + 100];
	struct http_body b;
	const char *bytes;
	size_t n, at;
	(void)state;

	memset(in, 'a', sizeof(in));
	in[0] = '3';
	in[1] = ';';
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(http_body_next(&b, in, 1024, &bytes, &n), 1024);
	assert_int_equal(http_body_next(&b, in, 1, &bytes, &n), -EBADMSG);
	memset(in, '0', sizeof(in));
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(http_body_next(&b, in, 1025, &bytes, &n), -EBADMSG);

	/* trailers: 100 fields and 8 KiB together */
	at = (size_t)sprintf(in, "0\r\n");
	for (int i = 0; i < HTTP_MAX_HEADERS; i++)
		at += (size_t)sprintf(in + at, "X:y\r\n");
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(http_body_next(&b, in, at, &bytes, &n), at);
	assert_int_equal(http_body_next(&b, "\r\n", 2, &bytes, &n), 2);
	assert_true(b.done);
	assert_int_equal(http_body_next(&b, "x", 1, &bytes, &n), 0);
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(http_body_next(&b, in, at, &bytes, &n), at);
	assert_int_equal(http_body_next(&b, "X", 1, &bytes, &n), -EBADMSG);
	memset(in, 'x', sizeof(in));
	memcpy(in, "0\r\nx:", 5);
	http_body_init(&b, HTTP_BODY_CHUNKED, 0);
	assert_int_equal(http_body_next(&b, in, 3 + HTTP_MAX_LINE, &bytes, &n), 3 + HTTP_MAX_LINE);
	assert_int_equal(http_body_next(&b, "x", 1, &bytes, &n), -EBADMSG);
}

static void
test_other_bodies(void **state)
{
	struct http_body b;
	const char *bytes;
	size_t n;
	(void)state;

	http_body_init(&b, HTTP_BODY_NONE, 5);
	assert_true(b.done);
	b.done = false;
	assert_int_equal(http_body_next(&b, "abc", 3, &bytes, &n), 0);
	http_body_init(&b, HTTP_BODY_LENGTH, 0);
	assert_true(b.done);
	http_body_init(&b, HTTP_BODY_LENGTH, 5);
	assert_int_equal(http_body_next(&b, "abc", 3, &bytes, &n), 3);
	assert_int_equal(n, 3);
	assert_false(b.done);
	assert_int_equal(http_body_next(&b, "defg", 4, &bytes, &n), 2);
	assert_int_equal(n, 2);
	assert_true(b.done);
	assert_int_equal(http_body_next(&b, "fg", 2, &bytes, &n), 0);
	http_body_init(&b, HTTP_BODY_EOF, 0);
	assert_int_equal(http_body_next(&b, "abc", 3, &bytes, &n), 3);
	assert_int_equal(n, 3);
	assert_false(b.done);
}

static void
test_reason(void **state)
{
	(void)state;

	assert_string_equal(http_reason(404), "Not Found");
	assert_string_equal(http_reason(505), "HTTP Version Not Supported");
	assert_string_equal(http_reason(299), "Unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_plain),
		cmocka_unit_test(test_request_pipelined),
		cmocka_unit_test(test_request_accepted),
		cmocka_unit_test(test_request_refused),
		cmocka_unit_test(test_request_nul),
		cmocka_unit_test(test_request_limits),
		cmocka_unit_test(test_request_persistence),
		cmocka_unit_test(test_request_bodies),
		cmocka_unit_test(test_request_expect_upgrade),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_response_accepted),
		cmocka_unit_test(test_response_refused),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_chunked),
		cmocka_unit_test(test_chunked_refused),
		cmocka_unit_test(test_chunked_limits),
		cmocka_unit_test(test_other_bodies),
		cmocka_unit_test(test_reason),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}

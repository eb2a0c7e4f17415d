/* What the router writes: heads, error pages, access lines, ids. Also its blocks of memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "router/access.h"
#include "router/block.h"
#include "router/errors.h"
#include "router/headers.h"
#include "router/ident.h"

static struct http_head head;
static struct ident ident;
static const struct headers_origin origin = {"10.0.0.1", "http", "8080", 1700000000123};

/* The head a backend gets, in a heap block of exactly the bound. */
static char *
request(const char *text, struct headers_marks *marks)
{
	size_t bound, n;
	char *out;

	assert_int_equal(http_parse_request(&head, text, strlen(text)), strlen(text));
	bound = headers_bound(&head, &origin);
	out = malloc(bound + 1);
	assert_non_null(out);
	n = headers_write_request(out, &head, &origin, &ident, marks);
	assert_true(n <= bound);
	out[n] = '\0';
	return out;
}

static char *
response(const char *text, bool to_head, enum headers_framing framing, enum headers_persistence p)
{
	size_t bound, n;
	char *out;

	assert_int_equal(http_parse_response(&head, text, strlen(text), to_head), strlen(text));
	bound = headers_bound(&head, &origin);
	out = malloc(bound + 1);
	assert_non_null(out);
	n = headers_write_response(out, &head, framing, p);
	assert_true(n <= bound);
	out[n] = '\0';
	return out;
}

static void
test_request_head(void **state)
{
	struct headers_marks marks;
	char *out = request("GET http://a.b/c HTTP/1.0\r\nHost: a.b:80\r\nA:1\r\nExpect: x\r\n"
			    "X-Request-Id: abcdefghijklmnopqrst\r\n\r\n",
			    &marks);
	(void)state;

	assert_string_equal(out, "GET /c HTTP/1.1\r\nHost: a.b:80\r\nA: 1\r\n"
				 "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\n"
				 "X-Forwarded-Port: 8080\r\n"
				 "X-Request-Id: abcdefghijklmnopqrst\r\n"
				 "X-Request-Start: 1700000000123\r\nVia: 1.0 paas\r\n\r\n");
	assert_memory_equal(out + marks.method.at, "GET", marks.method.len);
	assert_memory_equal(out + marks.path.at, "/c", marks.path.len);
	assert_memory_equal(out + marks.host.at, "a.b:80", marks.host.len);
	assert_memory_equal(out + marks.forwarded.at, "10.0.0.1", marks.forwarded.len);
	assert_int_equal(marks.request_id.len, 20);
	free(out);
	out = request("GET http://a.b/ HTTP/1.0\r\n\r\n", &marks);
	assert_non_null(strstr(out, "\r\nHost: a.b\r\n"));
	free(out);
	out = request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n", &marks);
	assert_non_null(strstr(out, "\r\nContent-Length: 7\r\n"));
	free(out);
	out = request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &marks);
	assert_non_null(strstr(out, "\r\nContent-Length: 0\r\n"));
	free(out);
	out = request("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n", &marks);
	assert_non_null(strstr(out, "\r\nTransfer-Encoding: chunked\r\n"));
	free(out);
}

static void
test_request_removed(void **state)
{
	struct headers_marks marks;
	char *out = request("GET / HTTP/1.1\r\nHost: a\r\nConnection: x-a ,close\r\nX-A: 1\r\n"
			    "Connection: ,x-b,Host\r\nX-B: 1\r\nTe: x\r\nKeep-Alive: x\r\n"
			    "Proxy: x\r\nX_Forwarded-For: x\r\nX-Req_uest-Id: kept\r\n"
			    "X_Request_Start: x\r\nProxy-Connection: x\r\nUpgrade: x\r\n"
			    "X-Request_Id: x\r\nX_Custom: kept\r\nX-Abc: kept\r\n\r\n",
			    &marks);
	(void)state;

	*strstr(out, "X-Forwarded-For") = '\0';
	assert_string_equal(out, "GET / HTTP/1.1\r\nHost: a\r\nX-Req_uest-Id: kept\r\n"
				 "X_Custom: kept\r\nX-Abc: kept\r\n");
	free(out);
}

static void
test_upgrade(void **state)
{
	struct headers_marks marks;
	char *out = request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
			    "Upgrade: websocket\r\n\r\n",
			    &marks);
	(void)state;

	assert_true(headers_is_upgrade(&head));
	assert_non_null(strstr(out, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"));
	free(out);
	out = request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
		      "Upgrade: foo, H2C\r\n\r\n",
		      &marks);
	assert_false(headers_is_upgrade(&head));
	assert_null(strstr(out, "Upgrade"));
	free(out);
	out = response(
		"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\nA: b\r\n\r\n",
		false, FRAMING_NONE, PERSIST_OTHER);
	assert_string_equal(out, "HTTP/1.1 101 Switching\r\nA: b\r\nConnection: Upgrade\r\n"
				 "Upgrade: x\r\nVia: 1.1 paas\r\n\r\n");
	free(out);
}

static void
test_response_head(void **state)
{
	static const char text[] = "HTTP/1.0 404 Nope\r\nServer: x\r\nContent-Length: 12\r\n"
				   "Connection: keep-alive, x-c\r\nX-C: 1\r\nTrailer: x\r\n"
				   "Keep-Alive: 5\r\nVia: 1.1 b\r\nX-Forwarded-For: 1\r\n\r\n";
	static const char *const endings[] = {"Content-Length: 12\r\n",
					      "Transfer-Encoding: chunked\r\n", "", ""};
	static const enum headers_framing framings[] = {FRAMING_LENGTH, FRAMING_CHUNKED,
							FRAMING_CLOSE, FRAMING_NONE};
	static const char *const persistence[] = {"", "Connection: keep-alive\r\n",
						  "Connection: close\r\n"};
	(void)state;

	for (int f = 0; f < 4; f++) {
		for (int p = PERSIST; p <= PERSIST_NOT; p++) {
			char expected[300];
			char *out = response(text, false, framings[f], (enum headers_persistence)p);

			(void)snprintf(expected, sizeof(expected),
				       "HTTP/1.1 404 Nope\r\nServer: x\r\nVia: 1.1 b\r\n"
				       "X-Forwarded-For: 1\r\n%s%sVia: 1.1 paas\r\n\r\n",
				       endings[f], persistence[p]);
			assert_string_equal(out, expected);
			free(out);
		}
	}
}

/* The bound holds for the head that grows most. */
static void
test_bound(void **state)
{
	static char text[HTTP_MAX_HEAD];
	struct headers_marks marks;
	size_t n = (size_t)sprintf(text, "G / HTTP/1.0\r\n");
	char *out;
	(void)state;

	for (int i = 0; i < HTTP_MAX_HEADERS; i++)
		n += (size_t)sprintf(text + n, "a:\r\n");
	(void)sprintf(text + n, "\r\n");
	out = request(text, &marks);
	free(out);
	n = (size_t)sprintf(text, "G / HTTP/1.0\r\n");
	for (int i = 0; i < HTTP_MAX_HEADERS; i++)
		n += (size_t)sprintf(text + n, "x-forwarded-for:b\r\n");
	(void)sprintf(text + n, "\r\n");
	out = request(text, &marks);
	free(out);
}

static void
test_ident(void **state)
{
	char ids[500][IDENT_BYTES];
	char text[300];
	(void)state;

	for (int i = 0; i < 500; i++) {
		ident_make(&ident, ids[i]);
		assert_true(ident_is_fine((struct http_text){ids[i], IDENT_BYTES}));
		assert_int_equal(ids[i][14], '4');
		assert_non_null(strchr("89ab", ids[i][19]));
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(ids[i], ids[j], IDENT_BYTES);
	}
	memset(text, 'a', sizeof(text));
	assert_false(ident_is_fine((struct http_text){text, 19}));
	assert_true(ident_is_fine((struct http_text){text, 20}));
	assert_true(ident_is_fine((struct http_text){text, 200}));
	assert_false(ident_is_fine((struct http_text){text, 201}));
	text[5] = '_';
	assert_false(ident_is_fine((struct http_text){text, 20}));
	assert_true(ident_seed(&ident) != 0);
	assert_true(ident_seed(&ident) != ident_seed(&ident));
}

static void
test_errors(void **state)
{
	char out[ERROR_RESPONSE_MAX];
	size_t n, n_body;
	(void)state;

	for (int e = ERROR_NONE + 1; e < ERROR_COUNT; e++) {
		for (int how = 0; how < 8; how++) {
			bool html = how & 1, to_head = how & 2, keep = how & 4;
			enum error error = (enum error)e;
			char code[20];

			n = error_response(out, error, html, to_head, keep, &n_body);
			assert_int_equal(http_parse_response(&head, out, n, false), n - n_body);
			assert_int_equal(head.status, error_status(error));
			assert_int_equal(head.keep_alive, keep);
			assert_int_equal(n_body, to_head ? 0 : head.content_length);
			assert_true(head.content_length > 20);
			out[n] = '\0';
			(void)snprintf(code, sizeof(code), "%s", error_code(error));
			if (!to_head)
				assert_non_null(strstr(out + n - n_body, code));
			if (!to_head && html)
				assert_non_null(strstr(out, "<!DOCTYPE html>"));
		}
		assert_true(error_text((enum error)e)[0] != '\0');
	}
	assert_int_equal(error_of_status(414), ERROR_URI_TOO_LONG);
	assert_int_equal(error_of_status(431), ERROR_HEAD_TOO_LARGE);
	assert_int_equal(error_of_status(501), ERROR_NOT_IMPLEMENTED);
	assert_int_equal(error_of_status(505), ERROR_VERSION);
	assert_int_equal(error_of_status(400), ERROR_BAD_REQUEST);
}

static void
test_accept(void **state)
{
	static const struct {
		const char *text;
		bool html;
	} cases[] = {
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nAccept: */*\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nAccept: application/json\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nAccept: text/html\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nAccept: text/htmlx\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nAccept: a/b, Text/HTML ;q=0.5\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nAccept: application/xhtml+xml\r\n\r\n", true},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(http_parse_request(&head, cases[i].text, strlen(cases[i].text)) > 0);
		assert_int_equal(error_wants_html(&head), cases[i].html);
	}
}

#define TEXT(s)                                                                                    \
	(struct http_text)                                                                         \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}

static void
test_access_line(void **state)
{
	static char path[9000];
	struct access_line line = {
		.app = "hello",
		.method = TEXT("GET"),
		.path = TEXT("/a?b"),
		.host = TEXT("hello.localhost"),
		.request_id = TEXT("id"),
		.forwarded = TEXT("1.2.3.4"),
		.instance = "web.1",
		.proto = "http",
		.has_connect = true,
		.has_service = true,
		.service_ms = 3,
		.status = 200,
		.bytes = 12,
	};
	char out[ACCESS_LINE_MAX];
	(void)state;

	out[access_format(out, &line)] = '\0';
	assert_string_equal(out, "at=info method=GET path=\"/a?b\" host=hello.localhost "
				 "request_id=id fwd=\"1.2.3.4\" dyno=web.1 connect=0ms service=3ms "
				 "status=200 bytes=12 protocol=http");
	line.error = ERROR_TIMEOUT;
	line.status = 503;
	line.bytes = UINT64_MAX;
	line.path = TEXT("/\"\\\x01\xc3\xbc ");
	out[access_format(out, &line)] = '\0';
	assert_string_equal(out, "at=error code=H12 desc=\"Request timeout\" method=GET "
				 "path=\"/%22%5C%01%C3%BC \" host=hello.localhost request_id=id "
				 "fwd=\"1.2.3.4\" dyno=web.1 connect=0ms service=3ms status=503 "
				 "bytes=18446744073709551615 protocol=http");
	line.error = ERROR_NO_WEB;
	line.instance = NULL;
	line.has_connect = line.has_service = false;
	out[access_format(out, &line)] = '\0';
	assert_non_null(strstr(out, " dyno= connect= service= status=503 "));
	/* the longest of everything */
	memset(path, '\xff', sizeof(path));
	line.path = line.method = line.host = line.request_id = line.forwarded =
		(struct http_text){path, sizeof(path)};
	assert_true(access_format(out, &line) < ACCESS_LINE_MAX);
}

static void
test_blocks(void **state)
{
	struct blocks blocks;
	struct block a = {0}, b = {0};
	static char bytes[BLOCK_MAX];
	struct iovec iov[3] = {{bytes, 5}, {bytes + 5, 0}, {bytes + 5, 10}};
	(void)state;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 31);
	blocks_init(&blocks, 2 * BLOCK_MAX);
	assert_int_equal(block_add(&blocks, &a, bytes, 0), 0);
	assert_null(a.data);
	/* grows through all sizes with what it holds */
	for (size_t n = 0; n < BLOCK_MAX; n += 4096)
		assert_int_equal(block_add(&blocks, &a, bytes + n, 4096), 0);
	assert_memory_equal(a.data, bytes, BLOCK_MAX);
	assert_int_equal(block_add(&blocks, &a, bytes, 1), -ENOBUFS);
	assert_int_equal(blocks.bytes, BLOCK_MAX);
	a.at = 100;
	block_shrink(&blocks, &a, 50);
	assert_int_equal(a.at, 50);
	assert_int_equal(a.cap, 4096);
	assert_memory_equal(a.data, bytes, 50);
	/* the total is bounded */
	assert_int_equal(block_reserve(&blocks, &b, BLOCK_MAX), 0);
	assert_int_equal(block_reserve(&blocks, &a, BLOCK_MAX - 100), -ENOMEM);
	assert_memory_equal(a.data, bytes, 50);
	block_release(&blocks, &b);
	assert_int_equal(block_reserve(&blocks, &a, BLOCK_MAX - 100), 0);
	block_release(&blocks, &a);
	block_release(&blocks, &a);
	assert_int_equal(blocks.bytes, 0);
	for (size_t skip = 0; skip <= 15; skip++) {
		assert_int_equal(block_add_iov(&blocks, &a, iov, 3, skip), 0);
		assert_int_equal(block_bytes(&a), 15 - skip);
		assert_memory_equal(a.data ? a.data : bytes, bytes + skip, a.data ? 15 - skip : 0);
		block_release(&blocks, &a);
	}
	blocks_done(&blocks);
}

static void
test_slab(void **state)
{
	struct slab slab;
	void *objects[500];
	(void)state;

	slab_init(&slab, 100);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 500; i++) {
			char zero[100] = {0};

			objects[i] = slab_take(&slab);
			assert_non_null(objects[i]);
			assert_memory_equal(objects[i], zero, 100);
			memset(objects[i], 0xee, 100);
		}
		assert_int_equal(slab.n_used, 500);
		for (int i = 0; i < 500; i++)
			slab_give(&slab, objects[i]);
	}
	assert_int_equal(slab.n_used, 0);
	slab_done(&slab);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_head), cmocka_unit_test(test_request_removed),
		cmocka_unit_test(test_upgrade),	     cmocka_unit_test(test_response_head),
		cmocka_unit_test(test_bound),	     cmocka_unit_test(test_ident),
		cmocka_unit_test(test_errors),	     cmocka_unit_test(test_accept),
		cmocka_unit_test(test_access_line),  cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_slab),
	};

	return cmocka_run_group_tests_name("texts", tests, NULL, NULL);
}

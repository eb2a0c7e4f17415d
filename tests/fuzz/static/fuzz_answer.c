/*
 * Requests to the file server: every head that parses gets an answer that is one head, whose length
 * agrees with what would be sent. Served is a folder with an outside beside it.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/http.h"

#include "buildpacks/static/server/answer.h"
#include "buildpacks/static/server/site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct site site;
static char top[] = "/tmp/fuzz-answer.XXXXXX";

static void
put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

static void
clean(void)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	if (system(command) != 0)
		abort();
}

static void
prepare(void)
{
	char path[64];
	struct err err;

	if (!mkdtemp(top) || atexit(clean) != 0)
		abort();
	for (int i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", top, i ? "s/d" : "s");
		if (mkdir(path, 0755) < 0)
			abort();
	}
	put("outside", "OUTSIDE");
	put("s/index.html", "0123456789");
	put("s/index.html.gz", "gzip");
	put("s/d/index.html", "in d");
	put("s/.hidden", "OUTSIDE");
	put("s/static.json", "{\"clean_urls\":true,\"routes\":{\"/app/**\":\"index.html\"},"
			     "\"headers\":{\"/**\":{\"X-A\":\"b\"}}}");
	(void)snprintf(path, sizeof(path), "%s/s", top);
	if (site_open(&site, path, &err) < 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct answer a;
	struct http_head *head = malloc(sizeof(*head));
	const char *end;
	char byte;

	if (!site.root_fd)
		prepare();
	if (head && http_parse_request(head, (const char *)data, size) > 0) {
		answer_make(&a, &site, head, 1700000000);
		end = memmem(a.head, a.n_head, "\r\n\r\n", 4);
		assert(end && a.n_head > 12 && memcmp(a.head, "HTTP/1.1 ", 9) == 0);
		assert((a.fd >= 0) == (a.left > 0) || a.left == 0);
		if (a.fd >= 0) {
			/* The first byte that goes out is one of ours. */
			if (a.left > 0)
				assert(pread(a.fd, &byte, 1, (off_t)a.at) == 1 && byte != 'O');
			(void)close(a.fd);
		}
	}
	free(head);
	return 0;
}

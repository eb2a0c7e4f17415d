/*
 * lib/conf: a text is refused with a place in it, or gives pairs which, written out quoted, read
 * back the same. Its first line is also tried as size, duration and number.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/conf.h"
#include "lib/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pairs {
	struct buf keys, text; /* what was seen; the same, written out again */
};

static int
on_pair(void *user, const char *key, const char *value, unsigned line, struct err *err)
{
	struct pairs *p = user;

	(void)err;
	assert(line > 0 && *key && !strpbrk(key, " \t=\"#\n") && !strchr(value, '\n'));
	if (buf_printf(&p->keys, "%s=%s\n", key, value) < 0 ||
	    buf_printf(&p->text, "%s = \"", key) < 0)
		abort();
	for (; *value; value++) {
		if ((*value == '"' || *value == '\\') && buf_add(&p->text, "\\", 1) < 0)
			abort();
		if (buf_add(&p->text, value, 1) < 0)
			abort();
	}
	if (buf_add(&p->text, "\"\n", 2) < 0)
		abort();
	return 0;
}

static void
check_values(const uint8_t *data, size_t size)
{
	char text[64], out[32];
	unsigned long long v;
	long long n;
	size_t len = size < sizeof(text) - 1 ? size : sizeof(text) - 1;

	memcpy(text, data, len);
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (conf_bytes(text, &v) == 0)
		assert(strlen(conf_bytes_text(v, out, sizeof(out))) > 1);
	(void)conf_duration(text, &v);
	if (conf_number(text, -1000, 1000, &n) == 0)
		assert(n >= -1000 && n <= 1000);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pairs first, second;
	struct err err = {0};
	int ret;

	check_values(data, size);
	buf_init(&first.keys, 1 << 24);
	buf_init(&first.text, 1 << 24);
	buf_init(&second.keys, 1 << 24);
	buf_init(&second.text, 1 << 24);
	ret = conf_parse((const char *)data, size, "fuzz", on_pair, &first, &err);
	assert(ret == 0 || (ret == -EINVAL && strncmp(err.text, "fuzz:", 5) == 0));
	ret = conf_parse(buf_text(&first.text), first.text.len, "again", on_pair, &second, &err);
	assert(ret == 0);
	assert(first.keys.len == second.keys.len &&
	       memcmp(buf_text(&first.keys), buf_text(&second.keys), first.keys.len) == 0);
	buf_done(&first.keys);
	buf_done(&first.text);
	buf_done(&second.keys);
	buf_done(&second.text);
	return 0;
}

/*
 * The commands of a push, fed in two parts as the first byte says: the cut changes nothing, what is
 * passed on is what came, and an answer is made of whole packets.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/err.h"

#include "daemon/receiver/pktline.h"
#include "daemon/receiver/pushes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_packets(const struct buf *out)
{
	size_t at = 0;

	while (at < out->len) {
		const char *payload;
		size_t n;
		long len = pktline_next(out->data + at, out->len - at, &payload, &n);

		assert(len > 0);
		at += (size_t)len;
	}
}

static int
feed(struct pushes *p, const uint8_t *data, size_t size, size_t cut, size_t *used)
{
	struct err err;
	size_t more = 0;
	int ret = pushes_feed(p, data, cut, used, &err);

	if (ret == 0) {
		assert(*used == cut);
		ret = pushes_feed(p, data + cut, size - cut, &more, &err);
		*used += more;
	}
	return ret;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pushes whole, parts;
	size_t used = 0, used_parts = 0, cut;
	int ret, ret_parts;

	if (size < 1)
		return 0;
	cut = data[0] % size;
	data++;
	size--;
	pushes_init(&whole);
	pushes_init(&parts);
	ret = feed(&whole, data, size, 0, &used);
	ret_parts = feed(&parts, data, size, cut, &used_parts);
	assert(ret == ret_parts);
	if (ret == 1) {
		AUTO_BUF struct buf out, text;

		assert(used == used_parts && used <= size);
		assert(whole.head.len == used && memcmp(whole.head.data, data, used) == 0);
		assert(pushes_may_pass(&whole) == pushes_may_pass(&parts));
		buf_init(&out, 1 << 24);
		buf_init(&text, 1 << 24);
		assert(pushes_answer(&whole, &out, &text) == 0);
		check_packets(&out);
		for (size_t i = 0; i < text.len; i++)
			assert((text.data[i] >= ' ' && text.data[i] < 0x7f) ||
			       text.data[i] == '\n');
	}
	pushes_done(&whole);
	pushes_done(&parts);
	return 0;
}

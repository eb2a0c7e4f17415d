/*
 * lib/msg and lib/wire: any bytes on a channel are a message or are refused, and every way of
 * reading the fields of an accepted one stays inside it. The rest of the input says how to read.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/msg.h"
#include "lib/sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads fields as `how` says until it or the message ends. */
static void
read_fields(struct wire_reader *r, const uint8_t *how, size_t n)
{
	const uint8_t *start = r->at;

	for (size_t i = 0; i < n; i++) {
		char text[64];
		const uint8_t *p;
		size_t len;

		switch (how[i] % 6) {
		case 0:
			(void)wire_get_u8(r);
			break;
		case 1:
			(void)wire_get_u16(r);
			break;
		case 2:
			(void)wire_get_u32(r);
			break;
		case 3:
			(void)wire_get_u64(r);
			break;
		case 4:
			wire_get_str(r, text, 1 + how[i] % sizeof(text));
			assert(strlen(text) <= how[i] % sizeof(text));
			break;
		default:
			p = wire_get_bytes(r, &len);
			assert(p || len == 0);
			if (p)
				assert(p >= start && p + len <= r->end);
		}
		assert(r->at >= start && r->at <= r->end);
	}
	assert((wire_end(r) == 0) == (!r->failed && r->at == r->end));
}

static void
check_rules(const struct msg *m)
{
	struct err err;

	for (int from = 0; from < ROLE_COUNT; from++) {
		for (int to = 0; to < ROLE_COUNT; to++) {
			int ret = msg_check(m->type, (enum role)from, (enum role)to, PHASE_ANY,
					    m->n_fds, &err);

			assert(ret == 0 || (ret == -EPROTO && err.text[0]));
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct msg m;
	struct sandbox_order order, again;
	struct wire_reader copy;
	size_t n_how = size > 16 ? 16 : size;
	int ends[2], ret;

	if (msg_pair(ends, true) < 0)
		abort();
	/* The end of the input is both read and used as the way to read. */
	if (send(ends[0], data, size, MSG_NOSIGNAL) == (ssize_t)size) {
		ret = msg_receive(ends[1], &m);
		assert(ret == 1 || ret == 0 || ret == -EBADMSG);
		if (ret == 1) {
			assert(size >= MSG_HEAD_BYTES && size <= MSG_MAX_BYTES);
			assert(m.type > MSG_NONE && m.type < MSG_COUNT);
			check_rules(&m);
			copy = m.in;
			read_fields(&copy, data + size - n_how, n_how);
			copy = m.in;
			if (sandbox_order_read(&copy, &order, NULL) == 0) {
				char name[256];

				assert(sandbox_name_write(&order, name, sizeof(name)) == 0);
				assert(sandbox_name_read(name, &again) == 0);
				assert(again.id == order.id);
			}
			msg_done(&m);
		}
	}
	(void)close(ends[0]);
	(void)close(ends[1]);
	return 0;
}

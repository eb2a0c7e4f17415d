/*
 * The commands of one push, as send-pack writes them before the pack (gitprotocol-pack): read
 * so far that a push which cannot deploy anything is answered before its pack travels.
 */
#ifndef RECEIVER_PUSHES_H
#define RECEIVER_PUSHES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"

struct err;

#define PUSHES_MAX_BYTES (4 * 1024 * 1024)

struct pushes {
	struct buf head; /* everything up to and with the flush packet, to be passed on unchanged */
	size_t n_read;	 /* of it, in whole packets */
	bool is_complete;
	bool has_sideband, has_report, is_atomic, has_certificate;
	bool has_main, has_master; /* to be deployed */
	size_t n_commands, n_deploy, n_store, n_refused;
};

void pushes_init(struct pushes *p);
void pushes_done(struct pushes *p);

/*
 * Takes what belongs to the commands from `data`; *used says how much that is, the rest is pack or
 * push options. 1: the commands are complete. 0: more are needed. Negative: not a push, or too many
 * refs, with a sentence.
 */
int pushes_feed(struct pushes *p, const void *data, size_t n, size_t *used, struct err *err);

/* Of a complete one: is there anything for receive-pack to do? */
bool pushes_may_pass(const struct pushes *p);

/*
 * Writes the answer to a push that may not pass: to `out` what git reads, with the sentences as
 * "remote:" lines and a reason per ref; to `text` the sentences when the client has no side-band.
 * 0 or as buf_add.
 */
int pushes_answer(const struct pushes *p, struct buf *out, struct buf *text);

#endif

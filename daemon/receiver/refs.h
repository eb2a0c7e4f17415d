/* What may be pushed: the one rule that both the session and the hooks apply. */
#ifndef RECEIVER_REFS_H
#define RECEIVER_REFS_H

#include <stdbool.h>
#include <stddef.h>

enum refs_verdict {
	REFS_DEPLOY, /* main or master */
	REFS_STORE,  /* a tag: kept, nothing happens */
	REFS_BRANCH, /* another branch */
	REFS_DELETE, /* whatever it is, it stays */
	REFS_OTHER,  /* neither branch nor tag */
};

/* Judges the update of `ref` (n bytes) to `new_id`. */
enum refs_verdict refs_judge(const char *ref, size_t n, const char *new_id, size_t n_new_id);
/* Object names are 40 or 64 hex digits. */
bool refs_is_id(const char *id, size_t n);
bool refs_is_zero(const char *id, size_t n);

/* Why it is refused, short enough for git's table of refs; "" for what is not refused. */
const char *refs_reason(enum refs_verdict verdict);
/* The sentence above that table, which says what to do instead; returns `out`. */
const char *refs_sentence(enum refs_verdict verdict, const char *ref, size_t n, char *out,
			  size_t cap);
/* For a push of both main and master. */
extern const char refs_both_reason[], refs_both_sentence[];

#endif

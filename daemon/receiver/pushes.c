/*
 * Nothing is decided here that receive-pack and the hooks would not decide as well; this only
 * spares the upload. What is not understood is therefore passed on (a signed push), and what
 * breaks the protocol ends the push.
 */
#include <errno.h>
#include <string.h>

#include "lib/err.h"

#include "daemon/receiver/pktline.h"
#include "daemon/receiver/pushes.h"
#include "daemon/receiver/refs.h"

/* How many refused refs get a sentence of their own. */
#define SENTENCES_MAX 10

/* "OLD NEW REF" */
struct update {
	const char *new_id, *ref;
	size_t n_id, n_ref;
};

void
pushes_init(struct pushes *p)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->head, PUSHES_MAX_BYTES);
}

void
pushes_done(struct pushes *p)
{
	buf_done(&p->head);
}

static bool
has_word(const char *list, size_t n, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= n; i++) {
		if ((i == 0 || list[i - 1] == ' ') && memcmp(list + i, word, len) == 0 &&
		    (i + len == n || list[i + len] == ' '))
			return true;
	}
	return false;
}

static void
read_capabilities(struct pushes *p, const char *list, size_t n)
{
	if (n > 0 && list[n - 1] == '\n')
		n--;
	p->has_sideband = has_word(list, n, "side-band-64k");
	p->has_report = has_word(list, n, "report-status") || has_word(list, n, "report-status-v2");
	p->is_atomic = has_word(list, n, "atomic");
}

/* The line without capabilities and line feed. */
static size_t
bare_length(const char *line, size_t n)
{
	const char *nul = memchr(line, '\0', n);

	if (nul)
		return (size_t)(nul - line);
	return n > 0 && line[n - 1] == '\n' ? n - 1 : n;
}

static bool
read_update(const char *line, size_t n, struct update *update)
{
	size_t n_id;
	const char *space;

	n = bare_length(line, n);
	space = memchr(line, ' ', n);
	if (!space)
		return false;
	n_id = (size_t)(space - line);
	if (n < 2 * n_id + 3 || line[2 * n_id + 1] != ' ' || !refs_is_id(line, n_id) ||
	    !refs_is_id(line + n_id + 1, n_id))
		return false;
	update->new_id = line + n_id + 1;
	update->n_id = n_id;
	update->ref = line + 2 * n_id + 2;
	update->n_ref = n - (2 * n_id + 2);
	return true;
}

static void
count_update(struct pushes *p, const struct update *u)
{
	enum refs_verdict verdict = refs_judge(u->ref, u->n_ref, u->new_id, u->n_id);

	p->n_commands++;
	switch (verdict) {
	case REFS_DEPLOY:
		p->n_deploy++;
		if (u->n_ref == strlen("refs/heads/main"))
			p->has_main = true;
		else
			p->has_master = true;
		break;
	case REFS_STORE:
		p->n_store++;
		break;
	case REFS_BRANCH:
	case REFS_DELETE:
	case REFS_OTHER:
		p->n_refused++;
		break;
	}
}

static bool
begins_with(const char *line, size_t n, const char *text)
{
	return n >= strlen(text) && memcmp(line, text, strlen(text)) == 0;
}

static int
read_line(struct pushes *p, const char *line, size_t n, struct err *err)
{
	const char *nul = memchr(line, '\0', n);
	struct update u;

	if (p->has_certificate)
		return 0;
	if (nul && p->n_commands == 0)
		read_capabilities(p, nul + 1, n - (size_t)(nul + 1 - line));
	if (begins_with(line, n, "push-cert")) {
		p->has_certificate = true;
		return 0;
	}
	if (begins_with(line, n, "shallow ") && p->n_commands == 0)
		return 0;
	if (!read_update(line, n, &u))
		return err_say(err, -EBADMSG, "this is not how git pushes");
	count_update(p, &u);
	return 0;
}

int
pushes_feed(struct pushes *p, const void *data, size_t n, size_t *used, struct err *err)
{
	size_t before = p->head.len;
	int ret = buf_add(&p->head, data, n);

	*used = n;
	if (ret == -ENOBUFS) {
		/* What follows the commands may be long; what fits decides. */
		n = PUSHES_MAX_BYTES - before;
		ret = buf_add(&p->head, data, n);
		*used = n;
	}
	if (ret < 0)
		return err_set(err, ret, "read the refs of this push");
	for (;;) {
		const char *line;
		size_t n_line;
		long len = pktline_next(p->head.data + p->n_read, p->head.len - p->n_read, &line,
					&n_line);

		if (len < 0)
			return err_say(err, -EBADMSG, "this is not how git pushes");
		if (len == 0) {
			if (p->head.len == PUSHES_MAX_BYTES)
				return err_say(err, -E2BIG,
					       "this push names too many refs; push fewer at once");
			return 0;
		}
		p->n_read += (size_t)len;
		if (!line) {
			*used = p->n_read - before;
			p->head.len = p->n_read;
			p->is_complete = true;
			return 1;
		}
		ret = read_line(p, line, n_line, err);
		if (ret < 0)
			return ret;
	}
}

bool
pushes_may_pass(const struct pushes *p)
{
	size_t n_deploy = p->has_main && p->has_master ? 0 : p->n_deploy;

	if (p->has_certificate || p->n_commands == 0)
		return true;
	/* The deploying ref is built before git looks at the others: all or nothing is now. */
	if (p->is_atomic && p->n_refused + p->n_deploy - n_deploy > 0)
		return false;
	return n_deploy + p->n_store > 0;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* Calls `fn` for every update of a complete push. */
static int
each_update(const struct pushes *p,
	    int (*fn)(const struct pushes *p, const struct update *u, void *user), void *user)
{
	size_t at = 0;

	while (at < p->n_read) {
		const char *line;
		size_t n_line;
		struct update u;
		long len = pktline_next(p->head.data + at, p->n_read - at, &line, &n_line);

		if (len <= 0)
			break;
		at += (size_t)len;
		if (line && read_update(line, n_line, &u)) {
			int ret = fn(p, &u, user);

			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

static const char *
reason_of(const struct pushes *p, enum refs_verdict verdict)
{
	if (verdict == REFS_DEPLOY && p->has_main && p->has_master)
		return refs_both_reason;
	if (verdict == REFS_DEPLOY || verdict == REFS_STORE)
		return "atomic push failure";
	return refs_reason(verdict);
}

static int
add_report_line(const struct pushes *p, const struct update *u, void *user)
{
	enum refs_verdict verdict = refs_judge(u->ref, u->n_ref, u->new_id, u->n_id);
	struct buf *report = user;
	AUTO_BUF struct buf line;
	int ret;

	buf_init(&line, PKTLINE_MAX);
	ret = buf_add_string(&line, "ng ");
	if (ret == 0)
		ret = buf_add(&line, u->ref, u->n_ref);
	if (ret == 0)
		ret = buf_printf(&line, " %s\n", reason_of(p, verdict));
	/* A ref that fills a packet has no line of its own; no real one does. */
	if (ret == -ENOBUFS || line.len > PKTLINE_MAX - 4)
		return 0;
	return ret < 0 ? ret : pktline_add(report, line.data, line.len);
}

struct sentences {
	struct buf *text;
	size_t n;
};

static int
add_sentence(const struct pushes *p, const struct update *u, void *user)
{
	enum refs_verdict verdict = refs_judge(u->ref, u->n_ref, u->new_id, u->n_id);
	struct sentences *s = user;
	char sentence[400];

	(void)p;
	if (refs_reason(verdict)[0] == '\0' || s->n++ >= SENTENCES_MAX)
		return 0;
	return buf_printf(s->text, "paas: %s\n",
			  refs_sentence(verdict, u->ref, u->n_ref, sentence, sizeof(sentence)));
}

static int
add_sentences(const struct pushes *p, struct buf *text)
{
	struct sentences s = {.text = text};
	int ret = 0;

	if (p->has_main && p->has_master)
		ret = buf_printf(text, "paas: %s\n", refs_both_sentence);
	if (ret == 0)
		ret = each_update(p, add_sentence, &s);
	if (ret == 0 && s.n > SENTENCES_MAX)
		ret = buf_printf(text, "paas: and %zu more refs were refused\n",
				 s.n - SENTENCES_MAX);
	return ret;
}

int
pushes_answer(const struct pushes *p, struct buf *out, struct buf *text)
{
	AUTO_BUF struct buf report, said;
	int ret = 0;

	buf_init(&report, 2 * PUSHES_MAX_BYTES);
	buf_init(&said, 64 * 1024);
	if (p->has_report) {
		ret = pktline_add(&report, "unpack ok\n", strlen("unpack ok\n"));
		if (ret == 0)
			ret = each_update(p, add_report_line, &report);
		if (ret == 0)
			ret = pktline_add_flush(&report);
	}
	if (ret == 0)
		ret = add_sentences(p, &said);
	if (ret < 0)
		return ret;
	if (!p->has_sideband) {
		ret = buf_add(text, said.data, said.len);
		return ret < 0 ? ret : buf_add(out, report.data, report.len);
	}
	ret = pktline_add_band(out, PKTLINE_PROGRESS, said.data, said.len);
	if (ret == 0)
		ret = pktline_add_band(out, PKTLINE_DATA, report.data, report.len);
	return ret < 0 ? ret : pktline_add_flush(out);
}

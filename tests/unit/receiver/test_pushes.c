/* receiver/pushes, pktline and refs: what a push names is judged before its pack is read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lib/alloc.h"

#include "lib/err.h"

#include "daemon/receiver/pktline.h"
#include "daemon/receiver/refs.h"

#include "daemon/receiver/pushes.c"

#define Z "0000000000000000000000000000000000000000"
#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct pushes pushes;
static struct buf wire;
static struct err err;

static void
begin(void)
{
	buf_done(&wire);
	buf_init(&wire, 8 << 20);
}

/* A command; with capabilities when it is the first. */
static void
add(const char *old_id, const char *new_id, const char *ref, const char *capabilities)
{
	char line[500];
	int n = snprintf(line, sizeof(line), "%s %s %s", old_id, new_id, ref);

	if (capabilities)
		n += 1 + snprintf(line + n + 1, sizeof(line) - (size_t)n - 1, "%s", capabilities);
	assert_int_equal(pktline_add(&wire, line, (size_t)n), 0);
}

static void
add_text(const char *text)
{
	assert_int_equal(pktline_add(&wire, text, strlen(text)), 0);
}

/* Feeds everything in parts of `step` bytes; what pushes_feed says in the end. */
static int
feed(size_t step)
{
	int ret = 0;

	pushes_done(&pushes);
	pushes_init(&pushes);
	for (size_t at = 0; at < wire.len && ret == 0;) {
		size_t n = wire.len - at < step ? wire.len - at : step, used = 0;

		ret = pushes_feed(&pushes, wire.data + at, n, &used, &err);
		assert_true(used <= n);
		if (ret == 0)
			assert_int_equal(used, n);
		at += used;
		/* What was not used is pack. */
		if (ret == 1)
			assert_memory_equal(wire.data + at, "PACK", 4);
	}
	return ret;
}

static void
end(void)
{
	assert_int_equal(pktline_add_flush(&wire), 0);
	assert_int_equal(buf_add(&wire, "PACKxxxx", 8), 0);
	for (size_t step = 1; step < 100; step += 7)
		assert_int_equal(feed(step), 1);
	assert_int_equal(feed(wire.len), 1);
	assert_int_equal(pushes.head.len, wire.len - 8);
	assert_memory_equal(pushes.head.data, wire.data, wire.len - 8);
}

#define CAPS " report-status side-band-64k agent=git/2.39"

static void
answer(struct buf *out, struct buf *text)
{
	buf_done(out);
	buf_done(text);
	assert_int_equal(pushes_answer(&pushes, out, text), 0);
}

static void
reads_a_push(void **state)
{
	(void)state;
	begin();
	add_text("shallow " A);
	add(Z, A, "refs/heads/master", CAPS);
	end();
	assert_true(pushes.has_sideband && pushes.has_report && !pushes.is_atomic);
	assert_int_equal(pushes.n_commands, 1);
	assert_true(pushes_may_pass(&pushes));
	begin();
	add(Z, A, "refs/heads/main\n", NULL);
	end();
	assert_false(pushes.has_sideband || pushes.has_report);
	assert_true(pushes.has_main && pushes_may_pass(&pushes));
	/* Nothing to do: git ends by itself. */
	begin();
	end();
	assert_true(pushes_may_pass(&pushes));
	/* SHA-256 */
	begin();
	add(Z "000000000000000000000000", A "aaaaaaaaaaaaaaaaaaaaaaaa", "refs/heads/main",
	    " report-status-v2 object-format=sha256");
	end();
	assert_true(pushes.has_report && pushes_may_pass(&pushes));
	/* A signed one is git's to check. */
	begin();
	assert_int_equal(pktline_add(&wire, "push-cert\0 side-band-64k", 24), 0);
	add_text("certificate version 0.1\n");
	add_text("whatever\n");
	add_text("push-cert-end\n");
	end();
	assert_true(pushes.has_certificate && pushes_may_pass(&pushes));
}

static void
judges_refs(void **state)
{
	static const struct {
		const char *refs[4]; /* "-" in front: deleted */
		bool is_atomic, may_pass;
	} cases[] = {
		{{"refs/heads/master"}, false, true},
		{{"refs/heads/main"}, false, true},
		{{"refs/tags/v1"}, false, true},
		{{"refs/heads/feature"}, false, false},
		{{"refs/heads/mainly"}, false, false},
		{{"refs/heads/master/x"}, false, false},
		{{"refs/notes/commits"}, false, false},
		{{"refs/tags/"}, false, false},
		{{"HEAD"}, false, false},
		{{"-refs/heads/master"}, false, false},
		{{"-refs/tags/v1"}, false, false},
		{{"refs/heads/main", "refs/heads/master"}, false, false},
		{{"refs/heads/main", "refs/heads/master", "refs/tags/v1"}, false, true},
		{{"refs/heads/main", "refs/heads/feature"}, false, true},
		{{"refs/tags/v1", "refs/heads/feature"}, false, true},
		{{"-refs/heads/x", "refs/heads/feature"}, false, false},
		{{"refs/heads/main", "refs/tags/v1"}, true, true},
		{{"refs/heads/main", "refs/heads/feature"}, true, false},
		{{"refs/heads/main", "refs/heads/master", "refs/tags/v1"}, true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin();
		for (size_t j = 0; j < 4 && cases[i].refs[j]; j++) {
			const char *ref = cases[i].refs[j];
			bool is_deleted = ref[0] == '-';

			add(B, is_deleted ? Z : A, ref + is_deleted,
			    j			 ? NULL
			    : cases[i].is_atomic ? CAPS " atomic"
						 : CAPS);
		}
		end();
		assert_int_equal(pushes_may_pass(&pushes), cases[i].may_pass);
	}
}

static void
answers_as_git_reads(void **state)
{
	AUTO_BUF struct buf out, text;

	(void)state;
	buf_init(&out, 1 << 20);
	buf_init(&text, 1 << 20);
	begin();
	add(Z, A, "refs/heads/feature", CAPS);
	add(B, Z, "refs/heads/old", NULL);
	end();
	answer(&out, &text);
	assert_string_equal(
		buf_text(&out),
		"00b2\2paas: only main and master deploy; to deploy feature use: git push platform "
		"feature:master\n"
		"paas: old is not deleted; what was pushed stays (to remove the app: paas "
		"destroy)\n"
		"0077\1"
		"000eunpack ok\n"
		"0036ng refs/heads/feature only main and master deploy\n"
		"002ang refs/heads/old deleting is refused\n"
		"0000"
		"0000");
	assert_int_equal(text.len, 0);

	/* No side-band: sentences travel beside. No report: only they do. */
	begin();
	add(Z, A, "refs/heads/feature", " report-status");
	end();
	answer(&out, &text);
	assert_string_equal(buf_text(&out),
			    "000eunpack ok\n0036ng refs/heads/feature only main and "
			    "master deploy\n0000");
	assert_non_null(strstr(buf_text(&text), "git push platform feature:master\n"));
	begin();
	add(Z, A, "refs/heads/feature", " agent=x");
	end();
	answer(&out, &text);
	assert_int_equal(out.len, 0);
	assert_non_null(strstr(buf_text(&text), "git push platform feature:master\n"));

	/* A name is no command for the terminal. */
	begin();
	add(Z, A, "refs/heads/\033[2Jx", " agent=x");
	end();
	answer(&out, &text);
	assert_null(strchr(buf_text(&text), '\033'));

	begin();
	add(Z, A, "refs/heads/main", CAPS);
	add(Z, A, "refs/heads/master", NULL);
	end();
	answer(&out, &text);
	assert_non_null(strstr(buf_text(&out), "ng refs/heads/main push main or master, not both"));
	assert_non_null(
		strstr(buf_text(&out), "ng refs/heads/master push main or master, not both"));
	assert_non_null(strstr(buf_text(&out), "paas: main and master both deploy this app"));

	begin();
	add(Z, A, "refs/heads/main", CAPS " atomic");
	add(Z, A, "refs/heads/x", NULL);
	end();
	answer(&out, &text);
	assert_non_null(strstr(buf_text(&out), "ng refs/heads/main atomic push failure"));
}

static void
says_little_about_many(void **state)
{
	AUTO_BUF struct buf out, text;

	(void)state;
	buf_init(&out, 1 << 20);
	buf_init(&text, 1 << 20);
	begin();
	for (int i = 0; i < 3000; i++) {
		char ref[40];

		(void)snprintf(ref, sizeof(ref), "refs/heads/b%d", i);
		add(Z, A, ref, i ? NULL : CAPS);
	}
	assert_int_equal(pktline_add_flush(&wire), 0);
	assert_int_equal(buf_add(&wire, "PACK", 4), 0);
	assert_int_equal(feed(1000), 1);
	answer(&out, &text);
	assert_non_null(strstr(buf_text(&out), "paas: and 2990 more refs were refused\n"));
	assert_non_null(strstr(buf_text(&out), "ng refs/heads/b2999 "));
	/* Every packet is one: the bands, and what is in band 1. */
	for (size_t at = 0; at < out.len;) {
		const char *payload;
		size_t n;
		long len = pktline_next(out.data + at, out.len - at, &payload, &n);

		assert_true(len >= 4);
		assert_true(!payload || payload[0] == 1 || payload[0] == 2);
		at += (size_t)len;
	}
}

static void
refuses_what_is_no_push(void **state)
{
	static const char *const lines[] = {
		"nonsense",
		Z " " A,
		Z " " A " ",
		Z "  " A " refs/heads/x",
		"0000 1111 refs/heads/x",
		Z " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA refs/heads/x",
		"shallow",
		"",
	};
	static const char *const raw[] = {"xxxx", "0001", "0003", "ffff", "00 4", "+004"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		begin();
		add_text(lines[i]);
		assert_int_equal(feed(7), -EBADMSG);
	}
	for (size_t i = 0; i < sizeof(raw) / sizeof(*raw); i++) {
		begin();
		assert_int_equal(buf_add_string(&wire, raw[i]), 0);
		assert_int_equal(feed(3), -EBADMSG);
	}
	/* shallow lines come first */
	begin();
	add(Z, A, "refs/heads/main", CAPS);
	add_text("shallow " A);
	assert_int_equal(feed(100), -EBADMSG);
	/* Endless ones */
	begin();
	while (wire.len <= PUSHES_MAX_BYTES)
		add(Z, A, "refs/heads/main", NULL);
	assert_int_equal(feed(100000), -E2BIG);
	/* Much pack behind few commands is fine. */
	begin();
	add(Z, A, "refs/heads/main", CAPS);
	assert_int_equal(pktline_add_flush(&wire), 0);
	while (wire.len <= PUSHES_MAX_BYTES)
		assert_int_equal(buf_add_string(&wire, "PACK"), 0);
	assert_int_equal(feed(wire.len), 1);
}

static void
survives_missing_memory(void **state)
{
	(void)state;
	pushes_done(&pushes);
	begin();
	add(Z, A, "refs/heads/feature", CAPS);
	assert_int_equal(pktline_add_flush(&wire), 0);
	ALLOC_LOOP(i)
	{
		size_t used;
		int ret;

		pushes_init(&pushes);
		ret = pushes_feed(&pushes, wire.data, wire.len, &used, &err);
		assert_true(ret == 1 || ret == -ENOMEM);
		pushes_done(&pushes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_push),
		cmocka_unit_test(judges_refs),
		cmocka_unit_test(answers_as_git_reads),
		cmocka_unit_test(says_little_about_many),
		cmocka_unit_test(refuses_what_is_no_push),
		cmocka_unit_test(survives_missing_memory),
	};
	int ret;

	ret = cmocka_run_group_tests(tests, NULL, NULL);

	pushes_done(&pushes);
	buf_done(&wire);
	return ret;
}

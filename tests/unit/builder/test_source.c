/* Trees as git makes them, and trees that only an attacker makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/builder/driver.h"

#include "lib/buf.h"

#include "builder/ignore.h"
#include "builder/source.h"

static struct fixture fx;
static struct err err;
static struct source_report report;
static struct source_budget budget;

static int
setup(void **state)
{
	(void)state;
	fixture_init(&fx);
	budget = (struct source_budget){1000, 1 << 20, 1000, 1 << 20};
	report = (struct source_report){0};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	source_report_done(&report);
	fixture_done(&fx);
	return 0;
}

/* Writes `hex` into an empty out/. */
static int
write_commit(const char *hex, const struct ignore *ignore)
{
	struct source *source = NULL;
	char objects[128], out[128];
	int ret, fd;

	assert_int_equal(sh(&fx, "rm -rf out && mkdir out"), 0);
	source_report_done(&report);
	(void)snprintf(objects, sizeof(objects), "%s/repo.git/objects", fx.dir);
	(void)snprintf(out, sizeof(out), "%s/out", fx.dir);
	ret = source_open(objects, NULL, hex, &source, &err);
	if (ret < 0)
		return ret;
	fd = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = source_write(source, fd, "", ignore, &budget, &report, &err);
	(void)close(fd);
	source_close(source);
	return ret;
}

static int
write_head(const struct ignore *ignore)
{
	char hex[64];

	(void)snprintf(hex, sizeof(hex), "%s", sh_line(&fx, "git -C work rev-parse HEAD"));
	return write_commit(hex, ignore);
}

/* ---- trees by hand ------------------------------------------------------------------------- */

struct raw {
	unsigned char bytes[4096];
	size_t n;
};

/* "MODE NAME\0ID" */
static void
raw_add(struct raw *raw, const char *mode, const char *name, const char *hex)
{
	raw->n += (size_t)sprintf((char *)raw->bytes + raw->n, "%s %s", mode, name) + 1;
	for (int i = 0; i < 20; i++) {
		char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

		raw->bytes[raw->n++] = (unsigned char)strtoul(digits, NULL, 16);
	}
}

/* Stores it without any check of git's, and a commit of it; the commit's hex. */
static const char *
raw_commit(const struct raw *raw)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/raw", fx.dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(raw->bytes, 1, raw->n, f), raw->n);
	(void)fclose(f);
	return sh_line(&fx, "cd repo.git && printf 'tree %s\\nauthor a <a@b> 1700000000 +0000\\n"
			    "committer a <a@b> 1700000000 +0000\\n\\nx\\n' "
			    "$(git hash-object -t tree -w --literally ../raw) > ../raw2 && "
			    "git hash-object -t commit -w --literally ../raw2");
}

static const char *
blob(const char *text)
{
	static char hex[64];
	char command[256];

	(void)snprintf(command, sizeof(command),
		       "printf '%s' | git -C repo.git hash-object -w --stdin", text);
	(void)snprintf(hex, sizeof(hex), "%s", sh_line(&fx, command));
	return hex;
}

static void
assert_refused(const struct raw *raw, const char *why)
{
	assert_true(write_commit(raw_commit(raw), NULL) < 0);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
}

/* ---- tests --------------------------------------------------------------------------------- */

static void
test_modes(void **state)
{
	(void)state;
	assert_int_equal(sh(&fx, "cd work && mkdir -p a/b 'sp ace' && echo run > a/run && "
				 "chmod 755 a/run && echo plain > a/b/plain && "
				 "ln -s ../a/b link && ln -s /etc/passwd 'sp ace/abs' && "
				 "printf '\\0\\1' > bin && : > empty && "
				 "printf x > \"$(printf 'n\\303\\251\\377')\""),
			 0);
	commit(&fx);
	assert_int_equal(write_head(NULL), 0);
	assert_string_equal(sh_line(&fx, "diff -r --no-dereference work out -x .git | wc -l"), "0");
	assert_string_equal(sh_line(&fx, "cd out && stat -c %a a/run a/b/plain a sp\\ ace | "
					 "tr '\\n' ' '"),
			    "755 644 755 755 ");
	assert_string_equal(sh_line(&fx, "readlink out/link"), "../a/b");
	assert_string_equal(sh_line(&fx, "readlink 'out/sp ace/abs'"), "/etc/passwd");
	assert_string_equal(sh_line(&fx, "stat -c %Y out/a/run"), "1700000000");
	assert_int_equal(report.n_links, 0);
}

static void
test_shallow(void **state)
{
	(void)state;
	assert_int_equal(sh(&fx, "cd work && echo 1 > f"), 0);
	commit(&fx);
	assert_int_equal(sh(&fx, "cd work && echo 2 > f"), 0);
	commit(&fx);
	assert_int_equal(sh(&fx, "git clone -q --bare --depth 1 file://$PWD/repo.git s.git && "
				 "rm -rf repo.git && mv s.git repo.git"),
			 0);
	assert_int_equal(write_head(NULL), 0);
	assert_string_equal(sh_line(&fx, "cat out/f"), "2");
}

/* Deltas in packs, alternates of the repository: whatever git reads, we read. */
static void
test_packed(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sh(&fx, "seq %d 5000 > work/f", i), 0);
		commit(&fx);
	}
	assert_int_equal(sh(&fx, "git -C repo.git repack -q -a -d -f"), 0);
	assert_string_equal(sh_line(&fx, "ls repo.git/objects | tr '\\n' ' '"), "info pack ");
	assert_int_equal(write_head(NULL), 0);
	assert_string_equal(sh_line(&fx, "cmp work/f out/f && echo same"), "same");
}

static void
test_not_a_commit(void **state)
{
	char hex[64];

	(void)state;
	commit(&fx);
	assert_true(write_commit("0123456789012345678901234567890123456789", NULL) < 0);
	assert_non_null(strstr(err.text, "is not in the repository"));
	assert_true(write_commit("xyz", NULL) < 0);
	assert_non_null(strstr(err.text, "is no commit"));
	(void)snprintf(hex, sizeof(hex), "%s",
		       sh_line(&fx, "cd work && git tag -a -m x v1 && git push -q origin v1 && "
				    "git rev-parse v1"));
	assert_true(write_commit(hex, NULL) < 0);
	assert_non_null(strstr(err.text, "is a tag, not a commit: push the commit behind it"));
}

static void
test_hostile_names(void **state)
{
	static const char *const names[] = {".git", ".GIT",  "..",    ".",
					    "a/b",  "git~1", ".git ", ".g\xe2\x80\x8cit"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct raw raw = {0};

		raw_add(&raw, "100644", names[i], blob("x"));
		assert_refused(&raw,
			       "The commit cannot be checked out: in the folder \"/\" there is");
	}
}

/* A link, and a folder of the same name behind it: what would be written lands elsewhere. */
static void
test_write_through_link(void **state)
{
	struct raw inner = {0}, raw = {0};
	char tree[64];

	(void)state;
	raw_add(&inner, "100644", "f", blob("owned"));
	(void)raw_commit(&inner);
	(void)snprintf(
		tree, sizeof(tree), "%s",
		sh_line(&fx, "git -C repo.git hash-object -t tree --literally --stdin < raw"));
	raw_add(&raw, "120000", "a", blob("../victim"));
	raw_add(&raw, "40000", "a", tree);
	assert_int_equal(sh(&fx, "mkdir victim"), 0);
	assert_refused(&raw, "The commit holds a more than once.");
	assert_string_equal(sh_line(&fx, "ls victim | wc -l"), "0");
}

static void
test_duplicates(void **state)
{
	struct raw raw = {0};

	(void)state;
	raw_add(&raw, "100644", "a", blob("1"));
	raw_add(&raw, "100644", "a", blob("2"));
	assert_refused(&raw, "The commit holds a more than once.");
}

static void
test_odd_entries(void **state)
{
	struct raw raw = {0};

	(void)state;
	raw_add(&raw, "100644", "gone", "0123456789012345678901234567890123456789");
	assert_refused(&raw, "The content of gone is not in the repository.");
	raw.n = 0;
	raw_add(&raw, "40000", "gone", "0123456789012345678901234567890123456789");
	assert_refused(&raw, "The folder gone is not in the repository.");
	raw.n = 0;
	raw_add(&raw, "120000", "link", blob(""));
	assert_refused(&raw, "The symbolic link link leads nowhere.");
	raw.n = 0;
	raw_add(&raw, "120000", ".gitmodules", blob("x"));
	assert_refused(&raw, ".gitmodules must not be a symbolic link.");
	raw.n = 0;
	raw_add(&raw, "20666", "dev", blob("x"));
	assert_refused(&raw, "dev has the mode 20666");
	raw.n = 0;
	raw_add(&raw, "104755", "setuid", blob("x"));
	assert_int_equal(write_commit(raw_commit(&raw), NULL), 0);
	assert_string_equal(sh_line(&fx, "stat -c %a out/setuid"), "755");
}

static void
test_limits(void **state)
{
	struct raw raw = {0};
	char tree[64];

	(void)state;
	assert_int_equal(sh(&fx, "cd work && touch 1 2 3 && head -c 5000 /dev/zero > big"), 0);
	commit(&fx);
	budget.entries = budget.max_entries = 3;
	assert_true(write_head(NULL) < 0);
	assert_string_equal(err.text, "The source has more than 3 files and folders.");
	budget = (struct source_budget){1000, 4096, 1000, 4096};
	assert_true(write_head(NULL) < 0);
	assert_string_equal(err.text, "The source is larger than 4K without its history.");

	/* A folder in a folder in a folder, far too often. */
	budget = (struct source_budget){1000, 4096, 1000, 4096};
	raw_add(&raw, "100644", "f", blob("x"));
	(void)raw_commit(&raw);
	for (int i = 0; i <= SOURCE_MAX_DEPTH; i++) {
		(void)snprintf(tree, sizeof(tree), "%s",
			       sh_line(&fx, "git -C repo.git hash-object -t tree --literally -w "
					    "--stdin < raw"));
		raw.n = 0;
		raw_add(&raw, "40000", "d", tree);
		char path[128];
		(void)snprintf(path, sizeof(path), "%s/raw", fx.dir);
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(raw.bytes, 1, raw.n, f), raw.n);
		(void)fclose(f);
	}
	assert_refused(&raw, "more than 100 folders deep");
}

static void
test_ignored_is_not_counted(void **state)
{
	struct ignore ignore;

	(void)state;
	assert_int_equal(sh(&fx, "cd work && mkdir -p d/e && echo > d/e/x && "
				 "head -c 5000 /dev/zero > big && echo keep > keep"),
			 0);
	commit(&fx);
	budget = (struct source_budget){2, 4096, 2, 4096};
	assert_int_equal(ignore_parse("big\nd/\n", 7, &ignore, NULL, &err), 0);
	assert_int_equal(write_head(&ignore), 0);
	ignore_done(&ignore);
	assert_int_equal(report.n_ignored, 2);
	assert_string_equal(sh_line(&fx, "ls out"), "keep");
}

static void
test_links_and_lfs(void **state)
{
	(void)state;
	assert_int_equal(sh(&fx,
			    "cd work && git update-index --add --cacheinfo "
			    "160000,0123456789012345678901234567890123456789,lib/sub && "
			    "printf 'version https://git-lfs.github.com/spec/v1\\noid x\\n' > l"
			    " && git add l && git commit -q -m x && git push -q origin main"),
			 0);
	assert_int_equal(write_head(NULL), 0);
	assert_int_equal(report.n_links, 1);
	assert_string_equal(report.links[0].path, "lib/sub");
	assert_string_equal(report.links[0].commit, "0123456789012345678901234567890123456789");
	assert_string_equal(sh_line(&fx, "ls -A out/lib/sub | wc -l"), "0");
	assert_int_equal(report.n_lfs, 1);
}

static void
test_read(void **state)
{
	struct source *source = NULL;
	char objects[128], hex[64];
	struct buf text;

	(void)state;
	assert_int_equal(sh(&fx, "cd work && echo hello > f && mkdir d && touch d/x"), 0);
	commit(&fx);
	(void)snprintf(hex, sizeof(hex), "%s", sh_line(&fx, "git -C work rev-parse HEAD"));
	(void)snprintf(objects, sizeof(objects), "%s/repo.git/objects", fx.dir);
	assert_int_equal(source_open(objects, NULL, hex, &source, &err), 0);
	buf_init(&text, 6);
	assert_int_equal(source_read(source, "f", &text, &err), 0);
	assert_string_equal(buf_text(&text), "hello\n");
	assert_int_equal(source_read(source, "d", &text, &err), -ENOENT);
	assert_int_equal(source_read(source, "none", &text, &err), -ENOENT);
	assert_int_equal(source_read(source, "f", &text, &err), -ENOBUFS);
	assert_string_equal(err.text, "f is larger than 6 bytes.");
	assert_int_equal(source_time(source), 1700000000);
	buf_done(&text);
	source_close(source);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(modes),	     TEST(shallow),
		TEST(packed),	     TEST(not_a_commit),
		TEST(hostile_names), TEST(write_through_link),
		TEST(duplicates),    TEST(odd_entries),
		TEST(limits),	     TEST(ignored_is_not_counted),
		TEST(links_and_lfs), TEST(read),
	};

	(void)start_builder;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

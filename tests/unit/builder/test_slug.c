/* Slugs: what goes in comes out, and what should not come out does not. */
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/builder/driver.h"

#include "builder/slug.h"
#include "builder/unpack.h"

static struct fixture fx;
static struct err err;
static struct slug slug;

static int
setup(void **state)
{
	(void)state;
	fixture_init(&fx);
	return sh(&fx, "mkdir in out");
}

static int
teardown(void **state)
{
	(void)state;
	fixture_done(&fx);
	return 0;
}

static int
open_dir(const char *name)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", fx.dir, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int
pack(uint64_t max_bytes, uint64_t max_content)
{
	int in = open_dir("in");
	int out = open(fx.slug, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int ret = slug_pack(in, out, 1700000000, max_bytes, max_content, &slug, &err);

	(void)close(in);
	(void)close(out);
	return ret;
}

static int
unpack(uint64_t max)
{
	int out = open_dir("out");
	int in = open(fx.slug, O_RDONLY | O_CLOEXEC);
	int ret = unpack_slug(in, out, max, &err);

	(void)close(in);
	(void)close(out);
	return ret;
}

static void
test_round_trip(void **state)
{
	(void)state;
	assert_int_equal(
		sh(&fx,
		   "cd in && mkdir -p a/b .profile.d empty && echo x > a/b/f && echo run > r && "
		   "chmod 755 r && chmod 600 a/b/f && ln -s a/b l && ln -s /nowhere dangling && "
		   "printf z > \"$(printf 'n\\303\\251')\" && printf z > \"$(printf 'b\\377')\" && "
		   "d=$(printf 'long%%.0s' $(seq 50)) && mkdir -p $d/$d && echo deep > $d/$d/f && "
		   "head -c 300000 /dev/urandom > random && ln a/b/f hard && : > zero && "
		   "truncate -s 5000000 sparse && ln -s $(printf 'x%%.0s' $(seq 300)) longlink"),
		0);
	assert_int_equal(pack(100 << 20, 0), 0);
	assert_int_equal(unpack(1 << 30), 0);
	assert_string_equal(sh_line(&fx, "diff -r --no-dereference in out && echo same"), "same");
	assert_string_equal(sh_line(&fx, "cd out && stat -c %a r a/b/f hard empty | tr '\\n' ' '"),
			    "755 600 600 755 ");
	assert_string_equal(sh_line(&fx, "stat -c %Y out/r"), "1700000000");
	/* GNU tar agrees about all of it. */
	assert_int_equal(sh(&fx, "mkdir tar && zstd -dqc slug | tar xf - -C tar"), 0);
	assert_string_equal(sh_line(&fx, "diff -r --no-dereference in tar/app && echo same"),
			    "same");
}

static void
test_same_digest(void **state)
{
	char first[65];

	(void)state;
	assert_int_equal(sh(&fx, "cd in && for i in 3 1 2; do mkdir d$i; echo $i > d$i/f; done"),
			 0);
	assert_int_equal(pack(1 << 20, 0), 0);
	(void)snprintf(first, sizeof(first), "%s", slug.sha256);
	/* Other owners, times and order on disk; git's own folder and a socket. */
	assert_int_equal(sh(&fx, "rm -rf in && mkdir in && cd in && for i in 2 3 1; do mkdir d$i; "
				 "echo $i > d$i/f; touch -d 2001-01-01 d$i/f d$i; done; "
				 "mkdir -p .git d1/.git && touch .git/x d1/.git/y; mkfifo p; "
				 "chown -R 1000:1000 d2"),
			 0);
	assert_int_equal(pack(1 << 20, 0), 0);
	assert_string_equal(slug.sha256, first);
	assert_int_equal(slug.n_skipped, 1);
}

static void
test_unreadable(void **state)
{
	(void)state;
	assert_int_equal(sh(&fx, "cd in && echo x > f && mkdir d && echo y > d/f && chmod 000 f d"),
			 0);
	assert_int_equal(pack(1 << 20, 0), 0);
	assert_int_equal(unpack(1 << 20), 0);
	assert_string_equal(sh_line(&fx, "cd out && stat -c %a f d | tr '\\n' ' '"), "600 700 ");
}

static void
test_limits(void **state)
{
	(void)state;
	assert_int_equal(sh(&fx, "head -c 100000 /dev/urandom > in/f"), 0);
	assert_int_equal(pack(50000, 0), 1);
	assert_in_range(slug.bytes, 100000, 101000);
	assert_string_equal(sh_line(&fx, "stat -c %s slug"), "0");
	assert_int_equal(pack(200000, 99999), -EFBIG);
	assert_int_equal(pack(200000, 100000), 0);
	assert_int_equal(unpack(99999), -EFBIG);
	assert_non_null(strstr(err.text, "larger than a slug may be"));
}

static void
test_full_server_disk(void **state)
{
	int in = open_dir("in");
	int out = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(slug_pack(in, out, 0, 1 << 20, 0, &slug, &err), -ENOSPC);
	assert_string_equal(err.text, "The slug could not be written to the server's disk: "
				      "No space left on device");
	(void)close(in);
	(void)close(out);
}

/* ---- slugs by hand ------------------------------------------------------------------------- */

struct item {
	const char *path;
	unsigned type, mode;
	const char *link, *hard, *text;
};

static void
craft(const struct item *items, size_t n)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();

	assert_int_equal(archive_write_add_filter_zstd(a), ARCHIVE_OK);
	assert_int_equal(archive_write_set_format_pax_restricted(a), ARCHIVE_OK);
	assert_int_equal(archive_write_open_filename(a, fx.slug), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		const char *text = items[i].text ? items[i].text : "";

		(void)archive_entry_clear(e);
		archive_entry_set_pathname(e, items[i].path);
		archive_entry_set_filetype(e, items[i].type);
		archive_entry_set_perm(e, (mode_t)items[i].mode);
		archive_entry_set_size(e, (int64_t)strlen(text));
		if (items[i].link)
			archive_entry_set_symlink(e, items[i].link);
		if (items[i].hard)
			archive_entry_set_hardlink(e, items[i].hard);
		assert_true(archive_write_header(a, e) >= ARCHIVE_WARN);
		if (*text)
			assert_int_equal(archive_write_data(a, text, strlen(text)), strlen(text));
	}
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	(void)archive_write_free(a);
	archive_entry_free(e);
}

#define CRAFT(...)                                                                                 \
	craft((const struct item[]){__VA_ARGS__},                                                  \
	      sizeof((const struct item[]){__VA_ARGS__}) / sizeof(struct item))

static void
assert_refused(const char *why)
{
	assert_true(unpack(1 << 20) < 0);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
	assert_string_equal(sh_line(&fx, "ls -A victim | wc -l"), "0");
	assert_int_equal(sh(&fx, "rm -rf out && mkdir out"), 0);
}

static void
test_hostile_slugs(void **state)
{
	char path[128];

	(void)state;
	assert_int_equal(sh(&fx, "mkdir victim"), 0);
	(void)snprintf(path, sizeof(path), "%s/victim/f", fx.dir);
	CRAFT({path, AE_IFREG, 0644, NULL, NULL, "x"});
	assert_refused("is no path of a slug");
	CRAFT({"./app/../victim/f", AE_IFREG, 0644, NULL, NULL, "x"});
	assert_refused("is no path of a slug");
	CRAFT({"app/x/../../victim/f", AE_IFREG, 0644, NULL, NULL, "x"});
	assert_refused("is no path of a slug");
	CRAFT({"./application/f", AE_IFREG, 0644, NULL, NULL, "x"});
	assert_refused("is no path of a slug");
	CRAFT({"./app/a//b", AE_IFREG, 0644, NULL, NULL, "x"});
	assert_refused("is no path of a slug");
	CRAFT({"./app", AE_IFREG, 0644, NULL, NULL, "x"});
	assert_refused("./app is no folder");
	CRAFT({"./app/l", AE_IFLNK, 0777, "../victim", NULL, NULL},
	      {"./app/l/f", AE_IFREG, 0644, NULL, NULL, "x"});
	assert_refused("open the folder of l/f");
	CRAFT({"./app/d", AE_IFDIR, 0755, NULL, NULL, NULL},
	      {"./app/l", AE_IFLNK, 0777, "d", NULL, NULL},
	      {"./app/l/f", AE_IFREG, 0644, NULL, NULL, "x"});
	assert_refused("open the folder of l/f");
	(void)snprintf(path, sizeof(path), "%s/victim/f", fx.dir);
	CRAFT({"./app/l", AE_IFLNK, 0777, path, NULL, NULL},
	      {"./app/l", AE_IFREG, 0644, NULL, NULL, "x"});
	assert_refused("make ./app/l: File exists");
	CRAFT({"./app/l", AE_IFLNK, 0777, "../victim", NULL, NULL},
	      {"./app/l", AE_IFDIR, 0755, NULL, NULL, NULL});
	assert_refused("make the folder ./app/l");
	CRAFT({"./app/h", AE_IFREG, 0644, NULL, "/etc/passwd", NULL});
	assert_refused("is a hard link");
	CRAFT({"./app/dev", AE_IFCHR, 0666, NULL, NULL, NULL});
	assert_refused("is neither file nor folder nor link");
	CRAFT({"./app/pipe", AE_IFIFO, 0666, NULL, NULL, NULL});
	assert_refused("is neither file nor folder nor link");
	CRAFT({"./app/none/f", AE_IFREG, 0644, NULL, NULL, "x"});
	assert_refused("open the folder of none/f");
}

static void
test_no_special_bits(void **state)
{
	(void)state;
	CRAFT({"./app/f", AE_IFREG, 06755, NULL, NULL, "x"},
	      {"./app/d", AE_IFDIR, 07777, NULL, NULL, NULL});
	assert_int_equal(unpack(1 << 20), 0);
	assert_string_equal(sh_line(&fx, "cd out && stat -c %a f d | tr '\\n' ' '"), "755 755 ");
}

static void
test_damaged(void **state)
{
	(void)state;
	assert_int_equal(sh(&fx, "victim= && mkdir victim && head -c 100000 /dev/urandom > in/f"),
			 0);
	assert_int_equal(pack(1 << 20, 0), 0);
	assert_int_equal(sh(&fx, "truncate -s 50000 slug"), 0);
	assert_refused("the slug cannot be read");
	assert_int_equal(sh(&fx, "head -c 5000 /dev/urandom > slug"), 0);
	assert_refused("the slug cannot be read");
	assert_int_equal(sh(&fx, ": > slug"), 0);
	assert_refused("the slug");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(round_trip),	TEST(same_digest),   TEST(unreadable),	    TEST(limits),
		TEST(full_server_disk), TEST(hostile_slugs), TEST(no_special_bits), TEST(damaged),
	};

	(void)start_builder;
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	(void)umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

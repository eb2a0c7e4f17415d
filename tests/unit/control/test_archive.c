/* Archives on disk: they get their name when they are whole, and left-overs do no harm. */
#include "tests/unit/control/fixture.h"

#include "daemon/control/archive.h"
#include "daemon/control/push_mark.h"

static int
set_up(void **state)
{
	(void)fixture_set_up(state);
	assert_int_equal(mkdir("slugs", 0700), 0);
	assert_int_equal(mkdir("slugs/hello", 0700), 0);
	return 0;
}

static bool
exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void
an_archive_is_whole_or_not_there(void **state)
{
	char text[8] = "";
	int fd = archive_create("hello", 3, &err);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "slug", 4), 4);
	assert_true(exists("slugs/hello/3.tar.zst.tmp"));
	assert_true(archive_open("hello", 3, &err) < 0);
	assert_int_equal(archive_publish("hello", 3, fd, 5, &err), -EBADMSG);
	assert_says("4 bytes");
	assert_false(exists("slugs/hello/3.tar.zst"));
	assert_int_equal(archive_publish("hello", 3, fd, 4, &err), 0);
	(void)close(fd);
	assert_false(exists("slugs/hello/3.tar.zst.tmp"));
	fd = archive_open("hello", 3, &err);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	assert_string_equal(text, "slug");
	(void)close(fd);
	archive_remove("hello", 3);
	archive_remove("hello", 3);
	assert_false(exists("slugs/hello/3.tar.zst"));
}

static void
leftovers_and_links_are_replaced(void **state)
{
	(void)state;
	assert_int_equal(symlink("/etc/passwd", "slugs/hello/1.tar.zst.tmp"), 0);
	int fd = archive_create("hello", 1, &err);

	assert_true(fd >= 0);
	(void)close(fd);
	struct stat st;

	assert_int_equal(lstat("slugs/hello/1.tar.zst.tmp", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(symlink("/etc/passwd", "slugs/hello/2.tar.zst"), 0);
	assert_int_equal(archive_open("hello", 2, &err), -ELOOP);
	archive_remove("hello", 1);
	assert_false(exists("slugs/hello/1.tar.zst.tmp"));
}

static void
an_empty_archive_is_none(void **state)
{
	int fd = archive_create("hello", 1, &err);

	(void)state;
	assert_int_equal(archive_publish("hello", 1, fd, 0, &err), -EBADMSG);
	(void)close(fd);
}

static void
an_app_without_files_says_so(void **state)
{
	(void)state;
	assert_int_equal(archive_create("nosuch", 1, &err), -ENOENT);
	assert_says("slugs/nosuch");
	assert_int_equal(archive_open("nosuch", 1, &err), -ENOENT);
	assert_int_equal(archive_publish("nosuch", 1, 0, 1, &err), -ENOENT);
	archive_remove("nosuch", 1);
	/* Nor does a name lead out of slugs/. */
	assert_true(archive_open("../..", 1, &err) < 0);
}

static void
a_mark_remembers_ref_and_version(void **state)
{
	(void)state;
	int64_t mark = push_mark_of("refs/heads/main", 1234567);

	assert_string_equal(push_mark_ref(mark), "refs/heads/main");
	assert_int_equal(push_mark_version(mark), 1234567);
	assert_string_equal(push_mark_ref(push_mark_of("refs/heads/master", 1)),
			    "refs/heads/master");
	assert_int_equal(push_mark_of("refs/heads/other", 1), 0);
	assert_null(push_mark_ref(0));
	assert_null(push_mark_ref(-1));
	assert_null(push_mark_ref(7));
	assert_int_equal(push_mark_get(store, 5), 0);
	assert_int_equal(push_mark_set(store, 5, mark, &err), 0);
	fixture_reopen();
	assert_int_equal(push_mark_get(store, 5), mark);
	assert_int_equal(push_mark_get(store, 6), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_archive_is_whole_or_not_there), TEST(leftovers_and_links_are_replaced),
		TEST(an_empty_archive_is_none),		TEST(an_app_without_files_says_so),
		TEST(a_mark_remembers_ref_and_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

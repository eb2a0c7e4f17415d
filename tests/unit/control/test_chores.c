/* Chores: each answer finds its question, once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/err.h"
#include "tests/unit/lib/alloc.h"

#include "daemon/control/chores.c"

static struct chores chores;
static struct msg last;
static unsigned n_sent, n_done;
static int last_code;
static char last_why[64];

static int
send_message(void *user, struct msg *m)
{
	assert_ptr_equal(user, &chores);
	last.type = m->type;
	memcpy(last.bytes, m->out.data, m->out.len);
	wire_read_init(&last.in, last.bytes, m->out.len);
	n_sent++;
	return 0;
}

static void
on_done(void *user, int code, const struct err *why)
{
	assert_ptr_equal(user, &last);
	n_done++;
	last_code = code;
	memcpy(last_why, why->text, sizeof(last_why) - 1);
}

static int
set_up(void **state)
{
	(void)state;
	n_sent = n_done = 0;
	chores_init(&chores, send_message, &chores);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	chores_done(&chores);
	return 0;
}

static void
answer(uint32_t token, uint32_t code, const char *why)
{
	struct msg m;
	struct wire_writer w;

	wire_write_init(&w, m.bytes, sizeof(m.bytes));
	wire_put_u32(&w, token);
	wire_put_u32(&w, code);
	if (why != NULL)
		wire_put_str(&w, why);
	wire_read_init(&m.in, m.bytes, w.len);
	chores_hear(&chores, &m);
}

static void
questions_are_whole(void **state)
{
	char app[32];

	(void)state;
	uint32_t token = chores_create_app(&chores, "hello", 5000, 6000, on_done, &last);

	assert_int_equal(last.type, MSG_APP_CREATE);
	assert_int_equal(wire_get_u32(&last.in), token);
	wire_get_str(&last.in, app, sizeof(app));
	assert_string_equal(app, "hello");
	assert_int_equal(wire_get_u32(&last.in), 5000);
	assert_int_equal(wire_get_u32(&last.in), 6000);
	assert_int_equal(wire_end(&last.in), 0);
	token = chores_remove_slug(&chores, "hello", 7, NULL, NULL);
	assert_int_equal(last.type, MSG_SLUG_REMOVE);
	assert_int_equal(wire_get_u32(&last.in), token);
	wire_get_str(&last.in, app, sizeof(app));
	assert_int_equal(wire_get_u32(&last.in), 7);
	assert_int_equal(wire_end(&last.in), 0);
	(void)chores_remove_app(&chores, "hello", NULL, NULL);
	assert_int_equal(last.type, MSG_APP_REMOVE);
}

static void
answers_find_their_question_once(void **state)
{
	uint32_t one = chores_remove_app(&chores, "a", on_done, &last);
	uint32_t two = chores_remove_app(&chores, "b", on_done, &last);

	(void)state;
	answer(two, ENOSPC, "no room");
	assert_int_equal(n_done, 1);
	assert_int_equal(last_code, -ENOSPC);
	assert_string_equal(last_why, "no room");
	answer(two, 0, "");
	answer(12345, 0, "");
	assert_int_equal(n_done, 1);
	answer(one, 0, "");
	assert_int_equal(n_done, 2);
	assert_int_equal(last_code, 0);
	/* Nonsense is a failure. */
	answer(chores_remove_app(&chores, "c", on_done, &last), 0, NULL);
	assert_int_equal(last_code, -EIO);
	answer(chores_remove_app(&chores, "d", on_done, &last), 99999, "");
	assert_int_equal(last_code, -EIO);
}

static void
who_went_away_is_not_told(void **state)
{
	uint32_t token = chores_remove_app(&chores, "a", on_done, &last);

	(void)state;
	chores_forget(&chores, token);
	chores_forget(&chores, 0);
	answer(token, 0, "");
	answer(chores_remove_app(&chores, "b", NULL, NULL), 0, "");
	assert_int_equal(n_done, 0);
}

static void
without_memory_nothing_is_asked(void **state)
{
	(void)state;
	alloc_left = 0;
	assert_int_equal(chores_remove_app(&chores, "a", on_done, &last), 0);
	alloc_left = 0;
	assert_int_equal(chores_create_app(&chores, "a", 1, 2, on_done, &last), 0);
	alloc_left = 0;
	assert_int_equal(chores_remove_slug(&chores, "a", 1, on_done, &last), 0);
	alloc_left = -1;
	assert_int_equal(n_sent, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(questions_are_whole),
		TEST(answers_find_their_question_once),
		TEST(who_went_away_is_not_told),
		TEST(without_memory_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

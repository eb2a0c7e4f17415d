/* The plan as data: what every kind of sandbox sees, and that nothing is writable by accident. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/err.h"
#include "daemon/supervisor/plan.h"

static struct stack stack;

static struct sandbox_order
order_of(enum sandbox_kind kind)
{
	struct sandbox_order order = {
		.id = 42,
		.kind = kind,
		.app = "hello",
		.label = "v3.web.1",
		.slug = 7,
		.memory_bytes = 64UL << 20,
	};

	return order;
}

static struct plan *
make(const struct sandbox_order *order)
{
	static struct plan plan;
	struct plan_input in = {
		.order = order,
		.stack = &stack,
		.view_names = {"memory", "cpu", "pids"},
		.n_views = 3,
	};
	struct err err = {0};

	if (plan_make(&in, &plan, &err) < 0)
		fail_msg("%s", err.text);
	return &plan;
}

/* The last operation of that type on a target, or NULL. */
static const struct plan_op *
find(const struct plan *plan, enum plan_type type, const char *target)
{
	const struct plan_op *found = NULL;

	for (size_t i = 0; i < plan->n; i++) {
		if (plan->ops[i].type == type && strcmp(plan->ops[i].target, target) == 0)
			found = &plan->ops[i];
	}
	return found;
}

/* One that must be there. */
static const struct plan_op *
get(const struct plan *plan, enum plan_type type, const char *target)
{
	static const struct plan_op none = {.text = "", .options = ""};
	const struct plan_op *op = find(plan, type, target);

	if (!op)
		fail_msg("there is no operation %d for /%s", (int)type, target);
	return op ? op : &none;
}

static void
assert_bind(const struct plan *plan, const char *target, enum plan_source source, const char *path,
	    unsigned flags)
{
	const struct plan_op *op = get(plan, PLAN_BIND, target);

	assert_int_equal(op->source, source);
	assert_string_equal(op->text, path);
	assert_int_equal(op->flags, flags);
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(stack.tops[0].name, "usr");
	strcpy(stack.tops[1].name, "bin");
	strcpy(stack.tops[1].link, "usr/bin");
	stack.n_tops = 2;
	strcpy(stack.etc[0].name, "ssl");
	stack.etc[0].is_dir = true;
	stack.n_etc = 1;
	return 0;
}

static void
the_root_comes_first_and_is_sealed_last(void **state)
{
	(void)state;
	for (int kind = 0; kind < SANDBOX_KINDS; kind++) {
		struct sandbox_order order = order_of((enum sandbox_kind)kind);
		const struct plan *plan = make(&order);

		assert_int_equal(plan->ops[0].type, PLAN_MOUNT);
		assert_string_equal(plan->ops[0].target, "");
		assert_string_equal(plan->ops[0].text, "tmpfs");
		assert_int_equal(plan->ops[plan->n - 1].type, PLAN_SEAL);
		assert_string_equal(plan->ops[plan->n - 1].target, "");
		assert_bind(plan, "usr", PLAN_STACK, "usr", PLAN_RECURSIVE);
		assert_string_equal(get(plan, PLAN_LINK, "bin")->text, "usr/bin");
		assert_bind(plan, "etc/ssl", PLAN_STACK, "etc/ssl", PLAN_OPTIONAL | PLAN_NOEXEC);
	}
}

/* Every mount has a place made for it before. */
static void
places_come_before_mounts(void **state)
{
	(void)state;
	for (int kind = 0; kind < SANDBOX_KINDS; kind++) {
		struct sandbox_order order = order_of((enum sandbox_kind)kind);
		const struct plan *plan = make(&order);

		for (size_t i = 1; i < plan->n; i++) {
			const struct plan_op *op = &plan->ops[i];
			bool has_place = false;

			if (op->type != PLAN_BIND && op->type != PLAN_MOUNT &&
			    op->type != PLAN_OVERLAY && op->type != PLAN_VIEW)
				continue;
			for (size_t j = 0; j < i; j++) {
				if ((plan->ops[j].type == PLAN_DIR ||
				     plan->ops[j].type == PLAN_TEXT) &&
				    strcmp(plan->ops[j].target, op->target) == 0)
					has_place = true;
			}
			if (!has_place)
				fail_msg("/%s has no place", op->target);
		}
	}
}

static void
only_the_named_are_writable(void **state)
{
	static const char *const always[] = {"", "dev", "dev/pts", "dev/shm", "proc", "tmp"};
	static const char *const own[SANDBOX_KINDS][2] = {
		[SANDBOX_APP] = {"app", NULL},
		[SANDBOX_BUILD] = {"app", "disk"},
		[SANDBOX_GIT] = {"repo", NULL},
		[SANDBOX_UNPACK] = {"slug", NULL},
	};

	(void)state;
	for (int kind = 0; kind < SANDBOX_KINDS; kind++) {
		struct sandbox_order order = order_of((enum sandbox_kind)kind);
		const struct plan *plan = make(&order);

		for (size_t i = 0; i < plan->n; i++) {
			const struct plan_op *op = &plan->ops[i];
			bool is_fine = !(op->flags & PLAN_WRITABLE);

			for (size_t j = 0; j < sizeof(always) / sizeof(*always); j++)
				is_fine |= strcmp(op->target, always[j]) == 0;
			for (size_t j = 0; j < 2; j++)
				is_fine |= own[kind][j] && strcmp(op->target, own[kind][j]) == 0;
			if (!is_fine)
				fail_msg("/%s is writable for %s", op->target,
					 sandbox_kind_name((enum sandbox_kind)kind));
		}
		/* Those of them that are ours are sealed once they are filled. */
		assert_non_null(find(plan, PLAN_SEAL, "dev"));
	}
}

static void
kinds_see_their_own(void **state)
{
	struct sandbox_order order = order_of(SANDBOX_APP);
	const struct plan *plan = make(&order);
	const struct plan_op *op = get(plan, PLAN_OVERLAY, "app");

	(void)state;
	assert_string_equal(op->text, "slugs/hello/7");
	assert_string_equal(op->options, "disks/hello/42");
	assert_null(find(plan, PLAN_BIND, "repo"));

	order = order_of(SANDBOX_BUILD);
	plan = make(&order);
	assert_bind(plan, "repo", PLAN_STATE, "repos/hello.git", PLAN_NOEXEC);
	assert_bind(plan, "disk", PLAN_STATE, "cache/hello", PLAN_WRITABLE);
	assert_bind(plan, "app", PLAN_STATE, "cache/hello/app", PLAN_WRITABLE);
	assert_bind(plan, "buildpacks", PLAN_LIBEXEC, "buildpacks", 0);
	assert_bind(plan, "paas/bin/paas-build", PLAN_LIBEXEC, "paas-build", 0);

	order = order_of(SANDBOX_GIT);
	plan = make(&order);
	assert_bind(plan, "repo", PLAN_STATE, "repos/hello.git", PLAN_WRITABLE | PLAN_NOEXEC);
	assert_bind(plan, "paas/hooks/pre-receive", PLAN_LIBEXEC, "paas-hook", 0);
	assert_bind(plan, "paas/hooks/update", PLAN_LIBEXEC, "paas-hook", 0);
	assert_null(find(plan, PLAN_OVERLAY, "app"));

	order = order_of(SANDBOX_UNPACK);
	plan = make(&order);
	assert_bind(plan, "slug", PLAN_STATE, "slugs/hello/7", PLAN_WRITABLE | PLAN_NOEXEC);
	assert_null(find(plan, PLAN_BIND, "repo"));
}

static void
temporary_space_follows_the_memory(void **state)
{
	struct sandbox_order order = order_of(SANDBOX_APP);

	(void)state;
	assert_string_equal(get(make(&order), PLAN_MOUNT, "tmp")->options,
			    "mode=1777,size=16777216,nr_inodes=4096");
	order.memory_bytes = 4UL << 30;
	assert_string_equal(get(make(&order), PLAN_MOUNT, "tmp")->options,
			    "mode=1777,size=67108864,nr_inodes=16384");
	/* A build's compilers need more. */
	order.kind = SANDBOX_BUILD;
	assert_string_equal(get(make(&order), PLAN_MOUNT, "tmp")->options,
			    "mode=1777,size=1073741824,nr_inodes=262144");
}

static void
host_names_leave_the_release_out(void **state)
{
	static const char *const cases[][2] = {
		{"v3.web.1", "web-1"},	    {"v12.run.1234", "run-1234"}, {"build", "build"},
		{"version.1", "version-1"}, {"v3web.1", "v3web-1"},	  {"v3.a_b.1", "a-b-1"},
	};
	char name[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sandbox_order order = order_of(SANDBOX_APP);

		strcpy(order.label, cases[i][0]);
		plan_host_name(&order, name, sizeof(name));
		assert_string_equal(name, cases[i][1]);
	}
	/* Never more than the kernel takes. */
	{
		struct sandbox_order order = order_of(SANDBOX_APP);

		memset(order.label, 'x', LABEL_MAX);
		plan_host_name(&order, name, sizeof(name));
		assert_int_equal(strlen(name), 63);
	}
}

static void
a_stack_with_too_much_is_refused(void **state)
{
	struct sandbox_order order = order_of(SANDBOX_APP);
	static struct stack big;
	static struct plan plan;
	struct plan_input in = {.order = &order, .stack = &big};
	struct err err = {0};

	(void)state;
	big = stack;
	for (big.n_etc = 0; big.n_etc < STACK_ETC; big.n_etc++)
		memset(big.etc[big.n_etc].name, 'a', 39);
	assert_int_equal(plan_make(&in, &plan, &err), -ENOBUFS);
	assert_string_equal(err.text, "the stack has too many parts to mount");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_comes_first_and_is_sealed_last),
		cmocka_unit_test(places_come_before_mounts),
		cmocka_unit_test(only_the_named_are_writable),
		cmocka_unit_test(kinds_see_their_own),
		cmocka_unit_test(temporary_space_follows_the_memory),
		cmocka_unit_test(host_names_leave_the_release_out),
		cmocka_unit_test(a_stack_with_too_much_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

/* lib/sandbox: orders survive the wire, nonsense does not; names come back or are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "lib/err.h"
#include "lib/sandbox.h"

static const struct sandbox_order plain = {
	.id = UINT64_C(435475305276229),
	.kind = SANDBOX_APP,
	.app = "hello",
	.label = "v3.web.1",
	.source = "app[web.1]",
	.slug = 3,
	.uid = 1900000000,
	.address = 2,
	.memory_bytes = 512 << 20,
	.disk_bytes = 1 << 30,
	.pids = 256,
	.cpu_weight = 100,
	.flags = SANDBOX_STDIO | SANDBOX_JOB,
	.columns = 80,
	.rows = 24,
};

static int
round_trip(const struct sandbox_order *in, struct sandbox_order *out, struct err *err)
{
	uint8_t bytes[1024];
	struct wire_writer w;
	struct wire_reader r;
	int ret;

	wire_write_init(&w, bytes, sizeof(bytes));
	sandbox_order_write(&w, in);
	assert_false(w.failed);
	wire_read_init(&r, bytes, w.len);
	ret = sandbox_order_read(&r, out, err);
	if (ret == 0)
		assert_int_equal(wire_end(&r), 0);
	return ret;
}

static void
test_order(void **state)
{
	struct sandbox_order out;
	struct err err;

	(void)state;
	assert_int_equal(round_trip(&plain, &out, &err), 0);
	assert_int_equal(out.id, plain.id);
	assert_int_equal(out.kind, plain.kind);
	assert_string_equal(out.app, plain.app);
	assert_string_equal(out.label, plain.label);
	assert_string_equal(out.source, plain.source);
	assert_int_equal(out.slug, plain.slug);
	assert_int_equal(out.uid, plain.uid);
	assert_int_equal(out.address, plain.address);
	assert_int_equal(out.memory_bytes, plain.memory_bytes);
	assert_int_equal(out.disk_bytes, plain.disk_bytes);
	assert_int_equal(out.pids, plain.pids);
	assert_int_equal(out.cpu_weight, plain.cpu_weight);
	assert_int_equal(out.flags, plain.flags);
	assert_int_equal(out.columns, plain.columns);
	assert_int_equal(out.rows, plain.rows);
}

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		struct sandbox_order o = plain;                                                    \
		change;                                                                            \
		err.text[0] = '\0';                                                                \
		assert_int_equal(round_trip(&o, &out, &err), -EBADMSG);                            \
		assert_true(err.text[0]);                                                          \
	} while (0)

static void
test_order_refused(void **state)
{
	struct sandbox_order out;
	struct err err;

	(void)state;
	REFUSED(o.id = 0);
	REFUSED(o.kind = SANDBOX_KINDS);
	REFUSED(strcpy(o.app, ""));
	REFUSED(strcpy(o.app, "../x"));
	REFUSED(strcpy(o.label, ""));
	REFUSED(strcpy(o.label, "."));
	REFUSED(strcpy(o.label, ".."));
	REFUSED(strcpy(o.label, "a/b"));
	REFUSED(strcpy(o.label, "a b"));
	REFUSED(strcpy(o.source, "app[web 1]"));
	REFUSED(strcpy(o.source, "app\n"));
	REFUSED(strcpy(o.source, "\303\244"));
	REFUSED(o.uid = 0);
	REFUSED(o.uid = UINT32_MAX);
	REFUSED(o.memory_bytes = 0);
	REFUSED(o.pids = 0);
	REFUSED(o.cpu_weight = 0);
	REFUSED(o.cpu_weight = 10001);
	REFUSED(o.flags = 16);
	REFUSED(o.flags = SANDBOX_STDIO | SANDBOX_PTY);
}

static void
test_order_cut(void **state)
{
	uint8_t bytes[1024];
	struct wire_writer w;
	struct sandbox_order out;

	(void)state;
	wire_write_init(&w, bytes, sizeof(bytes));
	sandbox_order_write(&w, &plain);
	for (size_t n = 0; n < w.len; n++) {
		struct wire_reader r;

		wire_read_init(&r, bytes, n);
		assert_int_equal(sandbox_order_read(&r, &out, NULL), -EBADMSG);
	}
}

static void
test_name(void **state)
{
	static const char *const bad[] = {
		"",
		"app",
		"app.1.2.hello",
		"app.1.2.hello.",
		"app.1.2.hello..x",
		"app.1.2..v1",
		"app..2.hello.v1",
		"app.0.2.hello.v1",
		"app.01.2.hello.v1",
		"app.+1.2.hello.v1",
		"app.-1.2.hello.v1",
		"app. 1.2.hello.v1",
		"app.1.02.hello.v1",
		"app.1.4294967296.hello.v1",
		"app.18446744073709551616.2.hello.v1",
		"app.99999999999999999999999999.2.hello.v1",
		"apps.1.2.hello.v1",
		"router.1.2.hello.v1",
		"app.1.2.Hello.v1",
		"app.1.2.hello.v 1",
		"app.1.2.a234567890123456789012345678901.v1",
		"app.1.2.hello."
		"vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv",
		NULL,
	};
	char name[256], small[20];
	struct sandbox_order out, longest = plain;

	(void)state;
	assert_int_equal(sandbox_name_write(&plain, name, sizeof(name)), 0);
	assert_string_equal(name, "app.435475305276229.2.hello.v3.web.1");
	assert_int_equal(sandbox_name_read(name, &out), 0);
	assert_int_equal(out.kind, plain.kind);
	assert_int_equal(out.id, plain.id);
	assert_int_equal(out.address, plain.address);
	assert_string_equal(out.app, plain.app);
	assert_string_equal(out.label, plain.label);
	assert_int_equal(sandbox_name_write(&plain, small, sizeof(small)), -ENAMETOOLONG);

	longest.id = UINT64_MAX;
	longest.address = UINT32_MAX;
	longest.kind = SANDBOX_UNPACK;
	memset(longest.app, 'a', APP_NAME_MAX);
	memset(longest.label, 'L', LABEL_MAX);
	longest.label[LABEL_MAX] = '\0';
	assert_int_equal(sandbox_name_write(&longest, name, sizeof(name)), 0);
	assert_int_equal(sandbox_name_read(name, &out), 0);
	assert_true(out.id == UINT64_MAX);
	for (const char *const *t = bad; *t; t++) {
		if (sandbox_name_read(*t, &out) != -EINVAL)
			fail_msg("\"%s\" accepted", *t);
	}
	assert_string_equal(sandbox_kind_name(SANDBOX_GIT), "git");
	assert_string_equal(sandbox_kind_name(SANDBOX_KINDS), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_order_refused),
		cmocka_unit_test(test_order_cut),
		cmocka_unit_test(test_name),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}

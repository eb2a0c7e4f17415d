/* A store in a directory of its own, with a clock that stands, for the tests of control. */
#ifndef TESTS_CONTROL_FIXTURE_H
#define TESTS_CONTROL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <nettle/base64.h>

#include "lib/err.h"
#include "lib/file.h"

#include "daemon/control/apps.h"
#include "daemon/control/keys.h"
#include "daemon/control/releases.h"
#include "daemon/control/slugs.h"
#include "daemon/control/store.h"

#define UID_BASE 1900000000u

static struct store *store;
static struct err err;
static char fixture_dir[64];
static int64_t fixture_time;

static inline int64_t
fixture_now(void)
{
	return fixture_time;
}

static inline void
fixture_reopen(void)
{
	store_close(store);
	assert_int_equal(store_open("paas.db", UID_BASE, &store, &err), 0);
	store_set_clock(store, fixture_now);
}

static inline int
fixture_set_up(void **state)
{
	(void)state;
	(void)snprintf(fixture_dir, sizeof(fixture_dir), "/tmp/paas-unit-XXXXXX");
	assert_non_null(mkdtemp(fixture_dir));
	assert_int_equal(chdir(fixture_dir), 0);
	fixture_time = 1790000000000;
	store = NULL;
	fixture_reopen();
	return 0;
}

static inline int
fixture_tear_down(void **state)
{
	(void)state;
	store_close(store);
	store = NULL;
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(file_remove_tree(AT_FDCWD, fixture_dir), 0);
	return 0;
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)

/* The sentence of the last refusal. */
#define assert_says(part) assert_non_null(strstr(err.text, part))

/* A well-formed ed25519 public key; another one for each number. */
static inline const char *
fixture_key(unsigned number)
{
	static char line[128];
	uint8_t blob[51] = {0,	 0,   0,   11,	's', 's', 'h', '-', 'e', 'd',
			    '2', '5', '5', '1', '9', 0,	  0,   0,   32};

	memcpy(blob + 19, &number, sizeof(number));
	memcpy(line, "ssh-ed25519 ", 12);
	base64_encode_raw(line + 12, sizeof(blob), blob);
	(void)strcpy(line + 12 + BASE64_ENCODE_RAW_LENGTH(sizeof(blob)), " somebody@laptop");
	return line;
}

static inline void
fixture_user(const char *name, enum right right)
{
	static unsigned number = 1000;
	struct key key;

	assert_int_equal(keys_add(store, name, fixture_key(number++), right, 0, &key, &err), 0);
}

static inline struct app
fixture_app(const char *name)
{
	struct app app;

	assert_int_equal(apps_create(store, name, "root", &app, &err), 0);
	return app;
}

static inline struct app
fixture_reload(const struct app *app)
{
	struct app again;

	assert_int_equal(apps_get(store, app->id, &again, &err), 0);
	return again;
}

/* A finished slug with the types "web worker ...", each running "./TYPE". */
static inline uint32_t
fixture_slug(const struct app *app, const char *types)
{
	struct process_type list[8];
	char words[256], commands[8][64], *save = NULL;
	struct slug slug = {.app_id = app->id, .bytes = 4096, .sha256 = "00ff"};
	size_t n = 0;

	assert_int_equal(slugs_allot(store, app->id, "1a2b3c4d5e6f", &slug.number, &err), 0);
	(void)snprintf(words, sizeof(words), "%s", types);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		(void)snprintf(commands[n], sizeof(commands[n]), "./%.60s", w);
		list[n] = (struct process_type){.name = w, .command = commands[n]};
		n++;
	}
	assert_int_equal(slugs_finish(store, &slug, list, n, &err), 0);
	return slug.number;
}

/* A deploy of these types that succeeded. */
static inline struct release
fixture_deploy(const struct app *app, const char *types)
{
	struct release release;
	uint32_t slug = fixture_slug(app, types);

	assert_int_equal(
		releases_add_deploy(store, app->id, slug, "1a2b3c4d5e6f", "ann", &release, &err),
		0);
	assert_int_equal(releases_settle(store, app->id, release.version, RELEASE_SUCCEEDED, &err),
			 0);
	return release;
}

#endif

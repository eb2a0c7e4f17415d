/*
 * What a client of control.sock may send, from the first byte to the handlers: heads, chunked
 * bodies, JSON, paths, ranges. The store is a real one in memory-backed files and starts with
 * one app; every input gets a connection of its own. The live side only nods.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/loop.h"

#include "daemon/control/api.h"
#include "daemon/control/apps.h"
#include "daemon/control/options.h"
#include "daemon/control/releases.h"
#include "daemon/control/slugs.h"
#include "daemon/control/store.h"
#include "tests/unit/control/fake_live.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop loop;
static struct api *api;
static struct store *store;
static char path[64];
static const struct options options = {.domain = "paas.test", .stack_name = "host"};

static void
remove_files(void)
{
	char name[96];

	api_close(api);
	store_close(store);
	loop_done(&loop);
	(void)unlink(path);
	(void)snprintf(name, sizeof(name), "%s-wal", path);
	(void)unlink(name);
	(void)snprintf(name, sizeof(name), "%s-shm", path);
	(void)unlink(name);
}

static void
set_up(void)
{
	static const struct process_type types[] = {{"web", "./web"}, {"worker", "./worker"}};
	struct slug slug = {.sha256 = "00"};
	struct release release;
	struct app app;
	struct err err;
	int fd;

	(void)snprintf(path, sizeof(path), "/dev/shm/paas-fuzz-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 || close(fd) < 0 || loop_init(&loop) < 0 ||
	    store_open(path, 1900000000, &store, &err) < 0 ||
	    apps_create(store, "hello", "root", &app, &err) < 0 ||
	    slugs_allot(store, app.id, "c0ffee", &slug.number, &err) < 0)
		abort();
	slug.app_id = app.id;
	if (slugs_finish(store, &slug, types, 2, &err) < 0 ||
	    releases_add_deploy(store, app.id, slug.number, "c0ffee", "root", &release, &err) < 0 ||
	    releases_settle(store, app.id, release.version, RELEASE_SUCCEEDED, &err) < 0 ||
	    api_open(&loop, store, NULL, &options, -1, &api, &err) < 0)
		abort();
	(void)atexit(remove_files);
}

/* Throws away what the API answers. False when it closed the connection. */
static bool
drain(int fd)
{
	char text[65536];
	ssize_t n;

	do {
		n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	} while (n > 0);
	return n < 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	int ends[2];

	if (!ready)
		set_up();
	ready = true;
	fake_forget();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		abort();
	if (api_serve(api, ends[1], "root") < 0)
		abort();
	/* In pieces of growing size, so that every border is a border of a read. */
	for (size_t at = 0, piece = 1; at < size; piece = piece * 2 + 1) {
		size_t n = size - at < piece ? size - at : piece;

		if (send(ends[0], data + at, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		at += n;
		(void)loop_turn(&loop, 0);
		(void)loop_turn(&loop, 0);
		if (!drain(ends[0]))
			break;
	}
	(void)shutdown(ends[0], SHUT_WR);
	for (int i = 0; i < 4; i++)
		(void)loop_turn(&loop, 0);
	(void)drain(ends[0]);
	(void)close(ends[0]);
	for (int i = 0; i < 4; i++)
		(void)loop_turn(&loop, 0);
	return 0;
}

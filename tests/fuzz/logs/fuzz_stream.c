/*
 * daemon/logs/stream: the input is messages on a stream, each with two bytes of length before it;
 * the first byte of all says whether an init or a router sends. Afterwards the log of the only
 * app there is holds whole lines, and nothing but the app's directory was made.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/loop.h"
#include "lib/msg.h"

#include "daemon/logs/ring.h"
#include "daemon/logs/store.h"
#include "daemon/logs/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[] = "/tmp/paas-fuzz-stream-XXXXXX";
static struct loop loop;
static struct store store;

static void
ignore(struct app_log *app)
{
	(void)app;
}

static void
clean_up(void)
{
	store_done(&store);
	loop_done(&loop);
	(void)file_remove_tree(AT_FDCWD, top);
}

static void
start(void)
{
	int dir_fd, ret;

	if (!mkdtemp(top) || loop_init(&loop) < 0)
		abort();
	dir_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		abort();
	store_init(&store, &loop, dir_fd, RING_SEGMENT_MIN, ignore, ignore);
	if (!store_find(&store, "hello", true, &ret))
		abort();
	(void)atexit(clean_up);
}

static void
check_log(void)
{
	static char text[2 * RING_SEGMENT_MIN];
	struct app_log *app;
	size_t n = 0, n_entries = 0;
	ssize_t got;
	DIR *dir;
	int ret;

	store_flush(&store);
	app = store_find(&store, "hello", false, &ret);
	assert(app);
	while ((got = ring_read(app->ring, ring_start(app->ring) + n, text + n, sizeof(text) - n)) >
	       0)
		n += (size_t)got;
	assert(got == 0);
	if (n > 0) {
		assert(text[n - 1] == '\n');
		for (size_t i = 0; i < n; i++)
			assert(text[i] == '\n' || text[i] == '\t' ||
			       (unsigned char)text[i] >= 0x20);
	}
	dir = opendir(top);
	assert(dir);
	while (readdir(dir))
		n_entries++;
	(void)closedir(dir);
	assert(n_entries == 3);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct streams streams;
	bool is_router;
	int ends[2];

	if (store.loop == NULL)
		start();
	if (size < 1)
		return 0;
	is_router = data[0] & 1;
	data++;
	size--;
	if (msg_pair(ends, true) < 0)
		abort();
	streams_init(&streams, &loop, &store);
	if (stream_open(&streams, ends[1], is_router ? "" : "hello",
			is_router ? "" : "app[web.1]") < 0)
		abort();
	while (size > 2) {
		size_t n = (size_t)data[0] | (size_t)data[1] << 8;

		data += 2;
		size -= 2;
		if (n > size)
			n = size;
		/* The stream may have ended already. */
		if (send(ends[0], data, n, MSG_NOSIGNAL) < 0)
			break;
		(void)loop_turn(&loop, 0);
		data += n;
		size -= n;
	}
	streams_done(&streams);
	(void)close(ends[0]);
	check_log();
	return 0;
}

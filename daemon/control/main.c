/*
 * paas-control: the only process with the store, and all policy. Started by paasd in the state
 * directory, with the channel to paasd on fd 3 and the listening control.sock on fd 4; ends
 * when paasd does, and is started anew when it ends by itself.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/loop.h"

#include "daemon/control/core.h"
#include "daemon/control/options.h"
#include "daemon/control/start.h"
#include "daemon/control/store.h"

#define PARENT_FD 3
#define LISTEN_FD 4
#define STORE_FILE "paas.db"

static struct {
	struct options options;
	struct loop loop;
	struct store *store;
	struct live live;
} control;

static int
run(int argc, char **argv, struct err *err)
{
	int ret = options_parse(&control.options, argc, argv, err);

	if (ret < 0)
		return ret;
	ret = loop_init(&control.loop);
	if (ret < 0)
		return err_set(err, ret, "make an event loop");
	ret = store_open(STORE_FILE, control.options.uid_base, &control.store, err);
	if (ret < 0)
		return ret;
	ret = live_start(&control.live, &control.loop, control.store, &control.options, PARENT_FD,
			 LISTEN_FD, err);
	if (ret < 0)
		return ret;
	ret = loop_run(&control.loop);
	return ret < 0 ? err_set(err, ret, "wait for events") : 0;
}

int
main(int argc, char **argv)
{
	struct err err = {0};

	log_name("paas-control");
	(void)signal(SIGPIPE, SIG_IGN);
	int ret = run(argc, argv, &err);

	if (ret < 0)
		log_line("%s", err.text);
	if (control.live.loop != NULL)
		live_end(&control.live);
	store_close(control.store);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Each phase begins when what the one before waited for is gone. */
#include <string.h>

#include "lib/err.h"

#include "daemon/notify.h"
#include "daemon/platform.h"
#include "daemon/stop.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/workers.h"

#define STOP_MS 5000

static void
on_apps_stopped(void *user)
{
	struct platform *p = user;

	p->phase = PHASE_STOPPING_REST;
	workers_stop(p);
	child_stop(&p->logs, STOP_MS);
	if (p->is_hastened) {
		workers_kill(p);
		child_kill(&p->logs);
	}
	stop_progress(p);
}

static void
stop_apps(struct platform *p)
{
	size_t n = supervisor_count(p->supervisor);

	p->phase = PHASE_STOPPING_APPS;
	if (n > 0)
		log_line("stopping %zu sandboxes", n);
	supervisor_stop_all(p->supervisor, p->is_hastened ? 0 : p->config.stop_time_ms,
			    on_apps_stopped);
}

static void
hasten(struct platform *p)
{
	p->is_hastened = true;
	log_line("told to stop again: everything is killed");
	child_kill(&p->receiver);
	child_kill(&p->control);
	if (p->phase == PHASE_STOPPING_APPS)
		supervisor_stop_all(p->supervisor, 0, on_apps_stopped);
	if (p->phase == PHASE_STOPPING_REST) {
		workers_kill(p);
		child_kill(&p->logs);
	}
}

void
stop_begin(struct platform *p)
{
	if (p->phase >= PHASE_STOPPING_FRONT) {
		if (!p->is_hastened)
			hasten(p);
		return;
	}
	p->phase = PHASE_STOPPING_FRONT;
	log_line("stopping");
	notify_send("STOPPING=1\nSTATUS=Stopping apps");
	child_kill(&p->self_test);
	child_stop(&p->host_keys, 0);
	child_stop(&p->receiver, STOP_MS);
	child_stop(&p->control, STOP_MS);
	stop_progress(p);
}

static void
on_nothing_left(void *user)
{
	struct platform *p = user;

	loop_stop(&p->loop);
}

void
stop_unstarted(struct platform *p)
{
	int ret;

	p->phase = PHASE_STOPPING_REST;
	supervisor_stop_all(p->supervisor, 0, on_nothing_left);
	ret = loop_run(&p->loop);
	if (ret < 0)
		log_line("cannot wait for events: %s", strerror(-ret));
}

void
stop_progress(struct platform *p)
{
	if (p->phase == PHASE_STOPPING_FRONT && p->receiver.pid == 0 && p->control.pid == 0 &&
	    p->host_keys.pid == 0)
		stop_apps(p);
	if (p->phase == PHASE_STOPPING_REST && p->logs.pid == 0 && workers_are_gone(p))
		loop_stop(&p->loop);
}

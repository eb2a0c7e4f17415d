/* Scripts wait for this line, systemd for the datagram; neither may come too early. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "daemon/listeners.h"
#include "daemon/notify.h"
#include "daemon/platform.h"
#include "daemon/ready.h"
#include "daemon/residents.h"
#include "daemon/workers.h"

static void
print_line(const struct platform *p)
{
	static const char *const keys[LISTENER_KINDS] = {"http", "https", "ssh"};
	char text[LISTENERS_TEXT_MAX];

	(void)printf("ready");
	for (size_t kind = 0; kind < LISTENER_KINDS; kind++) {
		if (p->listeners.n[kind] > 0)
			(void)printf(" %s=%s", keys[kind],
				     listeners_text(&p->listeners, kind, text));
	}
	/* Whoever reads the line may be in another directory. */
	AUTO_FREE char *runtime = realpath(p->config.runtime, NULL);

	(void)printf(" control=%s/control.sock\n", runtime ? runtime : p->config.runtime);
	(void)fflush(stdout); /* nobody listening is fine */
}

void
ready_check(struct platform *p)
{
	if (p->phase != PHASE_STARTING || !residents_are_ready(p) || !workers_are_ready(p))
		return;
	p->phase = PHASE_SERVING;
	print_line(p);
	notify_send("READY=1\nSTATUS=Serving");
	workers_retire(p);
}

/*
 * Does a web instance accept connections yet? Asked by connecting to it, quickly at first
 * and then less often, without ever waiting for the answer.
 */
#ifndef CONTROL_HEALTH_H
#define CONTROL_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"

struct probe;
/* It accepted. The probe has stopped. */
typedef void probe_fn(struct probe *probe);

struct health {
	struct loop *loop;
	unsigned n_open, max_open; /* connection attempts under way */
};

struct probe {
	struct health *health; /* NULL: not running */
	struct loop_io io;     /* io.fd counts while is_open */
	struct loop_timer timer;
	bool is_open;
	uint32_t ipv4; /* host order */
	uint16_t port;
	uint64_t delay_ms;  /* until the next attempt */
	uint64_t waited_ms; /* so far */
	probe_fn *fn;
};

void health_init(struct health *health, struct loop *loop, unsigned max_open);
/* Tries until it accepts or probe_stop. Never calls back from inside. 0 or -ENOMEM. */
int probe_start(struct health *health, struct probe *probe, uint32_t ipv4, uint16_t port,
		probe_fn *fn);
/* No packet goes to that address afterwards, so it may be given to somebody else. */
void probe_stop(struct probe *probe);

#endif

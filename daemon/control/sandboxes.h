/*
 * Every sandbox there is, by id: gives out ids and addresses, sends the orders to paasd and
 * takes the reports to whoever ordered it. An address is free again only when the sandbox has
 * ended and no router worker holds it.
 */
#ifndef CONTROL_SANDBOXES_H
#define CONTROL_SANDBOXES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/map.h"
#include "lib/msg.h"
#include "lib/sandbox.h"

#include "daemon/control/addresses.h"

struct err;
struct sandbox;

enum sandbox_report {
	SANDBOX_RAN,	/* the program was executed */
	SANDBOX_TTY,	/* fd: the terminal's master; take it or it is closed */
	SANDBOX_HEARS,	/* text: what it listens on, "" for nothing */
	SANDBOX_BROKEN, /* text: why it could not be set up; it is gone */
	SANDBOX_ENDED,	/* status, is_oom, peak, limit; it is gone */
};

struct sandbox_news {
	enum sandbox_report report;
	const char *text;
	int fd;
	uint32_t status;
	bool is_oom;
	uint64_t peak_bytes, limit_bytes;
};

/* After BROKEN and ENDED the sandbox has id 0 and may be freed or started again. */
typedef void sandbox_fn(struct sandbox *sandbox, struct sandbox_news *news);

/* Embedded in what the sandbox runs for. */
struct sandbox {
	struct sandboxes *all;
	uint64_t id; /* 0: does not exist */
	uint32_t address;
	sandbox_fn *fn;
};

struct sandboxes {
	struct map records; /* id -> struct sandbox_record, until the address is free */
	struct addresses *addresses;
	uint64_t last_id;
	int (*send)(void *user, struct msg *m);
	bool (*holds)(void *user, uint64_t id); /* does a router still hold it? */
	void *user;
};

void sandboxes_init(struct sandboxes *all, struct addresses *addresses,
		    int (*send)(void *user, struct msg *m), bool (*holds)(void *user, uint64_t id),
		    void *user);
void sandboxes_done(struct sandboxes *all);
/* A number that is given out only once, ever. */
uint64_t sandboxes_new_id(struct sandboxes *all);

/*
 * Fills in id and address of the order and sends it. `stdio` (three fds) and `job_fd` count when
 * the order's flags say so; all fds stay the caller's. 0 or a negative errno with a sentence.
 */
int sandbox_start(struct sandboxes *all, struct sandbox *sandbox, struct sandbox_order *order,
		  int spec_fd, const int stdio[3], int job_fd, sandbox_fn *fn, struct err *err);
void sandbox_signal(struct sandbox *sandbox, int signal);
void sandbox_kill(struct sandbox *sandbox);
void sandbox_ask_ports(struct sandbox *sandbox);
/* Kills it and reports nothing any more; one that does not exist is left alone. */
void sandbox_abandon(struct sandbox *sandbox);

/* One that outlived an earlier control: `sandbox` stands for it from now on, or nobody (NULL),
 * then it is killed. 0 or -ENOMEM. */
int sandboxes_adopt(struct sandboxes *all, uint64_t id, uint32_t address, struct sandbox *sandbox,
		    sandbox_fn *fn);
/* A report of paasd (SANDBOX_STARTED .. SANDBOX_EXITED); false when it is none of them. */
bool sandboxes_hear(struct sandboxes *all, struct msg *m);
/* No router holds it any more. */
void sandboxes_released(struct sandboxes *all, uint64_t id);

#endif

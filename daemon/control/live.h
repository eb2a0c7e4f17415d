/*
 * The live side of control, as the API sees it: what runs, and the ways to ask that
 * something else should run. Desired state is always written to the store first; these
 * calls then bring the platform to it. Apps are named by their name, instances by theirs
 * ("web.1", "run.4711"). Nothing here blocks; what takes time ends in a callback.
 */
#ifndef DAEMON_CONTROL_LIVE_H
#define DAEMON_CONTROL_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct live;

enum instance_state {
	INSTANCE_STARTING,
	INSTANCE_UP,
	INSTANCE_STOPPING,
	INSTANCE_DOWN,
	INSTANCE_CRASHED, /* waits for its next start */
};

#define INSTANCE_NAME_MAX 79

/* How a program ended. code is meaningful when signal is 0. */
struct instance_exit {
	int code;
	int signal;
	char reason[160]; /* a sentence: "Process exited with status 1", "Error R15 (...) ..." */
};

/* A look at one instance; pointers are valid during the call that shows it. */
struct instance_view {
	uint64_t id; /* of its sandbox; of the last one when none runs; 0: never had one */
	const char *app;
	const char *name; /* "web.1" */
	const char *type; /* "web", "run", "release" */
	const char *command;
	enum instance_state state;
	int64_t version;		  /* of the release it runs */
	uint64_t created_ms, updated_ms;  /* unix */
	const struct instance_exit *exit; /* of its last run; NULL: has not ended yet */
};

typedef void live_instance_fn(void *user, const struct instance_view *view);

const char *instance_state_name(enum instance_state state); /* "starting", ... as in the API */

/* Shows every instance of an app: by type, by number; one-off runs last, those that
 * ended within the last minutes too when `ended`. An unknown app shows none. */
void live_instances(struct live *live, const char *app, bool ended, live_instance_fn *fn,
		    void *user);
/* Shows the one of that name. 0, or -ENOENT and nothing shown. */
int live_instance(struct live *live, const char *app, const char *name, live_instance_fn *fn,
		  void *user);

/* The row is in the store: makes its files (again, if they are there). Nothing to wait for. */
void live_app_created(struct live *live, const char *app);
/* The store hides the app from now on: ends all that runs for it, removes its files and logs,
 * then has the store erase the row, so that neither name nor ids are free before. */
void live_app_removed(struct live *live, const char *app);

/* Quantities, domains or process types changed in the store: reconcile. */
void live_changed(struct live *live, const char *app);
/* Rolls out a release that lies in the store as pending (a changed config, a rollback): its
 * release command, new instances beside the old, switch, then the store's current release.
 * In turn with the pushes of that app. A release without a slug is current at once. */
void live_release(struct live *live, const char *app, uint32_t version);

/* `which`: "" all, "web" a type, "web.1" one. Web instances are replaced without a gap. A run
 * cannot be restarted. 0, or -ENOENT with a sentence. */
int live_restart(struct live *live, const char *app, const char *which, struct err *err);
/* TERM, then KILL. An instance of the formation stays down until it is restarted or scaled,
 * until the next release or the next start of the platform. 0, or -ENOENT with a sentence. */
int live_stop(struct live *live, const char *app, const char *which, struct err *err);

/* ---- one-off runs ------------------------------------------------------------------------ */

struct live_run {
	const char *app;
	const char *user;    /* who asked, for the log */
	const char *command; /* for bash; or the name of a process type, which runs its command */
	const char *const *env; /* additional "K=V", NULL-terminated; or NULL */
	bool attach;		/* else its output goes to the log */
	bool tty;		/* only with attach */
	uint16_t columns, rows;
};

/*
 * Called once, never from inside live_run: `why` says why it does not run; else `view` is the
 * instance and fds[] what the client gets: one (tty: the terminal's master), three (stdin to
 * write, stdout and stderr to read) or none (detached). The fds are closed after the call.
 */
typedef void live_run_fn(void *user, const struct err *why, const struct instance_view *view,
			 const int *fds, size_t n_fds);

/* Starts a run of the app's current release. A ticket, or 0 with a sentence. */
uint64_t live_run(struct live *live, const struct live_run *run, live_run_fn *done, void *user,
		  struct err *err);

/* Called once, never from inside live_wait_exit. `exit` is NULL when nothing is known of how
 * it ended (control was started anew meanwhile). */
typedef void live_exit_fn(void *user, const struct instance_exit *exit);
/* Waits for the end of an instance as it runs now; one that ended within the last minutes
 * answers at once. A ticket, or 0: no such instance. */
uint64_t live_wait_exit(struct live *live, const char *app, const char *instance,
			live_exit_fn *done, void *user);

/* The client of that ticket went away: its callback is not called any more. Call it for a run's
 * ticket even after its callback: an attached run that nobody attends for 10 s is stopped.
 * Tickets of what has ended, and 0, are left alone. */
void live_cancel(struct live *live, uint64_t ticket);

/* ---- logs -------------------------------------------------------------------------------- */

/* Has paas-logs write to `fd` (borrowed): the last `lines`, then what comes if `tail`. source:
 * "", "app", "heroku"; instance: "", "web", "web.1". 0 or a negative errno. */
int live_log_session(struct live *live, const char *app, uint32_t lines, bool tail,
		     const char *source, const char *instance, int fd);
/* A line in the app's log; source without brackets' owner: "api", "web.1" -> heroku[api]. */
void live_log(struct live *live, const char *app, const char *source, const char *text);

#endif

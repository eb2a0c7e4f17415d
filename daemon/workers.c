/*
 * A worker's fds are its papers: 3 its end of the channel, 4 ours, 10.. 20.. 30.. the listeners
 * in the order of the configuration. It parses what the network sends and may have been taken
 * over, so the papers of one found running are checked: made by root, of the right kind, the
 * right addresses, nothing missing and nothing more.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/cradle.h"
#include "daemon/hub.h"
#include "daemon/platform.h"
#include "daemon/stop.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/workers.h"

#define CHANNEL_FD 4
#define DISCARD_MS 1000

static void
cgroup_name(uint32_t number, char *out, size_t cap)
{
	(void)snprintf(out, cap, "router.%u", number);
}

/* ---- starting -----------------------------------------------------------------------------------
 */

static int
launch(struct child *child, const int ends[2], pid_t *pid, int *pid_fd, struct err *err)
{
	struct platform *p = child->user;
	struct spawn_fd fds[2 + LISTENER_KINDS * CONFIG_LISTENERS_MAX] = {{ends[1], 3},
									  {ends[0], CHANNEL_FD}};
	char name[32], number[32];
	const char *const argv[] = {"paas-router", number, NULL};
	AUTO_FD int cgroup_fd = -1, root_fd = -1;
	struct role_launch l = {.row = child->row,
				.argv = argv,
				.fds = fds,
				.n_fds = 2,
				.libexec_fd = p->libexec_fd,
				.bin_fd = p->bin_fd,
				.null_fd = p->null_fd,
				.ids = p->users[child->row->user]};

	(void)snprintf(number, sizeof(number), "--worker=%u", child->number);
	cgroup_name(child->number, name, sizeof(name));
	cgroup_fd = cradle_make(supervisor_register_fd(p->supervisor), name, err);
	if (cgroup_fd < 0)
		return cgroup_fd;
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return err_set(err, -errno, "open /");
	l.cgroup_fd = cgroup_fd;
	l.cwd_fd = root_fd;
	for (size_t kind = 0; kind < LISTENER_KINDS; kind++) {
		for (size_t i = 0; i < p->listeners.n[kind]; i++)
			fds[l.n_fds++] = (struct spawn_fd){p->listeners.of[kind][i].fd,
							   listener_child_fd(kind, i)};
	}
	return role_launch(&l, pid, pid_fd, err);
}

static void
on_message(struct child *child, struct msg *m)
{
	hub_message(child->user, child, m);
}

static void
on_up(struct child *child)
{
	hub_router_up(child->user, child);
}

static bool
is_retiring(const struct platform *p, const struct child *worker)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (p->workers[i] == worker)
			return p->is_retiring[i];
	}
	return false;
}

static void
on_down(struct child *child)
{
	struct platform *p = child->user;
	char name[32];

	hub_router_down(p, child);
	if (is_retiring(p, child))
		child_stop(child, 0);
	if (child->is_stopping) {
		/* Best effort: stop removes what is left. */
		cgroup_name(child->number, name, sizeof(name));
		(void)unlinkat(supervisor_register_fd(p->supervisor), name, AT_REMOVEDIR);
	}
	stop_progress(p);
}

static const struct child_hooks hooks = {launch, on_up, on_message, on_down};

/* Slots of workers that ended for good, which their own end could not free. */
static void
free_ended(struct platform *p)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (p->workers[i] && p->workers[i]->pid == 0 && p->workers[i]->is_stopping) {
			child_done(p->workers[i]);
			free(take_ptr(p->workers[i]));
		}
	}
}

/* A worker in a free slot, under the number asked for or, with 0, one nobody has. NULL: none. */
static struct child *
new_worker(struct platform *p, uint32_t number, bool is_retiring)
{
	struct child *worker;
	size_t slot = WORKERS_MAX;
	uint32_t highest = 0;

	free_ended(p);
	for (size_t i = WORKERS_MAX; i-- > 0;) {
		if (!p->workers[i])
			slot = i;
		else if (p->workers[i]->number > highest)
			highest = p->workers[i]->number;
	}
	if (slot == WORKERS_MAX)
		return NULL;
	worker = calloc(1, sizeof(*worker));
	if (!worker)
		return NULL;
	child_init(worker, &p->loop, role_get(ROLE_ROUTER), &hooks, number ? number : highest + 1,
		   p);
	p->workers[slot] = worker;
	p->is_retiring[slot] = is_retiring;
	return worker;
}

static size_t
count_staying(const struct platform *p)
{
	size_t n = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		n += p->workers[i] && !p->is_retiring[i];
	return n;
}

void
workers_start(struct platform *p)
{
	while (count_staying(p) < p->config.routers) {
		struct child *worker = new_worker(p, 0, false);

		if (!worker) {
			log_line("no memory for another router worker");
			return;
		}
		child_start(worker);
	}
}

/* ---- adoption -----------------------------------------------------------------------------------
 */

struct found {
	struct supervisor_router router;
	int channel_fd;
	int fds[LISTENER_KINDS][CONFIG_LISTENERS_MAX + 2]; /* -1: none */
};

static int
get_fd(const struct found *found, int fd)
{
	int copy = (int)syscall(SYS_pidfd_getfd, found->router.pid_fd, fd, 0);

	return copy < 0 ? -1 : copy;
}

/* Our end of a pair that root made, not some socket put in its place. */
static bool
is_our_channel(int fd)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer), type_len = sizeof(int);
	int type = 0;
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 &&
	       type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == 0;
}

/* A busy worker's connections have the numbers behind its listeners. */
static int
get_listener(const struct found *found, int number)
{
	AUTO_FD int fd = get_fd(found, number);
	int is_listening = 0;
	socklen_t size = sizeof(is_listening);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) < 0 ||
	    !is_listening)
		return -1;
	return take_fd(&fd);
}

static void
read_papers(struct found *found)
{
	found->channel_fd = get_fd(found, CHANNEL_FD);
	for (size_t kind = 0; kind < LISTENER_KINDS; kind++) {
		for (size_t i = 0; i < CONFIG_LISTENERS_MAX + 2; i++)
			found->fds[kind][i] = get_listener(found, listener_child_fd(kind, i));
	}
}

static void
close_papers(struct found *found)
{
	for (size_t kind = 0; kind < LISTENER_KINDS; kind++) {
		for (size_t i = 0; i < CONFIG_LISTENERS_MAX + 2; i++) {
			if (found->fds[kind][i] >= 0)
				(void)close(take_fd(&found->fds[kind][i]));
		}
	}
	if (found->channel_fd >= 0)
		(void)close(take_fd(&found->channel_fd));
	if (found->router.pid_fd >= 0)
		(void)close(take_fd(&found->router.pid_fd));
}

/* Copies of the listeners we still look for. */
static void
take_listeners(struct platform *p, const struct found *found)
{
	for (size_t kind = 0; kind < LISTENER_KINDS; kind++) {
		for (size_t i = 0; i < CONFIG_LISTENERS_MAX + 2; i++) {
			int fd = found->fds[kind][i], copy;
			bool is_held = false;

			for (size_t j = 0; j < p->listeners.n[kind]; j++)
				is_held |= listeners_is(&p->listeners, kind, j, fd);
			if (fd < 0 || is_held)
				continue;
			copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
			if (copy >= 0 && !listeners_offer(&p->listeners, kind, copy))
				(void)close(copy);
		}
	}
}

/* Does it hold exactly the listeners of the configuration, each in its place? */
static bool
is_of_configuration(const struct platform *p, const struct found *found)
{
	for (size_t kind = 0; kind < LISTENER_KINDS; kind++) {
		for (size_t i = 0; i < CONFIG_LISTENERS_MAX + 2; i++) {
			int fd = found->fds[kind][i];

			if (i < p->listeners.n[kind] ? !listeners_is(&p->listeners, kind, i, fd)
						     : fd >= 0)
				return false;
		}
	}
	return true;
}

/* Does it run the program that would be started now? */
static bool
is_current_program(const struct platform *p, pid_t pid)
{
	char path[64];
	struct stat running, installed;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return stat(path, &running) == 0 &&
	       fstatat(p->libexec_fd, role_get(ROLE_ROUTER)->program, &installed, 0) == 0 &&
	       running.st_dev == installed.st_dev && running.st_ino == installed.st_ino;
}

/* Kills it and waits until its sockets are closed. */
static void
discard(struct found *found, const char *why)
{
	struct pollfd pfd = {.fd = found->router.pid_fd, .events = POLLIN};

	log_line("router worker %u (pid %d) is killed: %s", found->router.worker,
		 (int)found->router.pid, why);
	(void)syscall(SYS_pidfd_send_signal, found->router.pid_fd, SIGKILL, NULL, 0);
	(void)poll(&pfd, 1, DISCARD_MS);
	close_papers(found);
}

/* Looks at the papers of all, takes their listeners back, discards those that have none. */
static void
inspect(struct platform *p, struct found *found, int n)
{
	for (int i = 0; i < n; i++) {
		read_papers(&found[i]);
		if (is_our_channel(found[i].channel_fd))
			take_listeners(p, &found[i]);
		else
			discard(&found[i], "it has no channel to take over");
	}
}

/* Binds what nobody had. A worker of another configuration may be in the way, as 127.0.0.1:80
 * is in the way of 0.0.0.0:80; then it cannot go on until its replacement serves. */
static int
bind_rest(struct platform *p, struct found *found, int n, struct err *err)
{
	bool is_in_the_way = false;
	int ret;

	listeners_from_systemd(&p->listeners);
	ret = listeners_bind(&p->listeners, err);
	for (int i = 0; ret == -EADDRINUSE && i < n; i++) {
		if (found[i].router.pid_fd < 0)
			continue;
		discard(&found[i], "it may hold an address of the new configuration");
		is_in_the_way = true;
	}
	return is_in_the_way ? listeners_bind(&p->listeners, err) : ret;
}

static void
adopt_one(struct platform *p, struct found *found)
{
	uint32_t number = found->router.worker;
	pid_t pid = found->router.pid;
	bool is_staying = is_of_configuration(p, found) && is_current_program(p, pid) &&
			  count_staying(p) < p->config.routers;
	struct child *worker = number > 0 ? new_worker(p, number, !is_staying) : NULL;

	if (!worker) {
		discard(found, "there is no place for it");
		return;
	}
	if (child_adopt(worker, pid, take_fd(&found->router.pid_fd), take_fd(&found->channel_fd)) <
	    0) {
		log_line("router worker %u (pid %d) cannot be watched and is replaced", number,
			 (int)pid);
		child_start(worker);
		return;
	}
	log_line("router worker %u (pid %d) is taken over%s", number, (int)pid,
		 is_staying ? "" : " until its replacement serves");
}

int
workers_adopt(struct platform *p, struct err *err)
{
	struct supervisor_router routers[WORKERS_MAX];
	int n = supervisor_routers(p->supervisor, routers, WORKERS_MAX);
	AUTO_FREE struct found *found = NULL;
	int ret;

	if (n < 0)
		return err_set(err, n, "look for router workers");
	found = calloc((size_t)n + 1, sizeof(*found));
	if (!found)
		return err_set(err, -ENOMEM, "look for router workers");
	for (int i = 0; i < n; i++)
		found[i].router = routers[i];
	inspect(p, found, n);
	ret = bind_rest(p, found, n, err);
	for (int i = 0; i < n; i++) {
		if (ret == 0 && found[i].router.pid_fd >= 0)
			adopt_one(p, &found[i]);
		close_papers(&found[i]);
	}
	return ret;
}

/* ---- all of them
 * ---------------------------------------------------------------------------------- */

bool
workers_are_ready(const struct platform *p)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (p->workers[i] && !p->is_retiring[i] && !p->workers[i]->is_ready)
			return false;
	}
	return count_staying(p) >= p->config.routers;
}

void
workers_retire(struct platform *p)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (p->workers[i] && p->is_retiring[i])
			child_stop(p->workers[i], p->config.drain_time_ms);
	}
}

#define STOP_MS 5000

void
workers_stop(struct platform *p)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (p->workers[i])
			child_stop(p->workers[i], STOP_MS);
	}
}

void
workers_kill(struct platform *p)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (p->workers[i])
			child_kill(p->workers[i]);
	}
}

bool
workers_are_gone(const struct platform *p)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (p->workers[i] && p->workers[i]->pid != 0)
			return false;
	}
	return true;
}

/* Also those of workers that ended while nobody was there to see it. */
void
workers_remove(struct platform *p)
{
	cradle_remove_all(supervisor_register_fd(p->supervisor), "router.");
}

struct child *
workers_find(struct platform *p, int pid)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (p->workers[i] && p->workers[i]->pid == pid)
			return p->workers[i];
	}
	return NULL;
}

void
workers_done(struct platform *p)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (p->workers[i])
			child_done(p->workers[i]);
		free(p->workers[i]);
		p->workers[i] = NULL;
	}
}

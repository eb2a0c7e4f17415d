/*
 * What may happen in which state:
 *
 *              ready      sync: ids  sync: failed  sync: end  init: exit  pid ends     kill
 *   WAITING    ENTERING   -          -             -          -           -            ENDED,
 * LEAVING ENTERING   -          maps ids   ENDED         RUNNING    -           ENDED        (dies)
 *   RUNNING    -          -          -             -          ENDED       ENDED        (dies)
 *   ENDED      -          -          -             -          -           LEAVING      (dies)
 *
 * ENDED is entered once, with the outcome; LEAVING only without a process; GONE when the cgroup,
 * the overlay's layer and the use of the disk have gone too.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "daemon/supervisor/enter.h"
#include "daemon/supervisor/ids.h"
#include "daemon/supervisor/paths.h"
#include "daemon/supervisor/platform.h"
#include "daemon/supervisor/sandbox.h"

#define CHAN_QUEUE 64
#define BYE_MS 5000  /* for init to end after INIT_BYE */
#define REMOVE_MS 10 /* between attempts to remove a cgroup that is still busy */
#define REMOVE_TRIES 500

static void leave(struct sandbox *sb);
static void end_failed(struct sandbox *sb, int code, const struct err *why);

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(take_fd(fd));
}

static void
close_order_fds(struct sandbox *sb)
{
	close_fd(&sb->spec_fd);
	close_fd(&sb->log_fd);
	for (size_t i = 0; i < 3; i++)
		close_fd(&sb->stdio_fds[i]);
	close_fd(&sb->job_fd);
}

static void
close_sync(struct sandbox *sb)
{
	loop_remove(sb->platform->loop, &sb->sync_io);
	close_fd(&sb->sync_fd);
}

static void
close_pid(struct sandbox *sb)
{
	loop_remove(sb->platform->loop, &sb->pid_io);
	close_fd(&sb->pid_fd);
	sb->pid = 0;
}

static struct sandbox *
allocate(struct platform *p, const struct sandbox_order *order, const struct sandbox_events *events,
	 void *user)
{
	struct sandbox *sb = calloc(1, sizeof(*sb));

	if (!sb)
		return NULL;
	sb->platform = p;
	sb->events = events;
	sb->user = user;
	sb->order = *order;
	sb->spec_fd = sb->log_fd = sb->job_fd = sb->sync_fd = sb->pid_fd = -1;
	sb->stdio_fds[0] = sb->stdio_fds[1] = sb->stdio_fds[2] = -1;
	sb->cgroup.entry_fd = -1;
	return sb;
}

struct sandbox *
sandbox_new(struct platform *p, const struct sandbox_order *order, int spec_fd,
	    const int stdio_fds[3], int job_fd, const struct sandbox_events *events, void *user)
{
	struct sandbox *sb = allocate(p, order, events, user);

	if (!sb) {
		close_fd(&spec_fd);
		close_fd(&job_fd);
		for (size_t i = 0; i < 3; i++) {
			int fd = stdio_fds[i];

			close_fd(&fd);
		}
		return NULL;
	}
	sb->spec_fd = spec_fd;
	memcpy(sb->stdio_fds, stdio_fds, sizeof(sb->stdio_fds));
	sb->job_fd = job_fd;
	sb->state = SANDBOX_WAITING;
	/* Orders are checked, so that this fits. */
	(void)sandbox_name_write(order, sb->entry, sizeof(sb->entry));
	return sb;
}

void
sandbox_free(struct sandbox *sb)
{
	if (!sb)
		return;
	close_order_fds(sb);
	close_sync(sb);
	close_pid(sb);
	chan_close(&sb->chan);
	loop_timer_cancel(sb->platform->loop, &sb->timer);
	disk_leave(&sb->platform->disks, &sb->disk);
	if (sb->has_cgroup)
		cgroup_close(&sb->cgroup);
	free(sb);
}

/* ---- the end ----------------------------------------------------------------------------- */

static void
measure(struct sandbox *sb)
{
	if (sb->has_cgroup)
		sb->platform->cgroups.backend->measure(&sb->cgroup, &sb->usage);
}

static void
end_exited(struct sandbox *sb, uint32_t status)
{
	if (sb->has_outcome)
		return;
	sb->state = SANDBOX_ENDED;
	sb->has_outcome = true;
	sb->status = status;
	measure(sb);
	sb->events->on_exited(sb);
}

static void
end_failed(struct sandbox *sb, int code, const struct err *why)
{
	if (sb->has_outcome)
		return;
	sb->state = SANDBOX_ENDED;
	sb->has_outcome = sb->is_recorded = true;
	if (why && why->text[0])
		sb->why = *why;
	else
		(void)err_set(&sb->why, code, "set up the sandbox");
	sb->events->on_failed(sb);
}

struct upper {
	int state_fd;
	char app[APP_NAME_MAX + 1];
	char id[24];
};

static int
remove_upper(void *what, struct err *err)
{
	const struct upper *upper = what;
	char path[64];
	AUTO_FD int dir_fd = -1;
	int ret;

	(void)snprintf(path, sizeof(path), "disks/%s", upper->app);
	dir_fd = path_open_dir(upper->state_fd, path);
	if (dir_fd < 0)
		return 0;
	ret = file_remove_tree(dir_fd, upper->id);
	return ret < 0 ? err_set(err, ret, "remove the files of an instance of %s", upper->app) : 0;
}

static void
finish(struct sandbox *sb)
{
	disk_leave(&sb->platform->disks, &sb->disk);
	sb->state = SANDBOX_GONE;
	sb->events->on_gone(sb);
}

static void
on_upper_removed(void *user, int code, const struct err *why)
{
	struct sandbox *sb = user;

	sb->is_waiting_for_chore = false;
	if (code < 0)
		log_line("%s", why->text);
	finish(sb);
}

static void
on_remove_again(struct loop_timer *timer)
{
	leave(container_of(timer, struct sandbox, timer));
}

/* The last process has gone; a chore, cgroup or layer may still hold us up. */
static void
leave(struct sandbox *sb)
{
	struct platform *p = sb->platform;
	struct upper upper = {.state_fd = p->state_fd};
	int ret;

	sb->state = SANDBOX_LEAVING;
	if (sb->is_waiting_for_chore)
		return;
	if (sb->has_cgroup) {
		cgroup_close(&sb->cgroup);
		ret = cgroup_remove(&p->cgroups, sb->entry);
		/* The kernel lets go of the dead a moment later. */
		if (ret == -EBUSY && sb->n_tries++ < REMOVE_TRIES &&
		    loop_timer_set(p->loop, &sb->timer, REMOVE_MS, on_remove_again) == 0)
			return;
		if (ret < 0)
			log_line("the cgroup %s stays: %s", sb->entry, strerror(-ret));
		sb->has_cgroup = false;
	}
	if (sb->order.kind == SANDBOX_APP && sb->is_disk_ready) {
		strcpy(upper.app, sb->order.app);
		(void)snprintf(upper.id, sizeof(upper.id), "%llu",
			       (unsigned long long)sb->order.id);
		sb->is_waiting_for_chore = true;
		if (chores_add(&p->chores, remove_upper, &upper, sizeof(upper), on_upper_removed,
			       sb) == 0)
			return;
		sb->is_waiting_for_chore = false;
	}
	finish(sb);
}

static void
kill_processes(struct sandbox *sb)
{
	if (sb->pid_fd >= 0)
		(void)syscall(SYS_pidfd_send_signal, sb->pid_fd, SIGKILL, NULL, 0);
	if (sb->has_cgroup && sb->cgroup.entry_fd >= 0)
		(void)register_kill(sb->cgroup.entry_fd);
}

static void
on_bye_late(struct loop_timer *timer)
{
	kill_processes(container_of(timer, struct sandbox, timer));
}

void
sandbox_recorded(struct sandbox *sb)
{
	struct msg m;

	sb->is_recorded = true;
	if (sb->pid_fd < 0)
		return;
	msg_begin(&m, MSG_INIT_BYE, 0);
	if (chan_send(&sb->chan, &m) < 0 ||
	    loop_timer_set(sb->platform->loop, &sb->timer, BYE_MS, on_bye_late) < 0)
		kill_processes(sb);
}

void
sandbox_kill(struct sandbox *sb)
{
	if (sb->state == SANDBOX_WAITING) {
		close_order_fds(sb);
		end_exited(sb, SIGKILL);
		leave(sb);
	} else {
		kill_processes(sb);
	}
}

/* ---- init's messages --------------------------------------------------------------------- */

static void
on_init_message(struct chan *chan, struct msg *m)
{
	struct sandbox *sb = chan->user;
	char text[256];
	uint32_t status;

	switch ((int)m->type) {
	case MSG_INIT_STARTED:
		if (wire_end(&m->in) == 0 && !sb->has_started && !sb->has_outcome) {
			sb->has_started = true;
			sb->events->on_started(sb);
		}
		break;
	case MSG_INIT_PTY:
		if (wire_end(&m->in) == 0)
			sb->events->on_pty(sb, m->fds[0]);
		break;
	case MSG_INIT_LISTENS:
		wire_get_str(&m->in, text, sizeof(text));
		if (wire_end(&m->in) == 0)
			sb->events->on_listens(sb, text);
		break;
	case MSG_INIT_EXIT:
		status = wire_get_u32(&m->in);
		if (wire_end(&m->in) == 0)
			end_exited(sb, status);
		break;
	case MSG_INIT_FAILED:
		wire_get_str(&m->in, text, sizeof(text));
		if (wire_end(&m->in) == 0 && !sb->has_outcome) {
			struct err why = {0};

			(void)err_say(&why, -EIO, "%s", text);
			end_failed(sb, -EIO, &why);
			kill_processes(sb);
		}
		break;
	default:
		break;
	}
}

static void
on_init_closed(struct chan *chan, const struct err *why)
{
	struct sandbox *sb = chan->user;

	/* The end of init is told by its pidfd; a broken rule is the end of its sandbox. */
	if (!why)
		return;
	log_line("sandbox %s of %s is killed: %s", sb->order.label, sb->order.app, why->text);
	kill_processes(sb);
}

/* What init said last may still lie in the socket when its pidfd says that it is dead. */
static void
drain_chan(struct sandbox *sb)
{
	while (chan_is_open(&sb->chan)) {
		struct msg m;
		int ret = msg_receive(sb->chan.io.fd, &m);

		if (ret <= 0)
			break;
		if (msg_check(m.type, ROLE_INIT, ROLE_PARENT, PHASE_ANY, m.n_fds, NULL) == 0)
			on_init_message(&sb->chan, &m);
		msg_done(&m);
	}
	chan_close(&sb->chan);
}

/* ---- the child --------------------------------------------------------------------------- */

static void
on_pid_end(struct loop_io *io, uint32_t events)
{
	struct sandbox *sb = container_of(io, struct sandbox, pid_io);
	struct err why = {0};

	(void)events;
	loop_timer_cancel(sb->platform->loop, &sb->timer);
	/* A report of failure may still lie in the sync socket, as may init's last words in its. */
	if (sb->state == SANDBOX_ENTERING && sb->sync_fd >= 0) {
		struct enter_report report;
		ssize_t n;

		do {
			n = recv(sb->sync_fd, &report, sizeof(report), MSG_DONTWAIT);
		} while (n == 1);
		if (n == (ssize_t)sizeof(report)) {
			report.err.text[sizeof(report.err.text) - 1] = '\0';
			end_failed(sb, report.code, &report.err);
		}
	}
	close_sync(sb);
	drain_chan(sb);
	close_pid(sb);
	if (!sb->has_outcome && sb->state == SANDBOX_ENTERING) {
		(void)err_say(&why, -EIO, "the sandbox was killed while it was set up");
		end_failed(sb, -EIO, &why);
	} else if (!sb->has_outcome) {
		end_exited(sb, SIGKILL);
	}
	leave(sb);
}

static void
on_sync(struct loop_io *io, uint32_t events)
{
	struct sandbox *sb = container_of(io, struct sandbox, sync_io);
	struct enter_report report;
	struct err why = {0};
	const char go = ENTER_GO;
	ssize_t n = recv(sb->sync_fd, &report, sizeof(report), MSG_DONTWAIT);
	int ret;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == 1) {
		ret = ids_map(sb->pid, sb->order.uid, &why);
		if (ret == 0 && send(sb->sync_fd, &go, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
			ret = err_set(&why, -errno, "answer the sandbox");
		if (ret < 0) {
			end_failed(sb, ret, &why);
			kill_processes(sb);
		}
		return;
	}
	close_sync(sb);
	if (n == (ssize_t)sizeof(report)) {
		report.err.text[sizeof(report.err.text) - 1] = '\0';
		end_failed(sb, report.code, &report.err);
		kill_processes(sb);
	} else if (sb->state == SANDBOX_ENTERING) {
		/* Executed, or dead, which the pidfd says next. */
		sb->state = SANDBOX_RUNNING;
	}
}

static pid_t
clone_child(const struct sandbox *sb, int *pid_fd)
{
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD |
			 CLONE_INTO_CGROUP,
		.pidfd = (uint64_t)(uintptr_t)pid_fd,
		.cgroup = (uint64_t)sb->cgroup.entry_fd,
		.exit_signal = SIGCHLD,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Clones the child. 0, or -errno when there is none. */
static int
start_child(struct sandbox *sb, const int chan_ends[2], const int sync_ends[2], struct err *err)
{
	struct enter e = {
		.platform = sb->platform,
		.order = &sb->order,
		.cgroup = &sb->cgroup,
		.sync_fd = sync_ends[1],
		.chan_fd = chan_ends[1],
		.other_fd = chan_ends[0],
		.spec_fd = sb->spec_fd,
		.log_fd = sb->log_fd,
		.stdio_fds = {sb->stdio_fds[0], sb->stdio_fds[1], sb->stdio_fds[2]},
		.job_fd = sb->job_fd,
	};
	pid_t pid = clone_child(sb, &sb->pid_fd);

	if (pid < 0) {
		sb->pid_fd = -1;
		return err_set(err, -errno, "clone the sandbox");
	}
	if (pid == 0) {
		/* Else a dead paasd's end would live on in here, and we would wait for it. */
		(void)close(sync_ends[0]);
		enter_sandbox(&e);
	}
	sb->pid = pid;
	return 0;
}

static int
watch_child(struct sandbox *sb, int *chan_fd, struct err *err)
{
	struct loop *loop = sb->platform->loop;
	int ret;

	ret = loop_add(loop, &sb->pid_io, sb->pid_fd, EPOLLIN, on_pid_end);
	if (ret == 0)
		ret = loop_add(loop, &sb->sync_io, sb->sync_fd, EPOLLIN, on_sync);
	if (ret == 0)
		ret = chan_open(&sb->chan, loop, take_fd(chan_fd), ROLE_PARENT, ROLE_INIT,
				CHAN_QUEUE, on_init_message, on_init_closed, sb);
	return ret < 0 ? err_set(err, ret, "watch the sandbox") : 0;
}

static int
enter_child(struct sandbox *sb, struct err *err)
{
	struct cgroup_limits limits = {
		.memory_bytes = sb->order.memory_bytes,
		.pids = sb->order.pids,
		.cpu_weight = sb->order.cpu_weight,
	};
	int chan_ends[2] = {-1, -1}, sync_ends[2] = {-1, -1};
	int ret;

	ret = cgroup_create(&sb->platform->cgroups, sb->entry, &limits, &sb->cgroup, err);
	if (ret < 0)
		return ret;
	sb->has_cgroup = true;
	ret = msg_pair(chan_ends, false);
	if (ret == 0)
		ret = msg_pair(sync_ends, false);
	if (ret < 0)
		(void)err_set(err, ret, "make the sandbox's channel");
	else
		ret = start_child(sb, chan_ends, sync_ends, err);
	if (ret == 0) {
		sb->sync_fd = take_fd(&sync_ends[0]);
		sb->state = SANDBOX_ENTERING;
		ret = watch_child(sb, &chan_ends[0], err);
	}
	for (size_t i = 0; i < 2; i++) {
		close_fd(&chan_ends[i]);
		close_fd(&sync_ends[i]);
	}
	close_order_fds(sb);
	return ret;
}

/* ---- before the child -------------------------------------------------------------------- */

static void
fail(struct sandbox *sb, int code, const struct err *why)
{
	end_failed(sb, code, why);
	close_order_fds(sb);
	kill_processes(sb);
	if (!sb->pid_io.events)
		leave(sb);
}

static void
on_disk_ready(struct disk_user *user, int code, const struct err *why)
{
	struct sandbox *sb = container_of(user, struct sandbox, disk);

	if (sb->state != SANDBOX_WAITING)
		return;
	sb->is_disk_ready = code == 0;
	if (code < 0)
		fail(sb, code, why);
	else
		sandbox_advance(sb);
}

/* 1: ready; 0: on_disk_ready comes; or -errno. */
static int
get_disk(struct sandbox *sb, struct err *err)
{
	struct disk_order order = {
		.kind = sb->order.kind == SANDBOX_BUILD ? DISK_BUILD : DISK_INSTANCE,
		.bytes = sb->order.disk_bytes,
		.uid = sb->order.uid,
	};
	int ret;

	strcpy(order.app, sb->order.app);
	if (sb->disk.disk)
		return sb->is_disk_ready;
	ret = disk_use(&sb->platform->disks, &order, &sb->disk, on_disk_ready);
	if (ret < 0)
		return err_set(err, ret, "get the disk of %s", sb->order.app);
	sb->is_disk_ready = ret == 1;
	return ret;
}

struct slug {
	int state_fd;
	uint32_t uid;
	char app[APP_NAME_MAX + 1];
	char number[16];
};

static int
make_slug_directory(void *what, struct err *err)
{
	const struct slug *slug = what;
	AUTO_FD int dir_fd = -1, fd = -1;
	char path[64];
	int ret;

	(void)snprintf(path, sizeof(path), "slugs/%s", slug->app);
	dir_fd = path_open_dir(slug->state_fd, path);
	if (dir_fd < 0)
		return err_set(err, dir_fd, "open %s", path);
	ret = file_remove_tree(dir_fd, slug->number);
	if (ret < 0)
		return err_set(err, ret, "empty %s/%s", path, slug->number);
	fd = file_make_dir(dir_fd, slug->number, 0755, slug->uid, slug->uid);
	return fd < 0 ? err_set(err, fd, "make %s/%s", path, slug->number) : 0;
}

static void
on_slug_ready(void *user, int code, const struct err *why)
{
	struct sandbox *sb = user;

	sb->is_waiting_for_chore = false;
	if (sb->state == SANDBOX_LEAVING) {
		leave(sb);
		return;
	}
	sb->is_slug_ready = code == 0;
	if (code < 0)
		fail(sb, code, why);
	else
		sandbox_advance(sb);
}

static int
get_slug_directory(struct sandbox *sb, struct err *err)
{
	struct slug slug = {.state_fd = sb->platform->state_fd, .uid = sb->order.uid};
	int ret;

	if (sb->is_slug_ready || sb->is_waiting_for_chore)
		return sb->is_slug_ready;
	strcpy(slug.app, sb->order.app);
	(void)snprintf(slug.number, sizeof(slug.number), "%u", sb->order.slug);
	sb->is_waiting_for_chore = true;
	ret = chores_add(&sb->platform->chores, make_slug_directory, &slug, sizeof(slug),
			 on_slug_ready, sb);
	if (ret < 0) {
		sb->is_waiting_for_chore = false;
		return err_set(err, ret, "make the directory of the slug");
	}
	return 0;
}

/* 1: all is there that the sandbox needs; 0: wait; or -errno. */
static int
prepare(struct sandbox *sb, struct err *err)
{
	const struct platform *p = sb->platform;

	if (sb->order.address && !(sb->order.flags & SANDBOX_NO_NET)) {
		if (p->firewall == FIREWALL_FAILED)
			return err_say(err, -EIO, "the firewall could not be loaded: %s",
				       p->firewall_why.text);
		if (p->firewall == FIREWALL_LOADING)
			return 0;
	}
	switch (sb->order.kind) {
	case SANDBOX_APP:
	case SANDBOX_BUILD:
		return get_disk(sb, err);
	case SANDBOX_UNPACK:
		return get_slug_directory(sb, err);
	case SANDBOX_GIT:
	case SANDBOX_KINDS:
		break;
	}
	return 1;
}

void
sandbox_advance(struct sandbox *sb)
{
	struct err why = {0};
	int ret;

	if (sb->state != SANDBOX_WAITING)
		return;
	ret = prepare(sb, &why);
	if (ret > 0)
		ret = enter_child(sb, &why);
	if (ret < 0)
		fail(sb, ret, &why);
}

/* ---- while it runs ----------------------------------------------------------------------- */

void
sandbox_signal(struct sandbox *sb, int signal)
{
	struct msg m;

	if (sb->state == SANDBOX_RUNNING) {
		msg_begin(&m, MSG_INIT_SIGNAL, 0);
		wire_put_u8(&m.out, (uint8_t)signal);
		(void)chan_send(&sb->chan, &m);
	} else if (signal == SIGTERM || signal == SIGKILL || signal == SIGINT ||
		   signal == SIGQUIT || signal == SIGHUP) {
		sandbox_kill(sb);
	}
}

void
sandbox_ask_ports(struct sandbox *sb)
{
	struct msg m;

	msg_begin(&m, MSG_INIT_PORTS, 0);
	if (sb->state != SANDBOX_RUNNING || chan_send(&sb->chan, &m) < 0)
		sb->events->on_listens(sb, "");
}

bool
sandbox_wants_log(const struct sandbox *sb)
{
	return !(sb->order.flags & (SANDBOX_STDIO | SANDBOX_PTY)) && sb->state <= SANDBOX_RUNNING;
}

void
sandbox_set_log(struct sandbox *sb, int fd)
{
	struct msg m;

	if (sb->state == SANDBOX_WAITING) {
		close_fd(&sb->log_fd);
		sb->log_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		return;
	}
	msg_begin(&m, MSG_INIT_LOG, 0);
	msg_add_fd(&m, fd);
	(void)chan_send(&sb->chan, &m);
}

/* ---- adoption ---------------------------------------------------------------------------- */

/* Init keeps our end of its channel, at a known place, for this moment. */
static int
take_chan(int pid_fd)
{
	int fd = (int)syscall(SYS_pidfd_getfd, pid_fd, INIT_FD_OTHER, 0);
	int type = 0;
	socklen_t len = sizeof(type);

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET) {
		(void)close(fd);
		return -ENOTSOCK;
	}
	return fd;
}

static int
adopt_process(struct sandbox *sb)
{
	pid_t pids[3];
	int ret;

	ret = register_open_init(sb->cgroup.entry_fd, &sb->pid);
	if (ret < 0)
		return ret;
	sb->pid_fd = ret;
	ret = take_chan(sb->pid_fd);
	if (ret < 0)
		return ret;
	ret = chan_open(&sb->chan, sb->platform->loop, ret, ROLE_PARENT, ROLE_INIT, CHAN_QUEUE,
			on_init_message, on_init_closed, sb);
	if (ret < 0)
		return ret;
	/* Whether init said so was between it and the old paasd. */
	sb->has_started = register_pids(sb->cgroup.entry_fd, pids, 3) > 1;
	sb->state = SANDBOX_RUNNING;
	return loop_add(sb->platform->loop, &sb->pid_io, sb->pid_fd, EPOLLIN, on_pid_end);
}

static int
adopt_disk(struct sandbox *sb)
{
	struct disk_order order = {
		.kind = sb->order.kind == SANDBOX_BUILD ? DISK_BUILD : DISK_INSTANCE,
	};

	if (sb->order.kind != SANDBOX_APP && sb->order.kind != SANDBOX_BUILD)
		return 0;
	strcpy(order.app, sb->order.app);
	sb->is_disk_ready = true;
	return disk_adopt(&sb->platform->disks, &order, &sb->disk);
}

struct sandbox *
sandbox_adopt(struct platform *p, const struct sandbox_order *order, const char *entry,
	      const struct sandbox_events *events, void *user)
{
	struct sandbox *sb = allocate(p, order, events, user);
	int ret;

	if (!sb)
		return NULL;
	(void)snprintf(sb->entry, sizeof(sb->entry), "%s", entry);
	ret = cgroup_open(&p->cgroups, entry, &sb->cgroup);
	if (ret == 0) {
		sb->has_cgroup = true;
		ret = adopt_process(sb);
	}
	if (ret == 0)
		ret = adopt_disk(sb);
	if (ret == 0)
		return sb;
	/* Half made or half dead: nobody waits for it. */
	log_line("sandbox %s of %s cannot be adopted and is removed", order->label, order->app);
	kill_processes(sb);
	sb->has_outcome = sb->is_recorded = true;
	sb->state = SANDBOX_ENDED;
	if (sb->pid_fd >= 0 && !sb->pid_io.events)
		ret = loop_add(p->loop, &sb->pid_io, sb->pid_fd, EPOLLIN, on_pid_end);
	if (sb->pid_fd >= 0 && ret == 0)
		return sb;
	(void)cgroup_remove(&p->cgroups, entry);
	sandbox_free(sb);
	return NULL;
}

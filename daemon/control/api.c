/* The listener, the list of connections, who is let in. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/loop.h"

#include "daemon/control/api.h"
#include "daemon/control/api_conn.h"
#include "daemon/control/options.h"
#include "daemon/control/store.h"

#define MAX_GROUPS 4096
#define RESUME_MS 100 /* after accept failed for want of descriptors */

struct api {
	struct loop *loop;
	struct loop_io listener; /* fd -1: none */
	struct loop_timer resume;
	struct api_conn *conns;
	size_t n_conns;
	struct api_request prototype;
	struct api_log_sessions *log_sessions;
	gid_t group;
	bool has_group, closing;
};

static void on_accept(struct loop_io *io, uint32_t events);

/* ---- room -------------------------------------------------------------------------------- */

static void
listen_again(struct api *api)
{
	if (api->listener.fd < 0 || api->listener.events != 0 || api->closing)
		return;
	if (loop_add(api->loop, &api->listener, api->listener.fd, EPOLLIN, on_accept) < 0)
		log_line("control.sock cannot be watched: out of memory");
}

static void
on_resume(struct loop_timer *timer)
{
	listen_again(container_of(timer, struct api, resume));
}

void
api_conn_gone(struct api *api, struct api_conn *conn)
{
	*conn->link = conn->next;
	if (conn->next)
		conn->next->link = conn->link;
	api->n_conns--;
	listen_again(api);
}

/* Room for one more, if need be by closing the connection that idles longest. */
static bool
make_room(struct api *api)
{
	struct api_conn *oldest = NULL;

	if (api->n_conns < API_MAX_CONNECTIONS)
		return true;
	for (struct api_conn *c = api->conns; c; c = c->next) {
		if (api_conn_is_idle(c) && (!oldest || c->timer.due_ms <= oldest->timer.due_ms))
			oldest = c;
	}
	if (!oldest)
		return false;
	api_conn_close(oldest);
	return true;
}

int
api_serve(struct api *api, int fd, const char *user)
{
	struct api_conn *conn;
	int code;

	if (!make_room(api)) {
		(void)close(fd);
		return -ENFILE;
	}
	code = api_conn_open(api->loop, api, fd, user, &api->prototype, &conn);
	if (code < 0)
		return code;
	conn->next = api->conns;
	conn->link = &api->conns;
	if (conn->next)
		conn->next->link = &conn->next;
	api->conns = conn;
	api->n_conns++;
	return 0;
}

/* ---- the socket -------------------------------------------------------------------------- */

static bool
is_in_group(int fd, gid_t group)
{
	AUTO_FREE gid_t *groups = calloc(MAX_GROUPS, sizeof(*groups));
	socklen_t len = MAX_GROUPS * sizeof(*groups);

	if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(*groups); i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

/* Who is at the other end? As it was when it connected. */
static const char *
user_of_peer(const struct api *api, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return "";
	if (peer.uid == 0)
		return "root";
	if (api->has_group && (peer.gid == api->group || is_in_group(fd, api->group)))
		return "root";
	return "";
}

static void
on_accept(struct loop_io *io, uint32_t events)
{
	struct api *api = container_of(io, struct api, listener);
	int fd;

	(void)events;
	if (!make_room(api)) {
		/* api_conn_gone listens again. */
		loop_remove(api->loop, &api->listener);
		return;
	}
	fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		(void)api_serve(api, fd, user_of_peer(api, fd));
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		if (loop_timer_set(api->loop, &api->resume, RESUME_MS, on_resume) == 0)
			loop_remove(api->loop, &api->listener);
	}
}

/* ---- opening and closing ----------------------------------------------------------------- */

static int
find_group(struct api *api)
{
	AUTO_FREE char *space = NULL;
	struct group group, *found = NULL;
	size_t cap = 65536;

	space = malloc(cap);
	if (!space)
		return -ENOMEM;
	if (getgrnam_r(API_GROUP, &group, space, cap, &found) == 0 && found) {
		api->group = found->gr_gid;
		api->has_group = true;
	}
	return 0;
}

int
api_open(struct loop *loop, struct store *store, struct live *live, const struct options *options,
	 int listen_fd, struct api **out, struct err *err)
{
	struct api *api = calloc(1, sizeof(*api));
	int code;

	*out = NULL;
	if (!api)
		return err_say(err, -ENOMEM, "Out of memory.");
	api->loop = loop;
	api->listener.fd = -1;
	api->prototype = (struct api_request){
		.api = api,
		.store = store,
		.live = live,
		.options = options,
	};
	api->log_sessions = api_log_sessions_new();
	code = api->log_sessions ? find_group(api) : -ENOMEM;
	if (code == 0 && listen_fd >= 0)
		code = file_set_nonblocking(listen_fd, true);
	if (code == 0 && listen_fd >= 0)
		code = loop_add(loop, &api->listener, listen_fd, EPOLLIN, on_accept);
	if (code < 0) {
		api_close(api);
		return err_set(err, code, "serve the API");
	}
	*out = api;
	return 0;
}

void
api_close(struct api *api)
{
	if (!api)
		return;
	api->closing = true;
	while (api->conns)
		api_conn_close(api->conns);
	loop_timer_cancel(api->loop, &api->resume);
	loop_remove(api->loop, &api->listener);
	api_log_sessions_free(api->log_sessions);
	free(api);
}

struct api_log_sessions *
api_log_sessions_of(struct api *api)
{
	return api->log_sessions;
}

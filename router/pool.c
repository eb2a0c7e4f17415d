/*
 * What always holds: a server without an exchange is idle and in both lists, or dead. Idle ones
 * are watched for EPOLLIN, which the other end's FIN raises too: whatever comes then, it is of
 * no more use.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "router/pool.h"
#include "router/table.h"

static void on_oldest(struct loop_timer *timer);

void
pool_init(struct pool *pool, struct loop *loop, struct blocks *blocks, size_t max_idle,
	  uint64_t idle_ms, loop_io_fn *on_event)
{
	*pool = (struct pool){.loop = loop,
			      .blocks = blocks,
			      .max_idle = max_idle,
			      .idle_ms = idle_ms,
			      .on_event = on_event};
	slab_init(&pool->slab, sizeof(struct server));
}

void
pool_done(struct pool *pool)
{
	while (pool->oldest)
		pool_close(pool, pool->oldest);
	pool_reap(pool);
	loop_timer_cancel(pool->loop, &pool->timer);
	slab_done(&pool->slab);
}

/* ---- the two lists --------------------------------------------------------------------------- */

static void
list_add(struct pool *pool, struct server *server)
{
	struct backend *backend = server->backend;

	server->prev = NULL;
	server->next = backend->idle;
	if (backend->idle)
		backend->idle->prev = server;
	backend->idle = server;

	server->lru_newer = NULL;
	server->lru_older = pool->newest;
	if (pool->newest)
		pool->newest->lru_newer = server;
	else
		pool->oldest = server;
	pool->newest = server;
	pool->n_idle++;
}

static void
list_remove(struct pool *pool, struct server *server)
{
	if (server->prev)
		server->prev->next = server->next;
	else
		server->backend->idle = server->next;
	if (server->next)
		server->next->prev = server->prev;

	if (server->lru_newer)
		server->lru_newer->lru_older = server->lru_older;
	else
		pool->newest = server->lru_older;
	if (server->lru_older)
		server->lru_older->lru_newer = server->lru_newer;
	else
		pool->oldest = server->lru_newer;
	server->next = server->prev = server->lru_newer = server->lru_older = NULL;
	pool->n_idle--;
}

static bool
is_idle(const struct pool *pool, const struct server *server)
{
	return server->lru_newer || pool->newest == server;
}

/* Set for the oldest when it became idle; who is oldest now may have been used since. */
static void
arm(struct pool *pool)
{
	uint64_t due, now = loop_now_ms(pool->loop);

	if (!pool->oldest || pool->timer.slot)
		return;
	due = pool->oldest->idle_since_ms + pool->idle_ms;
	/* Without memory for the timer, connections stay until their backend closes them. */
	(void)loop_timer_set(pool->loop, &pool->timer, due > now ? due - now : 1, on_oldest);
}

static void
on_oldest(struct loop_timer *timer)
{
	struct pool *pool = container_of(timer, struct pool, timer);

	while (pool->oldest &&
	       pool->oldest->idle_since_ms + pool->idle_ms <= loop_now_ms(pool->loop))
		pool_close(pool, pool->oldest);
	arm(pool);
}

/* ---- connections ----------------------------------------------------------------------------- */

struct server *
pool_take(struct pool *pool, struct backend *backend)
{
	struct server *server = backend->idle;

	if (!server)
		return NULL;
	list_remove(pool, server);
	server->is_reused = true;
	return server;
}

void
pool_put(struct pool *pool, struct server *server)
{
	server->exchange = NULL;
	server->idle_since_ms = loop_now_ms(pool->loop);
	if (pool->max_idle == 0 || loop_change(pool->loop, &server->io, EPOLLIN) < 0) {
		pool_close(pool, server);
		return;
	}
	list_add(pool, server);
	if (pool->n_idle > pool->max_idle)
		pool_close(pool, pool->oldest);
	arm(pool);
}

static int
start_connect(const struct backend *backend)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons(backend->port),
				 .sin_addr.s_addr = htonl(backend->ipv4)};
	int one = 1, ret = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* Bodies follow heads in writes of their own. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		ret = -errno;
	else if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS)
		ret = -errno;
	if (ret == 0)
		return fd;
	(void)close(fd);
	return ret;
}

struct server *
pool_connect(struct pool *pool, struct backend *backend, int *ret)
{
	struct server *server = slab_take(&pool->slab);
	int fd;

	*ret = -ENOMEM;
	if (!server)
		return NULL;
	fd = start_connect(backend);
	*ret = fd < 0 ? fd : loop_add(pool->loop, &server->io, fd, EPOLLIN, pool->on_event);
	if (*ret < 0) {
		if (fd >= 0)
			(void)close(fd);
		slab_give(&pool->slab, server);
		return NULL;
	}
	server->pool = pool;
	server->backend = backend;
	return server;
}

void
pool_close(struct pool *pool, struct server *server)
{
	assert(server->backend);
	if (is_idle(pool, server))
		list_remove(pool, server);
	loop_close(pool->loop, &server->io);
	block_release(pool->blocks, &server->head);
	server->exchange = NULL;
	server->backend = NULL;
	server->next_dead = pool->dead;
	pool->dead = server;
}

void
pool_close_idle(struct pool *pool, struct backend *backend)
{
	while (backend->idle)
		pool_close(pool, backend->idle);
}

void
pool_reap(struct pool *pool)
{
	while (pool->dead) {
		struct server *server = pool->dead;

		pool->dead = server->next_dead;
		slab_give(&pool->slab, server);
	}
}

bool
pool_was_received(const struct server *server, uint64_t n_before)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(server->io.fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    len < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked))
		return true;
	/* The SYN counts as one. */
	return info.tcpi_bytes_acked > n_before + 1;
}

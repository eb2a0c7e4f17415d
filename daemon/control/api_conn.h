/*
 * One client's connection: reads a request, hands it to api_route, writes the answer, begins
 * again. One request at a time; nothing is read while one is being answered.
 */
#ifndef CONTROL_API_CONN_H
#define CONTROL_API_CONN_H

#include <stdbool.h>

#include "daemon/control/api_request.h"
#include "lib/buf.h"
#include "lib/http.h"
#include "lib/loop.h"

#define API_MAX_BODY (1024 * 1024)
#define API_IDLE_MS 60000 /* for a whole request, and for a whole answer */
#define API_LINGER_MS 2000

enum api_conn_state {
	CONN_HEAD,
	CONN_BODY,
	CONN_WAITING, /* the live side will call back */
	CONN_REPLY,
	CONN_LINGER, /* the request was refused; what still comes of it is thrown away */
};

struct api_conn {
	struct api *api;
	struct api_conn *next, **link; /* in the API's list */
	struct loop *loop;
	struct loop_io io;
	struct loop_timer timer;
	char user[USER_NAME_MAX + 1]; /* "": not let in, every request is answered 401 */
	enum api_conn_state state;
	bool keep_alive, answered, refused;
	struct buf in, body, out;
	size_t n_sent; /* of out */
	struct http_body framing;
	char method[16], path[API_MAX_PATH + 1], decoded[API_MAX_PATH + 1];
	char range[API_MAX_RANGE + 1];
	struct api_request request;
	int fds[API_MAX_FDS]; /* owned; go with the first byte of out */
	size_t n_fds;
	uint64_t ticket, held;
	void (*take)(struct live *live, void *user, int fd);
	void *take_user;
};

/* Takes `fd`, also on failure. The connection frees itself when it ends, after on_gone. */
int api_conn_open(struct loop *loop, struct api *api, int fd, const char *user,
		  const struct api_request *prototype, struct api_conn **conn);
void api_conn_close(struct api_conn *conn);
/* Waits for a request of which nothing has come: could be closed without harm. */
bool api_conn_is_idle(const struct api_conn *conn);

/* api.c: takes the connection out of its list. */
void api_conn_gone(struct api *api, struct api_conn *conn);

#endif

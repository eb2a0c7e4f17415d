/*
 * The messages between our processes: one table, from which the enum, the names and the
 * rule check are generated. A row says who may send it to whom, whether the session on
 * that channel must have logged in, and how many fds it carries at least and at most.
 *
 * All channels are stars around two processes. paasd (PARENT) has one SOCK_SEQPACKET pair
 * with each of CONTROL, RECEIVER, LOGS, every ROUTER worker and every sandbox's INIT; what
 * is addressed to somebody else it passes on unread. CONTROL has one with every SESSION,
 * and one ("job") with the HOOK or BUILD inside a sandbox. LOGS has one stream from every
 * INIT and ROUTER.
 *
 * A message is a header (type u16, reserved u16, peer u32) and the fields in the order the
 * comment behind each row gives, as lib/wire.h encodes them. `peer` names the router worker
 * a message is for (0: all of them) or comes from; elsewhere it is 0.
 */
#ifndef LIB_MSG_H
#define LIB_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/wire.h"

struct err;

#define MSG_MAX_BYTES 16384
#define MSG_MAX_FDS 6
#define MSG_HEAD_BYTES 8

enum role {
	ROLE_PARENT,
	ROLE_CONTROL,
	ROLE_RECEIVER,
	ROLE_LOGS,
	ROLE_ROUTER,
	ROLE_INIT,
	ROLE_SESSION,
	ROLE_HOOK,
	ROLE_BUILD,
	ROLE_COUNT,
};

enum msg_phase {
	PHASE_ANY,   /* legal at once */
	PHASE_LOGIN, /* legal once the session has proved its user */
};

/* clang-format off */
/*   name              from      to        phase  min max  fields */
#define MSG_TABLE(M) \
	/* a child tells paasd, once, that it serves */ \
	M(CONTROL_READY,   CONTROL,  PARENT,   ANY,   0, 0) /* (nothing): the store is open, control.sock is answered */ \
	M(RECEIVER_READY,  RECEIVER, PARENT,   ANY,   0, 0) /* (nothing): connections are accepted */ \
	M(LOGS_READY,      LOGS,     PARENT,   ANY,   0, 0) /* (nothing) */ \
	M(ROUTER_READY,    ROUTER,   PARENT,   ANY,   0, 0) /* (nothing): connections are accepted */ \
	/* control asks paasd for sandboxes */ \
	M(SANDBOX_START,   CONTROL,  PARENT,   ANY,   1, 5) /* see struct sandbox_order in lib/sandbox.h; fds: spec, then [stdin stdout stderr], then [job] */ \
	M(SANDBOX_SIGNAL,  CONTROL,  PARENT,   ANY,   0, 0) /* id u64, signal u8: to every process inside */ \
	M(SANDBOX_KILL,    CONTROL,  PARENT,   ANY,   0, 0) /* id u64: SIGKILL of the whole cgroup */ \
	M(SANDBOX_PORTS,   CONTROL,  PARENT,   ANY,   0, 0) /* id u64: what does it listen on? */ \
	/* and paasd tells what became of them; FOUND rows and FOUND_END greet a new control */ \
	M(SANDBOX_FOUND,   PARENT,   CONTROL,  ANY,   0, 0) /* id u64, kind u8, address u32, app str, label str, started_ms u64 (unix) */ \
	M(SANDBOX_FOUND_END, PARENT, CONTROL,  ANY,   0, 0) /* (nothing) */ \
	M(SANDBOX_STARTED, PARENT,   CONTROL,  ANY,   0, 0) /* id u64: the program was executed */ \
	M(SANDBOX_PTY,     PARENT,   CONTROL,  ANY,   1, 1) /* id u64; fd: the terminal's master */ \
	M(SANDBOX_LISTENS, PARENT,   CONTROL,  ANY,   0, 0) /* id u64, text str: "127.0.0.1:3000 ..." or "" */ \
	M(SANDBOX_FAILED,  PARENT,   CONTROL,  ANY,   0, 0) /* id u64, why str: it could not be set up; the id is gone */ \
	M(SANDBOX_EXITED,  PARENT,   CONTROL,  ANY,   0, 0) /* id u64, status u32 (wait status), oom u8, peak_bytes u64, limit_bytes u64; the id is gone */ \
	/* files that only root can make or remove */ \
	M(APP_CREATE,      CONTROL,  PARENT,   ANY,   0, 0) /* token u32, app str, run_uid u32, build_uid u32: idempotent */ \
	M(APP_REMOVE,      CONTROL,  PARENT,   ANY,   0, 0) /* token u32, app str: idempotent */ \
	M(SLUG_REMOVE,     CONTROL,  PARENT,   ANY,   0, 0) /* token u32, app str, slug u32: the unpacked tree */ \
	M(CHORE_DONE,      PARENT,   CONTROL,  ANY,   0, 0) /* token u32, code u32 (0 or errno), why str */ \
	/* a sandbox's init */ \
	M(INIT_LOG,        PARENT,   INIT,     ANY,   1, 1) /* fd: a new stream to paas-logs */ \
	M(INIT_SIGNAL,     PARENT,   INIT,     ANY,   0, 0) /* signal u8: to every process inside */ \
	M(INIT_PORTS,      PARENT,   INIT,     ANY,   0, 0) /* answer with INIT_LISTENS */ \
	M(INIT_BYE,        PARENT,   INIT,     ANY,   0, 0) /* the exit was recorded: end now */ \
	M(INIT_STARTED,    INIT,     PARENT,   ANY,   0, 0) /* the program was executed */ \
	M(INIT_FAILED,     INIT,     PARENT,   ANY,   0, 0) /* why str: it could not be executed */ \
	M(INIT_PTY,        INIT,     PARENT,   ANY,   1, 1) /* fd: the terminal's master */ \
	M(INIT_LISTENS,    INIT,     PARENT,   ANY,   0, 0) /* text str, at most 200 bytes */ \
	M(INIT_EXIT,       INIT,     PARENT,   ANY,   0, 0) /* status u32 (wait status) */ \
	/* output of apps and the router's lines */ \
	M(LOG_LINES,       INIT,     LOGS,     ANY,   0, 0) /* time_us u64 (unix), dropped u32 (lines lost before these), text bytes: lines, each ended by \n */ \
	M(LOG_ROUTER,      ROUTER,   LOGS,     ANY,   0, 0) /* a batch, until the end of the message: {app str, time_us u64 (unix), text bytes: one line without \n} */ \
	M(LOGS_STREAM,     PARENT,   LOGS,     ANY,   1, 1) /* app str, source str ("app[web.1]"; "" for a router worker); fd: the stream to read */ \
	M(LOGS_WRITE,      CONTROL,  LOGS,     ANY,   0, 0) /* app str, source str ("heroku[web.1]"), text str */ \
	M(LOGS_READ,       CONTROL,  LOGS,     ANY,   1, 1) /* app str, n_lines u32, tail u8, source str ("", "app", "heroku"), instance str ("", "web", "web.1"); fd: where to write, closed at the end */ \
	M(LOGS_REMOVE,     CONTROL,  LOGS,     ANY,   0, 0) /* app str: forget all of it */ \
	M(LOGS_UP,         PARENT,   CONTROL,  ANY,   0, 0) /* a new paas-logs serves */ \
	/* routing; control sends RESET .. DONE to a new worker, afterwards single changes */ \
	M(ROUTER_UP,       PARENT,   CONTROL,  ANY,   0, 0) /* peer: a worker that knows no routes, or an adopted one: send RESET .. DONE */ \
	M(ROUTER_DOWN,     PARENT,   CONTROL,  ANY,   0, 0) /* peer */ \
	M(ROUTER_LOGS,     PARENT,   ROUTER,   ANY,   1, 1) /* fd: a new stream to paas-logs */ \
	M(ROUTE_RESET,     CONTROL,  ROUTER,   ANY,   0, 0) /* all routes not repeated before ROUTE_DONE go away at ROUTE_DONE */ \
	M(ROUTE_APP,       CONTROL,  ROUTER,   ANY,   0, 0) /* app u32, name str, state u8 (enum route_state), n u16, n x {instance u64, ipv4 u32 (host order), port u16, name str}: replaces the app's backends in one step */ \
	M(ROUTE_APP_GONE,  CONTROL,  ROUTER,   ANY,   0, 0) /* app u32: and its hosts */ \
	M(ROUTE_HOST,      CONTROL,  ROUTER,   ANY,   0, 0) /* host str (lower case, no port; "*.x" for a wildcard), app u32 */ \
	M(ROUTE_HOST_GONE, CONTROL,  ROUTER,   ANY,   0, 0) /* host str */ \
	M(ROUTE_DONE,      CONTROL,  ROUTER,   ANY,   0, 0) /* generation u64: ends a RESET or a batch of changes */ \
	M(ROUTE_ACK,       ROUTER,   CONTROL,  ANY,   0, 0) /* generation u64: all up to here is in force */ \
	M(BACKEND_DRAINING, ROUTER,  CONTROL,  ANY,   0, 0) /* instance u64: not in the routes of this RESET but still in use; sent before its ROUTE_ACK */ \
	M(BACKEND_DRAINED, ROUTER,   CONTROL,  ANY,   0, 0) /* instance u64: taken out of its route and no request or connection to it is left */ \
	/* ssh sessions */ \
	M(SESSION_OPEN,    RECEIVER, CONTROL,  ANY,   1, 1) /* address str; fd: control's end of the session's channel */ \
	M(LOGIN_KEY,       SESSION,  CONTROL,  ANY,   0, 0) /* user str (the ssh user name), type str ("ssh-ed25519"), key str (base64): may it try? */ \
	M(LOGIN_PROVED,    SESSION,  CONTROL,  ANY,   0, 0) /* the same three fields, after the signature was verified */ \
	M(LOGIN_ANSWER,    CONTROL,  SESSION,  ANY,   0, 0) /* accepted u8, name str (the platform's name for the person) */ \
	M(GIT_OPEN,        SESSION,  CONTROL,  LOGIN, 3, 3) /* service u8 (enum git_service), app str, protocol str (GIT_PROTOCOL); fds: stdin stdout stderr of git */ \
	M(GIT_WAIT,        CONTROL,  SESSION,  LOGIN, 0, 0) /* place u32: pushes to this app before yours */ \
	M(GIT_STARTED,     CONTROL,  SESSION,  LOGIN, 0, 0) /* git runs */ \
	M(GIT_REFUSED,     CONTROL,  SESSION,  LOGIN, 0, 0) /* why str: one sentence */ \
	M(GIT_DONE,        CONTROL,  SESSION,  LOGIN, 0, 0) /* status u32 (exit code) */ \
	M(GIT_STALLED,     SESSION,  CONTROL,  LOGIN, 0, 0) /* the upload stalled: end receive-pack, free the turn */ \
	M(API_OPEN,        SESSION,  CONTROL,  LOGIN, 0, 0) /* a connection to the API as this user, please */ \
	M(API_READY,       CONTROL,  SESSION,  LOGIN, 1, 1) /* fd: SOCK_STREAM, speaks HTTP/1.1 like control.sock */ \
	/* the hook inside receive-pack's sandbox */ \
	M(HOOK_PUSH,       HOOK,     CONTROL,  ANY,   1, 1) /* ref str, old str, new str (hex), quarantine str (directory name in objects/); fd: where the transcript goes */ \
	M(HOOK_VERDICT,    CONTROL,  HOOK,     ANY,   0, 0) /* accepted u8 */ \
	/* the builder inside its sandbox */ \
	M(BUILD_ORDER,     CONTROL,  BUILD,    ANY,   2, 2) /* commit str, quarantine str ("" or a directory name in objects/), slug_max_bytes u64, disk_bytes u64, n u16, n x buildpack str (none: detect); fds: slug file to write, config (a spec whose envp are the config vars) */ \
	M(BUILD_PACK,      BUILD,    CONTROL,  ANY,   0, 0) /* buildpack str, name str (what bin/detect said) */ \
	M(BUILD_TYPE,      BUILD,    CONTROL,  ANY,   0, 0) /* process type str, command str */ \
	M(BUILD_DONE,      BUILD,    CONTROL,  ANY,   0, 0) /* sha256 str (hex, of the slug), bytes u64 (packed), has_profile u8 */ \
	M(BUILD_FAILED,    BUILD,    CONTROL,  ANY,   0, 0) /* why str: one sentence, already without " !     " */
/* clang-format on */

enum msg_type {
	MSG_NONE,
#define M(name, from, to, phase, min, max) MSG_##name,
	MSG_TABLE(M)
#undef M
		MSG_COUNT,
};

/* What a router answers for an app without a backend. */
enum route_state {
	ROUTE_UP,      /* has backends */
	ROUTE_NO_WEB,  /* H14: scaled to zero */
	ROUTE_CRASHED, /* H10 */
	ROUTE_BOOTING, /* H20: one is starting */
	ROUTE_BLANK,   /* H81: nothing was deployed yet */
};

enum git_service {
	GIT_RECEIVE_PACK,
	GIT_UPLOAD_PACK,
};

/* One message received, or being written. Fields are read from or written to it directly. */
struct msg {
	enum msg_type type;
	uint32_t peer;
	struct wire_reader in;	/* of a received one */
	struct wire_writer out; /* of one being written */
	int fds[MSG_MAX_FDS];	/* received: owned by the message until taken (-1 then); sent:
				   borrowed */
	size_t n_fds;
	uint8_t bytes[MSG_MAX_BYTES];
};

const char *msg_name(enum msg_type type);
const char *role_name(enum role role);
enum role msg_from(enum msg_type type);
enum role msg_to(enum msg_type type);

/*
 * May `from` send this to `to` in `phase` with `n_fds` fds? On a channel whose other end is
 * PARENT any sender of the table may stand behind it, since paasd forwards. 0 or -EPROTO.
 */
int msg_check(enum msg_type type, enum role from, enum role to, enum msg_phase phase, size_t n_fds,
	      struct err *err);

/* Starts a message to be written: then wire_put_*(&m->out, ..), msg_add_fd, send. */
void msg_begin(struct msg *m, enum msg_type type, uint32_t peer);
/* The fd is borrowed; it must stay open until the message was sent or queued. */
void msg_add_fd(struct msg *m, int fd);

/*
 * Sends on a SOCK_SEQPACKET fd. 0; -EAGAIN (non-blocking and full); -EMSGSIZE when a field did
 * not fit; else the errno of sendmsg. Never raises SIGPIPE.
 */
int msg_send(int fd, struct msg *m);
/*
 * Receives one. 1 got it; 0 end of file; negative errno: -EAGAIN, -EBADMSG (truncated or
 * unknown; its fds are closed). All fds are CLOEXEC. The caller owns msg->fds afterwards
 * and gives the rest back with msg_done.
 */
int msg_receive(int fd, struct msg *m);
/* Closes the fds nobody took. */
void msg_done(struct msg *m);
/* Takes fd `i`, which the caller then owns. */
int msg_take_fd(struct msg *m, size_t i);

/* A SOCK_SEQPACKET pair, CLOEXEC; non-blocking if asked. 0 or -errno. */
int msg_pair(int ends[2], bool nonblocking);

#endif

/*
 * States of one git: ASKED (control was asked, or is to be asked when the one before is through) ->
 * RUNNING -> OVER. What a push does to the app does not depend on the client once its pack is
 * complete: then only GIT_DONE ends it, and until then its output is read, wanted or not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#include "daemon/receiver/git.h"
#include "daemon/receiver/pushes.h"
#include "daemon/receiver/session.h"
#include "daemon/receiver/stream.h"

/* What of a refused push's pack is still read, so that a small one ends without a broken pipe. */
#define LEFTOVER_MAX (1024 * 1024)
#define LEFTOVER_MS 500
/* How long output may still come from pipes when control said that git is no more. */
#define LAST_OUTPUT_MS 5000

enum git_state {
	GIT_QUEUED, /* another git of this connection has control's ear */
	GIT_ASKED,
	GIT_RUNNING,
	GIT_OVER, /* control will say nothing more about it */
};

/* Where the client is in a push. */
enum push_phase {
	PUSH_COMMANDS, /* reads the refs, thinks, runs its pre-push hook, sends commands */
	PUSH_HEAD,     /* the commands are on their way to git */
	PUSH_THINKS,   /* ... and it packs; nothing of the pack has come */
	PUSH_PACK,     /* bytes come */
	PUSH_UPLOADED, /* git has begun to answer: it has all it wants */
	PUSH_REFUSED,  /* we answered; the rest of its bytes goes nowhere */
	PUSH_NONE,     /* a fetch, or the client is gone */
};

struct git {
	struct stream *stream;
	enum git_state state;
	enum push_phase phase;
	struct pushes pushes;
	size_t n_head_sent;
	size_t n_leftover;
	size_t n_output_before; /* what git had said when the commands went to it */
	struct loop_timer timer;
};

static bool
is_push(const struct stream *st)
{
	return st->command.kind == COMMAND_RECEIVE_PACK;
}

static void
arm(struct git *g, uint64_t ms, loop_timer_fn *fn)
{
	(void)loop_timer_set(&g->stream->session->loop, &g->timer, ms, fn);
}

static void
disarm(struct git *g)
{
	loop_timer_cancel(&g->stream->session->loop, &g->timer);
}

static void
set_phase(struct git *g, enum push_phase phase)
{
	if (g->phase != PUSH_NONE && g->phase != PUSH_REFUSED)
		g->phase = phase;
}

/* ---- the end ------------------------------------------------------------------------------- */

static void ask_next(struct session *s);

static void
on_last_output(struct loop_timer *timer)
{
	struct git *g = container_of(timer, struct git, timer);

	outlet_last(&g->stream->out);
	outlet_last(&g->stream->err);
}

/* control is through with it. What is still in the pipes goes to the client, if it is there. */
static void
finish(struct git *g, int exit_code)
{
	struct stream *st = g->stream;

	if (g->state == GIT_OVER)
		return;
	g->state = GIT_OVER;
	inlet_close(&st->in);
	/* A refused push still reads a little of its client. */
	if (g->phase != PUSH_REFUSED) {
		if (!st->is_finishing)
			stream_finish(st, exit_code);
		arm(g, LAST_OUTPUT_MS, on_last_output);
	}
	if (st->session->git == st) {
		st->session->git = NULL;
		ask_next(st->session);
	}
}

/* Nobody reads it any more, but it must not block. */
static void
drop_output(struct git *g)
{
	outlet_drop(&g->stream->out);
	outlet_drop(&g->stream->err);
}

/* ---- a refused push -------------------------------------------------------------------------- */

static void
on_leftover(struct loop_timer *timer)
{
	struct git *g = container_of(timer, struct git, timer);

	stream_finish(g->stream, 1);
}

/*
 * The client is answered in git's stead. git itself gets an empty list of commands, with which it
 * ends at once and without complaint, and gives the app's turn back.
 */
static void
refuse(struct git *g)
{
	struct stream *st = g->stream;
	AUTO_BUF struct buf answer, text;

	buf_init(&answer, SIZE_MAX);
	buf_init(&text, SIZE_MAX);
	g->phase = PUSH_REFUSED;
	(void)inlet_write(&st->in, "0000", 4);
	inlet_end(&st->in);
	if (pushes_answer(&g->pushes, &answer, &text) < 0) {
		stream_say(st, "out of memory; push again");
		stream_finish(st, 1);
		return;
	}
	drop_output(g);
	if (buf_add(&st->err.pending, text.data, text.len) < 0 ||
	    buf_add(&st->out.pending, answer.data, answer.len) < 0)
		stream_finish(st, 1);
	arm(g, LEFTOVER_MS, on_leftover);
	st->session->is_dirty = true;
}

/* ---- an upload that stalls ------------------------------------------------------------------- */

static void
on_stall(struct loop_timer *timer)
{
	struct git *g = container_of(timer, struct git, timer);
	struct stream *st = g->stream;
	struct session *s = st->session;
	bool has_begun = g->phase == PUSH_PACK;
	static struct msg m;

	/* It is git that does not read. */
	if (st->in.waiting.len > 0 || g->phase == PUSH_HEAD) {
		arm(g, s->stall_ms, on_stall);
		return;
	}
	msg_begin(&m, MSG_GIT_STALLED, 0);
	(void)chan_send(&s->control, &m);
	inlet_close(&st->in);
	drop_output(g);
	g->phase = PUSH_NONE;
	stream_say(st, "%s for %llu seconds, so this push has lost its turn; push again",
		   has_begun ? "the upload stalled" : "nothing was uploaded",
		   (unsigned long long)((has_begun ? s->stall_ms : s->idle_ms) / 1000));
	stream_finish(st, 1);
}

/* Something came, or another phase began: the clock starts again. */
static void
watch_upload(struct git *g)
{
	struct session *s = g->stream->session;

	switch (g->phase) {
	case PUSH_COMMANDS:
	case PUSH_HEAD:
	case PUSH_THINKS:
		arm(g, s->idle_ms, on_stall);
		break;
	case PUSH_PACK:
		arm(g, s->stall_ms, on_stall);
		break;
	case PUSH_REFUSED:
		break;
	case PUSH_UPLOADED:
	case PUSH_NONE:
		disarm(g);
		break;
	}
}

/*
 * Behind the commands git says nothing before its input is complete: its first byte is the end
 * of the upload. At the latest the keepalive of its side-band tells, five seconds later.
 */
static void
look_for_answer(struct git *g)
{
	struct stream *st = g->stream;

	if ((g->phase == PUSH_THINKS || g->phase == PUSH_PACK) &&
	    st->out.n_read + st->err.n_read > g->n_output_before) {
		set_phase(g, PUSH_UPLOADED);
		watch_upload(g);
	}
}

/* ---- from the client ----------------------------------------------------------------------- */

static void
end_commands(struct git *g)
{
	if (!pushes_may_pass(&g->pushes)) {
		refuse(g);
		return;
	}
	g->n_output_before = g->stream->out.n_read + g->stream->err.n_read;
	set_phase(g, PUSH_HEAD);
	watch_upload(g);
}

static void
broken_push(struct git *g, const struct err *err)
{
	struct stream *st = g->stream;

	g->phase = PUSH_NONE;
	disarm(g);
	inlet_close(&st->in);
	drop_output(g);
	stream_say(st, "%s", err->text);
	stream_finish(st, 1);
}

static size_t
take_commands(struct git *g, const void *p, size_t n)
{
	struct err err;
	size_t used = 0;
	int ret = pushes_feed(&g->pushes, p, n, &used, &err);

	if (ret < 0) {
		broken_push(g, &err);
		return n;
	}
	if (ret == 1)
		end_commands(g);
	return used;
}

static bool
send_head(struct git *g)
{
	const struct buf *head = &g->pushes.head;

	if (g->stream->in.waiting.len > 0)
		return false;
	g->n_head_sent += inlet_write(&g->stream->in, head->data + g->n_head_sent,
				      head->len - g->n_head_sent);
	if (g->n_head_sent < head->len)
		return false;
	buf_done(&g->pushes.head);
	/* A client without side-band gets no keepalive, which is how we would know the end. */
	set_phase(g, g->pushes.has_sideband ? PUSH_THINKS : PUSH_UPLOADED);
	watch_upload(g);
	return true;
}

static size_t
take_leftover(struct git *g, size_t n)
{
	g->n_leftover += n;
	if (g->n_leftover > LEFTOVER_MAX)
		stream_finish(g->stream, 1);
	return n;
}

static size_t
input(struct stream *st, const void *p, size_t n)
{
	struct git *g = st->state;
	const char *at = p;
	size_t done = 0;

	if (g->state == GIT_QUEUED)
		return 0;
	if (g->phase == PUSH_COMMANDS) {
		done = take_commands(g, at, n);
		watch_upload(g);
	}
	if (g->phase == PUSH_REFUSED)
		return done + take_leftover(g, n - done);
	if (g->phase == PUSH_HEAD && !send_head(g))
		return done;
	if (done == n)
		return n;
	if (g->phase == PUSH_THINKS) {
		g->n_output_before = st->out.n_read + st->err.n_read;
		set_phase(g, PUSH_PACK);
	}
	if (g->phase == PUSH_PACK)
		watch_upload(g);
	return done + inlet_write(&st->in, at + done, n - done);
}

static void
ended(struct stream *st)
{
	struct git *g = st->state;

	if (g->phase == PUSH_REFUSED) {
		stream_finish(st, 1);
		return;
	}
	if (g->phase == PUSH_HEAD && !send_head(g)) {
		/* The stream asks again when there is room. */
		st->is_ended = false;
		return;
	}
	g->phase = PUSH_NONE;
	disarm(g);
	inlet_end(&st->in);
}

static void
left(struct stream *st)
{
	struct git *g = st->state;

	/* Nobody is told anything any more; a complete push still runs to its end. */
	g->phase = PUSH_NONE;
	if (g->state != GIT_OVER)
		disarm(g);
	inlet_close(&st->in);
	if (is_push(st)) {
		drop_output(g);
	} else {
		outlet_close(&st->out);
		outlet_close(&st->err);
	}
	/* Without a connection, control takes what has not begun out of its queue by itself. */
	if (g->state == GIT_QUEUED || (g->state == GIT_ASKED && st->session->is_lost))
		g->state = GIT_OVER;
}

static void
unread(struct stream *st)
{
	/* The client of a push only ever goes altogether. */
	if (!is_push(st)) {
		outlet_close(&st->out);
		outlet_close(&st->err);
	}
}

static void
ignore_signal(struct stream *st, int signal)
{
	(void)st;
	(void)signal;
}

static void
ignore_resize(struct stream *st)
{
	(void)st;
}

static void
settle(struct stream *st)
{
	struct git *g = st->state;

	if (g->phase == PUSH_HEAD)
		(void)send_head(g);
	look_for_answer(g);
}

static bool
is_done(const struct stream *st)
{
	const struct git *g = st->state;

	return g->state == GIT_OVER;
}

static void
git_free(struct stream *st)
{
	struct git *g = st->state;

	if (st->session->git == st)
		st->session->git = NULL;
	disarm(g);
	pushes_done(&g->pushes);
	free(g);
	st->state = NULL;
}

static const struct stream_service git_service = {
	.input = input,
	.ended = ended,
	.signalled = ignore_signal,
	.resized = ignore_resize,
	.unread = unread,
	.settle = settle,
	.left = left,
	.is_done = is_done,
	.free = git_free,
};

/* ---- from control -------------------------------------------------------------------------- */

static int
make_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	/* Fewer and longer turns for a pack; the default serves as well. */
	(void)fcntl(ends[0], F_SETPIPE_SZ, 256 * 1024);
	return 0;
}

/* Three pipes: our ends go into the stream, git's ends to control. */
static int
open_git(struct git *g)
{
	struct stream *st = g->stream;
	struct session *s = st->session;
	AUTO_FD int in_read = -1, out_write = -1, err_write = -1;
	int ends[2], ret;
	static struct msg m;

	ret = make_pipe(ends);
	if (ret < 0)
		return ret;
	in_read = ends[0];
	ret = inlet_open(&st->in, &s->loop, ends[1]);
	if (ret == 0)
		ret = make_pipe(ends);
	if (ret < 0)
		return ret;
	out_write = ends[1];
	ret = outlet_open(&st->out, &s->loop, ends[0]);
	if (ret == 0)
		ret = make_pipe(ends);
	if (ret < 0)
		return ret;
	err_write = ends[1];
	ret = outlet_open(&st->err, &s->loop, ends[0]);
	if (ret < 0)
		return ret;

	msg_begin(&m, MSG_GIT_OPEN, 0);
	wire_put_u8(&m.out, is_push(st) ? GIT_RECEIVE_PACK : GIT_UPLOAD_PACK);
	wire_put_str(&m.out, st->command.app);
	wire_put_str(&m.out, st->protocol);
	msg_add_fd(&m, in_read);
	msg_add_fd(&m, out_write);
	msg_add_fd(&m, err_write);
	return chan_send(&s->control, &m);
}

static void
ask(struct git *g)
{
	struct stream *st = g->stream;

	g->state = GIT_ASKED;
	st->session->git = st;
	if (open_git(g) < 0) {
		stream_say(st, "the platform is restarting; try again in a moment");
		finish(g, 1);
		outlet_close(&st->out);
		outlet_close(&st->err);
	}
}

/* The one that has waited longest is next. */
static void
ask_next(struct session *s)
{
	struct stream *next = NULL;

	for (struct stream *st = s->streams; st; st = st->next) {
		const struct git *g = st->state;

		if (st->service == &git_service && g->state == GIT_QUEUED &&
		    (!next || st->ticket < next->ticket))
			next = st;
	}
	if (next) {
		s->is_dirty = true;
		ask(next->state);
	}
}

void
git_start(struct stream *st)
{
	struct git *g = calloc(1, sizeof(*g));

	if (!g) {
		stream_say(st, "out of memory; try again");
		stream_finish(st, 1);
		return;
	}
	g->stream = st;
	g->state = GIT_QUEUED;
	g->phase = is_push(st) ? PUSH_COMMANDS : PUSH_NONE;
	pushes_init(&g->pushes);
	st->state = g;
	st->service = &git_service;
	if (st->session->git)
		stream_say(st, "another git command runs on this connection; waiting for it");
	else
		ask(g);
}

static void
say_place(struct stream *st, uint32_t place)
{
	if (place > 0)
		stream_say(st, "%u push%s to %s before yours, waiting", place,
			   place == 1 ? "" : "es", st->command.app);
}

static void
refused_by_control(struct git *g, const char *why)
{
	struct stream *st = g->stream;

	stream_say(st, "%s", why);
	finish(g, 1);
	outlet_close(&st->out);
	outlet_close(&st->err);
}

void
git_message(struct session *s, struct msg *m)
{
	struct stream *st = s->git;
	struct git *g = st ? st->state : NULL;
	char why[600] = "";
	uint32_t number = 0;

	if (m->type == MSG_GIT_REFUSED)
		wire_get_str(&m->in, why, sizeof(why));
	else if (m->type != MSG_GIT_STARTED)
		number = wire_get_u32(&m->in);
	if (!g || wire_end(&m->in) < 0) {
		log_line("control sent a %s that does not belong here", msg_name(m->type));
		return;
	}
	switch ((int)m->type) {
	case MSG_GIT_WAIT:
		say_place(st, number);
		break;
	case MSG_GIT_STARTED:
		g->state = GIT_RUNNING;
		watch_upload(g);
		break;
	case MSG_GIT_REFUSED:
		refused_by_control(g, why);
		break;
	case MSG_GIT_DONE:
		finish(g, (int)(number & 0xff));
		break;
	default:
		break;
	}
}

void
git_control_gone(struct session *s)
{
	for (struct stream *st = s->streams; st; st = st->next) {
		struct git *g = st->state;

		if (st->service != &git_service || g->state == GIT_OVER)
			continue;
		if (g->state != GIT_RUNNING)
			refused_by_control(g, "the platform is restarting; try again in a moment");
		else
			/* The hook says what became of the push, and git passes it on. */
			finish(g, 1);
	}
}

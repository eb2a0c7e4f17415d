/*
 * paas-hook: the pre-receive and update hooks of every repository, told apart by the name they
 * are called by. Runs inside the git sandbox; fd 5 leads to control. pre-receive hands the commit
 * to control, prints what happens to it, and answers git with the verdict; nothing it does depends
 * on somebody still reading what it prints.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/msg.h"

#include "daemon/receiver/refs.h"
#include "daemon/receiver/sentence.h"

#define JOB_FD 5
#define STDIN_MAX (8 * 1024 * 1024)
#define REF_MAX 4096

struct update {
	char old_id[65], new_id[65];
	char ref[REF_MAX + 1];
};

/* stderr, until nobody reads it any more. */
static bool is_heard = true;

static void
print(const void *p, size_t n)
{
	if (is_heard && file_write_all(STDERR_FILENO, p, n) < 0)
		is_heard = false;
}

static void
print_line(const char *text)
{
	print(text, strlen(text));
	print("\n", 1);
}

/* A line as Heroku writes what went wrong. */
static void
print_failure(const char *sentence)
{
	print(" !     ", 7);
	print_line(sentence);
}

/* ---- update REF OLD NEW ------------------------------------------------------------------ */

static int
run_update(int argc, char **argv)
{
	enum refs_verdict verdict;
	char sentence[400];

	if (argc != 4)
		return 1;
	verdict = refs_judge(argv[1], strlen(argv[1]), argv[3], strlen(argv[3]));
	if (refs_reason(verdict)[0] == '\0')
		return 0;
	print("paas: ", 6);
	print_line(refs_sentence(verdict, argv[1], strlen(argv[1]), sentence, sizeof(sentence)));
	return 1;
}

/* ---- pre-receive ------------------------------------------------------------------------- */

/* The next word up to `end` character, copied; false when there is none of at most cap - 1 bytes.
 */
static bool
take_word(const char **at, const char *end, char stop, char *out, size_t cap)
{
	const char *close = memchr(*at, stop, (size_t)(end - *at));
	size_t n;

	if (!close || (n = (size_t)(close - *at)) >= cap)
		return false;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at = close + 1;
	return true;
}

/* Finds the one deploying update among git's "OLD NEW REF" lines. How many there are, or -EINVAL.
 */
static int
find_deploy(const struct buf *lines, struct update *deploy)
{
	const char *at = buf_text(lines), *end = at + lines->len;
	struct update u;
	int n = 0;

	while (at < end) {
		if (!take_word(&at, end, ' ', u.old_id, sizeof(u.old_id)) ||
		    !take_word(&at, end, ' ', u.new_id, sizeof(u.new_id)) ||
		    !take_word(&at, end, '\n', u.ref, sizeof(u.ref)))
			return -EINVAL;
		if (refs_judge(u.ref, strlen(u.ref), u.new_id, strlen(u.new_id)) != REFS_DEPLOY)
			continue;
		*deploy = u;
		n++;
	}
	return n;
}

/* The directory in objects/ where this push's objects lie until it is accepted. */
static const char *
quarantine_name(void)
{
	const char *path = getenv("GIT_QUARANTINE_PATH");
	const char *slash = path ? strrchr(path, '/') : NULL;

	if (!path)
		return "";
	return slash ? slash + 1 : path;
}

static int
send_push(const struct update *deploy, int transcript_fd, struct err *err)
{
	static struct msg m;
	int ret;

	msg_begin(&m, MSG_HOOK_PUSH, 0);
	wire_put_str(&m.out, deploy->ref);
	wire_put_str(&m.out, deploy->old_id);
	wire_put_str(&m.out, deploy->new_id);
	wire_put_str(&m.out, quarantine_name());
	msg_add_fd(&m, transcript_fd);
	ret = msg_send(JOB_FD, &m);
	return ret < 0 ? err_set(err, ret, "reach the platform") : 0;
}

/* One read of the transcript. False at its end; -EAGAIN of a non-blocking one is not the end. */
static bool
copy_transcript(int fd, struct sentence_filter *filter, bool *is_dry)
{
	char in[16384], out[sizeof(in) + 1];
	ssize_t n = read(fd, in, sizeof(in));

	*is_dry = n < 0 && errno == EAGAIN;
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	print(out, sentence_filter(filter, in, (size_t)n, out));
	return true;
}

/* 1 accepted, 0 refused, negative: control is gone, or said nonsense. */
static int
read_verdict(void)
{
	static struct msg m;
	uint8_t accepted;
	int ret;

	do {
		ret = msg_receive(JOB_FD, &m);
	} while (ret == -EINTR);
	if (ret <= 0)
		return ret == 0 ? -EPIPE : ret;
	accepted = wire_get_u8(&m.in);
	ret = m.type == MSG_HOOK_VERDICT && wire_end(&m.in) == 0 ? accepted != 0 : -EBADMSG;
	msg_done(&m);
	return ret;
}

/* Copies until the verdict is there, then what was written before it. As read_verdict. */
static int
follow(int transcript_fd)
{
	struct pollfd fds[] = {
		{.fd = transcript_fd, .events = POLLIN},
		{.fd = JOB_FD, .events = POLLIN},
	};
	struct sentence_filter filter;
	bool is_dry = false;
	int verdict;

	sentence_filter_init(&filter);
	while (fds[1].revents == 0) {
		int n = poll(fds, 2, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && fds[0].revents && !copy_transcript(transcript_fd, &filter, &is_dry))
			fds[0].fd = -1;
	}
	verdict = read_verdict();
	if (fds[0].fd >= 0 && file_set_nonblocking(transcript_fd, true) == 0) {
		while (copy_transcript(transcript_fd, &filter, &is_dry) && !is_dry)
			;
	}
	return verdict;
}

static int
deploy_update(const struct update *deploy)
{
	AUTO_FD int read_fd = -1, write_fd = -1;
	struct err err = {0};
	int ends[2], ret;

	if (pipe(ends) < 0) {
		print_failure("paas-hook: out of file descriptors; push again.");
		return 1;
	}
	read_fd = ends[0];
	write_fd = ends[1];
	ret = send_push(deploy, write_fd, &err);
	(void)close(take_fd(&write_fd));
	if (ret == 0)
		ret = follow(read_fd);
	if (ret < 0) {
		print_failure("The platform was restarted during this push; push again.");
		return 1;
	}
	return ret ? 0 : 1;
}

static int
run_pre_receive(void)
{
	static struct update deploy;
	AUTO_BUF struct buf lines;
	int n;

	buf_init(&lines, STDIN_MAX);
	if (file_read_all(STDIN_FILENO, &lines) < 0 || (n = find_deploy(&lines, &deploy)) < 0) {
		print_failure("This push names more refs than the platform reads; push fewer.");
		return 1;
	}
	if (n == 0)
		return 0;
	if (n > 1) {
		print("paas: ", 6);
		print_line(refs_both_sentence);
		return 1;
	}
	return deploy_update(&deploy);
}

int
main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = argc < 1 ? "" : slash ? slash + 1 : argv[0];

	log_name("paas-hook");
	(void)signal(SIGPIPE, SIG_IGN);
	if (strcmp(name, "pre-receive") == 0)
		return run_pre_receive();
	if (strcmp(name, "update") == 0)
		return run_update(argc, argv);
	print_line("paas-hook: git runs this as pre-receive and update.");
	return 2;
}

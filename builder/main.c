/*
 * paas-build: runs inside a build sandbox, once. Turns a commit into a slug (job on a
 * SOCK_SEQPACKET fd), or with --unpack a slug on stdin into a tree.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/conf.h"
#include "lib/err.h"

#include "builder/build.h"
#include "builder/job.h"
#include "builder/run.h"
#include "builder/unpack.h"

#define DEFAULT_JOB_FD 5
#define DEFAULT_MAX_CONTENT (64ULL << 30)

extern char **environ;

struct options {
	bool is_unpack;
	struct build_paths paths;
	const char *slug; /* directory to unpack into */
	unsigned long long max_content;
};

static int
parse_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{"unpack", no_argument, NULL, 'u'},
		{"repo", required_argument, NULL, 'r'},
		{"disk", required_argument, NULL, 'd'},
		{"app", required_argument, NULL, 'a'},
		{"buildpacks", required_argument, NULL, 'b'},
		{"programs", required_argument, NULL, 'p'},
		{"slug", required_argument, NULL, 's'},
		{"max-content", required_argument, NULL, 'm'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'u':
			o->is_unpack = true;
			break;
		case 'r':
			o->paths.repo = optarg;
			break;
		case 'd':
			o->paths.disk = optarg;
			break;
		case 'a':
			o->paths.app = optarg;
			break;
		case 'b':
			o->paths.buildpacks = optarg;
			break;
		case 'p':
			o->paths.programs = optarg;
			break;
		case 's':
			o->slug = optarg;
			break;
		case 'm':
			if (conf_bytes(optarg, &o->max_content) < 0)
				return -EINVAL;
			break;
		default:
			return -EINVAL;
		}
	}
	return optind == argc ? 0 : -EINVAL;
}

static int
run_unpack(const struct options *o)
{
	AUTO_FD int root_fd = open(o->slug, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	if (root_fd < 0) {
		log_line("open %s: %s", o->slug, strerror(errno));
		return 1;
	}
	if (unpack_slug(STDIN_FILENO, root_fd, o->max_content, &err) < 0) {
		log_line("%s", err.text);
		return 1;
	}
	return 0;
}

/* The job fd is ours alone: nothing we start may speak to control. */
static int
job_fd(void)
{
	const char *text = getenv("PAAS_JOB_FD");
	long long fd = DEFAULT_JOB_FD;

	if (text && conf_number(text, 3, 1023, &fd) < 0)
		return -EINVAL;
	if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return (int)fd;
}

static int
run_build(const struct options *o)
{
	struct err err = {"The build failed."};
	struct job job;
	int fd = job_fd();
	int ret;

	if (fd < 0) {
		log_line("there is no job to do: %s", strerror(-fd));
		return 1;
	}
	ret = job_receive(fd, &job, &err);
	if (ret == 0)
		ret = build_run(&o->paths, &job, fd, environ, &err);
	job_done(&job);
	if (ret < 0 && job_send_failed(fd, err.text) < 0)
		log_line("%s", err.text);
	return ret < 0;
}

int
main(int argc, char **argv)
{
	struct options o = {
		.paths = {"/repo", "/disk", "/app", "/buildpacks", "/paas/bin"},
		.slug = "/slug",
		.max_content = DEFAULT_MAX_CONTENT,
	};
	int ret;

	log_name("paas-build");
	if (parse_options(argc, argv, &o) < 0) {
		log_line("usage: paas-build [--repo=DIR] [--disk=DIR] [--app=DIR] "
			 "[--buildpacks=DIR] [--programs=DIR] | --unpack [--slug=DIR] "
			 "[--max-content=BYTES]");
		return 2;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	(void)umask(022);
	if (o.is_unpack)
		return run_unpack(&o);
	/* What buildpacks start has our uid; it shall not read our memory or take our fds. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || run_init() < 0) {
		log_line("prepare: %s", strerror(errno));
		return 1;
	}
	ret = run_build(&o);
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0,
		    0); /* for the leak checker, which looks in from outside */
	return ret;
}

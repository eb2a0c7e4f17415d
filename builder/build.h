/* One build from order to slug: the steps in their order, and the transcript of them. */
#ifndef BUILDER_BUILD_H
#define BUILDER_BUILD_H

struct err;
struct job;

/* Where things lie in the sandbox. */
struct build_paths {
	const char *repo;	/* the bare repository, read-only */
	const char *disk;	/* the app's build disk */
	const char *app;	/* where the app will run; writable now */
	const char *buildpacks; /* the platform's own */
	const char *programs;	/* paas-static lies here */
};

/*
 * Does what `job` orders and reports on job_fd as it goes; the transcript goes to stdout. 0 after
 * BUILD_DONE was sent; negative errno with the sentence for BUILD_FAILED, which the caller sends.
 */
int build_run(const struct build_paths *paths, struct job *job, int job_fd, char *const envp[],
	      struct err *err);

#endif

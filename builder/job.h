/* What control ordered, and what it is told. The other end of the job fd. */
#ifndef BUILDER_JOB_H
#define BUILDER_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sandbox.h"

struct err;
struct types;

#define JOB_MAX_PACKS 16
#define JOB_MAX_SPEC 1100

struct job {
	char commit[65];
	char quarantine[128]; /* a name in objects/, or "" */
	uint64_t slug_max_bytes, disk_bytes;
	size_t n_packs;
	char packs[JOB_MAX_PACKS][JOB_MAX_SPEC + 1];
	int slug_fd;	    /* owned */
	struct spec config; /* envp: the config vars */
};

/* Waits for BUILD_ORDER. 0; -EPIPE control is gone; -EBADMSG; with a sentence. */
int job_receive(int fd, struct job *job, struct err *err);
void job_done(struct job *job);

/* Each: 0 or -errno of the send, which means that nobody listens any more. */
int job_send_pack(int fd, const char *spec, const char *name);
int job_send_types(int fd, const struct types *types);
int job_send_done(int fd, const char *sha256, uint64_t bytes, bool has_profile);
int job_send_failed(int fd, const char *why);

#endif

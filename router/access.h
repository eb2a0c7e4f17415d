/*
 * One line per request, as Heroku's router writes them, sent to paas-logs in batches. Nothing
 * here waits: what the stream does not take is dropped and counted.
 */
#ifndef ROUTER_ACCESS_H
#define ROUTER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http.h"
#include "lib/loop.h"
#include "lib/msg.h"

#include "router/errors.h"

struct access {
	struct loop *loop;
	struct loop_timer flush; /* armed while lines wait */
	struct loop_timer report;
	int fd; /* the stream to paas-logs; -1: none */
	struct msg batch;
	unsigned n_lines;   /* in the batch */
	uint64_t n_dropped; /* since the last report on stderr */
};

/* What a line says. Texts may hold anything; they are escaped. */
struct access_line {
	const char *app;
	uint64_t time_us; /* unix */
	struct http_text method, path, host, request_id, forwarded;
	const char *instance; /* "web.1"; NULL: none was reached */
	const char *proto;
	enum error error; /* ERROR_NONE: at=info */
	bool has_connect, has_service;
	uint64_t connect_ms, service_ms;
	int status;
	uint64_t bytes; /* of the body */
};

#define ACCESS_LINE_MAX 6144

void access_init(struct access *access, struct loop *loop);
/* Flushes. */
void access_done(struct access *access);
/* Takes the SOCK_SEQPACKET fd of a new stream; the old one is closed. */
void access_open(struct access *access, int fd);
/* Adds the line to the batch, which goes out when it is full or ACCESS_FLUSH_MS old. */
void access_write(struct access *access, const struct access_line *line);
void access_flush(struct access *access);

/* The text of a line. Returns its length, less than ACCESS_LINE_MAX. */
size_t access_format(char *out, const struct access_line *line);

#endif

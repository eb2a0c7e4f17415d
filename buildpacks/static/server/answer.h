/* One response: its head as bytes, and which part of which file follows. */
#ifndef STATIC_ANSWER_H
#define STATIC_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct http_head;
struct site;

#define ANSWER_MAX_HEAD 16384

struct answer {
	int status;
	bool keep_alive;
	size_t n_head;
	char head[ANSWER_MAX_HEAD]; /* with the whole body when that is a few words of ours */
	int fd;			    /* of the file; -1: the head is all */
	uint64_t at, left;	    /* of the file, still to be sent */
};

/*
 * Answers a GET or HEAD by RFC 9110: conditions (If-None-Match, If-Modified-Since), one range
 * (If-Range), a .gz beside the file; other methods with 405. `now` is the Date. The caller owns
 * answer->fd.
 */
void answer_make(struct answer *answer, const struct site *site, const struct http_head *head,
		 time_t now);
/* A plain page with that status; the connection ends behind it. */
void answer_refuse(struct answer *answer, int status, time_t now);

#endif

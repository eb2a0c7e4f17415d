/*
 * What a program prints, as LOG_LINES to paas-logs. The program never waits for its log: when
 * paas-logs does not read, the oldest lines go and are counted.
 */
#ifndef DAEMON_SUPERVISOR_INIT_RELAY_H
#define DAEMON_SUPERVISOR_INIT_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_MAX ((size_t)64 * 1024)  /* kept at most */
#define RELAY_LINE_MAX ((size_t)10000) /* longer lines are cut into pieces */

struct relay {
	int in_fd;	   /* the program's output, non-blocking; -1 after its end */
	int log_fd;	   /* the stream to paas-logs, non-blocking; -1: away */
	char *data;	   /* RELAY_MAX bytes, untouched pages until something is printed */
	size_t start, end; /* unsent bytes */
	size_t scanned;	   /* no newline between the last line's end and here */
	size_t n_whole;	   /* bytes from start that are whole lines */
	uint32_t n_dropped;
	bool is_blocked; /* log_fd did not take the last packet */
	bool is_partial_due;
};

/* 0 or -ENOMEM. Takes both fds (-1 is fine). */
int relay_init(struct relay *r, int in_fd, int log_fd);
void relay_done(struct relay *r);

/* The program printed something, or closed its output. Reads what is there, sends what it can. */
void relay_read(struct relay *r);
/* Sends what it can. Call when log_fd takes data again. */
void relay_send(struct relay *r);
/* The program has been silent for a while: what it printed without a newline is a line too. */
void relay_flush(struct relay *r);
/* Another stream to paas-logs, taken. */
void relay_set_log(struct relay *r, int log_fd);

/* Nothing is left to send, or nobody to send it to. */
bool relay_is_empty(const struct relay *r);
/* Something waits for its newline. */
bool relay_has_partial(const struct relay *r);

#endif

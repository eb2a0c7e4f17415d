/*
 * A failure as a sentence that can travel to the person it concerns. The caller owns
 * the struct; whoever detects the failure writes it; whoever handles it prints it, once.
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

struct err {
	char text[480];
};

/*
 * Writes "<fmt>: <strerror(-code)>" and returns `code`, a negative errno, so that
 * `return err_set(err, -errno, "mount %s", dest);` reads as one step. `err` may be NULL.
 */
int err_set(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), cold));

/* Like err_set without the errno text: the sentence is whole as it is. */
int err_say(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), cold));

/* Puts "<fmt>: " before what `err` says, cutting at the end if it gets too long. */
int err_prefix(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), cold));

/* Prints "<program>: <sentence>\n" on stderr. For mains; lib/ never logs. */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The name log_line begins with; the string must live as long as the process. */
void log_name(const char *name);

#endif

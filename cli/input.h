/* Words that name a file of the person's, or - for standard input. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

struct buf;
struct err;

/*
 * Reads all of `file` up to the buffer's maximum. Run by paas-session only - is taken, since
 * any other file would be the platform's own. 0 or negative with a sentence.
 */
int input_read(const char *file, struct buf *text, struct err *err);

#endif

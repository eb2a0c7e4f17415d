/* One place that opens files by names from a command line. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"

#include "cli/input.h"

int
input_read(const char *file, struct buf *text, struct err *err)
{
	AUTO_FD int opened = -1;
	int fd = STDIN_FILENO;
	if (strcmp(file, "-") != 0) {
		if (getenv("PAAS_REMOTE"))
			return err_say(err, -EPERM,
				       "the platform reads no files of its own host: send the file "
				       "on standard input and name it -");
		fd = opened = open(file, O_RDONLY | O_CLOEXEC);
		if (opened < 0)
			return err_set(err, -errno, "open %s", file);
	}
	int ret = file_read_all(fd, text);
	if (ret == -ENOBUFS)
		return err_say(err, ret, "%s is longer than the %zu bytes that make sense here",
			       file, text->max);
	return ret < 0 ? err_set(err, ret, "read %s", file) : 0;
}

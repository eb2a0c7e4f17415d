/* The spec that paas-init reads: whatever the file holds, what is accepted is whole strings. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC), ret;
	size_t n = 0;
	struct spec spec;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	ret = spec_read(fd, &spec);
	if (ret == 0) {
		n += strlen(spec.cwd) + 1;
		for (char **s = spec.argv; *s; s++)
			n += strlen(*s) + 1;
		for (char **s = spec.envp; *s; s++)
			n += strlen(*s) + 1;
		assert(n < size);
		spec_done(&spec);
	} else {
		assert(ret == -EBADMSG || ret == -E2BIG);
		assert(!spec.memory && !spec.argv && !spec.envp);
	}
	(void)close(fd);
	return 0;
}

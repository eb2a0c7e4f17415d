/*
 * The spec as bytes: cwd, u32 argc, argv, u32 envc, envp. Every string carries its NUL, so the
 * reader points into what it read instead of copying.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/sandbox.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

static void
put_string(struct wire_writer *w, const char *s)
{
	wire_put_bytes(w, s, strlen(s) + 1);
}

static void
put_list(struct wire_writer *w, const char *const list[])
{
	uint32_t n = 0;

	while (list[n])
		n++;
	wire_put_u32(w, n);
	for (uint32_t i = 0; i < n; i++)
		put_string(w, list[i]);
}

static size_t
list_bytes(const char *const list[])
{
	size_t n = 4;

	for (; *list; list++)
		n += 4 + strlen(*list) + 1;
	return n;
}

int
spec_write(const char *cwd, const char *const argv[], const char *const envp[])
{
	size_t cap = 4 + strlen(cwd) + 1 + list_bytes(argv) + list_bytes(envp);
	AUTO_FREE uint8_t *bytes = NULL;
	AUTO_FD int fd = -1;
	struct wire_writer w;
	int ret;

	if (cap > SPEC_MAX_BYTES)
		return -E2BIG;
	bytes = malloc(cap);
	if (!bytes)
		return -ENOMEM;
	wire_write_init(&w, bytes, cap);
	put_string(&w, cwd);
	put_list(&w, argv);
	put_list(&w, envp);

	fd = memfd_create("paas-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("paas-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	ret = file_write_all(fd, bytes, w.len);
	if (ret < 0)
		return ret;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return take_fd(&fd);
}

/* One string inside spec->memory, or NULL. */
static char *
get_string(struct wire_reader *r, struct spec *spec)
{
	size_t n;
	const char *s = wire_get_bytes(r, &n);

	if (!s || n == 0 || memchr(s, '\0', n) != s + n - 1) {
		r->failed = true;
		return NULL;
	}
	return spec->memory + (s - spec->memory);
}

static int
get_list(struct wire_reader *r, struct spec *spec, char ***out)
{
	size_t n = wire_get_u32(r);
	char **list;

	/* Every string takes five bytes at least. */
	if (r->failed || n > (size_t)(r->end - r->at) / 5)
		return -EBADMSG;
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	*out = list;
	for (size_t i = 0; i < n; i++) {
		list[i] = get_string(r, spec);
		if (!list[i])
			return -EBADMSG;
	}
	return 0;
}

static int
read_whole(int fd, char *memory, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, memory + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

int
spec_read(int fd, struct spec *spec)
{
	struct wire_reader r;
	struct stat st;
	int ret;

	memset(spec, 0, sizeof(*spec));
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > SPEC_MAX_BYTES)
		return -E2BIG;
	if (st.st_size <= 0)
		return -EBADMSG;
	spec->memory = malloc((size_t)st.st_size);
	if (!spec->memory)
		return -ENOMEM;
	ret = read_whole(fd, spec->memory, (size_t)st.st_size);
	if (ret == 0) {
		wire_read_init(&r, spec->memory, (size_t)st.st_size);
		spec->cwd = get_string(&r, spec);
		ret = spec->cwd ? get_list(&r, spec, &spec->argv) : -EBADMSG;
		if (ret == 0)
			ret = get_list(&r, spec, &spec->envp);
		if (ret == 0)
			ret = wire_end(&r);
	}
	if (ret < 0)
		spec_done(spec);
	return ret;
}

void
spec_done(struct spec *spec)
{
	free(spec->argv);
	free(spec->envp);
	free(spec->memory);
	memset(spec, 0, sizeof(*spec));
}

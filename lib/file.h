/* Files and directories: whole reads, atomic writes, paths that cannot escape, trees that go. */
#ifndef LIB_FILE_H
#define LIB_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;
struct buf;

/* Writes all of it, through EINTR and short writes, on a blocking fd. 0 or -errno. */
int file_write_all(int fd, const void *p, size_t n);
/* Reads until end of file or the buffer's maximum (-ENOBUFS). 0 or -errno. */
int file_read_all(int fd, struct buf *out);
/* Reads a small file below `dir_fd` (AT_FDCWD allowed) into `out`. 0 or -errno. */
int file_read_at(int dir_fd, const char *path, struct buf *out);
/* Writes one string to an existing file such as a cgroup's or /proc's. 0 or -errno. */
int file_write_at(int dir_fd, const char *path, const char *text);
/* Replaces dir_fd/name in one step that survives power loss: temporary file, fsync, rename,
 * fsync of the directory. 0 or -errno, the old file untouched then. */
int file_replace_at(int dir_fd, const char *name, const void *p, size_t n, mode_t mode);

/* openat2 with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS (Linux 5.6). The fd or -errno. */
int file_open_beneath(int dir_fd, const char *path, int flags, mode_t mode);
/* Opens a directory beneath, for use as dir_fd. */
int file_open_dir(int dir_fd, const char *path);
/* mkdir unless it is there, then owner and mode as told. Returns a dir fd or -errno. */
int file_make_dir(int dir_fd, const char *name, mode_t mode, uid_t uid, gid_t gid);
/* Removes dir_fd/name whatever it is, never following a link or leaving the file system's
 * tree. A missing one is fine. 0 or -errno. Iterative in depth-bounded memory. */
int file_remove_tree(int dir_fd, const char *name);
/* mkdir -p for a path of our own configuration. 0 or -errno. */
int file_make_parents(const char *path, mode_t mode);
/* fcntl O_NONBLOCK on or off. 0 or -errno. */
int file_set_nonblocking(int fd, bool on);

#endif

/* Paths below the state directory, whose parts come from outside. */
#ifndef DAEMON_SUPERVISOR_PATHS_H
#define DAEMON_SUPERVISOR_PATHS_H

/* Opens a directory beneath `dir_fd`, following no link on the way. The fd or -errno. */
int path_open_dir(int dir_fd, const char *path);
/* The same for O_PATH of anything, as a source of mounts. */
int path_open(int dir_fd, const char *path);

#endif

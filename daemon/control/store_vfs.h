/*
 * SQLite makes every path absolute and then opens that, which fails where a directory above
 * ours may not be searched by user paas. Our state directory is the current directory of the
 * process, so this VFS takes names as they are.
 */
#ifndef CONTROL_STORE_VFS_H
#define CONTROL_STORE_VFS_H

#define STORE_VFS_NAME "paas"

/* Registers the VFS, once per process; again is fine. 0 or -ENOMEM. */
int store_vfs_register(void);

#endif

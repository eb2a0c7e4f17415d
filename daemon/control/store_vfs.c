/* The default VFS of SQLite with one method replaced. */
#include <errno.h>
#include <string.h>

#include <sqlite3.h>

#include "daemon/control/store_vfs.h"

static sqlite3_vfs verbatim;

static int
full_pathname(sqlite3_vfs *vfs, const char *name, int n_out, char *out)
{
	size_t len = strlen(name);

	(void)vfs;
	if (n_out <= 0 || len >= (size_t)n_out)
		return SQLITE_CANTOPEN;
	memcpy(out, name, len + 1);
	return SQLITE_OK;
}

int
store_vfs_register(void)
{
	sqlite3_vfs *base;

	if (verbatim.zName)
		return 0;
	base = sqlite3_vfs_find(NULL);
	if (!base)
		return -ENOMEM;
	verbatim = *base;
	verbatim.pNext = NULL;
	verbatim.zName = STORE_VFS_NAME;
	verbatim.xFullPathname = full_pathname;
	if (sqlite3_vfs_register(&verbatim, 0) != SQLITE_OK) {
		verbatim.zName = NULL;
		return -ENOMEM;
	}
	return 0;
}

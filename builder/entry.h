/* Names in a git tree: which of them may become a file. */
#ifndef BUILDER_ENTRY_H
#define BUILDER_ENTRY_H

/*
 * Checks one name (no path). NULL when it is fine, else a reason that follows "is": "." and "..", a
 * slash, empty, too long, and everything that some file system takes for .git: any case, HFS+
 * with ignorable code points, NTFS with short names, trailing dots, blanks and streams.
 */
const char *entry_check(const char *name);

#endif

/* Content types by the end of a file's name. */
#ifndef STATIC_MIME_H
#define STATIC_MIME_H

#include <stdbool.h>

/* Never NULL; text types carry their charset. */
const char *mime_type(const char *path);
/* Is a .gz beside such a file worth a look? */
bool mime_is_compressible(const char *type);

#endif

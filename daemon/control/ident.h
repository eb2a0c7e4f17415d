/*
 * Ids as the API shows them: they look like UUIDs, since clients of Heroku's API check that,
 * but say what they mean: app, kind of thing, number within the app.
 */
#ifndef CONTROL_IDENT_H
#define CONTROL_IDENT_H

#include <stdbool.h>
#include <stdint.h>

#define IDENT_TEXT_MAX 37

enum ident_kind {
	IDENT_APP = 1,
	IDENT_RELEASE,
	IDENT_SLUG,
	IDENT_USER,
	IDENT_KEY,
	IDENT_DOMAIN,
	IDENT_BUILD,
	IDENT_FORMATION,
	IDENT_INSTANCE,
	IDENT_COLLABORATOR,
};

/* Returns `out`, at least IDENT_TEXT_MAX bytes. */
const char *ident_text(enum ident_kind kind, int64_t app_id, uint64_t number, char *out);
/* False when the text is not such an id, or one of another kind. */
bool ident_parse(const char *text, enum ident_kind kind, int64_t *app_id, uint64_t *number);

#endif

#include <stdio.h>
#include <string.h>

#include "daemon/receiver/refs.h"
#include "daemon/receiver/sentence.h"

const char refs_both_reason[] = "push main or master, not both";
const char refs_both_sentence[] =
	"main and master both deploy this app; push only one of them at a time";

static bool
is_text(const char *p, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(p, text, n) == 0;
}

static bool
begins_with(const char *p, size_t n, const char *text)
{
	return n > strlen(text) && memcmp(p, text, strlen(text)) == 0;
}

bool
refs_is_id(const char *id, size_t n)
{
	if (n != 40 && n != 64)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'f')))
			return false;
	}
	return true;
}

bool
refs_is_zero(const char *id, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (id[i] != '0')
			return false;
	}
	return true;
}

enum refs_verdict
refs_judge(const char *ref, size_t n, const char *new_id, size_t n_new_id)
{
	if (refs_is_zero(new_id, n_new_id))
		return REFS_DELETE;
	if (is_text(ref, n, "refs/heads/main") || is_text(ref, n, "refs/heads/master"))
		return REFS_DEPLOY;
	if (begins_with(ref, n, "refs/tags/"))
		return REFS_STORE;
	return begins_with(ref, n, "refs/heads/") ? REFS_BRANCH : REFS_OTHER;
}

const char *
refs_reason(enum refs_verdict verdict)
{
	switch (verdict) {
	case REFS_BRANCH:
		return "only main and master deploy";
	case REFS_DELETE:
		return "deleting is refused";
	case REFS_OTHER:
		return "only branches and tags can be pushed";
	case REFS_DEPLOY:
	case REFS_STORE:
		break;
	}
	return "";
}

/* "feature" of "refs/heads/feature" */
static void
skip_folder(const char **ref, size_t *n)
{
	static const char *const folders[] = {"refs/heads/", "refs/tags/"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		if (begins_with(*ref, *n, folders[i])) {
			*ref += strlen(folders[i]);
			*n -= strlen(folders[i]);
			return;
		}
	}
}

const char *
refs_sentence(enum refs_verdict verdict, const char *ref, size_t n, char *out, size_t cap)
{
	char name[100];

	skip_folder(&ref, &n);
	(void)sentence_quote(ref, n, name, sizeof(name));
	out[0] = '\0';
	switch (verdict) {
	case REFS_BRANCH:
		(void)snprintf(out, cap,
			       "only main and master deploy; to deploy %s use: git push platform "
			       "%s:master",
			       name, name);
		break;
	case REFS_DELETE:
		(void)snprintf(out, cap,
			       "%s is not deleted; what was pushed stays (to remove the app: paas "
			       "destroy)",
			       name);
		break;
	case REFS_OTHER:
		(void)snprintf(out, cap, "%s is not stored; only branches and tags can be pushed",
			       name);
		break;
	case REFS_DEPLOY:
	case REFS_STORE:
		break;
	}
	return out;
}

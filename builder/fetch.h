/* Something from another git server, over http or https: submodules and buildpacks. */
#ifndef BUILDER_FETCH_H
#define BUILDER_FETCH_H

struct environ_list;
struct err;

#define FETCH_MAX_URL 1000
#define FETCH_TIMEOUT_S 300

/* NULL when a build may fetch from there, else a sentence that says what is allowed instead. */
const char *fetch_check_url(const char *url);
/* The address without user name and password; returns `out`. */
const char *fetch_url_text(const char *url, char *out, unsigned long cap);

/*
 * Fetches `want` (40 hex digits, a branch or tag, "" for the default branch) with the system's git
 * into a new bare repository `dir`, as shallow as the server lets us. 0 and the commit in
 * `commit`; negative errno with git's own last words.
 */
int fetch_commit(const char *url, const char *want, const char *dir, const struct environ_list *env,
		 char commit[41], struct err *err);

#endif

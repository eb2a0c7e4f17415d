/*
 * The platform's one API: HTTP/1.1 and JSON in the shape of Heroku's Platform API v3, on
 * control.sock (root and group paas, by SO_PEERCRED) and on connections that a session asked
 * for (as the user it proved). Answers from memory or the store; streams nothing itself.
 */
#ifndef CONTROL_API_H
#define CONTROL_API_H

#include <stddef.h>

struct api;
struct err;
struct live;
struct loop;
struct store;

struct api_options {
	const char *domain; /* apps answer at APP.DOMAIN */
	const char *http;   /* advertised ADDR:PORT list, "" or NULL: off */
	const char *ssh;
	const char *stack;	/* its name */
	const char *group;	/* whose members may use control.sock; "paas" */
	size_t max_connections; /* 0: 256 */
};

/* Serves `listen_fd` (borrowed; -1: none). The options' strings must outlive the API. */
int api_open(struct loop *loop, struct store *store, struct live *live, int listen_fd,
	     const struct api_options *options, struct api **api, struct err *err);
/* Closes every connection; NULL is fine. */
void api_close(struct api *api);
/* Serves one connection as `user`; owns `fd` from now on, also on failure. 0 or -errno. */
int api_serve(struct api *api, int fd, const char *user);
/* "http://hello.example.org:8080/": where the app answers. Returns `out`. */
const char *api_web_url(const struct api_options *options, const char *app, char *out, size_t cap);
/* "ssh://paas@example.org:2222/hello.git" */
const char *api_git_url(const struct api_options *options, const char *app, char *out, size_t cap);

#endif

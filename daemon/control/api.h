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
struct options;
struct store;

#define API_MAX_CONNECTIONS 256
#define API_GROUP "paas" /* whose members are let in like root */

/* Serves `listen_fd` (borrowed, made non-blocking; -1: none). Everything passed must outlive
 * the API. 0 or a negative errno. */
int api_open(struct loop *loop, struct store *store, struct live *live,
	     const struct options *options, int listen_fd, struct api **api, struct err *err);
/* Closes every connection; NULL is fine. */
void api_close(struct api *api);
/* Serves one stream connection as `user`; owns `fd` from now on, also on failure. 0 or -errno. */
int api_serve(struct api *api, int fd, const char *user);

/* Where an app answers: "http://hello.example.org:8080/". Returns `out`. */
const char *api_web_url(const struct options *options, const char *app, char *out, size_t cap);
/* Where to push it: "ssh://paas@example.org:2222/hello.git". */
const char *api_git_url(const struct options *options, const char *app, char *out, size_t cap);

#endif

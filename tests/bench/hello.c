/* The smallest honest web server: one process, answers every request with "hello\n". Static. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int
main(void)
{
	const char *port = getenv("PORT");
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_port = htons((unsigned short)atoi(port ? port : "5000"))};
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(listener, 128) < 0)
		return 1;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)!write(1, "ready\n", 6);
	for (;;) {
		static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n"
					     "Connection: close\r\n\r\nhello\n";
		char request[4096];
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		if (read(fd, request, sizeof(request)) > 0)
			(void)!write(fd, answer, sizeof(answer) - 1);
		(void)close(fd);
	}
}

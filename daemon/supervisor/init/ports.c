/* proc_net_tcp: "sl local_address rem_address st ..", addresses as host-order 32-bit words. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "daemon/supervisor/init/ports.h"

#define LISTENING 0x0a
#define FILE_MAX 8192

static void
add(const char *item, char *out, size_t cap)
{
	size_t n = strlen(out), len = strlen(item);
	const char *at = out;

	/* A server with many workers lists one socket per worker. */
	while ((at = strstr(at, item)) != NULL) {
		if ((at == out || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return;
		at += len;
	}
	if (n + len + 2 > cap)
		return;
	if (n)
		out[n++] = ' ';
	memcpy(out + n, item, len + 1);
}

static void
parse_line(const char *line, char *out, size_t cap)
{
	char address[INET6_ADDRSTRLEN], item[INET6_ADDRSTRLEN + 10], hex[33];
	uint32_t words[4];
	unsigned port, state;

	if (sscanf(line, " %*[0-9]: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f:] %x", hex, &port, &state) !=
		    3 ||
	    state != LISTENING)
		return;
	if (sscanf(hex, "%8x%8x%8x%8x", &words[0], &words[1], &words[2], &words[3]) == 4) {
		(void)inet_ntop(AF_INET6, words, address, sizeof(address));
		(void)snprintf(item, sizeof(item), "[%s]:%u", address, port);
	} else {
		(void)inet_ntop(AF_INET, words, address, sizeof(address));
		(void)snprintf(item, sizeof(item), "%s:%u", address, port);
	}
	add(item, out, cap);
}

void
ports_parse(const char *text, char *out, size_t cap)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		parse_line(text, out, cap);
		text += n + (text[n] == '\n');
	}
}

/* Listening sockets come first in the file, so its beginning will do. */
static void
list_file(const char *path, char *out, size_t cap)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[FILE_MAX];
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return;
	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	ports_parse(text, out, cap);
}

void
ports_list(char *out, size_t cap)
{
	out[0] = '\0';
	list_file("/proc/net/tcp", out, cap);
	list_file("/proc/net/tcp6", out, cap);
}

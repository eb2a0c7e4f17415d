/* proc_net_tcp: "sl local_address rem_address st ..", addresses as host-order 32-bit words. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "daemon/supervisor/init/ports.h"

#define LISTENING 0x0a
#define FILE_MAX 8192
#define HEX_DIGITS "0123456789abcdefABCDEF"

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

/* The address's words, eight digits each: one for IPv4, four for IPv6. Their number. */
static size_t
parse_address(const char *hex, size_t n, uint32_t words[4])
{
	size_t n_words = 0;

	while (n >= 8 && n_words < 4) {
		char digits[9];

		memcpy(digits, hex, 8);
		digits[8] = '\0';
		words[n_words++] = (uint32_t)strtoul(digits, NULL, 16);
		hex += 8;
		n -= 8;
	}
	return n == 0 ? n_words : 0;
}

/* "   0: 0100007F:0BB8 00000000:0000 0A ..." */
static void
parse_line(const char *line, char *out, size_t cap)
{
	char address[INET6_ADDRSTRLEN], item[INET6_ADDRSTRLEN + 10], *end;
	const char *local = strstr(line, ": ");
	uint32_t words[4];
	unsigned long port;
	size_t n, n_words;

	if (!local)
		return;
	local += 2;
	n = strspn(local, HEX_DIGITS);
	n_words = parse_address(local, n, words);
	if (local[n] != ':')
		return;
	port = strtoul(local + n + 1, &end, 16);
	end += strspn(end, " ");
	end += strspn(end, HEX_DIGITS ":");
	if (*end != ' ' || strtoul(end, NULL, 16) != LISTENING)
		return;
	if (n_words == 4) {
		(void)inet_ntop(AF_INET6, words, address, sizeof(address));
		(void)snprintf(item, sizeof(item), "[%s]:%lu", address, port & 0xffff);
	} else if (n_words == 1) {
		(void)inet_ntop(AF_INET, words, address, sizeof(address));
		(void)snprintf(item, sizeof(item), "%s:%lu", address, port & 0xffff);
	} else {
		return;
	}
	add(item, out, cap);
}

void
ports_parse(const char *text, char *out, size_t cap)
{
	char line[256];

	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = '\0';
			parse_line(line, out, cap);
		}
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

/*
 * A name server on the host's loopback, or on any other of its addresses, is out of reach from
 * inside by design, so such a server is only ever offered through the firewall's DNS forward.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/file.h"
#include "daemon/supervisor/resolv.h"

#define HOST_FILE "/etc/resolv.conf"
#define UPSTREAM_FILE "/run/systemd/resolve/resolv.conf"
#define FILE_MAX ((size_t)64 * 1024)
#define BLANKS " \t"

bool
resolv_is_local(uint32_t address)
{
	AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};

	return fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
}

/* The value of `line` if it begins with `key`, else NULL. */
static const char *
value_of(const char *line, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(line, key, n) != 0 || !line[n] || !strchr(BLANKS, line[n]))
		return NULL;
	return line + n + strspn(line + n, BLANKS);
}

struct translation {
	struct resolv resolv;
	resolv_local_fn *is_local;
	struct buf *out;
	uint32_t first_local;
};

static int
take_server(struct translation *t, const char *value)
{
	char text[64];
	size_t n = strcspn(value, BLANKS "#;");
	struct in_addr in4;
	struct in6_addr in6;

	if (n == 0 || n >= sizeof(text))
		return 0;
	memcpy(text, value, n);
	text[n] = '\0';
	if (inet_pton(AF_INET, text, &in4) != 1) {
		/* Sandboxes have no IPv6 of their own to ask over. */
		(void)inet_pton(AF_INET6, text, &in6);
		return 0;
	}
	if (t->is_local(ntohl(in4.s_addr))) {
		if (!t->first_local)
			t->first_local = ntohl(in4.s_addr);
		return 0;
	}
	if (t->resolv.n_servers == RESOLV_MAX_SERVERS)
		return 0;
	t->resolv.n_servers++;
	return buf_printf(t->out, "nameserver %s\n", text);
}

static int
take_line(struct translation *t, const char *line)
{
	static const char *const kept[] = {"search", "domain", "options"};
	const char *value = value_of(line, "nameserver");

	if (value)
		return take_server(t, value);
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		value = value_of(line, kept[i]);
		/* The stub's trust-ad would be a promise about a server that is not the stub. */
		if (value && *value && !(i == 2 && strstr(value, "trust-ad")))
			return buf_printf(t->out, "%s %s\n", kept[i], value);
	}
	return 0;
}

static int
take_text(struct translation *t, const char *text)
{
	char line[512];
	int ret = 0;

	while (*text && ret == 0) {
		size_t n = strcspn(text, "\n");

		if (n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = '\0';
			ret = take_line(t, line);
		}
		text += n + (text[n] == '\n');
	}
	return ret;
}

int
resolv_translate(const char *text, const char *upstream, uint32_t gateway,
		 resolv_local_fn *is_local, struct resolv *resolv, struct buf *out)
{
	struct translation t = {.is_local = is_local, .out = out};
	struct in_addr in4 = {.s_addr = htonl(gateway)};
	char gateway_text[INET_ADDRSTRLEN];
	uint32_t forward;
	int ret;

	ret = take_text(&t, text);
	forward = t.first_local;
	if (ret == 0 && t.resolv.n_servers == 0 && forward && upstream) {
		buf_consume(out, out->len);
		ret = take_text(&t, upstream);
	}
	if (ret == 0 && t.resolv.n_servers == 0) {
		/* resolv.conf(5): without any, it is the local machine. */
		t.resolv.forward = forward ? forward : INADDR_LOOPBACK;
		(void)inet_ntop(AF_INET, &in4, gateway_text, sizeof(gateway_text));
		ret = buf_printf(out, "nameserver %s\n", gateway_text);
	}
	if (ret == 0)
		*resolv = t.resolv;
	return ret;
}

int
resolv_generate(uint32_t gateway, struct resolv *resolv, struct buf *out)
{
	AUTO_BUF struct buf text;
	AUTO_BUF struct buf upstream;
	int ret;

	buf_init(&text, FILE_MAX);
	buf_init(&upstream, FILE_MAX);
	ret = file_read_at(AT_FDCWD, HOST_FILE, &text);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	ret = file_read_at(AT_FDCWD, UPSTREAM_FILE, &upstream);
	return resolv_translate(buf_text(&text), ret == 0 ? buf_text(&upstream) : NULL, gateway,
				resolv_is_local, resolv, out);
}

static uint64_t
stamp_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return 0;
	return (uint64_t)st.st_mtim.tv_sec * 1000000007U + (uint64_t)st.st_mtim.tv_nsec +
	       (uint64_t)st.st_ino * 31U + (uint64_t)st.st_size;
}

uint64_t
resolv_stamp(void)
{
	return stamp_of(HOST_FILE) * 3U + stamp_of(UPSTREAM_FILE);
}

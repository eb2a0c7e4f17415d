/*
 * A message per line would be a system call per request, so lines wait a moment for company.
 * Values that clients choose are cut at TEXT_MAX and written so that no value can end early or
 * look like another field: quotes, backslashes, controls and bytes above ASCII become %XX.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/file.h"

#include "router/access.h"

#define ACCESS_FLUSH_MS 50
#define REPORT_MS 10000
#define TEXT_MAX 1024 /* bytes of one value that are logged */

static void
on_report(struct loop_timer *timer)
{
	struct access *access = container_of(timer, struct access, report);

	log_line("%" PRIu64 " access lines were dropped: the log does not keep up",
		 access->n_dropped);
	access->n_dropped = 0;
}

static void
drop(struct access *access, unsigned n)
{
	access->n_dropped += n;
	if (!access->report.slot)
		(void)loop_timer_set(access->loop, &access->report, REPORT_MS, on_report);
}

static void
on_flush(struct loop_timer *timer)
{
	access_flush(container_of(timer, struct access, flush));
}

void
access_init(struct access *access, struct loop *loop)
{
	memset(access, 0, offsetof(struct access, batch));
	access->loop = loop;
	access->fd = -1;
	access->n_lines = 0;
	access->n_dropped = 0;
}

void
access_done(struct access *access)
{
	access_flush(access);
	loop_timer_cancel(access->loop, &access->report);
	if (access->fd >= 0)
		(void)close(access->fd);
	access->fd = -1;
}

void
access_open(struct access *access, int fd)
{
	access_flush(access);
	if (access->fd >= 0)
		(void)close(access->fd);
	access->fd = fd;
	if (file_set_nonblocking(fd, true) == 0)
		return;
	(void)close(fd);
	access->fd = -1;
}

void
access_flush(struct access *access)
{
	unsigned n = access->n_lines;
	int ret;

	loop_timer_cancel(access->loop, &access->flush);
	if (n == 0)
		return;
	access->n_lines = 0;
	ret = access->fd < 0 ? -EPIPE : msg_send(access->fd, &access->batch);
	if (ret == 0)
		return;
	drop(access, n);
	if (ret == -EAGAIN || access->fd < 0)
		return;
	/* paas-logs is gone; paasd sends a new stream when there is a new one. */
	(void)close(access->fd);
	access->fd = -1;
}

void
access_write(struct access *access, const struct access_line *line)
{
	char text[ACCESS_LINE_MAX];
	size_t len, app_len = strlen(line->app);

	if (access->fd < 0)
		return;
	len = access_format(text, line);
	if (access->n_lines > 0 &&
	    access->batch.out.len + 4 + app_len + 8 + 4 + len > access->batch.out.cap)
		access_flush(access);
	if (access->n_lines == 0) {
		msg_begin(&access->batch, MSG_LOG_ROUTER, 0);
		if (loop_timer_set(access->loop, &access->flush, ACCESS_FLUSH_MS, on_flush) < 0) {
			drop(access, 1);
			return;
		}
	}
	wire_put_str(&access->batch.out, line->app);
	wire_put_u64(&access->batch.out, line->time_us);
	wire_put_bytes(&access->batch.out, text, len);
	access->n_lines++;
}

/* ---- the text -------------------------------------------------------------------------------- */

#define put_literal(at, s) put_bytes(at, s, sizeof(s) - 1)

static char *
put_bytes(char *at, const char *p, size_t n)
{
	memcpy(at, p, n);
	return at + n;
}

static char *
put_string(char *at, const char *s)
{
	return put_bytes(at, s, strlen(s));
}

static char *
put_number(char *at, uint64_t n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	return put_bytes(at, digits + i, sizeof(digits) - i);
}

/* At most TEXT_MAX bytes and three dots. */
static char *
put_escaped(char *at, struct http_text t)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *end = at + TEXT_MAX;
	size_t i;

	for (i = 0; i < t.len && at + 3 <= end; i++) {
		unsigned char c = (unsigned char)t.at[i];

		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') {
			*at++ = (char)c;
			continue;
		}
		*at++ = '%';
		*at++ = digits[c >> 4];
		*at++ = digits[c & 15];
	}
	return i < t.len ? put_literal(at, "...") : at;
}

size_t
access_format(char *out, const struct access_line *line)
{
	char *at = out;

	if (line->error == ERROR_NONE) {
		at = put_literal(at, "at=info");
	} else {
		const char *code = error_code(line->error);

		at = put_literal(at, "at=error ");
		if (code[0]) {
			at = put_literal(at, "code=");
			at = put_string(at, code);
			*at++ = ' ';
		}
		at = put_literal(at, "desc=\"");
		at = put_string(at, error_text(line->error));
		*at++ = '"';
	}
	at = put_literal(at, " method=");
	at = put_escaped(at, line->method);
	at = put_literal(at, " path=\"");
	at = put_escaped(at, line->path);
	at = put_literal(at, "\" host=");
	at = put_escaped(at, line->host);
	at = put_literal(at, " request_id=");
	at = put_escaped(at, line->request_id);
	at = put_literal(at, " fwd=\"");
	at = put_escaped(at, line->forwarded);
	at = put_literal(at, "\" dyno=");
	at = put_string(at, line->instance ? line->instance : "");
	at = put_literal(at, " connect=");
	if (line->has_connect) {
		at = put_number(at, line->connect_ms);
		at = put_literal(at, "ms");
	}
	at = put_literal(at, " service=");
	if (line->has_service) {
		at = put_number(at, line->service_ms);
		at = put_literal(at, "ms");
	}
	at = put_literal(at, " status=");
	at = put_number(at, (uint64_t)line->status);
	at = put_literal(at, " bytes=");
	at = put_number(at, line->bytes);
	at = put_literal(at, " protocol=");
	at = put_string(at, line->proto);
	assert(at - out < ACCESS_LINE_MAX);
	return (size_t)(at - out);
}

/* The order on the wire and the cgroup's name. paasd believes nothing of it unchecked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/name.h"
#include "lib/sandbox.h"

#define ALL_FLAGS (SANDBOX_STDIO | SANDBOX_JOB | SANDBOX_PTY | SANDBOX_NO_NET)

static const char *const kinds[SANDBOX_KINDS] = {
	[SANDBOX_APP] = "app",
	[SANDBOX_BUILD] = "build",
	[SANDBOX_GIT] = "git",
	[SANDBOX_UNPACK] = "unpack",
};

const char *
sandbox_kind_name(enum sandbox_kind kind)
{
	return kind < SANDBOX_KINDS ? kinds[kind] : "unknown";
}

void
sandbox_order_write(struct wire_writer *w, const struct sandbox_order *order)
{
	wire_put_u64(w, order->id);
	wire_put_u8(w, (uint8_t)order->kind);
	wire_put_str(w, order->app);
	wire_put_str(w, order->label);
	wire_put_str(w, order->source);
	wire_put_u32(w, order->slug);
	wire_put_u32(w, order->uid);
	wire_put_u32(w, order->address);
	wire_put_u64(w, order->memory_bytes);
	wire_put_u64(w, order->disk_bytes);
	wire_put_u32(w, order->pids);
	wire_put_u32(w, order->cpu_weight);
	wire_put_u8(w, order->flags);
	wire_put_u16(w, order->columns);
	wire_put_u16(w, order->rows);
}

/* Part of a directory's name: no slash, and neither "." nor "..". */
static bool
is_label(const char *s)
{
	if (!*s || *s == '.')
		return false;
	for (; *s; s++) {
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z') &&
		    !(*s >= '0' && *s <= '9') && !strchr("._-", *s))
			return false;
	}
	return true;
}

static bool
is_source(const char *s)
{
	for (; *s; s++) {
		if (*s <= ' ' || *s > '~')
			return false;
	}
	return true;
}

int
sandbox_order_read(struct wire_reader *r, struct sandbox_order *order, struct err *err)
{
	const char *wrong;
	unsigned kind;

	memset(order, 0, sizeof(*order));
	order->id = wire_get_u64(r);
	kind = wire_get_u8(r);
	wire_get_str(r, order->app, sizeof(order->app));
	wire_get_str(r, order->label, sizeof(order->label));
	wire_get_str(r, order->source, sizeof(order->source));
	order->slug = wire_get_u32(r);
	order->uid = wire_get_u32(r);
	order->address = wire_get_u32(r);
	order->memory_bytes = wire_get_u64(r);
	order->disk_bytes = wire_get_u64(r);
	order->pids = wire_get_u32(r);
	order->cpu_weight = wire_get_u32(r);
	order->flags = wire_get_u8(r);
	order->columns = wire_get_u16(r);
	order->rows = wire_get_u16(r);

	if (r->failed)
		return err_say(err, -EBADMSG, "the order of a sandbox is cut or has a long field");
	if (order->id == 0)
		return err_say(err, -EBADMSG, "a sandbox must have an id");
	if (kind >= SANDBOX_KINDS)
		return err_say(err, -EBADMSG, "there is no kind of sandbox %u", kind);
	order->kind = (enum sandbox_kind)kind;
	wrong = name_check_app(order->app);
	if (wrong)
		return err_say(err, -EBADMSG, "%s", wrong);
	if (!is_label(order->label))
		return err_say(err, -EBADMSG, "the label of a sandbox of %s is not one",
			       order->app);
	if (!is_source(order->source))
		return err_say(err, -EBADMSG, "the log source of a sandbox of %s is not one",
			       order->app);
	if (order->uid == 0 || order->uid == UINT32_MAX)
		return err_say(err, -EBADMSG, "a sandbox of %s may not run as uid %u", order->app,
			       order->uid);
	if (order->memory_bytes == 0 || order->pids == 0)
		return err_say(err, -EBADMSG, "a sandbox of %s has no limits", order->app);
	if (order->cpu_weight < 1 || order->cpu_weight > 10000)
		return err_say(err, -EBADMSG, "a cpu weight is from 1 to 10000, not %u",
			       order->cpu_weight);
	if ((order->flags & ~ALL_FLAGS) ||
	    ((order->flags & SANDBOX_STDIO) && (order->flags & SANDBOX_PTY)))
		return err_say(err, -EBADMSG, "a sandbox of %s has impossible flags %#x",
			       order->app, (unsigned)order->flags);
	return 0;
}

int
sandbox_name_write(const struct sandbox_order *order, char *out, size_t cap)
{
	int n = snprintf(out, cap, "%s.%llu.%u.%s.%s", sandbox_kind_name(order->kind),
			 (unsigned long long)order->id, order->address, order->app, order->label);

	return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : 0;
}

/* Copies up to the next dot into `out` and moves on. False: no dot, or it does not fit. */
static bool
take_field(const char **name, char *out, size_t cap)
{
	const char *dot = strchr(*name, '.');
	size_t n = dot ? (size_t)(dot - *name) : cap;

	if (n >= cap)
		return false;
	memcpy(out, *name, n);
	out[n] = '\0';
	*name = dot + 1;
	return true;
}

int
sandbox_name_read(const char *name, struct sandbox_order *order)
{
	char kind[16], id[24], address[16], again[256];
	const char *rest = name;
	size_t k;

	memset(order, 0, sizeof(*order));
	if (!take_field(&rest, kind, sizeof(kind)) || !take_field(&rest, id, sizeof(id)) ||
	    !take_field(&rest, address, sizeof(address)) ||
	    !take_field(&rest, order->app, sizeof(order->app)) ||
	    strlen(rest) >= sizeof(order->label))
		return -EINVAL;
	strcpy(order->label, rest);
	for (k = 0; k < SANDBOX_KINDS; k++) {
		if (strcmp(kind, kinds[k]) == 0)
			break;
	}
	if (k == SANDBOX_KINDS || name_check_app(order->app) || !is_label(order->label))
		return -EINVAL;
	order->kind = (enum sandbox_kind)k;
	order->id = strtoull(id, NULL, 10);
	order->address = (uint32_t)strtoul(address, NULL, 10);

	/* What strtoull is lenient about (signs, zeros in front, overflow) does not come back. */
	if (order->id == 0 || sandbox_name_write(order, again, sizeof(again)) < 0 ||
	    strcmp(again, name) != 0)
		return -EINVAL;
	return 0;
}

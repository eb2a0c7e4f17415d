/* The order of operations is the order of mounting: what lies below comes later. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/err.h"
#include "daemon/supervisor/ids.h"
#include "daemon/supervisor/plan.h"

#define MIB ((uint64_t)1024 * 1024)

static struct plan_op *
add(struct plan *plan, enum plan_type type, const char *target)
{
	struct plan_op *op;

	if (plan->n == PLAN_MAX || strlen(target) >= PLAN_TARGET_MAX) {
		plan->failed = true;
		/* Written to, never looked at. */
		plan->n = PLAN_MAX - 1;
	}
	op = &plan->ops[plan->n++];
	memset(op, 0, sizeof(*op));
	op->type = type;
	op->text = op->options = "";
	(void)snprintf(op->target, sizeof(op->target), "%s", target);
	return op;
}

__attribute__((format(printf, 2, 3))) static const char *
keep(struct plan *plan, const char *fmt, ...)
{
	char *at = plan->strings + plan->n_strings;
	size_t room = sizeof(plan->strings) - plan->n_strings;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(at, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room) {
		plan->failed = true;
		return "";
	}
	plan->n_strings += (size_t)n + 1;
	return at;
}

static void
add_dir(struct plan *plan, const char *target, unsigned mode)
{
	add(plan, PLAN_DIR, target)->number = mode;
}

static void
add_link(struct plan *plan, const char *target, const char *to)
{
	add(plan, PLAN_LINK, target)->text = to;
}

static void
add_text(struct plan *plan, const char *target, const char *text)
{
	add(plan, PLAN_TEXT, target)->text = text;
}

/* A mount of a directory (or, with is_dir false, a file), and the place for it. */
static void
add_bind(struct plan *plan, const char *target, bool is_dir, enum plan_source source,
	 const char *path, unsigned flags)
{
	struct plan_op *op;

	if (is_dir)
		add_dir(plan, target, 0755);
	else
		add_text(plan, target, "");
	op = add(plan, PLAN_BIND, target);
	op->source = source;
	op->text = path;
	op->flags = flags;
}

static void
add_mount(struct plan *plan, const char *target, const char *type, const char *options,
	  unsigned flags)
{
	struct plan_op *op;

	if (*target)
		add_dir(plan, target, 0755);
	op = add(plan, PLAN_MOUNT, target);
	op->text = type;
	op->options = options;
	op->flags = flags | PLAN_WRITABLE;
}

static void
add_tmpfs(struct plan *plan, const char *target, unsigned mode, uint64_t bytes, unsigned flags)
{
	/* Every inode costs the kernel about a kilobyte whatever is in it. */
	uint64_t n_inodes = bytes / 4096 < 256 ? 256 : bytes / 4096;

	add_mount(plan, target, "tmpfs",
		  keep(plan, "mode=%o,size=%llu,nr_inodes=%llu", mode, (unsigned long long)bytes,
		       (unsigned long long)n_inodes),
		  flags);
}

/* ---- parts ------------------------------------------------------------------------------- */

static void
add_stack(struct plan *plan, const struct stack *stack)
{
	for (size_t i = 0; i < stack->n_tops; i++) {
		if (stack->tops[i].link[0])
			add_link(plan, stack->tops[i].name, stack->tops[i].link);
		else
			add_bind(plan, stack->tops[i].name, true, PLAN_STACK, stack->tops[i].name,
				 PLAN_RECURSIVE);
	}
}

static void
add_etc(struct plan *plan, const struct plan_input *in)
{
	char host_name[65];

	plan_host_name(in->order, host_name, sizeof(host_name));
	add_dir(plan, "etc", 0755);
	for (size_t i = 0; i < in->stack->n_etc; i++) {
		const char *path = keep(plan, "etc/%s", in->stack->etc[i].name);

		add_bind(plan, path, in->stack->etc[i].is_dir, PLAN_STACK, path,
			 PLAN_OPTIONAL | PLAN_NOEXEC);
	}
	add_text(plan, "etc/passwd",
		 keep(plan,
		      "root:x:0:0:root:/root:/usr/sbin/nologin\n"
		      "app:x:%d:%d:app:/app:/bin/bash\n"
		      "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		      IDS_INSIDE, IDS_INSIDE));
	add_text(plan, "etc/group",
		 keep(plan, "root:x:0:\napp:x:%d:\nnogroup:x:65534:\n", IDS_INSIDE));
	add_text(plan, "etc/nsswitch.conf",
		 "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n"
		 "protocols: files\n");
	add_text(plan, "etc/hostname", keep(plan, "%s\n", host_name));
	add_text(plan, "etc/hosts",
		 keep(plan, "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n", host_name));
	add_bind(plan, "etc/resolv.conf", false, PLAN_RUNTIME, "resolv.conf", PLAN_NOEXEC);
}

static void
add_dev(struct plan *plan, uint64_t shm_bytes)
{
	static const struct {
		const char *name;
		unsigned major, minor;
	} devices[] = {
		{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
		{"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0},
	};

	add_tmpfs(plan, "dev", 0755, 65536, PLAN_NODES | PLAN_NOEXEC);
	for (size_t i = 0; i < sizeof(devices) / sizeof(*devices); i++)
		add(plan, PLAN_DEVICE, devices[i].name)->number =
			(uint32_t)makedev(devices[i].major, devices[i].minor);
	add_link(plan, "dev/fd", "/proc/self/fd");
	add_link(plan, "dev/stdin", "/proc/self/fd/0");
	add_link(plan, "dev/stdout", "/proc/self/fd/1");
	add_link(plan, "dev/stderr", "/proc/self/fd/2");
	add_link(plan, "dev/ptmx", "pts/ptmx");
	add_mount(plan, "dev/pts", "devpts", "newinstance,ptmxmode=666,mode=620,max=64",
		  PLAN_NODES | PLAN_NOEXEC);
	add_tmpfs(plan, "dev/shm", 01777, shm_bytes, PLAN_NOEXEC);
	add(plan, PLAN_SEAL, "dev");
}

static void
add_proc(struct plan *plan)
{
	static const char *const fixed[] = {
		"proc/sys", "proc/sysrq-trigger", "proc/irq", "proc/bus", "proc/fs",
	};
	static const char *const hidden[] = {
		"proc/kcore",	   "proc/keys",		 "proc/key-users",
		"proc/timer_list", "proc/latency_stats", "proc/sched_debug",
		"proc/kallsyms",   "proc/modules",	 "proc/config.gz",
	};

	add_mount(plan, "proc", "proc", "", PLAN_NOEXEC);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		add(plan, PLAN_AGAIN, fixed[i]);
	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++)
		add(plan, PLAN_HIDE, hidden[i]);
}

static void
add_sys(struct plan *plan, const struct plan_input *in)
{
	add_dir(plan, "sys", 0755);
	add_dir(plan, "sys/fs", 0755);
	add_dir(plan, "sys/fs/cgroup", 0755);
	for (size_t i = 0; i < in->n_views; i++) {
		const char *name = in->view_names[i];
		const char *target = *name ? keep(plan, "sys/fs/cgroup/%s", name) : "sys/fs/cgroup";
		struct plan_op *op;

		if (*name)
			add_dir(plan, target, 0755);
		op = add(plan, PLAN_VIEW, target);
		op->number = (uint32_t)i;
		op->flags = PLAN_NOEXEC;
	}
}

/* ---- kinds ------------------------------------------------------------------------------- */

static void
add_program(struct plan *plan, const char *name)
{
	add_bind(plan, keep(plan, "paas/bin/%s", name), false, PLAN_LIBEXEC, name, 0);
}

static void
add_app(struct plan *plan, const struct sandbox_order *order)
{
	struct plan_op *op;

	add_dir(plan, "app", 0755);
	op = add(plan, PLAN_OVERLAY, "app");
	op->text = keep(plan, "slugs/%s/%u", order->app, order->slug);
	op->options = keep(plan, "disks/%s/%llu", order->app, (unsigned long long)order->id);
	op->flags = PLAN_WRITABLE;
}

static void
add_git(struct plan *plan, const struct sandbox_order *order)
{
	static const char *const hooks[] = {"paas/hooks/pre-receive", "paas/hooks/update"};

	add_bind(plan, "repo", true, PLAN_STATE, keep(plan, "repos/%s.git", order->app),
		 PLAN_WRITABLE | PLAN_NOEXEC);
	add_dir(plan, "paas", 0755);
	add_dir(plan, "paas/hooks", 0755);
	for (size_t i = 0; i < sizeof(hooks) / sizeof(*hooks); i++)
		add_bind(plan, hooks[i], false, PLAN_LIBEXEC, "paas-hook", 0);
}

static void
add_build(struct plan *plan, const struct sandbox_order *order)
{
	add_bind(plan, "repo", true, PLAN_STATE, keep(plan, "repos/%s.git", order->app),
		 PLAN_NOEXEC);
	add_bind(plan, "disk", true, PLAN_STATE, keep(plan, "cache/%s", order->app), PLAN_WRITABLE);
	add_bind(plan, "app", true, PLAN_STATE, keep(plan, "cache/%s/app", order->app),
		 PLAN_WRITABLE);
	add_bind(plan, "buildpacks", true, PLAN_LIBEXEC, "buildpacks", 0);
	add_dir(plan, "paas", 0755);
	add_dir(plan, "paas/bin", 0755);
	add_program(plan, "paas-build");
	add_program(plan, "paas-static");
}

static void
add_unpack(struct plan *plan, const struct sandbox_order *order)
{
	add_bind(plan, "slug", true, PLAN_STATE, keep(plan, "slugs/%s/%u", order->app, order->slug),
		 PLAN_WRITABLE | PLAN_NOEXEC);
	add_dir(plan, "paas", 0755);
	add_dir(plan, "paas/bin", 0755);
	add_program(plan, "paas-build");
}

void
plan_host_name(const struct sandbox_order *order, char *out, size_t cap)
{
	const char *name = order->label;
	size_t n = 0;

	/* The release is not part of who an instance is. */
	if (name[0] == 'v' && strspn(name + 1, "0123456789") > 0 &&
	    name[1 + strspn(name + 1, "0123456789")] == '.')
		name += strspn(name + 1, "0123456789") + 2;
	for (; *name && n + 1 < cap; name++) {
		bool is_fine = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
			       (*name >= '0' && *name <= '9');

		out[n++] = is_fine ? *name : '-';
	}
	out[n] = '\0';
}

int
plan_make(const struct plan_input *in, struct plan *plan, struct err *err)
{
	const struct sandbox_order *order = in->order;
	uint64_t quarter = order->memory_bytes / 4;
	uint64_t tmp_bytes = quarter < 64 * MIB ? quarter : 64 * MIB;

	plan->n = 0;
	plan->n_strings = 0;
	plan->failed = false;
	add_tmpfs(plan, "", 0755, 256 * 1024, PLAN_NOEXEC);
	add_stack(plan, in->stack);
	add_etc(plan, in);
	add_dev(plan, tmp_bytes);
	add_proc(plan);
	add_sys(plan, in);
	/* Compilers put whole trees there. */
	add_tmpfs(plan, "tmp", 01777, order->kind == SANDBOX_BUILD ? quarter : tmp_bytes, 0);
	add_dir(plan, "run", 0755);
	add_dir(plan, "var", 0755);
	add_link(plan, "var/tmp", "../tmp");
	add_link(plan, "var/run", "../run");
	switch (order->kind) {
	case SANDBOX_APP:
		add_app(plan, order);
		break;
	case SANDBOX_BUILD:
		add_build(plan, order);
		break;
	case SANDBOX_GIT:
		add_git(plan, order);
		break;
	case SANDBOX_UNPACK:
		add_unpack(plan, order);
		break;
	case SANDBOX_KINDS:
		break;
	}
	add(plan, PLAN_SEAL, "");
	return plan->failed ? err_say(err, -ENOBUFS, "the stack has too many parts to mount") : 0;
}

/* Sandboxes of every kind, for real: what is inside, what is limited, how they end. */
#include "tests/unit/supervisor/world.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static char out[65536];

static int
set_up(void **state)
{
	struct world *w = world_new();

	world_open_supervisor(w);
	supervisor_control_up(w->s);
	world_create_app(w, "hello");
	world_create_slug(w, "hello");
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	world_free(*state);
	return 0;
}

static void
assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void
assert_has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("\"%s\" is in:\n%s", part, text);
}

static void
forget_reports(struct world *w)
{
	world_wait_empty(w);
	w->n_reports = 0;
}

/* ---- what is inside ---------------------------------------------------------------------- */

static void
an_app_is_nobody_in_particular(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);

	assert_int_equal(world_run(w, &order,
				   "id; cat /proc/self/status; hostname; cat "
				   "/proc/self/uid_map; echo $$",
				   out, sizeof(out)),
			 0);
	assert_has(out, "uid=1000(app) gid=1000(app) groups=1000(app)\n");
	assert_has(out, "CapPrm:\t0000000000000000\n");
	assert_has(out, "CapEff:\t0000000000000000\n");
	assert_has(out, "CapBnd:\t0000000000000000\n");
	assert_has(out, "CapAmb:\t0000000000000000\n");
	assert_has(out, "NoNewPrivs:\t1\n");
	assert_has(out, "Seccomp:\t2\n");
	assert_has(out, "\nweb-1\n");
	assert_has(out, "1000 1999000000          1\n");
}

static void
only_app_and_temporary_places_are_writable(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);

	(void)world_run(
		w, &order,
		"cat /app/hello.txt; "
		"for d in / /etc /usr /usr/bin /dev /proc/sys /sys/fs/cgroup /run /var /app /tmp "
		"/var/tmp /dev/shm; do (echo x >$d/probe) 2>/dev/null && echo \"wrote $d\"; done; "
		"(echo 1 >/proc/sys/kernel/panic) 2>/dev/null && echo sysctl; "
		"cat /app/probe; mv /app/hello.txt /app/moved.txt && mkdir /app/d && mv /app/d "
		"/app/e && ls /app",
		out, sizeof(out));
	assert_string_equal(out,
			    "hello\nwrote /app\nwrote /tmp\nwrote /var/tmp\nwrote /dev/shm\nx\n"
			    "e\nmoved.txt\nprobe\n");
	/* And the slug below is as it was. */
	order = world_order(w, SANDBOX_APP, 0);
	(void)world_run(w, &order, "ls /app", out, sizeof(out));
	assert_string_equal(out, "hello.txt\n");
}

static void
no_mount_honours_set_uid(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);

	(void)world_run(w, &order, "grep -v nosuid /proc/self/mountinfo; echo end", out,
			sizeof(out));
	assert_string_equal(out, "end\n");
}

static void
limits_can_be_read_inside(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);

	order.memory_bytes = 100UL << 20;
	order.pids = 33;
	(void)world_run(
		w, &order,
		"cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes pids.max "
		"pids/pids.max 2>/dev/null; cat /proc/self/cgroup | cut -d: -f3 | grep -v '^/$' | "
		"grep -v '^/\\.\\.'; ulimit -c; ulimit -n",
		out, sizeof(out));
	assert_has(out, "104857600\n33\n");
}

static void
system_calls_are_filtered(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);

	/* x86-64 and arm64 number these alike or are told apart by uname. */
	(void)world_run(w, &order,
			"unshare -U true 2>&1 | tail -1; unshare -m true 2>&1 | tail -1; "
			"perl -e 'use Socket; "
			"socket(S, 17, 3, 0) or print \"packet: $!\\n\"; "
			"socket(S, 38, 5, 0) or print \"alg: $!\\n\"; "
			"socket(S, 16, 3, 12) or print \"netfilter: $!\\n\"; "
			"socket(S, 16, 3, 0) and print \"route: fine\\n\"; "
			"socket(S, 2, 1, 0) and print \"inet: fine\\n\"; "
			"my $c = \"x\"; ioctl(STDIN, 0x5412, $c) or print \"tiocsti: $!\\n\"; "
			"my $x = `uname -m` =~ /x86/; "
			"syscall($x ? 321 : 280, 0, 0, 0) < 0 and print \"bpf: $!\\n\"; "
			"syscall(425, 1, 0) < 0 and print \"io_uring: $!\\n\"; "
			"syscall(435, 0, 0) < 0 and print \"clone3: $!\\n\"; "
			"syscall($x ? 250 : 219, 0, 0, 0, 0, 0) < 0 and print \"keyctl: $!\\n\"; "
			"syscall($x ? 135 : 92, 0x40000) < 0 and print \"personality: $!\\n\";'",
			out, sizeof(out));
	assert_has(out, "unshare: unshare failed: Operation not permitted\n");
	assert_has(out, "packet: Address family not supported by protocol\n");
	assert_has(out, "alg: Address family not supported by protocol\n");
	assert_has(out, "netfilter: Address family not supported by protocol\n");
	assert_has(out, "route: fine\ninet: fine\n");
	assert_has(out, "tiocsti: Operation not permitted\n");
	assert_has(out, "bpf: Operation not permitted\n");
	assert_has(out, "io_uring: Function not implemented\n");
	assert_has(out, "clone3: Function not implemented\n");
	assert_has(out, "keyctl: Operation not permitted\n");
	assert_has(out, "personality: Function not implemented\n");
}

static void
init_cannot_be_touched(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);

	(void)world_run(
		w, &order,
		"ls /proc/1/fd 2>&1 | head -1; cat /proc/1/mem 2>&1 | head -1; kill -9 1; kill -15 "
		"1; kill -STOP 1; sleep 0.05; echo alive; cat /proc/1/comm",
		out, sizeof(out));
	assert_has(out, "ls: cannot open directory '/proc/1/fd': Permission denied\n");
	assert_has(out, "cat: /proc/1/mem: Permission denied\n");
	assert_has(out, "alive\npaas-init\n");
}

/* ---- kinds ------------------------------------------------------------------------------- */

static void
a_build_has_its_disk(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_BUILD, 0);

	(void)world_run(
		w, &order,
		"id -u; stat -c '%U %a' /disk /app; echo cached >/disk/cached; echo x >/app/made; "
		"ls /disk /disk/app; ls -d /buildpacks/static; test -x /paas/bin/paas-build && "
		"echo "
		"builder; head -1 /repo/HEAD; (echo x >/repo/HEAD) 2>&1 | cut -d: -f3-; "
		"dd if=/dev/zero of=/app/big bs=1M count=100 2>&1 | grep -o 'No space left.*'",
		out, sizeof(out));
	assert_string_equal(out, "1000\napp 755\napp 755\n/disk:\napp\ncached\n\n/disk/app:\nmade\n"
				 "/buildpacks/static\nbuilder\nref: refs/heads/master\n"
				 " cannot create /repo/HEAD: Read-only file system\n"
				 "No space left on device\n");
	/* The disk is kept, whatever is in the directory's place. */
	order = world_order(w, SANDBOX_BUILD, 0);
	(void)world_run(w, &order, "cat /disk/cached; rm -rf /disk/app/*; ls /app", out,
			sizeof(out));
	assert_string_equal(out, "cached\n");
}

static void
git_has_its_repository_and_no_network(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_GIT, 0);

	(void)world_run(
		w, &order,
		"git -c safe.directory='*' -C /repo rev-parse --is-bare-repository; ls "
		"/paas/hooks; "
		"echo x >/repo/description && echo writes; cat /proc/net/dev | grep -c eth0; "
		"stat -c %u /repo",
		out, sizeof(out));
	assert_string_equal(out, "true\npre-receive\nupdate\nwrites\n0\n1000\n");
}

static void
unpack_fills_a_fresh_directory(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_UNPACK, 0);
	struct stat st;

	order.slug = 2;
	(void)world_run(w, &order, "echo one >/slug/file; ls /slug", out, sizeof(out));
	assert_string_equal(out, "file\n");
	assert_int_equal(fstatat(w->state_fd, "slugs/hello/2/file", &st, 0), 0);
	assert_int_equal(st.st_uid, RUN_UID);
	order = world_order(w, SANDBOX_UNPACK, 0);
	order.slug = 2;
	(void)world_run(w, &order, "ls /slug", out, sizeof(out));
	assert_string_equal(out, "");
}

/* ---- limits ------------------------------------------------------------------------------ */

static void
out_of_memory_is_told(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);
	const struct report *r;

	order.memory_bytes = 32UL << 20;
	(void)world_run(w, &order, "exec perl -e 'my $x = \"x\" x (200 << 20)'", out, sizeof(out));
	r = world_wait(w, MSG_SANDBOX_EXITED, order.id);
	assert_true(WIFSIGNALED(r->status));
	assert_int_equal(WTERMSIG(r->status), SIGKILL);
	assert_true(r->had_oom);
	assert_int_equal(r->limit_bytes, 32UL << 20);
	assert_in_range(r->peak_bytes, 16UL << 20, 33UL << 20);
}

static void
a_fork_bomb_is_contained_and_killed(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);
	uint64_t id;

	w->has_logs = true;
	id = world_start(w, &order, "b() { b | b & }; b; exec sleep 1000", NULL, -1);
	(void)world_wait(w, MSG_SANDBOX_STARTED, id);
	for (int i = 0; i < 20; i++)
		assert_true(loop_turn(&w->loop, 10) >= 0);
	world_simple(w, MSG_SANDBOX_KILL, id);
	assert_int_equal(world_wait(w, MSG_SANDBOX_EXITED, id)->status, SIGKILL);
	world_wait_empty(w);
	w->has_logs = false;
}

static void
an_instance_cannot_fill_the_host_disk(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);

	(void)world_run(
		w, &order,
		"for i in 1 2 3 4 5; do dd if=/dev/zero of=/app/f$i bs=1M count=20 2>&1 | grep -o "
		"'No space left.*'; done; ulimit -f",
		out, sizeof(out));
	assert_has(out, "No space left on device\n");
	assert_has(out, "131072\n");
	/* What it wrote goes with it. */
	world_wait_empty(w);
	order = world_order(w, SANDBOX_APP, 0);
	(void)world_run(w, &order, "dd if=/dev/zero of=/app/f bs=1M count=30 2>&1 | tail -1", out,
			sizeof(out));
	assert_has_not(out, "No space");
	world_wait_empty(w);
}

static void
a_full_disk_does_not_stop_the_next_instance(void **state)
{
	struct world *w = *state;
	struct sandbox_order full = world_order(w, SANDBOX_APP, 0), next;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), ends[2];
	char byte;

	/* The reserve is opened by that, which a container's root may lack. */
	if (prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE, 0, 0, 0) != 1)
		skip();
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	(void)world_start(
		w, &full,
		"cat /dev/zero >/app/all 2>/dev/null; while echo x >>/app/more; do :; done "
		"2>/dev/null; echo full; sleep 1000",
		(const int[3]){null_fd, ends[1], null_fd}, -1);
	(void)close(ends[1]);
	(void)close(null_fd);
	(void)world_wait(w, MSG_SANDBOX_STARTED, full.id);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	(void)close(ends[0]);
	next = world_order(w, SANDBOX_APP, 0);
	assert_int_equal(world_run(w, &next, "cat hello.txt /app/hello.txt", out, sizeof(out)),
			 256);
	assert_has(out, "hello\n");
	world_simple(w, MSG_SANDBOX_KILL, full.id);
	(void)world_wait(w, MSG_SANDBOX_EXITED, full.id);
	world_wait_empty(w);
}

/* ---- life -------------------------------------------------------------------------------- */

static void
exits_are_told_as_they_were(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);

	assert_int_equal(world_run(w, &order, "exit 7", out, sizeof(out)), 7 << 8);
	order = world_order(w, SANDBOX_APP, 0);
	assert_int_equal(world_run(w, &order, "kill -SEGV $$", out, sizeof(out)), SIGSEGV);
	/* What is left behind in the background dies with the program. */
	order = world_order(w, SANDBOX_APP, 0);
	assert_int_equal(
		world_run(w, &order, "sleep 1000 & setsid sleep 1000 & echo out", out, sizeof(out)),
		0);
	assert_string_equal(out, "out\n");
	forget_reports(w);
}

static void
signals_reach_every_process(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);
	int ends[2], null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct pollfd pfd;
	char byte;
	uint64_t id;
	ssize_t n;
	size_t len = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	id = world_start(
		w, &order,
		"trap 'echo main; exit 3' TERM; sh -c 'trap \"echo child; exit\" TERM; echo r; "
		"while :; do sleep 0.02; done' & while :; do sleep 0.02; done",
		(const int[3]){null_fd, ends[1], ends[1]}, -1);
	(void)close(ends[1]);
	(void)close(null_fd);
	(void)world_wait(w, MSG_SANDBOX_STARTED, id);
	pfd = (struct pollfd){.fd = ends[0], .events = POLLIN};
	assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	world_signal(w, id, SIGTERM);
	assert_int_equal(world_wait(w, MSG_SANDBOX_EXITED, id)->status, 3 << 8);
	while (len < sizeof(out) - 1 && (n = read(ends[0], out + len, sizeof(out) - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	(void)close(ends[0]);
	assert_has(out, "main\n");
}

static void
what_cannot_run_fails_with_a_sentence(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);
	const char *const argv[] = {"no-such-program", NULL}, *const envp[] = {NULL};
	int spec_fd = spec_write("/app", argv, envp);
	struct msg m;

	msg_begin(&m, MSG_SANDBOX_START, 0);
	sandbox_order_write(&m.out, &order);
	msg_add_fd(&m, spec_fd);
	world_message(w, &m);
	(void)close(spec_fd);
	assert_string_equal(world_wait(w, MSG_SANDBOX_FAILED, order.id)->text,
			    "execute no-such-program: No such file or directory");

	order = world_order(w, SANDBOX_APP, 0);
	order.slug = 77;
	(void)world_start(w, &order, "true", NULL, -1);
	assert_string_equal(world_wait(w, MSG_SANDBOX_FAILED, order.id)->text,
			    "open the slug: No such file or directory");
	world_wait_empty(w);
}

static void
a_kill_before_the_start_counts(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);

	strcpy(order.app, "hello");
	(void)world_start(w, &order, "sleep 1000", NULL, -1);
	world_simple(w, MSG_SANDBOX_KILL, order.id);
	while (supervisor_count(w->s) > 0)
		assert_true(loop_turn(&w->loop, 100) >= 0);
	/* Told either way, depending on how far it had come. */
	assert_true(world_find(w, MSG_SANDBOX_EXITED, order.id) ||
		    world_find(w, MSG_SANDBOX_FAILED, order.id));
}

static void
a_terminal_is_one(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);
	struct report *r;
	size_t len = 0;
	ssize_t n;

	order.flags = SANDBOX_PTY;
	order.columns = 132;
	order.rows = 43;
	(void)world_start(w, &order, "tty; stty size; ps -o tty= -p $$ 2>/dev/null; exit 5", NULL,
			  -1);
	r = world_wait(w, MSG_SANDBOX_PTY, order.id);
	while (len < sizeof(out) - 1 && (n = read(r->fd, out + len, sizeof(out) - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	assert_has(out, "/dev/pts/0\r\n43 132\r\n");
	assert_int_equal(world_wait(w, MSG_SANDBOX_EXITED, order.id)->status, 5 << 8);
}

static void
a_job_is_fd_five(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_GIT, 0);
	int ends[2], null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	char text[64];
	ssize_t n;

	assert_int_equal(msg_pair(ends, false), 0);
	(void)world_start(w, &order, "echo \"job $PAAS_JOB_FD\" >&5; ls /proc/self/fd >&5",
			  (const int[3]){null_fd, null_fd, null_fd}, ends[1]);
	(void)close(ends[1]);
	(void)close(null_fd);
	assert_int_equal(world_wait(w, MSG_SANDBOX_EXITED, order.id)->status, 0);
	n = recv(ends[0], text, sizeof(text), 0);
	assert_int_equal(n, 6);
	assert_memory_equal(text, "job 5\n", 6);
	n = recv(ends[0], text, sizeof(text), 0);
	assert_true(n > 0);
	assert_int_equal(n, 10);
	assert_memory_equal(text, "0\n1\n2\n3\n5\n", 10);
	(void)close(ends[0]);
}

/* The text of the next LOG_LINES. */
static void
read_lines(int fd, char *text, size_t cap)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	const char *p;
	struct msg m;
	size_t n;

	assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
	assert_int_equal(msg_receive(fd, &m), 1);
	assert_int_equal(m.type, MSG_LOG_LINES);
	(void)wire_get_u64(&m.in);
	(void)wire_get_u32(&m.in);
	p = wire_get_bytes(&m.in, &n);
	assert_int_equal(wire_end(&m.in), 0);
	assert_true(n < cap);
	memcpy(text, p, n);
	text[n] = '\0';
	msg_done(&m);
}

static void
output_goes_to_the_log(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 0);
	uint64_t id;

	w->has_logs = true;
	id = world_start(
		w, &order,
		"trap 'echo three; exit 0' TERM; echo one; echo two >&2; while :; do sleep 0.02; "
		"done",
		NULL, -1);
	(void)world_wait(w, MSG_SANDBOX_STARTED, id);
	out[0] = '\0';
	while (!strstr(out, "two\n"))
		read_lines(w->log_fd, out + strlen(out), 1000);
	assert_string_equal(out, "one\ntwo\n");
	/* paas-logs dies and comes back: a new stream for everybody. */
	(void)close(w->log_fd);
	w->log_fd = -1;
	supervisor_logs_up(w->s);
	world_signal(w, id, SIGTERM);
	assert_int_equal(world_wait(w, MSG_SANDBOX_EXITED, id)->status, 0);
	/* The shell may have something to say of its own. */
	out[0] = '\0';
	while (!strstr(out, "three\n"))
		read_lines(w->log_fd, out + strlen(out), 1000);
	/* What has no end of line is complete when the program has ended. */
	order = world_order(w, SANDBOX_APP, 0);
	id = world_start(w, &order, "printf end", NULL, -1);
	(void)world_wait(w, MSG_SANDBOX_EXITED, id);
	read_lines(w->log_fd, out, 1000);
	assert_string_equal(out, "end\n");
	w->has_logs = false;
}

/* ---- network ----------------------------------------------------------------------------- */

#define SERVER                                                                                     \
	"exec perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalPort => 5000, "       \
	"Listen "                                                                                  \
	"=> 5, ReuseAddr => 1) or die; while (my $c = $s->accept) { print $c \"hello from \", "    \
	"$c->peerhost, \"\\n\"; close $c }'"

/* Connects to an address of the test's subnet, as the router would. */
static int
connect_to(uint32_t offset, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	uint64_t end = world_now_ms() + WAIT_MS;
	char address[24];

	(void)snprintf(address, sizeof(address), "%s.%u", world_net, offset);
	assert_int_equal(inet_pton(AF_INET, address, &sa.sin_addr), 1);
	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
			return fd;
		(void)close(fd);
		assert_true(world_now_ms() < end);
		(void)poll(NULL, 0, 2);
	}
}

static void
the_host_reaches_an_instance(void **state)
{
	struct world *w = *state;
	struct sandbox_order order = world_order(w, SANDBOX_APP, 7);
	uint64_t id = world_start(w, &order, SERVER, NULL, -1);
	char text[64] = "", want[64];
	int fd;

	(void)world_wait(w, MSG_SANDBOX_STARTED, id);
	fd = connect_to(7, 5000);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	(void)snprintf(want, sizeof(want), "hello from %s.1\n", world_net);
	assert_string_equal(text, want);
	(void)close(fd);
	world_simple(w, MSG_SANDBOX_PORTS, id);
	assert_string_equal(world_wait(w, MSG_SANDBOX_LISTENS, id)->text, "0.0.0.0:5000");
	world_simple(w, MSG_SANDBOX_KILL, id);
	(void)world_wait(w, MSG_SANDBOX_EXITED, id);
}

/* Prints what became of a connection to each given address. */
#define PROBE                                                                                      \
	"exec perl -MIO::Socket::INET -e 'for (@ARGV) { my $s = IO::Socket::INET->new(PeerAddr "   \
	"=> "                                                                                      \
	"$_, Timeout => 2); print \"$_ \", $s ? \"open\" : \"shut\", \"\\n\" }' "

static void
an_instance_reaches_neither_host_nor_neighbour(void **state)
{
	struct world *w = *state;
	struct sandbox_order server = world_order(w, SANDBOX_APP, 8), probe;
	struct addr addr;
	struct err err;
	char script[512];
	int listener, fd;

	/* On all addresses of the host, the gateway's and eth0's among them. */
	assert_int_equal(addr_parse("0.0.0.0:0", &addr, &err), 0);
	listener = addr_listen(&addr, 8, &err);
	assert_true(listener >= 0);
	assert_int_equal(addr_of_socket(listener, &addr), 0);
	(void)world_start(w, &server, SERVER, NULL, -1);
	(void)world_wait(w, MSG_SANDBOX_STARTED, server.id);
	fd = connect_to(8, 5000);
	(void)close(fd);

	probe = world_order(w, SANDBOX_APP, 9);
	(void)snprintf(script, sizeof(script),
		       PROBE "%s.8:5000 %s.1:%u 127.0.0.1:%u 169.254.169.254:80; ", world_net,
		       world_net, addr_port(&addr), addr_port(&addr));
	(void)world_run(w, &probe, script, out, sizeof(out));
	assert_has_not(out, "open");
	(void)snprintf(script, sizeof(script), "%s.8:5000 shut\n", world_net);
	assert_has(out, script);
	world_simple(w, MSG_SANDBOX_KILL, server.id);
	(void)world_wait(w, MSG_SANDBOX_EXITED, server.id);
	(void)close(listener);
}

/* ---- files of apps ----------------------------------------------------------------------- */

static void
apps_come_and_go(void **state)
{
	struct world *w = *state;
	struct sandbox_order order;
	struct stat st;

	world_create_app(w, "other");
	world_create_app(w, "other");
	world_create_slug(w, "other");
	assert_int_equal(fstatat(w->state_fd, "repos/other.git", &st, 0), 0);
	assert_int_equal(st.st_uid, BUILD_UID);
	assert_int_equal(st.st_mode & 07777, 0700);

	order = world_order(w, SANDBOX_APP, 0);
	strcpy(order.app, "other");
	(void)world_start(w, &order, "sleep 1000", NULL, -1);
	(void)world_wait(w, MSG_SANDBOX_STARTED, order.id);
	assert_int_equal(
		world_wait(w, MSG_CHORE_DONE, world_chore(w, MSG_APP_REMOVE, "other", 0))->status,
		EBUSY);
	world_simple(w, MSG_SANDBOX_KILL, order.id);
	(void)world_wait(w, MSG_SANDBOX_EXITED, order.id);
	world_wait_empty(w);
	/* Its disk is still mounted, idle. */
	assert_int_equal(
		world_wait(w, MSG_CHORE_DONE, world_chore(w, MSG_SLUG_REMOVE, "other", 1))->status,
		0);
	assert_int_equal(fstatat(w->state_fd, "slugs/other/1", &st, 0), -1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			world_wait(w, MSG_CHORE_DONE, world_chore(w, MSG_APP_REMOVE, "other", 0))
				->status,
			0);
	assert_int_equal(fstatat(w->state_fd, "repos/other.git", &st, 0), -1);
	assert_int_equal(fstatat(w->state_fd, "slugs/other", &st, 0), -1);
	assert_int_equal(fstatat(w->state_fd, "disks/other", &st, 0), -1);
	assert_int_equal(fstatat(w->state_fd, "disks/other.img", &st, 0), -1);
}

static void
many_start_and_stop(void **state)
{
	struct world *w = *state;
	const char *cycles = getenv("CYCLES");
	int n = cycles ? atoi(cycles) : 40;

	for (int i = 0; i < n; i++) {
		struct sandbox_order order = world_order(w, SANDBOX_APP, 20 + (uint32_t)i % 200);

		(void)world_start(w, &order, "exit 9", NULL, -1);
		assert_int_equal(world_wait(w, MSG_SANDBOX_EXITED, order.id)->status, 9 << 8);
		if (i % 16 == 15)
			forget_reports(w);
	}
	forget_reports(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_app_is_nobody_in_particular),
		cmocka_unit_test(only_app_and_temporary_places_are_writable),
		cmocka_unit_test(no_mount_honours_set_uid),
		cmocka_unit_test(limits_can_be_read_inside),
		cmocka_unit_test(system_calls_are_filtered),
		cmocka_unit_test(init_cannot_be_touched),
		cmocka_unit_test(a_build_has_its_disk),
		cmocka_unit_test(git_has_its_repository_and_no_network),
		cmocka_unit_test(unpack_fills_a_fresh_directory),
		cmocka_unit_test(out_of_memory_is_told),
		cmocka_unit_test(a_fork_bomb_is_contained_and_killed),
		cmocka_unit_test(an_instance_cannot_fill_the_host_disk),
		cmocka_unit_test(a_full_disk_does_not_stop_the_next_instance),
		cmocka_unit_test(exits_are_told_as_they_were),
		cmocka_unit_test(signals_reach_every_process),
		cmocka_unit_test(what_cannot_run_fails_with_a_sentence),
		cmocka_unit_test(a_kill_before_the_start_counts),
		cmocka_unit_test(a_terminal_is_one),
		cmocka_unit_test(a_job_is_fd_five),
		cmocka_unit_test(output_goes_to_the_log),
		cmocka_unit_test(the_host_reaches_an_instance),
		cmocka_unit_test(an_instance_reaches_neither_host_nor_neighbour),
		cmocka_unit_test(apps_come_and_go),
		cmocka_unit_test(many_start_and_stop),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

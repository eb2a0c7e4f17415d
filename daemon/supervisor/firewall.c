/*
 * What the host sends to a sandbox, and its replies, are not tracked: that is the router's
 * traffic. Where the host filters its own input it has to recognise those replies as
 * established, so there they are tracked after all.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/file.h"
#include "daemon/supervisor/chores.h"
#include "daemon/supervisor/firewall.h"

#define RULES_MAX ((size_t)64 * 1024)
#define RULESET_MAX ((size_t)8 * 1024 * 1024)
#define IP_FORWARD "/proc/sys/net/ipv4/ip_forward"

/* ---- the host's rules -------------------------------------------------------------------- */

struct scan {
	const char *own;
	char table[64], chain[64];
	bool is_own, is_input;
};

static void
scan_line(struct scan *s, const char *line, size_t n, struct firewall_host *host)
{
	char text[256];
	size_t indent = 0;

	while (indent < n && (line[indent] == '\t' || line[indent] == ' '))
		indent++;
	n -= indent;
	if (n == 0 || line[indent] == '}')
		return;
	if (n >= sizeof(text))
		n = sizeof(text) - 1;
	memcpy(text, line + indent, n);
	text[n] = '\0';

	if (indent == 0 && sscanf(text, "table %63[^{]", s->table) == 1) {
		const char *name = strchr(s->table, ' ');

		while (*s->table && s->table[strlen(s->table) - 1] == ' ')
			s->table[strlen(s->table) - 1] = '\0';
		s->is_own = name && strcmp(name + 1, s->own) == 0;
		s->is_input = false;
	} else if (indent == 1 && sscanf(text, "chain %63s", s->chain) == 1) {
		s->is_input = false;
		if (strcmp(s->chain, "DOCKER-USER") == 0 && strcmp(s->table, "ip filter") == 0)
			host->has_docker = true;
	} else if (indent >= 2 && !s->is_own && strncmp(text, "type filter hook ", 17) == 0) {
		bool drops = strstr(text, "policy drop") != NULL;

		if (strncmp(text + 17, "forward ", 8) == 0 && drops && !host->drops_forward) {
			host->drops_forward = true;
			(void)snprintf(host->dropping, sizeof(host->dropping),
				       "table %.40s, chain %.40s", s->table, s->chain);
		}
		s->is_input = strncmp(text + 17, "input ", 6) == 0;
		if (s->is_input && drops)
			host->filters_input = true;
	} else if (indent >= 2 && s->is_input && !s->is_own) {
		host->filters_input = true;
	}
}

void
firewall_read_host(const char *ruleset, const char *own, struct firewall_host *host)
{
	struct scan s = {.own = own};

	memset(host, 0, sizeof(*host));
	while (*ruleset) {
		size_t n = strcspn(ruleset, "\n");

		scan_line(&s, ruleset, n, host);
		ruleset += n + (ruleset[n] == '\n');
	}
}

/* ---- ours -------------------------------------------------------------------------------- */

static const char *
ipv4_text(uint32_t address, char out[INET_ADDRSTRLEN])
{
	struct in_addr in = {.s_addr = htonl(address)};

	(void)inet_ntop(AF_INET, &in, out, INET_ADDRSTRLEN);
	return out;
}

/* What did not fit is remembered: half a table must never be loaded. */
struct rules {
	struct buf *text;
	int failed;
};

__attribute__((format(printf, 2, 3))) static void
put(struct rules *rules, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (rules->failed == 0)
		rules->failed = n < 0 || (size_t)n >= sizeof(line)
					? -ENOBUFS
					: buf_add_string(rules->text, line);
}

/* What never leaves a sandbox, decided before conntrack sees it. */
static void
put_raw(struct rules *out, const char *gateway, const char *subnet, bool is_tracked,
	bool has_forward)
{
	put(out,
	    "\tchain prerouting {\n"
	    "\t\ttype filter hook prerouting priority raw; policy accept;\n"
	    "\t\tiifname $sandboxes jump from_sandbox\n"
	    "\t}\n"
	    "\tchain from_sandbox {\n"
	    "\t\tmeta nfproto != ipv4 drop\n"
	    "\t\tfib saddr . iif oif missing drop\n"
	    "\t\tip daddr { 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/3 } drop\n"
	    "\t\tip daddr != %s ip daddr %s drop\n",
	    gateway, subnet);
	if (!is_tracked && has_forward)
		put(out, "\t\tip daddr %s meta l4proto { tcp, udp } th dport 53 return\n", gateway);
	if (!is_tracked)
		put(out,
		    "\t\tip daddr %s notrack\n"
		    "\t}\n"
		    "\tchain output {\n"
		    "\t\ttype filter hook output priority raw; policy accept;\n"
		    "\t\toifname $sandboxes ip saddr %s meta l4proto tcp notrack\n",
		    gateway, gateway);
	put(out, "\t}\n");
}

static void
put_input(struct rules *out, const char *gateway, bool is_tracked, bool has_forward)
{
	put(out, "\tchain input {\n"
		 "\t\ttype filter hook input priority filter; policy accept;\n"
		 "\t\tiifname $sandboxes jump to_host\n"
		 "\t}\n"
		 "\tchain to_host {\n"
		 "\t\tct state established,related accept\n");
	/* Without a SYN it can only belong to a connection the host opened. */
	if (!is_tracked)
		put(out,
		    "\t\tip daddr %s tcp flags & (syn | ack) != syn accept\n"
		    "\t\tip daddr %s icmp type { echo-reply, destination-unreachable, "
		    "time-exceeded } accept\n",
		    gateway, gateway);
	if (has_forward)
		put(out, "\t\tct status dnat meta l4proto { tcp, udp } accept\n");
	put(out, "\t\tmeta l4proto tcp reject with tcp reset\n"
		 "\t\treject with icmp type admin-prohibited\n"
		 "\t}\n");
}

static void
put_forward(struct rules *out, const char *subnet)
{
	put(out,
	    "\tchain forward {\n"
	    "\t\ttype filter hook forward priority filter; policy accept;\n"
	    "\t\tiifname $sandboxes oifname $sandboxes drop\n"
	    "\t\tiifname $sandboxes accept\n"
	    "\t\toifname $sandboxes ct state established,related accept\n"
	    "\t\toifname $sandboxes drop\n"
	    "\t}\n"
	    "\tchain postrouting {\n"
	    "\t\ttype nat hook postrouting priority srcnat; policy accept;\n"
	    "\t\tip saddr %s oifname != $sandboxes masquerade\n"
	    "\t}\n",
	    subnet);
}

/* The resolver must believe that the host itself asks: systemd-resolved and dnsmasq with
 * local-service answer nobody else. */
static void
put_dns(struct rules *out, const char *gateway, const char *resolver, bool is_loopback)
{
	put(out,
	    "\tchain dstnat {\n"
	    "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
	    "\t\tiifname $sandboxes ip daddr %s meta l4proto { tcp, udp } th dport 53 "
	    "dnat ip to %s\n"
	    "\t}\n",
	    gateway, resolver);
	if (is_loopback)
		put(out, "\tchain srcnat_input {\n"
			 "\t\ttype nat hook input priority 100; policy accept;\n"
			 "\t\tiifname $sandboxes ct status dnat snat ip to 127.0.0.1\n"
			 "\t}\n");
}

int
firewall_rules(const char *name, const struct subnet *subnet, uint32_t forward,
	       const struct firewall_host *host, struct buf *text)
{
	char base[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN], resolver[INET_ADDRSTRLEN];
	char subnet_text[INET_ADDRSTRLEN + 4];
	bool is_tracked = host->filters_input;
	struct rules rules = {.text = text};
	struct rules *out = &rules;

	ipv4_text(subnet->base, base);
	ipv4_text(subnet_address(subnet, 1), gateway);
	ipv4_text(forward, resolver);
	(void)snprintf(subnet_text, sizeof(subnet_text), "%s/%u", base, subnet->bits);

	put(out,
	    "define sandboxes = \"%s-*\"\n"
	    "table inet paas-%s\n"
	    "delete table inet paas-%s\n"
	    "table inet paas-%s {\n",
	    name, name, name, name);
	put_raw(out, gateway, subnet_text, is_tracked, forward != 0);
	put_input(out, gateway, is_tracked, forward != 0);
	put_forward(out, subnet_text);
	if (forward)
		put_dns(out, gateway, resolver, forward >> 24 == 127);
	put(out, "}\n");
	return rules.failed;
}

/* ---- loading ----------------------------------------------------------------------------- */

static int
turn_on_forwarding(struct err *err)
{
	AUTO_BUF struct buf text;
	int ret;

	buf_init(&text, 16);
	ret = file_read_at(AT_FDCWD, IP_FORWARD, &text);
	if (ret < 0)
		return err_set(err, ret, "read %s", IP_FORWARD);
	if (buf_text(&text)[0] == '1')
		return 0;
	ret = file_write_at(AT_FDCWD, IP_FORWARD, "1");
	if (ret < 0)
		return err_set(err, ret, "turn on net.ipv4.ip_forward");
	log_line("turned on net.ipv4.ip_forward, which instances need to reach the outside");
	return 0;
}

static int
run_nft(const char *rules, struct err *err)
{
	const char *const argv[] = {"nft", "-f", "-", NULL};

	return chore_execute(argv, rules, NULL, err);
}

/* Our rules in Docker's chain carry a comment, by which they are found again. */
static int
leave_docker(const char *name, struct err *err)
{
	const char *const argv[] = {"nft", "-a",     "list",	    "chain",
				    "ip",  "filter", "DOCKER-USER", NULL};
	AUTO_BUF struct buf listed;
	AUTO_BUF struct buf rules;
	char mark[32];

	buf_init(&listed, RULESET_MAX);
	buf_init(&rules, RULES_MAX);
	(void)snprintf(mark, sizeof(mark), "comment \"paas-%s\"", name);
	/* No such chain, no such rules. */
	if (chore_execute(argv, NULL, &listed, NULL) < 0)
		return 0;
	for (const char *at = buf_text(&listed); (at = strstr(at, mark)) != NULL; at++) {
		const char *handle = strstr(at, "# handle ");
		int ret;

		if (!handle)
			break;
		ret = buf_printf(&rules, "delete rule ip filter DOCKER-USER handle %llu\n",
				 strtoull(handle + 9, NULL, 10));
		if (ret < 0)
			return err_set(err, ret, "collect rules");
	}
	return rules.len ? run_nft(buf_text(&rules), err) : 0;
}

static int
join_docker(const char *name, struct err *err)
{
	AUTO_BUF struct buf rules;
	int ret = leave_docker(name, err);

	if (ret < 0)
		return ret;
	buf_init(&rules, RULES_MAX);
	ret = buf_printf(&rules,
			 "insert rule ip filter DOCKER-USER iifname \"%s-*\" counter accept "
			 "comment \"paas-%s\"\n"
			 "insert rule ip filter DOCKER-USER oifname \"%s-*\" ct state "
			 "established,related counter accept comment \"paas-%s\"\n",
			 name, name, name, name);
	return ret < 0 ? err_set(err, ret, "write rules") : run_nft(buf_text(&rules), err);
}

int
firewall_load(void *what, struct err *err)
{
	const char *const list[] = {"nft", "-s", "-t", "list", "ruleset", NULL};
	const struct firewall_order *order = what;
	struct firewall_host host;
	AUTO_BUF struct buf ruleset;
	AUTO_BUF struct buf rules;
	char own[16];
	int ret;

	buf_init(&ruleset, RULESET_MAX);
	buf_init(&rules, RULES_MAX);
	ret = turn_on_forwarding(err);
	if (ret == 0)
		ret = chore_execute(list, NULL, &ruleset, err);
	if (ret < 0)
		return ret;
	(void)snprintf(own, sizeof(own), "paas-%s", order->name);
	firewall_read_host(buf_text(&ruleset), own, &host);
	ret = firewall_rules(order->name, &order->subnet, order->forward, &host, &rules);
	if (ret < 0)
		return err_set(err, ret, "write the firewall's rules");
	ret = run_nft(buf_text(&rules), err);
	if (ret < 0)
		return ret;
	if (host.has_docker) {
		ret = join_docker(order->name, err);
	} else if (host.drops_forward) {
		log_line("%s drops forwarded packets by policy: instances will not reach the "
			 "outside "
			 "until it accepts what comes from interfaces named %s-*",
			 host.dropping, order->name);
	}
	return ret;
}

int
firewall_remove(void *what, struct err *err)
{
	const struct firewall_order *order = what;
	char rules[96];
	int ret;

	(void)snprintf(rules, sizeof(rules), "table inet paas-%s\ndelete table inet paas-%s\n",
		       order->name, order->name);
	ret = run_nft(rules, err);
	return ret < 0 ? ret : leave_docker(order->name, err);
}

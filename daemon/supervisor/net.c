/*
 * The process that will be init makes its own veth, so paasd never waits for the kernel's
 * network locks. While paasd serves nothing is deleted here: the interface dies with the
 * namespace, in the kernel's own time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "daemon/supervisor/net.h"
#include "daemon/supervisor/netlink.h"

#define INSIDE "eth0"

const char *
net_host_name(const char *platform, uint32_t offset, char out[NET_NAME_MAX])
{
	(void)snprintf(out, NET_NAME_MAX, "%.6s-%x", platform, offset);
	return out;
}

/* One device inside, whose peer is born in the host's namespace. */
static int
make_pair(int fd, const struct net *net, const char *host_name, int host_ns_fd)
{
	struct ifinfomsg none = {.ifi_family = AF_UNSPEC};
	struct netlink n;
	size_t info, data, peer;

	netlink_begin(&n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &none, sizeof(none));
	netlink_put_string(&n, IFLA_IFNAME, INSIDE);
	if (net->mtu)
		netlink_put_u32(&n, IFLA_MTU, net->mtu);
	info = netlink_nest(&n, IFLA_LINKINFO, NULL, 0);
	netlink_put_string(&n, IFLA_INFO_KIND, "veth");
	data = netlink_nest(&n, IFLA_INFO_DATA, NULL, 0);
	peer = netlink_nest(&n, VETH_INFO_PEER, &none, sizeof(none));
	netlink_put_string(&n, IFLA_IFNAME, host_name);
	netlink_put_u32(&n, IFLA_NET_NS_FD, (uint32_t)host_ns_fd);
	if (net->mtu)
		netlink_put_u32(&n, IFLA_MTU, net->mtu);
	netlink_close(&n, peer);
	netlink_close(&n, data);
	netlink_close(&n, info);
	return netlink_call(fd, &n);
}

/*
 * IPv6 stays without addresses here: a link-local one would be a way around the firewall's idea
 * of who is who, and its duplicate detection costs packets. With `routes_localnet` what the
 * firewall sends on to the host's loopback may go there, and come back.
 */
static int
set_conduct(int fd, int index, bool routes_localnet)
{
	struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	uint8_t none = IN6_ADDR_GEN_MODE_NONE;
	struct netlink n;
	size_t spec, family, conf;

	netlink_begin(&n, RTM_SETLINK, 0, &link, sizeof(link));
	spec = netlink_nest(&n, IFLA_AF_SPEC, NULL, 0);
	/* A kernel without IPv6 has nothing to forgo, but refuses to be told. */
	if (access("/proc/net/if_inet6", F_OK) == 0) {
		family = netlink_nest(&n, AF_INET6, NULL, 0);
		netlink_put(&n, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof(none));
		netlink_close(&n, family);
	}
	if (routes_localnet) {
		family = netlink_nest(&n, AF_INET, NULL, 0);
		conf = netlink_nest(&n, IFLA_INET_CONF, NULL, 0);
		netlink_put_u32(&n, IPV4_DEVCONF_ROUTE_LOCALNET, 1);
		netlink_close(&n, conf);
		netlink_close(&n, family);
	}
	netlink_close(&n, spec);
	return netlink_call(fd, &n);
}

static int
bring_up(int fd, int index)
{
	struct ifinfomsg up = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = index,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};
	struct netlink n;

	netlink_begin(&n, RTM_NEWLINK, 0, &up, sizeof(up));
	return netlink_call(fd, &n);
}

/* local/32 and, with a peer, the route to it. */
static int
add_address(int fd, int index, uint32_t local, uint32_t peer)
{
	struct ifaddrmsg a = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = 32,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (uint32_t)index,
	};
	uint32_t local_be = htonl(local), peer_be = htonl(peer);
	struct netlink n;

	netlink_begin(&n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &a, sizeof(a));
	netlink_put(&n, IFA_LOCAL, &local_be, sizeof(local_be));
	netlink_put(&n, IFA_ADDRESS, &peer_be, sizeof(peer_be));
	return netlink_call(fd, &n);
}

static int
add_default_route(int fd, int index, uint32_t gateway, uint32_t source)
{
	struct rtmsg r = {
		.rtm_family = AF_INET,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	uint32_t gateway_be = htonl(gateway), source_be = htonl(source);
	struct netlink n;

	netlink_begin(&n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &r, sizeof(r));
	netlink_put(&n, RTA_GATEWAY, &gateway_be, sizeof(gateway_be));
	netlink_put(&n, RTA_PREFSRC, &source_be, sizeof(source_be));
	netlink_put_u32(&n, RTA_OIF, (uint32_t)index);
	return netlink_call(fd, &n);
}

/* By ioctl, which unlike rtnetlink takes no lock that dying namespaces hold. */
static int
index_of(int fd, const char *name)
{
	struct ifreq request = {0};

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCGIFINDEX, &request) < 0 ? -errno : request.ifr_ifindex;
}

static int
configure_inside(int fd, const struct net *net, struct err *err)
{
	int index = index_of(fd, INSIDE);
	int ret = index;

	if (ret >= 0)
		ret = set_conduct(fd, index, false);
	if (ret == 0)
		ret = bring_up(fd, index);
	if (ret == 0)
		ret = add_address(fd, index, net->address, net->gateway);
	if (ret == 0)
		ret = add_default_route(fd, index, net->gateway, net->address);
	return ret < 0 ? err_set(err, ret, "configure the sandbox's end of its network") : 0;
}

static int
configure_host(int fd, const struct net *net, const char *name, struct err *err)
{
	int index = index_of(fd, name);
	int ret = index;

	if (ret >= 0)
		ret = set_conduct(fd, index, net->is_resolver_local);
	if (ret == 0)
		ret = bring_up(fd, index);
	if (ret == 0)
		ret = add_address(fd, index, net->gateway, net->address);
	return ret < 0 ? err_set(err, ret, "configure the host's end of the network (%s)", name)
		       : 0;
}

int
net_enter(const struct net *net, struct err *err)
{
	AUTO_FD int host_ns_fd = -1, host_fd = -1, inside_fd = -1;
	char name[NET_NAME_MAX];
	int ret;

	if (net->offset) {
		host_ns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (host_ns_fd < 0)
			return err_set(err, -errno, "open the host's network namespace");
		host_fd = netlink_open();
		if (host_fd < 0)
			return err_set(err, host_fd, "open rtnetlink");
	}
	if (unshare(CLONE_NEWNET) < 0)
		return err_set(err, -errno, "make a network namespace");
	inside_fd = netlink_open();
	if (inside_fd < 0)
		return err_set(err, inside_fd, "open rtnetlink in the new namespace");
	ret = bring_up(inside_fd, 1);
	if (ret < 0)
		return err_set(err, ret, "bring up the loopback device");
	if (!net->offset)
		return 0;

	net_host_name(net->name, net->offset, name);
	ret = make_pair(inside_fd, net, name, host_ns_fd);
	if (ret < 0)
		return err_set(err, ret, "make the network device %s", name);
	ret = configure_host(host_fd, net, name, err);
	if (ret == 0)
		ret = configure_inside(inside_fd, net, err);
	return ret;
}

/* ---- the uplink -------------------------------------------------------------------------- */

static int
uplink_index(int fd)
{
	struct rtmsg r = {.rtm_family = AF_INET, .rtm_dst_len = 32};
	uint32_t anywhere_be = htonl(0x08080808);
	union {
		struct nlmsghdr head;
		uint8_t bytes[4096];
	} reply;
	const void *oif;
	struct netlink n;
	size_t size;
	uint32_t index;
	int ret;

	netlink_begin(&n, RTM_GETROUTE, 0, &r, sizeof(r));
	netlink_put(&n, RTA_DST, &anywhere_be, sizeof(anywhere_be));
	ret = netlink_ask(fd, &n, &reply, sizeof(reply));
	if (ret < 0)
		return ret;
	oif = netlink_find(&reply, (size_t)ret, sizeof(r), RTA_OIF, &size);
	if (!oif || size != sizeof(index))
		return -ENOENT;
	memcpy(&index, oif, sizeof(index));
	return (int)index;
}

uint32_t
net_default_mtu(void)
{
	AUTO_FD int fd = netlink_open();
	struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
	union {
		struct nlmsghdr head;
		uint8_t bytes[8192];
	} reply;
	struct netlink n;
	const void *at;
	uint32_t mtu;
	size_t size;
	int ret;

	if (fd < 0)
		return 1500;
	link.ifi_index = uplink_index(fd);
	if (link.ifi_index <= 0)
		return 1500;
	netlink_begin(&n, RTM_GETLINK, 0, &link, sizeof(link));
	ret = netlink_ask(fd, &n, &reply, sizeof(reply));
	if (ret < 0)
		return 1500;
	at = netlink_find(&reply, (size_t)ret, sizeof(link), IFLA_MTU, &size);
	if (!at || size != sizeof(mtu))
		return 1500;
	memcpy(&mtu, at, sizeof(mtu));
	/* Loopback and the like have no say; below 1280 nothing works. */
	return mtu < 1280 || mtu > 9000 ? 1500 : mtu;
}

/* Is it a platform's name, a hyphen and hexadecimal digits? */
static bool
is_host_name(const char *name, const char *platform)
{
	size_t n = strlen(platform);

	return strncmp(name, platform, n) == 0 && name[n] == '-' && name[n + 1] != '\0' &&
	       name[n + 1 + strspn(name + n + 1, "0123456789abcdef")] == '\0';
}

void
net_remove_all(const char *platform)
{
	AUTO_FD int fd = netlink_open();
	struct if_nameindex *all = if_nameindex();
	struct netlink n;

	for (struct if_nameindex *at = all; fd >= 0 && at && at->if_index; at++) {
		struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)at->if_index};

		if (!is_host_name(at->if_name, platform))
			continue;
		netlink_begin(&n, RTM_DELLINK, 0, &link, sizeof(link));
		/* It may have gone by itself meanwhile. */
		(void)netlink_call(fd, &n);
	}
	if_freenameindex(all);
}

/* SPDX-License-Identifier: MIT */
#include "monitor/kind.h"

#include <linux/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool among(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

static bool starts(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (strncmp(s, *list, strlen(*list)) == 0)
			return true;
	return false;
}

/* A tap is a tunnel too: what comes in there goes to some program, not to a network. */
static const char *const tunnels[] = {
    "tun",    "wireguard", "ppp",    "xfrm",      "vti",    "vti6",    "gre",
    "gretap", "sit",       "ip6gre", "ip6gretap", "erspan", "ipip",    "fou",
    "ip6tnl", "geneve",    "vxlan",  "ovpn",      "l2tp",   "bareudp", NULL};
static const char *const cellular[] = {"wwan", "rmnet", NULL};
static const char *const ethernets[] = {"vlan",    "bond",   "team",   "macvlan",
                                        "macvtap", "ipvlan", "ipvtap", NULL};

static const char *const wifi_names[] = {"wl", NULL};
static const char *const cellular_names[] = {"ww", "rmnet", NULL};
static const char *const ethernet_names[] = {"eth", "en", NULL};
static const char *const tunnel_names[] = {"tun", "tap", "wg", "ppp", NULL};

enum mif_kind ifkind_guess(const char *name, const char *info, unsigned arphrd, unsigned flags)
{
	if (flags & IFF_LOOPBACK)
		return MIF_LOOPBACK;
	if (among(info, tunnels))
		return MIF_TUNNEL;
	if (among(info, cellular))
		return MIF_CELLULAR;
	switch (arphrd) {
	case ARPHRD_LOOPBACK:
		return MIF_LOOPBACK;
	case ARPHRD_IEEE80211:
	case ARPHRD_IEEE80211_PRISM:
	case ARPHRD_IEEE80211_RADIOTAP:
		return MIF_WIFI;
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return MIF_TUNNEL;
	}
	if (starts(name, wifi_names))
		return MIF_WIFI;
	if (starts(name, cellular_names))
		return MIF_CELLULAR;
	if (starts(name, ethernet_names) || among(info, ethernets))
		return MIF_ETHERNET;
	if (starts(name, tunnel_names))
		return MIF_TUNNEL;
	/* Without an INFO_KIND it is a piece of hardware. */
	if (arphrd == ARPHRD_ETHER && !*info)
		return MIF_ETHERNET;
	return arphrd == ARPHRD_NONE ? MIF_TUNNEL : MIF_OTHER;
}

bool ifkind_wireless(const char *name)
{
	char path[64];

	if (!*name || strchr(name, '/') || strlen(name) >= IFNAMSIZ)
		return false;
	snprintf(path, sizeof(path), "/sys/class/net/%s/phy80211", name);
	if (access(path, F_OK) == 0)
		return true;
	snprintf(path, sizeof(path), "/sys/class/net/%s/wireless", name);
	return access(path, F_OK) == 0;
}

const char *mif_kind_name(enum mif_kind k)
{
	switch (k) {
	case MIF_OTHER:
		return "other";
	case MIF_ETHERNET:
		return "ethernet";
	case MIF_WIFI:
		return "wifi";
	case MIF_CELLULAR:
		return "cellular";
	case MIF_TUNNEL:
		return "tunnel";
	case MIF_LOOPBACK:
		return "loopback";
	}
	return "unknown";
}

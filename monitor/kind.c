/* SPDX-License-Identifier: MIT */
#include "monitor/kind.h"

#include <fnmatch.h>
#include <linux/if_arp.h>
#include <linux/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool among(const char *what, const char *const *list)
{
	for (; *list; list++)
		if (fnmatch(*list, what, 0) == 0)
			return true;
	return false;
}

static bool wireless(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/%s/phy80211", name);
	return access(path, F_OK) == 0;
}

enum mif_kind kind_of_link(unsigned arphrd, unsigned flags, const char *info_kind, const char *name)
{
	static const char *const tunnels[] = {"tun",  "wireguard", "ppp",  "xfrm", "vti*", "gre*",
					      "ip6gre*", "sit",	   "ipip", "ip6tnl", "ovpn*", NULL};
	static const char *const wifi[] = {"wl*", NULL};
	static const char *const cellular[] = {"ww*", "rmnet*", "ccmni*", NULL};
	static const char *const tunnel_names[] = {"tun*", "wg*", "ppp*", "tailscale*", NULL};
	static const char *const ethernet[] = {"eth*", "en*", NULL};

	if (flags & IFF_LOOPBACK || arphrd == ARPHRD_LOOPBACK)
		return MIF_LOOPBACK;
	/* A tap device is "tun" as well, but has Ethernet frames: a virtual machine's or a lab's cable. */
	if ((info_kind && among(info_kind, tunnels) && arphrd != ARPHRD_ETHER) ||
	    arphrd == ARPHRD_PPP || arphrd == ARPHRD_TUNNEL || arphrd == ARPHRD_TUNNEL6 ||
	    arphrd == ARPHRD_SIT || arphrd == ARPHRD_IPGRE)
		return among(name, cellular) ? MIF_CELLULAR : MIF_TUNNEL;
	if (among(name, wifi) || wireless(name))
		return MIF_WIFI;
	if (among(name, cellular))
		return MIF_CELLULAR;
	if (among(name, tunnel_names))
		return MIF_TUNNEL;
	return among(name, ethernet) ? MIF_ETHERNET : MIF_OTHER;
}

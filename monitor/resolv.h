/* SPDX-License-Identifier: MIT */
/*
 * Name servers and search domains from the files in which network managers leave them. Pure: a
 * function over a text, nothing in which is trusted. Servers on the loopback are left out: they are
 * the host's own, and forward to any of the networks.
 */
#ifndef MONITOR_RESOLV_H
#define MONITOR_RESOLV_H

#include <stddef.h>

#include "monitor/pvd.h"

/* Items found, all of them for ever. */
struct resolv {
	struct pvd_item item[PVD_ITEMS];
	unsigned n;
};

/* resolv.conf(5), as resolvconf keeps one per interface. */
void resolv_conf(struct resolv *r, const char *text, size_t len);

/*
 * KEY=VALUES, a line each: what systemd-networkd and systemd-resolved say of one link, and
 * networkd's DHCP leases.
 */
void resolv_keys(struct resolv *r, const char *text, size_t len);

/* NetworkManager's state of one device: what its DHCP client was told, of one family. */
void resolv_device(struct resolv *r, const char *text, size_t len, sa_family_t family);

/* dhclient's leases: the last one of this interface. */
void resolv_leases(struct resolv *r, const char *text, size_t len, const char *interface);

#endif

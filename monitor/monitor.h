/* SPDX-License-Identifier: MIT */
/*
 * The interface monitor: rtnetlink in, MIF API events out (draft-ietf-mif-api-extension-05).
 *
 * One monitor belongs to one thread. It never blocks: the owner polls mif_monitor_fd() and calls
 * mif_monitor_process(). Works without privilege.
 *
 * Order is the MIF API's, not the kernel's: whatever makes an interface unusable (device removed,
 * admin down, carrier lost) first gives Interface is going away, then No Address Announcement for
 * each of its addresses, then, if the device itself is gone, No Interface Announcement. The kernel
 * tells next to nothing of the addresses in these cases (IPv4 nothing at all), so the events come
 * from the monitor's own table.
 */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum mif_event_type {
	MIF_INTERFACE_ANNOUNCEMENT,
	MIF_NO_INTERFACE_ANNOUNCEMENT,
	MIF_ADDRESS_ANNOUNCEMENT,
	MIF_NO_ADDRESS_ANNOUNCEMENT,
	MIF_INTERFACE_GOING_UP,   /* became usable: up, with carrier */
	MIF_INTERFACE_GOING_AWAY, /* stopped being usable */
	MIF_ROUTES_CHANGED,       /* not of the MIF API: some route came or went */
	MIF_ROUTER_NOT_REACHED,   /* nor this: a default router answers no neighbour discovery */
};

enum mif_kind { MIF_OTHER, MIF_ETHERNET, MIF_WIFI, MIF_CELLULAR, MIF_TUNNEL, MIF_LOOPBACK };

struct mif_address {
	sa_family_t family;
	uint8_t prefix_len;
	uint8_t ip[16];                /* IPv4 in the first four bytes, the rest zero */
	uint32_t flags;                /* IFA_F_* */
	uint32_t valid_s, preferred_s; /* lifetimes; UINT32_MAX: for ever */
};

struct mif_event {
	enum mif_event_type type;
	int ifindex;
	char name[IFNAMSIZ];
	struct mif_address address; /* of the address announcements; or the router */
	const char *reason; /* "carrier lost", "admin down", "address removed", ... never NULL */
};

typedef void mif_event_fn(void *ctx, const struct mif_event *ev);

struct mif_monitor;

/*
 * Opens the sockets, subscribes, and requests the first dump. The first events (the enumeration)
 * come from mif_monitor_process(), or at once if `wait` is true: then the call returns with the
 * table complete (bounded by one second). `*m` is set before the first event. 0 or negative errno
 * (-EACCES, -EPERM, -EAFNOSUPPORT where netlink is forbidden).
 */
int mif_monitor_open(struct mif_monitor **m, mif_event_fn *fn, void *ctx, bool wait);

/*
 * The same, without mifcontd(8). Where that is there, mif_monitor_open() listens to it instead of
 * opening netlink sockets of its own; when it goes away, or never comes to an end with telling what
 * there is, the monitor looks for itself, and tells the difference.
 */
int mif_monitor_open_alone(struct mif_monitor **m, mif_event_fn *fn, void *ctx, bool wait);

/* Is it the service that tells? */
bool mif_monitor_served(const struct mif_monitor *m);

/*
 * Findings of connectivity checks, which the service hands on among the processes of a user. What
 * was asked is a number all agree on; `says` 0: somebody is about to find out.
 */
typedef void mif_check_fn(void *ctx, int ifindex, uint64_t question, unsigned says,
                          unsigned age_ms);
void mif_monitor_hear_checks(struct mif_monitor *m, mif_check_fn *fn, void *ctx);
void mif_monitor_tell_check(struct mif_monitor *m, int ifindex, uint64_t question, unsigned says);
void mif_monitor_close(struct mif_monitor *m);

/* Descriptors to poll for reading (at most MIF_MONITOR_FDS written to `fds`); returns their number.
 * All are CLOEXEC. */
#define MIF_MONITOR_FDS 4
int mif_monitor_fds(const struct mif_monitor *m, int fds[MIF_MONITOR_FDS]);

/*
 * Lets the owner of the process's descriptor table move the sockets to numbers of its choice, these
 * and those opened later: `move` gets each descriptor, returns the new one (which replaces it) or a
 * negative errno (it stays). `close` closes what was moved; NULL: close(2) does.
 */
void mif_monitor_move_fds(struct mif_monitor *m, int (*move)(int fd), void (*close)(int fd));

/* Calls these before a descriptor is made, and after it was moved, or closed again. */
void mif_monitor_tell_fds(struct mif_monitor *m, void (*begin)(void), void (*end)(void));

/* Milliseconds until mif_monitor_process() is due even without input; -1: never. */
int mif_monitor_timeout(const struct mif_monitor *m);

/* Reads what is there, without blocking, and calls the event function. Negative errno: unusable
 * now. */
int mif_monitor_process(struct mif_monitor *m);

/*
 * Asks the kernel for the state of one link at once: carrier loss can be announced up to a second
 * late, the answer to a question never is. The answer comes through mif_monitor_process().
 */
int mif_monitor_ask(struct mif_monitor *m, int ifindex);

/*
 * Follow the provisioning domains, too: `fn` is told that one of an interface, or what is known of
 * it, may have changed. Not to be had before, nor twice. Their table can be fed by whoever else
 * learns of them (monitor/pvd.h).
 */
typedef void mif_domains_fn(void *ctx, int ifindex);
void mif_monitor_follow_domains(struct mif_monitor *m, mif_domains_fn *fn, void *ctx);

struct domains;
const struct domains *mif_monitor_domains(const struct mif_monitor *m);
struct pvd_table;
struct pvd_table *mif_monitor_pvds(struct mif_monitor *m);

/* --- the table --- */

struct iftable;
const struct iftable *mif_monitor_table(const struct mif_monitor *m);

/* One way to a peer: an address on a usable interface that has a route to it. */
struct mif_path {
	int ifindex;
	char name[IFNAMSIZ];
	enum mif_kind kind;
	struct mif_address source;
	uint32_t metric; /* of the route, lower is better */
};

/*
 * The paths to `peer` (family and address count, port does not): per usable interface whose
 * main-table routes cover the peer the best source address of its family (not tentative, not
 * DAD-failed; deprecated only where there is no other; for global peers no link-local source).
 * Never the loopback. Sorted by metric, then ifindex. Returns how many were written.
 */
int mif_paths(const struct mif_monitor *m, const struct sockaddr *peer, struct mif_path *out,
              int max);

/* The interface that has this address, whatever its state; 0: none. */
int mif_interface_of(const struct mif_monitor *m, sa_family_t family, const void *ip);

/*
 * Is the address there, on an interface that is up with carrier? Where `ifindex` has it that is the
 * one that counts, for two uplinks may have the same address; else (or 0) any: an address may have
 * moved, to a bridge say, and connections live on with it.
 */
bool mif_address_usable(const struct mif_monitor *m, sa_family_t family, const void *ip,
                        int ifindex);

/*
 * Is it a Mobile IPv6 home address (IFA_F_HOMEADDRESS)? Connections from one move with the machine
 * below us.
 */
bool mif_address_home(const struct mif_monitor *m, sa_family_t family, const void *ip);

/* Name, kind and usability of an interface; false: unknown. Any pointer may be NULL. */
bool mif_interface(const struct mif_monitor *m, int ifindex, char name[IFNAMSIZ],
                   enum mif_kind *kind, bool *usable);

const char *mif_event_name(enum mif_event_type t); /* the MIF API's own words */
const char *mif_kind_name(enum mif_kind k);

#endif

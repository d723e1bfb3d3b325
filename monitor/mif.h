/* SPDX-License-Identifier: MIT */
/*
 * The MIF API (draft-ietf-mif-api-extension-05) for Linux: messages to and from the system about
 * interfaces, provisioning domains, their configuration, addresses, names and connections. See
 * libmif(3), which describes every message.
 *
 * Functions return 0 or more, or a negative errno. None of them blocks but mif_check().
 */
#ifndef MIF_H
#define MIF_H

#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MIF_NAME 256           /* of names, identifiers and texts, with their zero */
#define MIF_FOREVER UINT32_MAX /* of lifetimes */

enum mif_type {
	/* From the subscriber to the MIF API: mif_post(). */
	MIF_ANNOUNCE_INTERFACES = 1,
	MIF_STOP_ANNOUNCING_INTERFACES,
	MIF_ANNOUNCE_PVD,
	MIF_STOP_ANNOUNCING_PVD,
	MIF_ANNOUNCE_ELEMENT,
	MIF_STOP_ANNOUNCING_ELEMENT,
	MIF_ANNOUNCE_ADDRESS,
	MIF_STOP_ANNOUNCING_ADDRESS,
	MIF_GET_CONFIGURATION_DATA,
	MIF_TRANSLATE_NAME,
	MIF_STOP_TRANSLATING_NAME,
	MIF_CONNECT_TO_PVD,
	MIF_CONNECT_TO_ADDRESS,
	MIF_CONNECT_TO_ADDRESS_FROM_ADDRESS,
	MIF_STOP_CONNECTING, /* not in the draft */
	MIF_WANTS_TO_CONNECT,
	MIF_CONNECTION_IS_IDLE,
	MIF_CONNECTION_CAN_BE_BROKEN,

	/* From the MIF API to the subscriber: mif_get(). */
	MIF_INTERFACE = 64,
	MIF_NO_INTERFACE,
	MIF_PVD,
	MIF_NO_PVD,
	MIF_ELEMENT,
	MIF_NO_ELEMENT,
	MIF_ADDRESS,
	MIF_NO_ADDRESS,
	MIF_CONFIGURATION_DATA,
	MIF_NO_CONFIGURATION_DATA,
	MIF_NAME_TRANSLATION,
	MIF_NO_NAME_TRANSLATION, /* not in the draft: no more are to come */
	MIF_CONNECTED,
	MIF_NOT_CONNECTED,
	MIF_INTERFACE_IS_GOING_AWAY,
	MIF_INTERFACE_IS_GOING_UP,
};

/* The type of a configuration element: who said it. */
enum mif_element {
	MIF_ELEMENT_ANY = 0,
	MIF_ELEMENT_STATIC, /* by hand, or nobody knows */
	MIF_ELEMENT_RA,
	MIF_ELEMENT_DHCPV4,
	MIF_ELEMENT_DHCPV6,
	MIF_ELEMENT_RESOLVER,   /* the host's resolver configuration for the interface */
	MIF_ELEMENT_ADDITIONAL, /* the additional information of RFC 8801 */
	MIF_ELEMENT_LINK,       /* the interface itself */
	MIF_ELEMENT_PORTAL,     /* what the captive portal's API says (RFC 8908) */
};

/* What configuration data are about. */
enum mif_information {
	MIF_INFORMATION_ANY = 0,
	MIF_DNS_SERVER,     /* address */
	MIF_SEARCH_DOMAIN,  /* text */
	MIF_GATEWAY,        /* address */
	MIF_PREFIX,         /* address, prefix_len */
	MIF_ROUTE,          /* address, prefix_len */
	MIF_MTU,            /* number */
	MIF_CAPTIVE_PORTAL, /* text: the URI of RFC 8910 */
	MIF_NAT64_PREFIX,   /* address, prefix_len: RFC 8781 */
	MIF_NO_INTERNET,    /* number 1: RFC 8801's noInternet */
	MIF_DNS_ZONE,       /* text: RFC 8801's dnsZones */
	MIF_DHCPV4_BOUND,   /* number 1: RFC 8801's L flag */
	MIF_CAPTIVE,        /* number: 1 as long as the portal lets nothing through, else 0 */
	MIF_PORTAL_PAGE,    /* text: user-portal-url, where a person is to go for that */
	MIF_VENUE_PAGE,     /* text: venue-info-url */
	MIF_PORTAL_SESSION, /* number 1; valid until the portal closes again */
};

/* What of it a message uses is in libmif(3); the rest is zero, and to be zero. */
struct mif_message {
	enum mif_type type;
	int interface;   /* its identifier, the interface index; 0: any */
	unsigned int id; /* of a translation or connection: the subscriber's choice */
	enum mif_element element;
	enum mif_information information;
	int error;              /* what went wrong: an errno */
	int fd;                 /* the socket of Connected */
	unsigned int remaining; /* configuration data still to come for this request */
	uint32_t valid;         /* lifetimes, seconds */
	uint32_t preferred;
	uint32_t number;
	uint8_t prefix_len;
	uint8_t deprecated;
	uint8_t implicit; /* a domain that the host made up */
	uint8_t unused;
	struct sockaddr_storage address; /* with its port where there is one */
	struct sockaddr_storage source;
	char pvd[MIF_NAME];  /* the domain's identifier; "": any, or the one connected to */
	char name[MIF_NAME]; /* an interface's name; a name to be translated */
	char text[MIF_NAME]; /* why; or the data */
	uint32_t reserved[8];
};

#pragma GCC visibility push(default)

struct mif;

/* A subscriber, for one thread at a time. */
int mif_open(struct mif **m);
void mif_close(struct mif *m);

/* POST MESSAGE. */
int mif_post(struct mif *m, const struct mif_message *msg);

/*
 * CHECK MESSAGE: waits until a message is there or one of the `n` descriptors is ready, at most
 * `timeout` milliseconds (0: not at all, -1: for ever). How many descriptors are ready, and one
 * more if there is a message; 0: time is up.
 */
int mif_check(struct mif *m, struct pollfd *fds, nfds_t n, int timeout);

/* GET MESSAGE: 1 and the message, or 0: none is waiting. */
int mif_get(struct mif *m, struct mif_message *msg);

/* A descriptor for the program's own event loop: readable when mif_get() should be called, until
 * it returns 0. */
int mif_fd(const struct mif *m);

/*
 * Has a socket of the program's own, not yet bound or connected, used in one domain only: by its
 * interface, and (`source` not NULL) from its address, or from one that suits its family. `pvd` is
 * an identifier, or NULL for the domain connected to.
 */
int mif_bind(struct mif *m, int fd, const char *pvd, const struct sockaddr *source);

const char *mif_type_name(enum mif_type t); /* the draft's own words */
const char *mif_element_name(enum mif_element e);
const char *mif_information_name(enum mif_information i);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif

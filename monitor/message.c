/* SPDX-License-Identifier: MIT */
#include "monitor/message.h"

#include <stdio.h>
#include <string.h>

static const enum mif_element elements[PVD_SOURCES] = {
    [PVD_STATIC] = MIF_ELEMENT_STATIC,     [PVD_RA] = MIF_ELEMENT_RA,
    [PVD_DHCPV4] = MIF_ELEMENT_DHCPV4,     [PVD_DHCPV6] = MIF_ELEMENT_DHCPV6,
    [PVD_RESOLVER] = MIF_ELEMENT_RESOLVER, [PVD_ADDITIONAL] = MIF_ELEMENT_ADDITIONAL,
    [PVD_LINK] = MIF_ELEMENT_LINK,         [PVD_PORTAL] = MIF_ELEMENT_PORTAL,
};

static const enum mif_information informations[PVD_INFOS] = {
    [PVD_DNS_SERVER] = MIF_DNS_SERVER,
    [PVD_SEARCH_DOMAIN] = MIF_SEARCH_DOMAIN,
    [PVD_GATEWAY] = MIF_GATEWAY,
    [PVD_PREFIX] = MIF_PREFIX,
    [PVD_ROUTE] = MIF_ROUTE,
    [PVD_MTU] = MIF_MTU,
    [PVD_CAPTIVE_PORTAL] = MIF_CAPTIVE_PORTAL,
    [PVD_NAT64_PREFIX] = MIF_NAT64_PREFIX,
    [PVD_NO_INTERNET] = MIF_NO_INTERNET,
    [PVD_DNS_ZONE] = MIF_DNS_ZONE,
    [PVD_DHCPV4_BOUND] = MIF_DHCPV4_BOUND,
    [PVD_PORTAL_CAPTIVE] = MIF_CAPTIVE,
    [PVD_PORTAL_PAGE] = MIF_PORTAL_PAGE,
    [PVD_PORTAL_VENUE] = MIF_VENUE_PAGE,
    [PVD_PORTAL_SESSION] = MIF_PORTAL_SESSION,
};

enum mif_element message_element(enum pvd_source s)
{
	return elements[s];
}

bool message_source(enum mif_element e, enum pvd_source *out)
{
	*out = PVD_SOURCES;
	for (int s = 0; s < PVD_SOURCES; s++)
		if (elements[s] == e)
			*out = (enum pvd_source)s;
	return e == MIF_ELEMENT_ANY || *out != PVD_SOURCES;
}

bool message_info(enum mif_information i, enum pvd_info *out)
{
	*out = PVD_INFOS;
	for (int k = 0; k < PVD_INFOS; k++)
		if (informations[k] == i)
			*out = (enum pvd_info)k;
	return i == MIF_INFORMATION_ANY || *out != PVD_INFOS;
}

void message_address(struct sockaddr_storage *out, uint8_t family, const uint8_t ip[16],
                     uint16_t port, int ifindex)
{
	memset(out, 0, sizeof(*out));
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, ip, 4);
	} else if (family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, ip, 16);
		if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
			in6->sin6_scope_id = (uint32_t)ifindex;
	}
}

void message_item(struct mif_message *m, const struct pvd *p, const struct pvd_item *item)
{
	for (unsigned i = 0; i < p->count; i++)
		if (&p->entries[i].item == item)
			m->element = message_element(p->entries[i].source);
	m->information = informations[item->info];
	message_address(&m->address, item->family, item->ip, item->port, m->interface);
	m->prefix_len = item->prefix_len;
	m->number = item->number;
	snprintf(m->text, sizeof(m->text), "%s", item->text);
}

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
	const uint8_t *b = data;

	while (n--) {
		h ^= *b++;
		h *= 0x100000001b3ULL;
	}
	return h;
}

uint64_t message_digest(const struct pvd_item *item)
{
	const uint32_t small[] = {item->info, item->number, item->port, item->family,
	                          item->prefix_len};
	uint64_t h = mix(0xcbf29ce484222325ULL, small, sizeof(small));

	h = mix(h, item->ip, sizeof(item->ip));
	return mix(h, item->text, strnlen(item->text, sizeof(item->text)));
}

/* --- names --- */

const char *mif_type_name(enum mif_type t)
{
	switch (t) {
	case MIF_ANNOUNCE_INTERFACES:
		return "Announce Interfaces";
	case MIF_STOP_ANNOUNCING_INTERFACES:
		return "Stop Announcing Interfaces";
	case MIF_ANNOUNCE_PVD:
		return "Announce Provisioning Domain";
	case MIF_STOP_ANNOUNCING_PVD:
		return "Stop Announcing Provisioning Domains";
	case MIF_ANNOUNCE_ELEMENT:
		return "Announce Configuration Element";
	case MIF_STOP_ANNOUNCING_ELEMENT:
		return "Stop Announce Configuration Element";
	case MIF_ANNOUNCE_ADDRESS:
		return "Announce Address";
	case MIF_STOP_ANNOUNCING_ADDRESS:
		return "Stop Announcing Address";
	case MIF_GET_CONFIGURATION_DATA:
		return "Get Configuration Data";
	case MIF_TRANSLATE_NAME:
		return "Translate Name";
	case MIF_STOP_TRANSLATING_NAME:
		return "Stop Translating Name";
	case MIF_CONNECT_TO_PVD:
		return "Connect to PvD";
	case MIF_CONNECT_TO_ADDRESS:
		return "Connect to Address";
	case MIF_CONNECT_TO_ADDRESS_FROM_ADDRESS:
		return "Connect to Address From Address";
	case MIF_STOP_CONNECTING:
		return "Stop Connecting";
	case MIF_WANTS_TO_CONNECT:
		return "Application: Wants to connect";
	case MIF_CONNECTION_IS_IDLE:
		return "Application: Connection is idle";
	case MIF_CONNECTION_CAN_BE_BROKEN:
		return "Application: Connection can be broken";
	case MIF_INTERFACE:
		return "Interface Announcement";
	case MIF_NO_INTERFACE:
		return "No Interface Announcement";
	case MIF_PVD:
		return "Provisioning Domain Announcement";
	case MIF_NO_PVD:
		return "No Provisioning Domain Announcement";
	case MIF_ELEMENT:
		return "Configuration Element Announcement";
	case MIF_NO_ELEMENT:
		return "No Configuration Element Announcement";
	case MIF_ADDRESS:
		return "Address Announcement";
	case MIF_NO_ADDRESS:
		return "No Address Announcement";
	case MIF_CONFIGURATION_DATA:
		return "Configuration Data";
	case MIF_NO_CONFIGURATION_DATA:
		return "No Configuration Data";
	case MIF_NAME_TRANSLATION:
		return "Name Translation";
	case MIF_NO_NAME_TRANSLATION:
		return "No Name Translation";
	case MIF_CONNECTED:
		return "Connected";
	case MIF_NOT_CONNECTED:
		return "Not Connected";
	case MIF_INTERFACE_IS_GOING_AWAY:
		return "Interface is going away";
	case MIF_INTERFACE_IS_GOING_UP:
		return "Interface is going up";
	}
	return "unknown";
}

const char *mif_element_name(enum mif_element e)
{
	enum pvd_source s;

	if (e == MIF_ELEMENT_ANY)
		return "any";
	return message_source(e, &s) ? pvd_source_name(s) : "unknown";
}

const char *mif_information_name(enum mif_information i)
{
	enum pvd_info k;

	if (i == MIF_INFORMATION_ANY)
		return "any";
	return message_info(i, &k) ? pvd_info_name(k) : "unknown";
}

/* SPDX-License-Identifier: MIT */
/* Between the MIF API's messages and what is known of domains. Pure. */
#ifndef MONITOR_MESSAGE_H
#define MONITOR_MESSAGE_H

#include <stdbool.h>

#include "monitor/mif.h"
#include "monitor/pvd.h"

enum mif_element message_element(enum pvd_source s);

/* MIF_ELEMENT_ANY is PVD_SOURCES, MIF_INFORMATION_ANY PVD_INFOS; false: there is no such thing. */
bool message_source(enum mif_element e, enum pvd_source *out);
bool message_info(enum mif_information i, enum pvd_info *out);

/* A socket address; link-local ones get their interface. */
void message_address(struct sockaddr_storage *out, uint8_t family, const uint8_t ip[16],
                     uint16_t port, int ifindex);

/* The data of an item, into a message whose interface is set; its element is that of the domain's
 * entry. */
void message_item(struct mif_message *m, const struct pvd *p, const struct pvd_item *item);

/* A hash of an item's value. */
uint64_t message_digest(const struct pvd_item *item);

#endif

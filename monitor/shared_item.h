/* SPDX-License-Identifier: MIT */
/* The attributes of SHARED_NEW_ITEM and SHARED_DEL_ITEM, for the two files that write and read
 * them. */
#ifndef MONITOR_SHARED_ITEM_H
#define MONITOR_SHARED_ITEM_H

enum shared_item_attribute {
	ITEM_NONE,
	ITEM_IFINDEX,
	ITEM_DOMAIN, /* its name */
	ITEM_SOURCE,
	ITEM_INFO,
	ITEM_UNTIL,
	ITEM_NUMBER,
	ITEM_PORT,
	ITEM_FAMILY,
	ITEM_PREFIX,
	ITEM_IP,
	ITEM_ORIGIN,
	ITEM_TEXT,
	ITEM_ATTRIBUTES
};

/* And one the kernel does not have: when the lifetimes of an address were what they are said to be.
 */
#define SHARED_TOLD 60

#endif

/* SPDX-License-Identifier: MIT */
/* The list macros of uthash, as cppcheck can follow them. */
#define HASH_ITER(hh, head, el, tmp) for ((el) = (head), (tmp) = (head); (el); (el) = (tmp))
#define DL_FOREACH(head, el) for ((el) = (head); (el); (el) = (el)->next)
#define DL_FOREACH_SAFE(head, el, tmp) for ((el) = (head), (tmp) = (head); (el); (el) = (tmp))
#define LL_FOREACH_SAFE(head, el, tmp) for ((el) = (head), (tmp) = (head); (el); (el) = (tmp))

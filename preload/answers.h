/* SPDX-License-Identifier: MIT */
/*
 * Lists of addresses as getaddrinfo() gives them out, in memory of ours: for a C library whose
 * freeaddrinfo() can have nothing but what it has made itself. Without locks: a forked child may
 * have one that was held.
 */
#ifndef PRELOAD_ANSWERS_H
#define PRELOAD_ANSWERS_H

#include <netdb.h>
#include <stdbool.h>

/* One list of copies of all entries of `n` lists, with this canonical name (or NULL). NULL: no
 * memory, or too many are in use. */
struct addrinfo *answers_join(struct addrinfo *const *lists, unsigned n, const char *name);

/* Frees it, or the rest of it from this entry on, as freeaddrinfo() does. False: it is not of ours.
 */
bool answers_free(struct addrinfo *from);

#endif

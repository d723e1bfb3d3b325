/* SPDX-License-Identifier: MIT */
/*
 * Would a seccomp filter let the library live? Read by what it answers for a system call's number;
 * one that depends on a call's arguments, or on where it is made, counts as a refusal.
 */
#ifndef PRELOAD_FILTER_H
#define PRELOAD_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

/* Does the filter let every call pass that hooks and agent make? False as well for what is no
 * filter. */
bool filter_admits_us(const struct sock_fprog *filter);

#endif

/* SPDX-License-Identifier: MIT */
/* The parts of `mifcont doctor`. None runs the program in question, or asks a host that no policy
 * names. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <sys/types.h>

#include "cli/findings.h"
#include "policy/policy.h"

/* Kernel, netlink, uplinks, routes, loopback, /proc, descriptors, sandbox. */
void doctor_machine(struct findings *f);

/* The policy file in force; NULL: there is none, or it is wrong (which is a finding). The caller's.
 */
struct pol *doctor_policy(struct findings *f);

/*
 * Every relay the policy names: found by its name, reached, and with the key it is known by. Some
 * seconds each at most.
 */
void doctor_relays(struct findings *f, const struct pol *p);

/* The program a command stands for, from its files alone. */
void doctor_program(struct findings *f, const char *command);

/* A running process. */
void doctor_process(struct findings *f, pid_t pid);

#endif

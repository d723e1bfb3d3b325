/* SPDX-License-Identifier: MIT */
/*
 * Relatives: processes that have a flow's descriptor without having the flow. A forked child, a
 * program that was executed with it, a child that posix_spawn() made.
 *
 * Exactly one process, the owner, has the flow and hands it over from path to path. A relative that
 * begins to use its descriptor claims it: it asks the owner's agent, by the owner's own UNIX
 * socket, and puts what it is given onto its descriptor, the program's end of a pump's pair
 * (pump.h). Until then, and if the owner cannot be asked, the descriptor is what it is without us.
 *
 * A relative proves that it is one with the flow's ticket, which it has from the owner's memory
 * (fork) or environment (exec), and by having the same user.
 */
#ifndef PRELOAD_KIN_H
#define PRELOAD_KIN_H

#include <stdbool.h>
#include <sys/un.h>

#include "preload/flow.h"

/* The variable that tells an executed program which descriptors it inherits. */
#define KIN_VARIABLE "MIFCONT_KIN"

/*
 * The names an owner can have, "mifcont/PID" and "mifcont/PID.1", ...: the keeper of what a process
 * had before it executed another program has kept the first. How long `a` is.
 */
#define KIN_NAMES 4
socklen_t kin_name(struct sockaddr_un *a, int pid, int instance);

/* Has this process inherited any flow? One load. */
bool kin_any(void);

/*
 * The descriptor is about to be used: afterwards it is the program's own affair, the end of a pair
 * or, where nothing else is possible, the bare connection. Waits for the owner: a millisecond as a
 * rule, ten seconds at most while the owner has no path, two if it does not answer at all.
 * Async-signal-safe; keeps errno.
 */
void kin_claim(struct flow *f);

/* The same for whatever inherited flow the descriptor is of, if any. */
void kin_used(int fd);

/* In a forked child: the flows of the parent become inherited ones. */
void kin_forked(void);

/*
 * The text for KIN_VARIABLE: those of our flows, and of the inherited ones, that a program executed
 * now could have a descriptor of. Its length; 0: none, then no variable is needed.
 * Async-signal-safe, and harmless in a vfork child.
 */
size_t kin_write(char *to, size_t size);

/*
 * In the constructor of an executed program: takes KIN_VARIABLE out of the environment and makes
 * inherited flows of what it says. Those on the standard descriptors are claimed at once: stdio
 * will use them past the hooks.
 */
void kin_read(void);

/* Agent: the flow that a relative's words are about; NULL: none, or it has shown no ticket for it.
 */
struct flow *kin_wanted(const char *line);

/* What the owner's agent answers: with KIN_GIVEN comes a descriptor. */
enum kin_verdict { KIN_NO, KIN_WAIT, KIN_GIVEN };
struct kin_answer {
	uint8_t verdict;
	union flow_address peer, local;
};

/*
 * The program is about to close its last descriptor of a flow that relatives may have: a descriptor
 * of our own that will tell; -1: nothing will.
 */
int kin_before_close(int fd);

/* It has been closed. True: somebody has it still, and the flow lives on without us. */
bool kin_after_close(struct flow *f, int teller);

/* Agent: has a flow that only relatives had come to its end? */
bool kin_gone(struct flow *f);

#endif

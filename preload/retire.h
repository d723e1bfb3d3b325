/* SPDX-License-Identifier: MIT */
/*
 * Stepping back for good, where the library could not live: in a sandbox that ends the process for
 * a system call that is not its own. The connections go on as they are, uncovered.
 */
#ifndef PRELOAD_RETIRE_H
#define PRELOAD_RETIRE_H

/*
 * To be called before the sandbox is closed, with the agent running or parked. Waits for what is in
 * the middle of a handover (two seconds at most), tells the relays, and stops the agent. From then
 * on every hook is the call behind it and nothing more.
 */
void retire(void);

#endif

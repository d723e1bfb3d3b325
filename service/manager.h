/* SPDX-License-Identifier: MIT */
/* What systemd gives and wants to hear, where it has started the service (sd_listen_fds(3),
 * sd_notify(3)). */
#ifndef SERVICE_MANAGER_H
#define SERVICE_MANAGER_H

#include <stdint.h>

/* The listening socket, or -1: it is to be made. */
int manager_socket(void);

/* The service is at work; and, every now and then, still is. */
void manager_ready(void);
void manager_step(int64_t now);
int64_t manager_due(void);

#endif

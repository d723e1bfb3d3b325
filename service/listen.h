/* SPDX-License-Identifier: MIT */
#ifndef SERVICE_LISTEN_H
#define SERVICE_LISTEN_H

/* The socket of the clients at `path`, open to everybody; a leftover there makes room. Negative
 * errno: -EADDRINUSE: another service is at work. */
int listen_at(const char *path);

/* Removes it, as long as it can: the directory may be closed to whoever the service has become. */
void listen_end(void);

#endif

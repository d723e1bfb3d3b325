/* SPDX-License-Identifier: MIT */
/* stdin and its like, for the copy of libconfuse that is linked into the library (see Makefile). */
#ifndef POLICY_STREAMS_H
#define POLICY_STREAMS_H

/* To be called before anything of libconfuse's. */
void pol_streams(void);

#endif

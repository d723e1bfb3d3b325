/* SPDX-License-Identifier: MIT */
#ifndef RELAY_HANDOFF_CODE_H
#define RELAY_HANDOFF_CODE_H

#include "relay/codec.h"
#include "relay/relay.h"

/*
 * Each writes a thing's state, or reads it into a zeroed one. Pointers, descriptors and the content
 * of the rings are the caller's; what cannot be right is marked in the codec.
 */
void code_association(struct codec *c, struct association *a);
void code_conn(struct codec *c, struct conn *n);
void code_session(struct codec *c, struct session *s);

#endif

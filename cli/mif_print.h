/* SPDX-License-Identifier: MIT */
/* Messages of the MIF API as text or JSON, a line each. */
#ifndef CLI_MIF_PRINT_H
#define CLI_MIF_PRINT_H

#include <stdbool.h>
#include <stddef.h>

#include "monitor/mif.h"

void mif_timestamp(char *out, size_t size);

void mif_print(const struct mif_message *m, bool json);

/* Interface index of a name or number; 0: there is none. */
int mif_interface_named(const char *text);

#endif

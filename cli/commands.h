/* SPDX-License-Identifier: MIT */
/* The subcommands of mifcont. Each gets its own name as argv[0] and returns the exit status. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int cmd_events(int argc, char **argv); /* the MIF API's events, live */

#endif

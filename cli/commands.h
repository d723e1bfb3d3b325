/* SPDX-License-Identifier: MIT */
/* The subcommands of mifcont. Each gets its own name as argv[0] and returns the exit status. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int cmd_run(int argc, char **argv);    /* a program under the library */
int cmd_status(int argc, char **argv); /* the flows of the user's processes */
int cmd_drain(int argc, char **argv);  /* everything off an interface */
int cmd_switch(int argc, char **argv); /* the user's own choice of path */
int cmd_events(int argc, char **argv); /* the MIF API's events, live */
int cmd_mif(int argc, char **argv);    /* its messages, by hand */
int cmd_policy(int argc, char **argv); /* check FILE, explain HOST:PORT */
int cmd_keygen(int argc, char **argv);
int cmd_relays(int argc, char **argv);
int cmd_doctor(int argc, char **argv); /* can this machine and this program be helped? */

#endif

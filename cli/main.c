/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments, *what;
} commands[] = {
    {"run", cmd_run, "[--policy FILE] [--log LEVEL:FILE] -- CMD...",
     "run a program under the library"},
    {"status", cmd_status, "[--json]", "every flow of your processes"},
    {"drain", cmd_drain, "[--timeout SECONDS] [--for SECONDS] [--undo] INTERFACE",
     "move every flow off an interface; returns when it may be turned off"},
    {"switch", cmd_switch, "[--pid PID [--flow ID]] INTERFACE | auto",
     "your own choice of path, above the policy's; auto takes it back"},
    {"events", cmd_events, "[--json] [--once]", "the MIF API's events, live"},
    {"mif", cmd_mif, "[--json] [--once] [--for SECONDS] [REQUEST...]",
     "the MIF API's messages, by hand"},
    {"policy", cmd_policy,
     "check FILE | explain [--policy FILE] [--program PATH] [--user USER] HOST:PORT[/udp]",
     "check a policy file; say what it means for a peer"},
    {"keygen", cmd_keygen, "[FILE]",
     "make this client's key, for relays that serve listed clients; print its public half"},
    {"relays", cmd_relays, "[forget HOST:PORT]",
     "the relays met before and their keys; forget one that has a new key"},
    {"doctor", cmd_doctor, "[--json] [--pid PID | CMD...]",
     "can this machine and this program be helped, and if not, why"},
};
#define COMMANDS (int)(sizeof(commands) / sizeof(*commands))

static void usage(FILE *to)
{
	fputs("usage: mifcont COMMAND ...\n", to);
	for (int i = 0; i < COMMANDS; i++)
		fprintf(to, "\n  mifcont %s %s\n      %s\n", commands[i].name,
		        commands[i].arguments, commands[i].what);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
		puts("mifcont 0.1");
		return 0;
	}
	for (int i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(
	    stderr,
	    "mifcont: no command \"%s\"; expected run, status, drain, switch, events, mif, policy, "
	    "keygen, "
	    "relays or doctor\n",
	    argv[1]);
	return 2;
}

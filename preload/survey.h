/* SPDX-License-Identifier: MIT */
/*
 * Which of some sockets do other processes have? Asked of /proc, a piece at a time, for a machine
 * may have so many processes and descriptors that all of them take longer than anybody can wait.
 */
#ifndef PRELOAD_SURVEY_H
#define PRELOAD_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#define SURVEY_SOCKETS 64
#define SURVEY_STEPS 1000  /* links looked at in a turn: one or two milliseconds */
#define SURVEY_PROCESS 8   /* as long as so many links takes a process, whatever it has */
#define SURVEY_LINKS 50000 /* in all; where there are more, somebody is taken to have them all */

/* The caller fills in the first two, everything else being zero. */
struct survey {
	uint64_t inode[SURVEY_SOCKETS];
	int n;
	bool found[SURVEY_SOCKETS];
	bool blind; /* it could not be told: then all are taken to be found */

	/* --- where it is --- */
	int pid;         /* the process looked at last */
	bool inside;     /* and not to its end */
	int64_t pids_at; /* in /proc: where it goes on */
	int64_t fds_at;  /* the same in the process that it is inside of */
	int newest;      /* the number that was given last when it began */
	int rounds;      /* from the beginning, for numbers began anew */
	uint64_t done;   /* links in all */
};

/*
 * One turn. True: it is over. A process that may not be looked at, and is a child of this one, is
 * taken to have all. What somebody comes to have while it goes on is found if it comes from a
 * process that is still to be looked at, and the process it goes to is begun meanwhile: numbers
 * rise, and where they begin anew so does this.
 */
bool survey_turn(struct survey *s);

#endif

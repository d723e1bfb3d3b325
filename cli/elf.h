/* SPDX-License-Identifier: MIT */
/* Can a program be preloaded? Judged from the bytes of its file. Pure; trusts nothing in them. */
#ifndef CLI_ELF_H
#define CLI_ELF_H

#include <stddef.h>

enum elf_verdict {
	ELF_DYNAMIC, /* the loader will preload into it */
	ELF_STATIC,
	ELF_GO,      /* static or dynamic, but makes its own system calls */
	ELF_FOREIGN, /* another machine or word size */
	ELF_MUSL, /* another C library's loader, which refuses to start over what it cannot load */
	ELF_SCRIPT, /* "#!": the interpreter decides */
	ELF_UNKNOWN,
};

/* Never reads beyond `len`. */
enum elf_verdict elf_examine(const unsigned char *file, size_t len);

/*
 * What a script's first line runs: the interpreter, and the rest of the line with blanks around it
 * cut off ("" if none). -1: the line is no such one, or does not fit into `room` (of each).
 */
int elf_script(const unsigned char *file, size_t len, char *interpreter, char *rest, size_t room);

/*
 * What env(1) would run of its arguments, as found behind "#!/usr/bin/env": the first word that is
 * neither an option nor an assignment. -1: none.
 */
int elf_env_program(const char *rest, char *program, size_t room);

#endif

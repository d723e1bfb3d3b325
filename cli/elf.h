/* SPDX-License-Identifier: MIT */
/* Can a program be preloaded? Read from its file. Pure, except elf_examine_file. */
#ifndef CLI_ELF_H
#define CLI_ELF_H

#include <stddef.h>

enum elf_verdict {
	ELF_DYNAMIC, /* the loader will preload into it */
	ELF_STATIC,
	ELF_GO,      /* dynamic perhaps, but makes its own system calls */
	ELF_FOREIGN, /* another machine or word size */
	ELF_SCRIPT,  /* "#!": the interpreter decides */
	ELF_UNKNOWN,
};

/* Judges a file's bytes; never reads beyond `len`. */
enum elf_verdict elf_examine(const unsigned char *file, size_t len);

/* The interpreter of a script and its first argument ("" if none), from the first line. 0 or -1. */
int elf_script(const unsigned char *file, size_t len, char *interpreter, char *argument,
               size_t room);

#endif

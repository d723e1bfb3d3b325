/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Of the command line tool, whose objects no other test needs. */
#include "cli/elf.c"

#define SIZE 1024
#define PHDRS 128
#define SHDRS 512
#define NAMES 900

/* A program with a loader (NULL: none) and a section of this name. */
static void build(unsigned char file[SIZE], const char *loader, const char *name)
{
	Elf64_Ehdr e = {.e_machine = MACHINE,
	                .e_phoff = PHDRS,
	                .e_phentsize = sizeof(Elf64_Phdr),
	                .e_phnum = loader ? 2 : 1,
	                .e_shoff = SHDRS,
	                .e_shentsize = sizeof(Elf64_Shdr),
	                .e_shnum = 2,
	                .e_shstrndx = 1};
	Elf64_Phdr p[2] = {{.p_type = PT_LOAD}, {.p_type = PT_INTERP, .p_offset = 300}};
	Elf64_Shdr s[2] = {{.sh_name = 1}, {.sh_name = 0, .sh_offset = NAMES}};

	memset(file, 0, SIZE);
	memcpy(e.e_ident, ELFMAG, SELFMAG);
	e.e_ident[EI_CLASS] = ELFCLASS64;
	if (loader) {
		p[1].p_filesz = strlen(loader) + 1;
		memcpy(file + 300, loader, p[1].p_filesz);
	}
	s[1].sh_size = strlen(name) + 2;
	memcpy(file + NAMES + 1, name, strlen(name) + 1);
	memcpy(file, &e, sizeof(e));
	memcpy(file + PHDRS, p, sizeof(p));
	memcpy(file + SHDRS, s, sizeof(s));
}

/* In memory of exactly that size, so that a sanitizer sees a byte too much. */
static enum elf_verdict examine(const unsigned char *file, size_t len)
{
	unsigned char *exact = malloc(len ? len : 1);
	enum elf_verdict v;

	assert_non_null(exact);
	memcpy(exact, file, len);
	v = elf_examine(exact, len);
	free(exact);
	return v;
}

static void programs_are_told_apart(void **state)
{
	static const struct {
		const char *loader, *section;
		enum elf_verdict verdict;
	} t[] = {
	    {"/lib64/ld-linux-x86-64.so.2", ".text", ELF_DYNAMIC},
	    {NULL, ".text", ELF_STATIC},
	    {NULL, ".go.buildinfo", ELF_GO},
	    {NULL, ".note.go.buildid", ELF_GO},
	    {"/lib64/ld-linux-x86-64.so.2", ".gopclntab", ELF_GO},
	    {"/lib64/ld-linux-x86-64.so.2", ".go.buildinfo.not", ELF_DYNAMIC},
	    {"/lib/ld-musl-x86_64.so.1", ".text", ELF_MUSL},
	};
	unsigned char file[SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		build(file, t[i].loader, t[i].section);
		if (examine(file, SIZE) != t[i].verdict)
			fail_msg("case %zu: %d", i, (int)examine(file, SIZE));
	}
	build(file, NULL, ".text");
	file[EI_CLASS] = ELFCLASS32;
	assert_int_equal(examine(file, SIZE), ELF_FOREIGN);
	assert_int_equal(examine(file, 20), ELF_FOREIGN);
	build(file, NULL, ".text");
	file[offsetof(Elf64_Ehdr, e_machine)] ^= 1;
	assert_int_equal(examine(file, SIZE), ELF_FOREIGN);
	assert_int_equal(examine((const unsigned char *)"#!/bin/sh\n", 10), ELF_SCRIPT);
	assert_int_equal(examine((const unsigned char *)"echo\n", 5), ELF_UNKNOWN);
	assert_int_equal(examine(file, 0), ELF_UNKNOWN);
}

/* What stands in a file may lie: every cut, and many a wrong byte. */
static void no_file_leads_astray(void **state)
{
	unsigned char good[SIZE], file[SIZE];
	int seen[ELF_UNKNOWN + 1] = {0};

	(void)state;
	build(good, "/lib64/ld-linux-x86-64.so.2", ".go.buildinfo");
	for (size_t len = 0; len <= SIZE; len++)
		examine(good, len);
	srand(3);
	for (int round = 0; round < 100000; round++) {
		memcpy(file, good, SIZE);
		for (int k = rand() % 4; k >= 0; k--) {
			size_t at = (size_t)rand() % 3 == 0 ? (size_t)rand() % sizeof(Elf64_Ehdr)
			            : rand() % 2
			                ? PHDRS + (size_t)rand() % (2 * sizeof(Elf64_Phdr))
			                : SHDRS + (size_t)rand() % (2 * sizeof(Elf64_Shdr));

			file[at] = rand() % 3 ? (unsigned char)rand() : 0xff;
		}
		seen[examine(file, SIZE)]++;
	}
	assert_true(seen[ELF_GO] && seen[ELF_DYNAMIC] && seen[ELF_UNKNOWN] && seen[ELF_STATIC]);
}

static void scripts_name_their_interpreter(void **state)
{
	static const struct {
		const char *text, *interpreter, *rest;
	} t[] = {
	    {"#!/bin/sh\necho", "/bin/sh", ""},
	    {"#! /bin/sh -e \necho", "/bin/sh", "-e"},
	    {"#!\t/usr/bin/env\tpython3", "/usr/bin/env", "python3"},
	    {"#!/usr/bin/env -S prog -a\r\n", "/usr/bin/env", "-S prog -a"},
	    {"#!", NULL, NULL},
	    {"#! \n/bin/sh", NULL, NULL},
	    {"echo", NULL, NULL},
	    {"#", NULL, NULL},
	};
	char interpreter[64], rest[64], big[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		int r = elf_script((const unsigned char *)t[i].text, strlen(t[i].text), interpreter,
		                   rest, sizeof(rest));

		if (r != (t[i].interpreter ? 0 : -1))
			fail_msg("%s: %d", t[i].text, r);
		if (r < 0)
			continue;
		assert_string_equal(interpreter, t[i].interpreter);
		assert_string_equal(rest, t[i].rest);
	}
	memset(big, 'a', sizeof(big));
	memcpy(big, "#!/", 3);
	assert_int_equal(
	    elf_script((unsigned char *)big, sizeof(big), interpreter, rest, sizeof(rest)), -1);
	memcpy(big, "#!/a ", 5);
	assert_int_equal(
	    elf_script((unsigned char *)big, sizeof(big), interpreter, rest, sizeof(rest)), -1);
}

static void env_names_its_program(void **state)
{
	static const struct {
		const char *rest, *program;
	} t[] = {{"python3", "python3"},
	         {"-S prog -a", "prog"},
	         {"-Sprog -a", "prog"},
	         {"-i A=b  prog c", "prog"},
	         {"", NULL},
	         {"A=b", NULL},
	         {"-S", NULL}};
	char program[32];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		int r = elf_env_program(t[i].rest, program, sizeof(program));

		if (r != (t[i].program ? 0 : -1) || (r == 0 && strcmp(program, t[i].program) != 0))
			fail_msg("%s: %d %s", t[i].rest, r, program);
	}
	assert_int_equal(elf_env_program("longer-than-there-is-room-for-it", program, 8), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(programs_are_told_apart),
	    cmocka_unit_test(no_file_leads_astray),
	    cmocka_unit_test(scripts_name_their_interpreter),
	    cmocka_unit_test(env_names_its_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

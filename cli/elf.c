/* SPDX-License-Identifier: MIT */
#include "cli/elf.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

/* Does the file have a section of this name? Headers may lie about anything. */
static int has_section(const unsigned char *file, size_t len, const Elf64_Ehdr *e, const char *name)
{
	Elf64_Shdr names, s;

	if (e->e_shentsize != sizeof(s) || e->e_shstrndx >= e->e_shnum || e->e_shoff > len ||
	    (len - e->e_shoff) / sizeof(s) < e->e_shnum)
		return 0;
	memcpy(&names, file + e->e_shoff + e->e_shstrndx * sizeof(s), sizeof(names));
	if (names.sh_offset > len || names.sh_size > len - names.sh_offset)
		return 0;
	for (unsigned i = 0; i < e->e_shnum; i++) {
		memcpy(&s, file + e->e_shoff + i * sizeof(s), sizeof(s));
		size_t want = strlen(name) + 1;

		if (s.sh_name < names.sh_size && names.sh_size - s.sh_name >= want &&
		    memcmp(file + names.sh_offset + s.sh_name, name, want) == 0)
			return 1;
	}
	return 0;
}

enum elf_verdict elf_examine(const unsigned char *file, size_t len)
{
	Elf64_Ehdr e;
	int interpreter = 0;

	if (len >= 2 && file[0] == '#' && file[1] == '!')
		return ELF_SCRIPT;
	if (len < EI_NIDENT || memcmp(file, ELFMAG, SELFMAG) != 0)
		return ELF_UNKNOWN;
	if (file[EI_CLASS] != ELFCLASS64 || len < sizeof(e))
		return ELF_FOREIGN;
	memcpy(&e, file, sizeof(e));
	if (e.e_machine != MACHINE)
		return ELF_FOREIGN;
	if (e.e_phentsize != sizeof(Elf64_Phdr) || e.e_phoff > len ||
	    (len - e.e_phoff) / sizeof(Elf64_Phdr) < e.e_phnum)
		return ELF_UNKNOWN;
	for (unsigned i = 0; i < e.e_phnum; i++) {
		Elf64_Phdr p;

		memcpy(&p, file + e.e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_INTERP)
			interpreter = 1;
	}
	if (!interpreter)
		return ELF_STATIC;
	return has_section(file, len, &e, ".go.buildinfo") ||
	               has_section(file, len, &e, ".gopclntab")
	           ? ELF_GO
	           : ELF_DYNAMIC;
}

int elf_script(const unsigned char *file, size_t len, char *interpreter, char *argument,
               size_t room)
{
	char line[256];
	size_t n = 0;

	for (size_t i = 2; i < len && n < sizeof(line) - 1 && file[i] != '\n' && file[i]; i++)
		line[n++] = (char)file[i];
	line[n] = 0;
	char *p = line + strspn(line, " \t"), *end = p + strcspn(p, " \t");

	if (*end)
		*end++ = 0;
	end += strspn(end, " \t");
	char *space = end + strcspn(end, " \t");

	*space = 0;
	if (!*p || strlen(p) >= room || strlen(end) >= room)
		return -1;
	strcpy(interpreter, p);
	strcpy(argument, end);
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "cli/elf.h"

#include <elf.h>
#include <string.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

/* The kernel reads no more of a script's first line. */
#define LINE 256

struct image {
	const unsigned char *file;
	size_t len;
	Elf64_Ehdr e;
};

/* Entry `i` of a table of `n` entries at `offset`: a copy, since it may lie anywhere. 0 or -1. */
static int entry(const struct image *m, Elf64_Off offset, size_t n, size_t i, void *out,
                 size_t size)
{
	if (i >= n || offset > m->len || (m->len - offset) / size < n)
		return -1;
	memcpy(out, m->file + offset + i * size, size);
	return 0;
}

static int section(const struct image *m, size_t i, Elf64_Shdr *s)
{
	return m->e.e_shentsize == sizeof(*s)
	           ? entry(m, m->e.e_shoff, m->e.e_shnum, i, s, sizeof(*s))
	           : -1;
}

static int named(const struct image *m, const Elf64_Shdr *names, const Elf64_Shdr *s,
                 const char *name)
{
	size_t want = strlen(name) + 1;

	return s->sh_name < names->sh_size && names->sh_size - s->sh_name >= want &&
	       memcmp(m->file + names->sh_offset + s->sh_name, name, want) == 0;
}

/* By the sections that Go's linker leaves in every program, and strip(1) too. */
static int is_go(const struct image *m)
{
	static const char *const signs[] = {".note.go.buildid", ".go.buildinfo", ".gopclntab"};
	Elf64_Shdr names, s;

	if (section(m, m->e.e_shstrndx, &names) < 0 || names.sh_offset > m->len ||
	    names.sh_size > m->len - names.sh_offset)
		return 0;
	for (size_t i = 0; section(m, i, &s) == 0; i++)
		for (size_t k = 0; k < sizeof(signs) / sizeof(*signs); k++)
			if (named(m, &names, &s, signs[k]))
				return 1;
	return 0;
}

static int is_musl(const struct image *m, const Elf64_Phdr *p)
{
	char path[128];
	size_t n = p->p_filesz < sizeof(path) - 1 ? p->p_filesz : sizeof(path) - 1;

	if (p->p_offset > m->len || n > m->len - p->p_offset)
		return 0;
	memcpy(path, m->file + p->p_offset, n);
	path[n] = 0;
	return strstr(path, "/ld-musl") != NULL;
}

enum elf_verdict elf_examine(const unsigned char *file, size_t len)
{
	struct image m = {.file = file, .len = len};
	int interpreter = 0, musl = 0;
	Elf64_Phdr p;

	if (len >= 2 && file[0] == '#' && file[1] == '!')
		return ELF_SCRIPT;
	if (len < EI_NIDENT || memcmp(file, ELFMAG, SELFMAG) != 0)
		return ELF_UNKNOWN;
	if (file[EI_CLASS] != ELFCLASS64)
		return ELF_FOREIGN;
	if (len < sizeof(m.e))
		return ELF_UNKNOWN;
	memcpy(&m.e, file, sizeof(m.e));
	if (m.e.e_machine != MACHINE)
		return ELF_FOREIGN;
	if (m.e.e_phentsize != sizeof(p) ||
	    entry(&m, m.e.e_phoff, m.e.e_phnum, 0, &p, sizeof(p)) < 0)
		return ELF_UNKNOWN;
	for (size_t i = 0; entry(&m, m.e.e_phoff, m.e.e_phnum, i, &p, sizeof(p)) == 0; i++) {
		if (p.p_type != PT_INTERP)
			continue;
		interpreter = 1;
		musl = musl || is_musl(&m, &p);
	}
	/* A static program that is position-independent has PT_DYNAMIC, but no loader. */
	if (is_go(&m))
		return ELF_GO;
	return musl ? ELF_MUSL : interpreter ? ELF_DYNAMIC : ELF_STATIC;
}

/* --- scripts -------------------------------------------------------------------------------- */

static int copy_word(const char *from, size_t n, char *to, size_t room)
{
	if (n == 0 || n >= room)
		return -1;
	memcpy(to, from, n);
	to[n] = 0;
	return 0;
}

int elf_script(const unsigned char *file, size_t len, char *interpreter, char *rest, size_t room)
{
	char line[LINE];
	size_t n = 0, word;
	const char *p;

	if (len < 2 || file[0] != '#' || file[1] != '!')
		return -1;
	while (n + 2 < len && n < sizeof(line) - 1 && file[n + 2] != '\n' && file[n + 2]) {
		line[n] = (char)file[n + 2];
		n++;
	}
	while (n && strchr(" \t\r", line[n - 1]))
		n--;
	line[n] = 0;
	p = line + strspn(line, " \t");
	word = strcspn(p, " \t");
	if (copy_word(p, word, interpreter, room) < 0)
		return -1;
	p += word;
	p += strspn(p, " \t");
	if (strlen(p) >= room)
		return -1;
	memcpy(rest, p, strlen(p) + 1);
	return 0;
}

int elf_env_program(const char *rest, char *program, size_t room)
{
	for (const char *p = rest + strspn(rest, " \t"); *p; p += strspn(p, " \t")) {
		size_t n = strcspn(p, " \t");

		/* -S begins a line of its own, and what it is glued to may be the program. */
		if (n > 2 && p[0] == '-' && p[1] == 'S') {
			p += 2;
			continue;
		}
		if (p[0] != '-' && !memchr(p, '=', n))
			return copy_word(p, n, program, room);
		p += n;
	}
	return -1;
}

/* SPDX-License-Identifier: MIT */
#include "preload/filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0 /* then no filter is understood */
#endif

/* What hooks add to the program's calls, what the agent does, and what starting a thread takes. */
static const int needed[] = {
    SYS_read,
    SYS_write,
    SYS_close,
    SYS_fstat,
    SYS_newfstatat,
    SYS_lseek,
    SYS_mmap,
    SYS_mprotect,
    SYS_munmap,
    SYS_brk,
    SYS_madvise,
    SYS_ioctl,
    SYS_readv,
    SYS_writev,
    SYS_ppoll,
    SYS_pselect6,
    SYS_socket,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_sendto,
    SYS_recvfrom,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_shutdown,
    SYS_getsockname,
    SYS_getpeername,
    SYS_setsockopt,
    SYS_getsockopt,
    SYS_clone,
    SYS_exit,
    SYS_exit_group,
    SYS_futex,
    SYS_fcntl,
    SYS_dup,
    SYS_dup3,
    SYS_openat,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_eventfd2,
    SYS_rt_sigaction,
    SYS_rt_sigreturn,
    SYS_tgkill,
    SYS_rt_sigpending,
    SYS_rt_sigprocmask,
    SYS_sigaltstack,
    SYS_getpid,
    SYS_gettid,
    SYS_getuid,
    SYS_clock_gettime,
    SYS_rt_tgsigqueueinfo,
    SYS_nanosleep,
    SYS_getrandom,
    SYS_prlimit64,
    SYS_set_robust_list,
    SYS_clock_nanosleep,
    SYS_process_vm_readv,
};

#define WORDS 16 /* the scratch memory of such programs */

struct machine {
	uint32_t a, x, mem[WORDS];
	bool a_known, x_known, mem_known[WORDS];
};

static void load(struct machine *m, uint32_t at, uint32_t nr)
{
	m->a_known =
	    at == offsetof(struct seccomp_data, nr) || at == offsetof(struct seccomp_data, arch);
	m->a = at == offsetof(struct seccomp_data, nr) ? nr : ARCHITECTURE;
}

static void compute(struct machine *m, const struct sock_filter *i)
{
	uint32_t v = BPF_SRC(i->code) == BPF_K ? i->k : m->x;

	if (BPF_OP(i->code) == BPF_NEG) {
		m->a = -m->a;
		return;
	}
	m->a_known &= BPF_SRC(i->code) == BPF_K || m->x_known;
	switch (BPF_OP(i->code)) {
	case BPF_ADD:
		m->a += v;
		return;
	case BPF_SUB:
		m->a -= v;
		return;
	case BPF_AND:
		m->a &= v;
		return;
	case BPF_OR:
		m->a |= v;
		return;
	case BPF_XOR:
		m->a ^= v;
		return;
	}
	m->a_known = false; /* nothing that a filter would do to a number */
}

/* How far to jump; -1: depends on what is not known. */
static int jump(const struct machine *m, const struct sock_filter *i)
{
	uint32_t v = BPF_SRC(i->code) == BPF_K ? i->k : m->x;
	bool yes;

	if (BPF_OP(i->code) == BPF_JA)
		return i->k < BPF_MAXINSNS ? (int)i->k : -1;
	if (!m->a_known || (BPF_SRC(i->code) != BPF_K && !m->x_known))
		return -1;
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		yes = m->a == v;
		break;
	case BPF_JGT:
		yes = m->a > v;
		break;
	case BPF_JGE:
		yes = m->a >= v;
		break;
	case BPF_JSET:
		yes = m->a & v;
		break;
	default:
		return -1;
	}
	return yes ? i->jt : i->jf;
}

static bool passes(const struct sock_fprog *p, uint32_t nr)
{
	struct machine m = {.a_known = true, .x_known = true};

	for (unsigned at = 0; at < p->len; at++) {
		const struct sock_filter *i = &p->filter[at];
		uint32_t slot = i->k % WORDS;
		int by;

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			if (BPF_MODE(i->code) == BPF_ABS)
				load(&m, i->k, nr);
			else
				m.a_known = BPF_MODE(i->code) == BPF_IMM || m.mem_known[slot];
			if (BPF_MODE(i->code) == BPF_IMM)
				m.a = i->k;
			else if (BPF_MODE(i->code) == BPF_MEM)
				m.a = m.mem[slot];
			break;
		case BPF_LDX:
			m.x = BPF_MODE(i->code) == BPF_IMM ? i->k : m.mem[slot];
			m.x_known = BPF_MODE(i->code) == BPF_IMM || m.mem_known[slot];
			break;
		case BPF_ST:
			m.mem[slot] = m.a;
			m.mem_known[slot] = m.a_known;
			break;
		case BPF_STX:
			m.mem[slot] = m.x;
			m.mem_known[slot] = m.x_known;
			break;
		case BPF_ALU:
			compute(&m, i);
			break;
		case BPF_JMP:
			by = jump(&m, i);
			if (by < 0)
				return false;
			at += (unsigned)by;
			break;
		case BPF_RET:
			if (BPF_RVAL(i->code) == BPF_A && !m.a_known)
				return false;
			by = (int)((BPF_RVAL(i->code) == BPF_A ? m.a : i->k) &
			           SECCOMP_RET_ACTION_FULL);
			return by == (int)SECCOMP_RET_ALLOW || by == (int)SECCOMP_RET_LOG;
		default: /* BPF_MISC */
			if (BPF_MISCOP(i->code) == BPF_TAX) {
				m.x = m.a;
				m.x_known = m.a_known;
			} else {
				m.a = m.x;
				m.a_known = m.x_known;
			}
		}
	}
	return false;
}

bool filter_admits_us(const struct sock_fprog *filter)
{
	if (!filter || !filter->filter || !filter->len || filter->len > BPF_MAXINSNS)
		return false;
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (!passes(filter, (uint32_t)needed[i]))
			return false;
	return true;
}

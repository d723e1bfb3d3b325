/* SPDX-License-Identifier: MIT */
#include "preload/peers.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/stat.h>

#include "preload/raw.h"

#define PEERS 256

/* The first constants: that these are ours. */
static const uint32_t mark[] = {0x6d696663, 0x6f6e7401};

#define MARKS (sizeof(mark) / sizeof(mark[0]))
#define WORDS (sizeof(union flow_address) / sizeof(uint32_t))
#define LABEL (MARKS + 2 * WORDS + 1)
_Static_assert(sizeof(union flow_address) % sizeof(uint32_t) == 0, "whole words");

/* Written under the lock; read without: a record is whole once its inode is there. */
static struct record {
	_Atomic uint64_t inode;
	union flow_address peer, local;
} records[PEERS];
static _Atomic unsigned noted;
static struct flock_word writing;

void peers_note(uint64_t inode, const union flow_address *peer, const union flow_address *local)
{
	if (!inode || !lock_take(&writing, thread_id(), 100))
		return;
	struct record *r = &records[atomic_load(&noted) % PEERS];

	atomic_store(&r->inode, 0);
	r->peer = *peer;
	r->local = *local;
	atomic_store(&r->inode, inode);
	atomic_fetch_add(&noted, 1);
	lock_release(&writing);
}

bool peers_any(void)
{
	return atomic_load_explicit(&noted, memory_order_relaxed) != 0;
}

bool peers_find(int fd, union flow_address *peer, union flow_address *local)
{
	uint64_t inode = raw_inode(fd);
	unsigned n = atomic_load(&noted);

	for (unsigned i = 0; inode && i < n && i < PEERS; i++) {
		if (atomic_load(&records[i].inode) != inode)
			continue;
		*peer = records[i].peer;
		*local = records[i].local;
		return atomic_load(&records[i].inode) == inode;
	}
	return false;
}

/* --- on the socket --- */

static struct sock_filter *put_words(struct sock_filter *at, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t word;

		memcpy(&word, (const char *)from + i * sizeof(word), sizeof(word));
		*at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, word);
	}
	return at;
}

static bool get_words(const struct sock_filter *from, void *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (from[i].code != (BPF_LD | BPF_IMM))
			return false;
		memcpy((char *)to + i * sizeof(uint32_t), &from[i].k, sizeof(uint32_t));
	}
	return true;
}

void peers_label(int fd, const union flow_address *peer, const union flow_address *local)
{
	struct sock_filter label[LABEL], *at = put_words(label, mark, MARKS);
	struct sock_fprog program = {LABEL, label};

	at = put_words(put_words(at, peer, WORDS), local, WORDS);
	*at = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ~0u);
	raw_setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

/* Made by this user, or by root? */
static bool trusted(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 &&
	       (st.st_uid == 0 || st.st_uid == (uid_t)raw_call3(SYS_geteuid, 0, 0, 0));
}

static bool known(const union flow_address *a)
{
	return a->sa.sa_family == AF_INET || a->sa.sa_family == AF_INET6;
}

void peers_given(int fd)
{
	union flow_address peer, local;
	struct sock_filter label[LABEL];
	uint32_t ours[MARKS];
	socklen_t len = LABEL; /* not in bytes */
	int saved = errno;
	bool found = raw_getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, label, &len) == 0 &&
	             len == LABEL && get_words(label, ours, MARKS) &&
	             memcmp(ours, mark, sizeof(mark)) == 0 &&
	             get_words(label + MARKS, &peer, WORDS) &&
	             get_words(label + MARKS + WORDS, &local, WORDS) && trusted(fd);

	errno = saved;
	if (found && known(&peer) && (known(&local) || local.sa.sa_family == AF_UNSPEC))
		peers_note(raw_inode(fd), &peer, &local);
}

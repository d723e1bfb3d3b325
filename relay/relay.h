/* SPDX-License-Identifier: MIT */
/* The relay's tables and what its files call of each other. One thread, one epoll loop, nothing
 * ever waits. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Out of memory in a table is a refusal, not an exit. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "session/server.h"

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct config {
	const char *listen[8];
	int listens;
	bool allowed[65536];
	int allows;
	const char *state_dir;
	int64_t linger_ms;
	unsigned max_sessions, max_handshakes;
	size_t max_memory, ring;
};
extern struct config config;

enum source_kind { SOURCE_LISTENER, SOURCE_CONN, SOURCE_TARGET };

/* What epoll gives back. First member of everything that is watched. */
struct source {
	enum source_kind kind;
	int fd;
	uint32_t events; /* as registered now */
};

enum conn_role { ROLE_NEW, ROLE_CONTROL, ROLE_OPENING, ROLE_DATA, ROLE_DEAD };

struct session;
struct association;

/* A connection from a client. */
struct conn {
	struct source source;
	enum conn_role role;
	struct conn *prev, *next; /* in its list: handshaking or not */
	int64_t deadline_ms;      /* of a handshake or a tentative resume; 0: none */
	struct association *assoc;
	struct session *session;
	int index;      /* in the session */
	bool tentative; /* waiting for COMMIT */
	bool fin_received, fin_sent;
	uint8_t in[4096];
	size_t got;
	uint8_t out[4096];
	size_t pending;
};

struct association {
	struct server_assoc a;
	struct conn *control; /* NULL: gone */
	int64_t gone_ms;      /* since when; 0 while there */
	bool ended;           /* the control connection ended in order: the process is over */
	unsigned sessions;
	UT_hash_handle hh; /* by id */
};

struct session {
	struct source target;
	bool connecting, target_shut, target_over;
	uint64_t sid;
	struct association *assoc;
	struct serve s;
	struct conn *conn[SERVE_CONNS];
	void *memory;
	int64_t detached_ms; /* since when without a connection; 0: it has one */
	int64_t asked_ms;    /* when the unanswered ASK was sent; 0: none */
	int64_t ask_ms;      /* ring full: ask again at this time; 0: no need */
	int64_t fin_ms;      /* FIN without EOF: since when */
	bool reset_seen;     /* the data connection ended by RST */
	struct token *tokens;
	struct session *prev, *next;
	struct session *by_assoc_next;
	UT_hash_handle hh;
};

/* One token of the next few epochs of a session; after the session's end a tombstone. */
struct token {
	uint8_t token[SES_TOKEN];
	struct session *session; /* NULL: gone */
	uint32_t epoch;
	int64_t until_ms; /* tombstone */
	struct token *next;
	UT_hash_handle hh;
};

/* main.c */
extern struct server_key relay_key;

/* key.c: loads or makes the key in the state directory; false after a message. */
bool key_load(const char *dir, struct server_key *key);

/* loop.c */
int loop_run(void);
void loop_watch(struct source *s, uint32_t events); /* 0 takes it out */
int64_t loop_now(void);
void loop_soon(int64_t at_ms); /* sweep sessions no later than this */

/* conn.c */
void conn_accept(struct source *listener);
void conn_event(struct conn *c, uint32_t events);
void conn_close(struct conn *c);
void conn_reset(struct conn *c);
void conn_send(struct conn *c, const void *data, int len);
void conn_update(struct conn *c);
void conn_settle(struct conn *c); /* its handshake is over */
void conn_refuse(struct conn *c, enum ses_refusal why);
void conns_sweep(int64_t now);
void conns_reap(void);
unsigned conns_count(void);

/* assoc.c */
void assoc_hello(struct conn *c, int len);
void assoc_attach(struct conn *c, int len);
struct association *assoc_find(const uint8_t id[16]);
void assoc_input(struct conn *c);
void assoc_control_gone(struct conn *c, bool orderly);
void assoc_send(struct association *a, const struct ses_frame *f);
void assocs_sweep(int64_t now);

/* session.c, data.c */
void session_open(struct conn *c, int len);
void session_resume(struct conn *c, int len);
void session_target_event(struct session *s, uint32_t events);
void session_commit(struct conn *c, int len);
void session_frame(struct association *a, const struct ses_frame *f);
void session_control_new(struct association *a);
void session_process_over(struct association *a);
void session_end(struct session *s, const char *why);
void session_reset_target(struct session *s, const char *why);
void sessions_sweep(int64_t now);
void sessions_log(void);
void session_conn_gone(struct conn *c, bool orderly);
size_t sessions_memory(void);

void data_client_event(struct conn *c, uint32_t events);
void data_target_ready(struct session *s, uint32_t events);
void data_update(struct session *s);

#endif

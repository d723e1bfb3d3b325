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

#include "policy/pattern.h"
#include "relay/access.h"
#include "relay/limits.h"
#include "session/server.h"

#define RING_MIN 65536
#define TENTATIVE_MS 10000 /* a resume without COMMIT */
#define HALF_OPEN_MS                                                                               \
	3000 /* and one whose SYN may be a copy: the old connection rests meanwhile                \
	      */
#define PROCESS_MS                                                                                 \
	4000 /* a client whose control connection ended is back within this time, or over */

static inline size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct config {
	const char *listen[8];
	int listens;
	const char *state_dir, *clients;
	bool take_over; /* from the process that holds the state directory */
	struct ses_addr advertise[SES_RELAY_ADDRS]; /* where clients are to come back to */
	unsigned advertised;
	struct pattern proxy[8]; /* targets that are told who it is */
	int proxies;
	unsigned rate; /* new associations and sessions of one client in a second */
	int64_t linger_ms;
	int keepalive_s; /* a connection at rest is asked after so long */
	unsigned max_sessions, max_handshakes;
	size_t max_memory, ring;
};
extern struct config config;

enum source_kind {
	SOURCE_NONE,
	SOURCE_LISTENER,
	SOURCE_CONN,
	SOURCE_TARGET,
	SOURCE_RESOLVER,
	SOURCE_HANDOFF
};

/* What epoll gives back. First member of everything that is watched. */
struct source {
	enum source_kind kind;
	int fd;
	uint32_t events; /* as registered now */
};

enum conn_role {
	ROLE_NEW,
	ROLE_CONTROL,
	ROLE_OPENING,
	ROLE_DATA,
	ROLE_STANDBY, /* held ready by the client, silent */
	ROLE_DEAD
};

struct session;
struct association;
struct opening;
struct targets;

/* A connection from a client. */
struct conn {
	struct source source;
	enum conn_role role;
	struct conn *prev, *next; /* in its list: handshaking or not */
	int64_t deadline_ms;      /* of a handshake or a tentative resume; 0: none */
	struct ses_addr from;     /* the client's end */
	struct opening *opening;  /* while the target's name is looked up */
	struct association *assoc;
	struct session *session;
	int index;      /* in the session */
	bool tentative; /* waiting for COMMIT */
	bool half_open; /* and the client has not acknowledged our SYN yet, when last seen */
	bool fin_received, fin_sent;
	bool broken; /* cannot be written to; what has arrived may still be read */
	bool hushed; /* an error or hang-up stands there while reading is off */
	uint8_t in[4096];
	size_t got;
	uint8_t out[4096];
	size_t pending;
};

struct association {
	struct server_assoc a;
	struct conn *control; /* NULL: gone */
	struct conn *standby; /* the one held ready; NULL: none */
	int64_t gone_ms;      /* since when; 0 while there */
	bool fin;   /* the control connection ended by a FIN: its, or a box's in between */
	bool ended; /* the process is over: it said so, or stays away after that FIN */
	struct session *sessions; /* by sid */
	UT_hash_handle hh;        /* by id */
};

struct session {
	struct source target;
	bool connecting, target_shut, target_over, target_hushed;
	struct targets *targets; /* while connecting */
	int64_t dial_ms;         /* then the next of them is tried; 0: there is none */
	bool orderly;            /* the target's stream ended by FIN, whatever came after */
	bool reset_said;         /* the client knows that the target was reset */
	bool urgent_said;        /* the client knows that it cannot resume any more */
	bool complete_said;      /* the ACK that says that we have the whole c2s stream */
	uint64_t sid;
	struct association *assoc;
	struct serve s;
	struct conn *conn[SERVE_CONNS];
	/* memory.c's */
	void *memory;
	size_t touched;
	uint64_t s2c_since, c2s_since, moved;
	int64_t detached_ms; /* since when without a connection; 0: it has one */
	int64_t asked_ms;    /* when the unanswered ASK was sent; 0: none */
	int64_t ask_ms;      /* ring full: ask again at this time; 0: no need */
	int64_t ask_wait_ms; /* and then after so long */
	int64_t again_ms;    /* look at it again at this time */
	int64_t fin_ms;      /* FIN without EOF: since when */
	bool reset_seen;     /* the data connection ended by RST */
	struct token *tokens;
	struct session *prev, *next;
	UT_hash_handle hh; /* in its association, by sid */
};

/* One token of the next few epochs of a session; after the session's end a tombstone. */
struct token {
	uint8_t token[SES_TOKEN];
	struct session *session; /* NULL: gone */
	uint32_t epoch;
	int64_t until_ms; /* tombstone */
	struct token *prev, *next;
	UT_hash_handle hh;
};

/* main.c */
extern struct ses_identity relay_key;
extern struct access *access_rules;
extern struct limits *client_limits; /* by key */

bool clients_load(void); /* the file of clients, anew; false: the one before holds */

/* key.c: loads or makes the key in the state directory; false after a message. */
bool key_load(const char *dir, struct ses_identity *key);

/* addresses.c */
bool address_read(const union address *a, struct ses_addr *out);
uint32_t address_local(int fd, struct ses_addr *out); /* the scope where it is of no use without */
socklen_t address_write(const struct ses_addr *from, uint32_t scope, union address *a);
bool address_parse(const char *text, struct ses_addr *out); /* ADDRESS:PORT, [ADDRESS]:PORT */
const char *address_text(const struct ses_addr *a, char *out, size_t len);
/* Where this session may be resumed: what is advertised, or the address the client used, then this
 * host's other global ones. */
unsigned addresses_to_resume(int fd, struct ses_addr *out);

/* loop.c */
extern bool relay_leaving; /* SIGUSR2: no new associations; over when the last session is */
bool loop_start(void);
int loop_run(void);
bool loop_adopt_listener(int fd);
bool loop_each_listener(bool (*what)(struct source *l, void *arg), void *arg);
void loop_watch(struct source *s, uint32_t events); /* 0 takes it out */
int64_t loop_now(void);
void loop_soon(int64_t at_ms);                /* sweep sessions no later than this */
void loop_no_accept(struct source *listener); /* for a moment: no descriptors are left */

/* conn.c */
void conn_accept(struct source *listener);
void conn_event(struct conn *c, uint32_t events);
void conn_close(struct conn *c);
void conn_reset(struct conn *c);
void conn_send(struct conn *c, const void *data, int len);
void conn_settle(struct conn *c); /* its handshake is over */
bool conn_half_open(const struct conn *c);
void conn_anew(struct conn *c); /* it is as just accepted: its next message is its first */
void conn_refuse(struct conn *c, enum ses_refusal why);
void conns_sweep(int64_t now);
void conns_reap(void);
unsigned conns_count(void);
unsigned conns_unsettled(void);               /* have not said yet what they are */
struct conn *conn_adopt(int fd);              /* from another process; the caller fills it in */
bool source_may(const struct ses_addr *from); /* has it tokens left? Takes one */

/* assoc.c */
void assoc_hello(struct conn *c, int len);
void assoc_attach(struct conn *c, int len);
void assoc_standby(struct conn *c, int len);
struct association *assoc_find(const uint8_t id[16]);
void assoc_input(struct conn *c);
void assoc_control_gone(struct conn *c, bool orderly);
void assoc_send(struct association *a, const struct ses_frame *f);
void assocs_sweep(int64_t now);
void assocs_goaway(void);
void assoc_over(struct association *a);
void assoc_adopt(struct association *a);
void assocs_watch(void);
bool assocs_each(bool (*what)(struct association *a, void *arg), void *arg);

/* tokens.c */
struct token *token_find(const uint8_t token[SES_TOKEN]);
void tokens_refresh(struct session *s); /* one for each epoch that may come next */
void tokens_bury(struct session *s);    /* from here on they answer "gone", for a while */
void tokens_sweep(int64_t now);
void tokens_adopt_grave(const uint8_t token[SES_TOKEN], int64_t until_ms);
bool tokens_each_grave(bool (*what)(const uint8_t token[SES_TOKEN], int64_t until, void *arg),
                       void *arg);

/* memory.c */
bool memory_take(struct session *s, size_t s2c, size_t c2s);
void memory_return(struct session *s);
void memory_account(struct session *s); /* after its rings moved; sets its limit */
void memory_trim(struct session *s);    /* now and then */
size_t memory_total(void);

/* open.c */
void session_open(struct conn *c, int len);
void opening_gone(struct opening *o); /* its connection is */

/* target.c */
void target_dial(struct session *s, const struct ses_addr *to, unsigned n,
                 const struct ses_addr *named); /* the first of `to` that answers */
void target_connected(struct session *s);       /* its connect is decided */
void target_sweep(struct session *s, int64_t now);

/* session.c */
void session_resume(struct conn *c, int len);
void session_target_event(struct session *s, uint32_t events);
void session_commit(struct conn *c, int len);
void session_frame(struct association *a, const struct ses_frame *f);
void session_control_new(struct association *a);
void session_process_over(struct association *a);
bool session_silent(const struct session *s); /* nobody is there who could announce an end */
void session_conn_gone(struct conn *c, bool orderly); /* orderly: after a FIN */
void session_end(struct session *s, const char *why);
void session_reset_target(struct session *s, const char *why);
void sessions_add(struct session *s);
unsigned sessions_count(void);
void sessions_sweep(int64_t now);
void sessions_trim(void);
void sessions_reap(void);
void sessions_log(void);
void sessions_watch(void); /* those taken over */
bool sessions_connecting(void);
bool sessions_each(bool (*what)(struct session *s, void *arg), void *arg);

/* data.c */
void data_client_event(struct conn *c, uint32_t events);
void data_target_ready(struct session *s, uint32_t events);
void data_update(struct session *s);
void data_say_urgent(struct session *s); /* from here on no resume, and the client knows */

#endif

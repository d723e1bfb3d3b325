/* SPDX-License-Identifier: MIT */
/*
 * One session of docs/protocol.md between a program, the library, the relay and a service, over
 * connections that die at any moment. See README.md for what is left out and run for the sizes.
 *
 * A byte is its own count: byte n of a stream has the value n. What a connection carries is always
 * consecutive, so what is under way on it is an interval [lo, hi), and "no byte lost, twice or out
 * of place" is `the next byte that arrives is the one that is expected`, asserted wherever a byte
 * arrives. A stream that ends too early is caught where the end is told to a program.
 *
 * Every step is one event of the real code, which runs to its end once begun (one agent thread,
 * one relay thread); nothing is said of when a step happens, unless a comment says so.
 */
#ifndef NC
#define NC 2 /* bytes from the client's program */
#endif
#ifndef NS
#define NS 2 /* bytes from the service */
#endif
#ifndef BREAKS
#define BREAKS 1 /* paths that die, and answers given up that would have come */
#endif
#ifndef SPARE
#define SPARE 1 /* attempts beyond those that a break makes necessary */
#endif
#ifndef CTL
#define CTL 0 /* how often the control connection is lost with all that is on it */
#endif
/* A break can cost two attempts: a COMMIT that comes late closes the next one, too. */
#ifdef EARLY_CLOSE
/* So does a close() with bytes unread: the kernel resets the connection. */
#define CONNS (2 + 2 * BREAKS + SPARE + CTL)
#else
#define CONNS (1 + 2 * BREAKS + SPARE + CTL)
#endif
#ifndef WINDOW
#define WINDOW 1 /* bytes that a connection holds, both kernels and the path together */
#endif
#ifndef S2C_RING
#define S2C_RING 2
#endif
#ifndef CLIENT_RING
#define CLIENT_RING NC
#endif
#ifndef C2S_RING
#define C2S_RING 4
#endif
#ifndef BACKLOG
#define BACKLOG 1
#endif
#ifndef TENTATIVE
#define TENTATIVE 3 /* places for attempts beside the committed connection */
#endif
#ifndef AHEAD
#define AHEAD 15 /* epochs the client goes ahead of the newest answered one */
#endif

#define NONE 15
#define NO_END 255

/* a connection as its client sees it */
#define C_NEW 0
#define C_ASKED 1
#define C_WON 2
#define C_CURRENT 3 /* the program's */
#define C_RETIRED 4 /* left behind by a gentle handover, reset soon */
#define C_GONE 5
/* and as the relay does */
#define S_NEW 0
#define S_TENTATIVE 1
#define S_COMMITTED 2
#define S_GONE 3
/* how a side has ended it */
#define FIN 1
#define RST 2
#define REFUSED 3 /* "gone" or "unknown" */
#define STALE 4   /* any other refusal */

typedef Conn {
	byte at_client, at_relay;
	bit dead;  /* what is sent from now on is lost */
	byte epoch;
	byte C, end; /* RESUME */
	bit closing;
	byte F, T;   /* COMMIT */
	byte R;      /* RESUMED */
	bit R_end;
	bit resume, commit, resumed; /* under way */
	byte up_lo, up_hi; /* c2s: what can still arrive */
	byte down_sent, down_lo, down_hi; /* s2c: sent by the relay, too */
	byte up_end, down_end; /* FIN or RST behind it */
	bit fin_received;
}
Conn conn[CONNS];

/* the library */
#define P_NONE 0
#define P_RACING 1
#define P_WON 2
#define P_SKIPPING 3
#define P_REPLAYING 4
byte used = 1, epoch_used, epoch_answered, epoch_committed;
byte phase, running, current, winner, toss, replay;
byte read, written, base, confirmed, closed_read;
bit gentle, parked, hold, foreign, failed;
bit half_closed, closed, end_told, peer_ended, got_end, over, client_loud, exited;
byte breaks, spare, ctl_breaks;

/* on the control connection; 0 nothing, else count + 1 */
byte client_ack, relay_ack;
byte client_end; /* 1 EOF, 2 CLOSE */
bit relay_ack_end, relay_end;

/* the relay */
byte s_base, s_tail, s_given, s_confirmed;
byte t_base, t_tail, c2s_end = NO_END, swallow;
byte committed, s_epoch;
bit s2c_end, client_closed, covered = 1, detach_reset, process_ended, target_shut;
bit session_over, target_loud;

hidden byte k, keep, oldest, places;

#define least(a, b) ((a) < (b) -> (a) : (b))

/* --- what both sides need of the network --- */

/* Nobody looks at it any more: equal again, to have fewer states. */
inline tidy(i)
{
	if
	:: conn[i].at_client == C_GONE ->
		conn[i].resumed = 0; conn[i].R = 0; conn[i].R_end = 0;
		conn[i].down_lo = 0; conn[i].down_hi = 0; conn[i].down_end = 0
	:: else
	fi;
	if
	:: conn[i].at_relay == S_GONE ->
		conn[i].resume = 0; conn[i].commit = 0; conn[i].C = 0; conn[i].F = 0; conn[i].T = 0;
		conn[i].end = 0; conn[i].up_hi = conn[i].up_lo; conn[i].up_end = 0;
		conn[i].fin_received = 0; conn[i].down_sent = 0
	:: else
	fi;
	if
	:: (conn[i].at_client == C_GONE && (conn[i].at_relay == S_GONE ||
			(conn[i].at_relay == S_NEW && !conn[i].resume))) ->
		conn[i].at_relay = S_GONE; conn[i].epoch = 0; conn[i].dead = 0;
		conn[i].C = 0; conn[i].end = 0; conn[i].closing = 0; conn[i].commit = 0; conn[i].F = 0; conn[i].T = 0;
		conn[i].up_lo = 0; conn[i].up_hi = 0; conn[i].up_end = 0; conn[i].down_sent = 0
	:: else
	fi
}

/* The client is done with it; what it sent before may still arrive. */
inline client_leaves(i, how)
{
	if
	:: conn[i].at_client != C_NEW && conn[i].at_client != C_GONE ->
		if
		:: !conn[i].dead && conn[i].up_end == 0 -> conn[i].up_end = how
		:: else
		fi;
		conn[i].at_client = C_GONE;
		tidy(i)
	:: else
	fi
}

inline relay_leaves(i, how)
{
	if
	:: !conn[i].dead -> conn[i].down_end = how
	:: else
	fi;
	if
	:: how == RST -> conn[i].down_hi = conn[i].down_lo
	:: else
	fi;
	conn[i].at_relay = S_GONE;
	tidy(i)
}

/*
 * The path dies. Of each direction a beginning may still arrive, or lie in the receiver's kernel:
 * a RESUME that comes late, bytes without the FIN behind them.
 */
inline path_dies(i)
{
	if
	:: true /* all of it */
	:: conn[i].up_end -> conn[i].up_end = 0
	:: conn[i].up_lo < conn[i].up_hi -> conn[i].up_end = 0; conn[i].up_hi = conn[i].up_lo
	:: conn[i].up_lo + 1 < conn[i].up_hi -> conn[i].up_end = 0; conn[i].up_hi = conn[i].up_lo + 1
	:: conn[i].commit ->
		conn[i].up_end = 0; conn[i].up_hi = conn[i].up_lo; conn[i].commit = 0
	:: conn[i].resume ->
		conn[i].up_end = 0; conn[i].up_hi = conn[i].up_lo; conn[i].commit = 0;
		conn[i].resume = 0
	fi;
	if
	:: true
	:: conn[i].down_end -> conn[i].down_end = 0
	:: conn[i].down_lo < conn[i].down_hi -> conn[i].down_end = 0; conn[i].down_hi = conn[i].down_lo
	:: conn[i].down_lo + 1 < conn[i].down_hi ->
		conn[i].down_end = 0; conn[i].down_hi = conn[i].down_lo + 1
	:: conn[i].resumed ->
		conn[i].down_end = 0; conn[i].down_hi = conn[i].down_lo; conn[i].resumed = 0
	fi;
#ifdef CUT_BY_FIN
	/* Somebody in between says an end that nobody has said. */
	if
	:: true
	:: conn[i].up_end == 0 -> conn[i].up_end = FIN
	:: conn[i].down_end == 0 && conn[i].at_relay != S_NEW -> conn[i].down_end = FIN
	:: conn[i].up_end == 0 && conn[i].down_end == 0 && conn[i].at_relay != S_NEW ->
		conn[i].up_end = FIN; conn[i].down_end = FIN
	fi;
#endif
	conn[i].dead = 1;
	tidy(i)
}

/* --- the relay: session/server.c, relay/session.c, relay/data.c --- */

#define tentative(i) (conn[i].at_relay == S_TENTATIVE)

/* release() */
inline forget_below(count)
{
	keep = count;
#ifndef MUTATE_RELEASE_UNGIVEN
	for (k : 0 .. CONNS - 1) {
		if
		:: (conn[k].at_relay == S_TENTATIVE || conn[k].at_relay == S_COMMITTED) &&
				conn[k].down_sent < keep -> keep = conn[k].down_sent
		:: else
		fi
	};
	k = 0
#endif
	keep = least(keep, s_tail);
	if
	:: keep > s_base -> s_base = keep
	:: else
	fi
}

inline confirm(count)
{
	if
	:: count > s_confirmed -> s_confirmed = count
	:: else
	fi;
	forget_below(s_confirmed)
}

inline learn_end(told, shuts)
{
	if
	:: told != NO_END && c2s_end == NO_END && told >= t_tail -> c2s_end = told
	:: else
	fi;
	if
	:: shuts -> client_closed = 1
	:: else
	fi
}

/* session_end(), session_reset_target() */
inline end_session(loud)
{
	target_loud = loud;
	session_over = 1;
	for (k : 0 .. CONNS - 1) {
		if
		:: conn[k].at_relay == S_TENTATIVE || conn[k].at_relay == S_COMMITTED ->
			if
			:: loud -> relay_leaves(k, RST)
			:: else -> relay_leaves(k, FIN)
			fi
		:: else
		fi
	};
	k = 0;
	committed = NONE
}

inline end_of_client()
{
	if
#ifdef MUTATE_SHORT_OF_COMMIT
	:: detach_reset || (c2s_end != NO_END && t_tail < c2s_end) -> end_session(1)
#else
	:: detach_reset || (c2s_end != NO_END && t_tail < c2s_end) || t_tail < swallow ->
		end_session(1)
#endif
	:: else ->
		if
		:: c2s_end == NO_END -> c2s_end = t_tail
		:: else
		fi;
		client_closed = 1
	fi
}

/* session_conn_gone() */
inline relay_loses(i, orderly)
{
	if
	:: committed == i ->
		committed = NONE;
		detach_reset = !orderly;
		relay_leaves(i, FIN);
		if
		:: process_ended -> end_of_client()
		:: else
		fi
	:: else -> relay_leaves(i, FIN)
	fi
}

/* The second half of serve_resume(): a place for it, an answer. */
inline open_tentative(i)
{
	oldest = NONE;
	places = 0;
	for (k : 0 .. CONNS - 1) {
		if
		:: tentative(k) && conn[k].epoch == conn[i].epoch -> oldest = k; places = NONE
		:: else ->
			if
			:: tentative(k) && places < NONE ->
				places++;
				if
				:: oldest == NONE -> oldest = k
				:: else ->
					if
					:: conn[k].epoch < conn[oldest].epoch -> oldest = k
					:: else
					fi
				fi
			:: else
			fi
		fi
	};
	k = 0;
	if
	:: places >= TENTATIVE -> relay_leaves(oldest, FIN)
	:: else
	fi;
	conn[i].at_relay = S_TENTATIVE;
	conn[i].down_sent = conn[i].C;
	learn_end(conn[i].end, conn[i].closing);
	conn[i].end = 0; conn[i].closing = 0;
	if
	:: !conn[i].dead && conn[i].at_client == C_ASKED ->
		conn[i].resumed = 1; conn[i].R = t_tail; conn[i].R_end = s2c_end;
		conn[i].down_lo = conn[i].C; conn[i].down_hi = conn[i].C
	:: else
	fi
}

/* serve_resume() */
inline take_resume(i)
{
	conn[i].resume = 0;
	if
	:: session_over -> relay_leaves(i, REFUSED)
	:: else ->
		if
#ifndef MUTATE_OLD_EPOCH
		:: conn[i].epoch <= s_epoch -> relay_leaves(i, STALE)
#endif
		:: else ->
			if
#ifndef MUTATE_RESUME_UNHELD
			:: conn[i].C < s_base || conn[i].C > s_tail -> relay_leaves(i, REFUSED)
#endif
			:: else -> open_tentative(i)
			fi
		fi
	fi
}

/* serve_commit() */
inline take_commit(i)
{
	conn[i].commit = 0;
	if
#ifdef MUTATE_OLD_EPOCH
	:: conn[i].F > s_tail || conn[i].T < t_tail || conn[i].T > c2s_end ->
#else
	:: conn[i].epoch <= s_epoch || conn[i].F > s_tail || conn[i].T < t_tail ||
			conn[i].T > c2s_end ->
#endif
		assert(false); /* of an honest client never */
		relay_loses(i, 0)
	:: else ->
		for (k : 0 .. CONNS - 1) {
			if
#ifndef MUTATE_OLD_EPOCH
			:: k != i && tentative(k) -> relay_leaves(k, RST)
#endif
			:: k != i && conn[k].at_relay == S_COMMITTED -> relay_leaves(k, RST)
			:: else
			fi
		};
		k = 0;
		conn[i].at_relay = S_COMMITTED;
		committed = i;
		assert(conn[i].epoch > s_epoch); /* never back */
		s_epoch = conn[i].epoch;
		confirm(conn[i].F);
		covered = 1;
		detach_reset = 0;
#ifndef MUTATE_WAIT_FOR_TARGET
		swallow = conn[i].T;
#endif
		conn[i].F = 0; conn[i].T = 0
	fi
}

/* While a tentative connection lives, the committed one rests. */
#if CONNS == 2
#define paused (tentative(0) || tentative(1))
#elif CONNS == 3
#define paused (tentative(0) || tentative(1) || tentative(2))
#elif CONNS == 4
#define paused (tentative(0) || tentative(1) || tentative(2) || tentative(3))
#elif CONNS == 5
#define paused (tentative(0) || tentative(1) || tentative(2) || tentative(3) || tentative(4))
#endif
#ifdef MUTATE_NO_PAUSE
#define resting 0
#else
#define resting paused
#endif
#define serving(i) (conn[i].at_relay == S_COMMITTED && !resting)

/* --- the library: preload/move.c, preload/flowtalk.c --- */

#define now_on conn[current]
#define goal conn[winner]
#define alive (!exited && !client_loud && !over)
/* After close() no hook tells of a reset; with the path itself it is the monitor that does. */
#ifdef MUTATE_CLOSED_AND_RESET
#define reset_unseen 0
#else
#define reset_unseen (closed && now_on.at_relay == S_GONE && now_on.down_end)
#endif
#define lost (failed || parked || now_on.dead || reset_unseen)

inline all_leave(how)
{
	for (k : 0 .. CONNS - 1) {
		client_leaves(k, how)
	};
	k = 0;
	phase = P_NONE; running = 0; current = 0; winner = 0; toss = 0; replay = 0;
	parked = 0; hold = 0; failed = 0; gentle = 0
}

inline refused()
{
	if
	:: closed -> over = 1
	:: else -> client_loud = 1
	fi;
	all_leave(RST)
}

/* The program's descriptor is the old connection's again. */
inline unpark()
{
	parked = 0; hold = 0
}

inline give_up_move()
{
	if
	:: gentle && phase <= P_WON -> unpark()
	:: else
	fi;
	if
	:: phase == P_WON || phase == P_SKIPPING -> client_leaves(winner, FIN)
	:: else
	fi;
	phase = P_NONE; winner = 0; toss = 0; replay = 0; gentle = 0
}

inline send_up(i)
{
	if
	:: !conn[i].dead && conn[i].at_relay != S_GONE -> conn[i].up_hi++
	:: else
	fi
}

#define room_up(i) (conn[i].dead || conn[i].at_relay == S_GONE || \
	conn[i].up_hi - conn[i].up_lo < WINDOW)

inline fin_up(i)
{
	if
	:: !conn[i].dead && conn[i].at_relay != S_GONE && conn[i].up_end == 0 -> conn[i].up_end = FIN
	:: else
	fi
}

inline dial()
{
	if
	:: epoch_used < epoch_answered + AHEAD -> epoch_used++
	:: else
	fi;
	conn[used].epoch = epoch_used;
	conn[used].at_client = C_ASKED;
	conn[used].C = (closed -> closed_read : read);
	conn[used].end = (half_closed || closed -> written : NO_END);
	conn[used].closing = closed;
	conn[used].resume = 1;
	used++;
	running++
}

inline commit_move()
{
	if
	:: confirmed > base -> base = confirmed
	:: else
	fi;
	if
	:: goal.R < base || goal.R > written ->
#ifndef MUTATE_STALE_ANSWER
		/* Out of date: the relay has confirmed more since, so it has gone on without us. */
		if
		:: goal.R >= confirmed -> foreign = 1; gentle = 1
		:: else
		fi;
#else
		foreign = 1; gentle = 1;
#endif
		give_up_move()
	:: else ->
		assert(goal.epoch > epoch_committed);
		epoch_committed = goal.epoch;
		toss = (closed -> closed_read : read) - goal.C;
		replay = goal.R;
		if
		:: goal.R_end -> peer_ended = 1
		:: else
		fi;
		goal.up_lo = goal.R; goal.up_hi = goal.R;
		if
		:: !goal.dead && goal.at_relay != S_GONE ->
			goal.commit = 1;
			goal.F = (closed -> closed_read : read);
			goal.T = written
		:: else
		fi;
		goal.C = 0; goal.R = 0; goal.R_end = 0;
		phase = P_SKIPPING
	fi
}

inline change_over()
{
	for (k : 0 .. CONNS - 1) {
		if
		:: conn[k].at_client == C_RETIRED -> client_leaves(k, RST)
		:: else
		fi
	};
	k = 0;
	if
#ifdef RETIRE_LATER
	:: gentle && !closed -> now_on.at_client = C_RETIRED
#endif
	:: else -> client_leaves(current, RST)
	fi;
	toss = 0;
	current = winner;
	now_on.at_client = C_CURRENT;
	parked = 0; failed = 0; winner = 0;
	phase = P_REPLAYING
}

/* What a kernel says when the descriptor of a connection is closed with bytes unread, or without. */
#define ending(i) ((conn[i].down_lo < conn[i].down_hi) -> RST : FIN)

/* Who has closed gets nothing more: nothing to wait for. */
#ifdef MUTATE_SKIP_CLOSED
#define skipped (toss == 0)
#else
#define skipped (toss == 0 || closed)
#endif

#ifdef MUTATE_ACK_BEYOND_C
#define may_confirm 1
#else
#define may_confirm (phase == P_NONE || parked)
#endif

#ifdef SLEEPER
/* The service reads only while the client has no move under way. */
#define target_reads ((phase == P_NONE && !hold) || !alive || closed)
#endif

/*
 * The control connection. A frame that takes its time is in most cases one that is sent later; only
 * with SLOW_CONTROL is it a step of its own, and can be lost.
 */
inline relay_takes_end()
{
	if
	:: !session_over -> learn_end(written, client_end == 2)
	:: else
	fi;
	client_end = 0
}

inline relay_takes_ack()
{
	if
	:: !session_over && client_ack - 1 <= s_given ->
		if
		:: client_ack - 1 >= s_base -> covered = 1
		:: else
		fi;
		confirm(client_ack - 1)
	:: else
	fi;
	client_ack = 0
}

/* The ACK that ends a closed flow answers its CLOSE, not an earlier question. */
#ifdef MUTATE_ANY_ACK
#define close_heard 1
#else
#define close_heard (client_closed || session_over)
#endif

inline client_takes_ack()
{
	if
	:: relay_ack - 1 > confirmed -> confirmed = relay_ack - 1
	:: else
	fi;
	if
	:: relay_ack_end -> peer_ended = 1
	:: else
	fi;
	if
	:: closed && relay_ack - 1 >= written && end_told && phase == P_NONE && close_heard ->
		over = 1;
		all_leave(FIN)
	:: else
	fi;
	relay_ack = 0; relay_ack_end = 0
}

#ifdef SLOW_CONTROL
#define at_once(what) skip
#define tell_end() relay_end = 1
#else
#define at_once(what) what
#define tell_end() peer_ended = 1
#endif

/* A service that sleeps is its own step. */
inline to_target()
{
#ifndef SLEEPER
	t_base = t_tail
#else
	skip
#endif
}

/* Everything that the relay's program does with one connection, and what befalls its path. */
proctype Path(byte self)
{
#define me conn[self]
end:
	do
	:: d_step { me.resume && me.at_relay == S_NEW -> take_resume(self) }
	:: d_step { me.commit && tentative(self) -> take_commit(self) }
	/* Ended, or silent: forgotten. */
	:: d_step {
			tentative(self) && !me.commit && (me.dead || me.up_end) -> relay_loses(self, 0)
		}
	:: d_step {
			me.at_relay == S_COMMITTED && (me.dead || me.up_end == RST) -> relay_loses(self, 0)
		}
	/* What is sent to a process that is over is answered by a RST. */
	:: d_step { serving(self) && me.fin_received && exited -> relay_loses(self, 1) }
	:: d_step {
			serving(self) && me.up_lo < me.up_hi && t_tail - t_base < C2S_RING &&
					(t_tail < swallow || t_tail - t_base < BACKLOG) ->
			if
			:: t_tail < c2s_end -> assert(me.up_lo == t_tail); t_tail++; to_target()
			:: else
			fi;
			me.up_lo++
		}
	:: d_step {
			serving(self) && me.up_lo == me.up_hi && me.up_end == FIN && !me.fin_received ->
			me.fin_received = 1
#ifdef MUTATE_BARE_FIN_RELAY
			; if
			:: c2s_end == NO_END -> c2s_end = t_tail
			:: else
			fi
#endif
		}
	/* ends(): FIN, and the process is over. */
	:: d_step {
			serving(self) && me.fin_received && process_ended && c2s_end == NO_END ->
			if
#ifndef MUTATE_SHORT_OF_COMMIT
			:: t_tail < swallow -> end_session(1)
#endif
			:: else -> c2s_end = t_tail
			fi
		}
	/* FIN, and no end was told although the control connection had the time for it. */
	:: d_step {
			serving(self) && me.fin_received && !process_ended &&
					(c2s_end == NO_END || t_tail < c2s_end) && client_end == 0 &&
					(end_told || !(half_closed || closed)) ->
			relay_loses(self, 1)
		}
	/* The kernel of a dead path takes what it gets. */
	:: d_step {
			(serving(self) || tentative(self)) && me.down_sent < s_tail && !client_closed &&
					(me.dead || me.at_client == C_GONE || me.down_hi - me.down_lo < WINDOW) ->
			assert(me.down_sent >= s_base); /* it is still there */
			me.down_sent++;
			if
			:: !me.dead && me.at_client != C_GONE -> me.down_hi++
			:: else
			fi;
			if
			:: me.down_sent > s_given -> s_given = me.down_sent
			:: else
			fi;
#ifdef MUTATE_RELEASE_ON_TCP_ACK
			confirm(me.down_sent)
#else
			confirm(0)
#endif
		}
	:: d_step {
			serving(self) && s2c_end && me.down_sent == NS && !me.dead && me.down_end == 0 &&
					me.at_client != C_GONE ->
			me.down_end = FIN
		}
	:: atomic {
			breaks < BREAKS && !me.dead && me.at_client != C_NEW &&
					!(me.at_client == C_GONE && me.at_relay == S_GONE) && !session_over ->
			breaks++;
			path_dies(self)
		}
	/* The client's side of an attempt. */
	:: d_step {
			me.resumed && me.at_client == C_ASKED && phase == P_RACING && alive ->
			me.resumed = 0;
			me.at_client = C_WON;
			if
			:: me.epoch > epoch_answered -> epoch_answered = me.epoch
			:: else
			fi;
			winner = self;
			phase = P_WON;
			running = 0;
			for (k : 0 .. CONNS - 1) {
				if
				:: conn[k].at_client == C_ASKED -> client_leaves(k, FIN)
				:: else
				fi
			};
			k = 0
		}
	:: d_step {
			me.at_client == C_ASKED && !me.resumed && (me.dead || me.down_end) && alive ->
			running--;
			if
			:: me.down_end == REFUSED -> refused()
			:: else -> client_leaves(self, FIN)
			fi
		}
	:: d_step { me.at_client == C_RETIRED -> client_leaves(self, RST) }
	od
}

proctype Client()
{
end:
	do
	/* --- the program --- */
	:: d_step {
			alive && !parked && !closed && now_on.down_lo < now_on.down_hi ->
			assert(now_on.down_lo == read);
			now_on.down_lo++;
			read++
		}
	:: d_step {
			alive && !parked && !closed && !got_end && now_on.down_lo == now_on.down_hi &&
					now_on.down_end == FIN && !failed &&
					(peer_ended || foreign || (!relay_end && relay_ack == 0)) ->
			if
#ifdef MUTATE_BARE_FIN
			:: true ->
#else
			:: foreign || (peer_ended && read >= NS) ->
#endif
				assert(read == NS && s2c_end);
				got_end = 1
			:: else -> failed = 1
			fi
		}
	:: d_step {
			alive && !parked && !closed && !failed && now_on.down_lo == now_on.down_hi &&
					(now_on.down_end == RST ||
					(now_on.at_relay == S_GONE && now_on.down_end && !half_closed)) ->
			failed = 1
		}
	:: d_step {
			alive && !hold && !parked && !half_closed && !closed && !failed && written < NC &&
					room_up(current) ->
			send_up(current);
			written++;
			if
			:: confirmed > base -> base = confirmed
			:: else
			fi;
			if
			:: written - base > CLIENT_RING -> base = written - CLIENT_RING
			:: else
			fi
		}
	/* A FIN before the bytes that are still to be sent again costs the attempt. */
	:: d_step {
			alive && !half_closed && !closed && written == NC &&
					(phase != P_REPLAYING || replay == written || spare < SPARE) ->
			half_closed = 1;
			if
			:: phase == P_REPLAYING && replay < written -> spare++
			:: else
			fi;
			if
			:: !parked -> fin_up(current)
			:: else
			fi
		}
	:: d_step {
			alive && !closed && written == NC &&
#ifdef EARLY_CLOSE
					true ->
#else
					got_end && half_closed ->
#endif
			closed = 1;
#ifndef MUTATE_CLOSE_UNTOLD
			end_told = 0;
#endif
			closed_read = read;
#ifdef MUTATE_CLOSE_WHILE_PARKED
			if
			:: parked -> closed_read = 0
			:: else
			fi;
#endif
			if
			:: !parked && phase != P_REPLAYING && now_on.up_end == 0 && !now_on.dead &&
					now_on.at_relay != S_GONE -> now_on.up_end = ending(current)
			:: else
			fi;
			if
			:: parked -> failed = 1
			:: else
			fi;
			unpark()
		}
#ifdef EXIT
	:: d_step {
			alive && !closed ->
			exited = 1;
			for (k : 0 .. CONNS - 1) {
#ifndef MUTATE_RETIRED_FIN
				/* As if it had been told to linger for no time. */
				if
				:: conn[k].at_client == C_RETIRED -> client_leaves(k, RST)
				:: else
				fi;
#endif
				client_leaves(k, ending(k))
			};
			k = 0;
			phase = P_NONE; running = 0; winner = 0; toss = 0; replay = 0
		}
	:: d_step {
			exited && !process_ended && !session_over && client_ack == 0 && client_end == 0 ->
			process_ended = 1;
			if
			:: committed == NONE -> end_of_client()
			:: else
			fi
		}
#endif
	/* --- moving --- */
	:: d_step {
			alive && phase == P_NONE && !foreign && (lost -> used < CONNS : spare < SPARE) &&
					!(closed && !lost) ->
			phase = P_RACING;
			gentle = !lost
		}
	:: d_step { alive && phase == P_NONE && foreign && lost -> refused() }
	:: d_step {
			alive && phase == P_NONE && !parked && !closed && failed ->
			parked = 1; hold = 1
		}
	:: d_step {
			alive && phase == P_RACING && used < CONNS && running < 2 - gentle &&
					(spare < SPARE || (running == 0 && !gentle)) ->
			if
			:: running || gentle -> spare++
			:: else
			fi;
			dial()
		}
	:: d_step { alive && phase == P_RACING && running == 0 && gentle -> give_up_move() }
	:: d_step { alive && phase == P_WON && !parked && !closed -> parked = 1; hold = 1 }
	:: d_step { alive && phase == P_WON && (parked || closed) -> commit_move() }
	:: d_step {
			alive && phase == P_SKIPPING && toss && goal.down_lo < goal.down_hi ->
			goal.down_lo++;
			toss--
		}
	:: d_step {
			alive && phase == P_SKIPPING && goal.down_lo == goal.down_hi && toss &&
					(goal.dead || goal.down_end) ->
			give_up_move()
		}
	:: d_step { alive && phase == P_SKIPPING && skipped -> change_over() }
	:: d_step {
			alive && phase == P_REPLAYING && replay < written && now_on.up_end == 0 &&
					room_up(current) ->
			send_up(current);
			replay++
		}
	:: d_step {
			alive && phase == P_REPLAYING && replay < written &&
					(now_on.dead || now_on.down_end == RST || now_on.up_end) ->
			give_up_move()
		}
	:: d_step {
			alive && phase == P_REPLAYING && replay == written ->
			phase = P_NONE; hold = 0; end_told = 0; replay = 0; gentle = 0;
			if
			:: half_closed || closed -> fin_up(current)
			:: else
			fi
		}
	/* --- the control connection, its client's end --- */
	:: d_step {
			alive && (half_closed || closed) && !end_told && client_end == 0 ->
			end_told = 1;
			client_end = (closed -> 2 : 1);
			at_once(relay_takes_end())
		}
	:: d_step {
			alive && !closed && client_ack == 0 && read > s_confirmed &&
					may_confirm ->
			client_ack = read + 1;
			at_once(relay_takes_ack())
		}
#ifdef SLOW_CONTROL
	:: d_step { alive && relay_end -> relay_end = 0; peer_ended = 1 }
	:: d_step { alive && relay_ack -> client_takes_ack() }
#endif
	od
}

proctype Relay()
{
end:
	do
	/* --- the service --- */
	:: d_step {
			!session_over && !s2c_end && !client_closed && s_tail < NS &&
					(s_tail - s_base < S2C_RING || (!covered && committed != NONE)) ->
			if
			:: s_tail - s_base >= S2C_RING -> forget_below(s_tail - S2C_RING / 2)
			:: else
			fi;
			if
			:: s_tail - s_base < S2C_RING -> s_tail++
			:: else
			fi
		}
	/* EOF leaves before the FIN does. */
	:: d_step { !session_over && !s2c_end && s_tail == NS -> s2c_end = 1; tell_end() }
#ifdef SLEEPER
	:: d_step { !session_over && t_base < t_tail && target_reads -> t_base++ }
#endif
	:: d_step {
			!session_over && !target_shut && c2s_end != NO_END && t_base == c2s_end ->
			assert(t_base == written && (half_closed || closed || exited));
			target_shut = 1
		}
	:: d_step { !session_over && client_closed && target_shut -> end_session(0) }
	/* --- the control connection, its relay's end --- */
#ifdef SLOW_CONTROL
	:: d_step { client_end -> relay_takes_end() }
	:: d_step { client_ack -> relay_takes_ack() }
#endif
	:: d_step {
			/* Only what is news: a question asked again and again is no progress. */
			alive && relay_ack == 0 && ((!session_over && t_tail > confirmed) ||
					(!session_over && s2c_end && !peer_ended && !relay_end) ||
					(closed && end_told && phase == P_NONE && close_heard &&
					(session_over || t_tail == written))) ->
			relay_ack = (session_over -> written : t_tail) + 1;
			relay_ack_end = s2c_end;
			at_once(client_takes_ack())
		}
#ifdef SLOW_CONTROL
	:: d_step {
			ctl_breaks < CTL && (client_ack || relay_ack || client_end || relay_end) ->
			ctl_breaks++;
			client_ack = 0; relay_ack = 0; relay_ack_end = 0; client_end = 0; relay_end = 0;
			end_told = 0
		}
#endif
#ifdef UNCOVER
	/* One ASK unanswered for a second: the client's kernel, or a box in between, took it all. */
	:: d_step {
			!session_over && covered && s_tail - s_base >= S2C_RING && committed != NONE &&
					conn[committed].down_sent == s_tail ->
			covered = 0
		}
#endif
	/* Nobody comes back, or the relay is started anew and knows nothing. */
	:: d_step {
			!session_over && (client_loud || over) && committed == NONE && client_end == 0 &&
					(c2s_end == NO_END || t_tail < c2s_end || !client_closed) ->
			end_session(1)
		}
#ifdef RESTART
	:: d_step { !session_over -> end_session(1) }
#endif
	od
}

#define whole (read == NS && got_end && t_base == NC && target_shut)

/* Nothing can happen any more. */
proctype Judge()
{
end:
	do
	:: timeout ->
		assert(session_over && (over || client_loud || exited));
		assert(target_loud || (target_shut && t_base == written));
#ifndef LOUD
		assert(!target_loud && !client_loud && !foreign);
#ifndef EARLY_CLOSE
		assert(whole);
#endif
#endif
		break
	od
}

init {
	atomic {
		conn[0].at_client = C_CURRENT;
		conn[0].at_relay = S_COMMITTED;
		for (k : 0 .. CONNS - 1) {
			run Path(k)
		};
		k = 0;
		run Client();
		run Relay();
		run Judge()
	}
}

#!/bin/bash
# SPDX-License-Identifier: MIT
# The silence that a receiver of one record each millisecond sees when the interface under it is lost, in round-trip
# times: gaps.sh [RUNS [RTT_MS... [-- MODE...]]]
#
# Modes: neither (two round trips: connection, RESUME), fastopen (RESUME in the SYN), standby (a connection is there);
# and, to compare with, mptcp (the kernel alone, a subflow on either interface) and managed (its endpoint on the lost
# interface is removed with the event, as a path manager daemon does).
# The way to the router is known: finding a neighbour would take one more round trip here, where the delay is in the link.
# Nothing here passes or fails. GAPS_EVENT: what happens to the interface (lab_event; down); or better: it is not there
# at first and comes up; or renumber: it gets another address. GAPS_WHO: paced (a receiver),
# push (a sender of one record each millisecond: the receiver's silence) or echo (one exchange after the other: how much
# longer the longest took than the shortest).
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/lab/lab.sh
. tests/lab/lab.sh
# shellcheck source=tests/lab/trouble.sh
. tests/lab/trouble.sh
lab_become_root "$PWD/tests/lab/gaps.sh" "$@"
why=$(lab_missing)
[ -z "$why" ] || { echo "gaps: no lab here: $why" >&2; exit 1; }
trap lab_down EXIT
trap 'exit 130' INT TERM

runs=${1:-9} rtts=() modes=()
[ $# = 0 ] || shift
while [ $# -gt 0 ] && [ "$1" != -- ]; do rtts+=("$1"); shift; done
[ $# = 0 ] || shift
modes=("$@")
[ ${#rtts[@]} -gt 0 ] || rtts=(20 100)
[ ${#modes[@]} -gt 0 ] || modes=(neither fastopen standby)
event=${GAPS_EVENT:-down} who=${GAPS_WHO:-paced}
measure=$lab_build/lab/measure

policy() { # STANDBY
	cat >"$lab_dir/policy.conf" <<-END
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100  metered = false }
		peer "*" { continuity = session${1:+ standby = $1} }
	END
}

mptcp_endpoints() {
	in_client ip mptcp limits set subflow 4 add_addr_accepted 4
	in_server ip mptcp limits set subflow 4
	in_client ip mptcp endpoint flush
	in_client ip mptcp endpoint add 10.1.0.2 dev wlan0 id 1 subflow
	in_client ip mptcp endpoint add 10.2.0.2 dev wwan0 id 2 subflow
}

once() { # MODE; one figure
	local fast=1 standby=no pid undo run=() port=9000 words=()
	case $1 in
	fastopen) fast=3 ;;
	standby) standby=yes ;;
	mptcp | managed) port=9020 words=(mptcp) && mptcp_endpoints ;;
	esac
	policy "$standby"
	in_server sysctl -qw net.ipv4.tcp_fastopen=$fast
	[ "$event" != better ] || lab_event wlan0 down
	in_client bash -c 'echo >/dev/udp/10.2.0.1/9' 2>/dev/null || :
	rm -f "$lab_dir/client.log"
	[ "$port" = 9020 ] || run=(env LD_PRELOAD="$lab_build/libmifcont.so" MIFCONT_POLICY="$lab_dir/policy.conf"
		MIFCONT_LOG="debug:$lab_dir/client.log")
	in_client "${run[@]}" "$measure" "$who" 10.9.0.2 $port 3 "${words[@]}" >"$lab_dir/gap" 2>>"$lab_dir/err" &
	pid=$!
	sleep 1.6
	case $event in
	better) lab_event wlan0 up ;;
	renumber) trouble_renumber wlan0 ;;
	*) lab_event wlan0 "$event" ;;
	esac
	[ "$1" != managed ] || in_client ip mptcp endpoint del id 1
	wait "$pid" || :
	cat "$lab_dir/gap"
	case $event in
	down | better) undo=up ;;
	addr-del) undo=addr-add ;;
	renumber) in_client ip addr flush dev wlan0 scope global && undo=addr-add ;;
	carrier-off) undo=carrier-on ;;
	dead) undo=alive ;;
	*) undo=create ;;
	esac
	lab_event wlan0 "$undo"
	sleep 0.3
}

for rtt in "${rtts[@]}"; do
	lab_up $((rtt / 2)) 200 0
	lab_spawn server "$lab_dir/serve.log" "$measure" serve 9000
	[[ " ${modes[*]} " != *" m"* ]] || lab_spawn server "$lab_dir/serve2.log" "$measure" serve 9020 mptcp
	lab_spawn server "$lab_dir/relay.log" "$lab_build/mifcont-relay" --allow 9000 --state-dir "$lab_dir/state" --log error
	lab_wait_port server 7343
	lab_wait_port server 9000
	for mode in "${modes[@]}"; do : >"$lab_dir/r.$mode"; done
	for ((i = 0; i < runs; i++)); do
		for mode in "${modes[@]}"; do once "$mode" >>"$lab_dir/r.$mode"; done
	done
	for mode in "${modes[@]}"; do
		sort -n "$lab_dir/r.$mode" | awk -v m="$mode" -v rtt="$rtt" -v e="$event" '{ v[NR] = $1 } END {
			k = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
			printf "%-10s rtt %3d ms  %-9s median %6.1f ms = %.2f round trips  (%.1f to %.1f, %d runs)\n",
				m, rtt, e, k, k / rtt, v[1], v[NR], NR }'
	done
	[ -z "${GAPS_KEEP:-}" ] || cp "$lab_dir/client.log" "$GAPS_KEEP"
	lab_down
done

#!/bin/bash
# SPDX-License-Identifier: MIT
# What shows only after minutes: long.sh rest | flapping [SECONDS]
#
# rest: one session at rest, with both interfaces up. Printed are the packets in which the client's machine took part
#   and the times a thread of the process was given the processor, over all of the time (600 s).
# flapping: the preferred interface is there for a second and gone for a second, all the time (600 s), under an echo client
#   with its exchanges one after the other. Printed are the handovers, the losses, and the exchanges that took
#   longer than one second.
# The policy is the default one, but for the order of the interfaces. Nothing here passes or fails.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/lab/lab.sh
. tests/lab/lab.sh
lab_become_root "$PWD/tests/lab/long.sh" "$@"
why=$(lab_missing)
[ -z "$why" ] || { echo "long: no lab here: $why" >&2; exit 1; }
trap lab_down EXIT
trap 'exit 130' INT TERM

what=${1:?rest or flapping} seconds=${2:-600}
lab_up 10 1000 0
cat >"$lab_dir/policy.conf" <<-'END'
	interface "wlan*" { prefer = 200 }
	interface "wwan*" { prefer = 100 }
	peer "*" { continuity = session }
END
lab_spawn server "$lab_dir/relay.log" "$lab_build/mifcont-relay" --allow 9001 --state-dir "$lab_dir/state" --log error
lab_spawn server "$lab_dir/echo.log" python3 tests/lab/echo_server.py 9001
lab_wait_port server 7343
lab_wait_port server 9001

covered() {
	in_client env LD_PRELOAD="$lab_build/libmifcont.so" MIFCONT_POLICY="$lab_dir/policy.conf" \
		MIFCONT_LOG="debug:$lab_dir/client.log" "$@"
}

rest() {
	local python pid before packets
	python=$(python3 -c "import sys; print(sys.executable)")
	covered "$python" -c '
import socket, sys
s = socket.create_connection(("10.9.0.2", 9001))
s.sendall(b"x")
s.recv(1)
sys.stdin.read()
s.sendall(b"y")
print("the session is", "whole" if s.recv(1) == b"y" else "lost")' <"$lab_dir/hold" &
	pid=$!
	exec {hold}>"$lab_dir/hold"
	sleep 5
	switches() { cat /proc/"$pid"/task/*/status | awk '/ctxt_switches/ { n += $2 } END { print n }'; }
	# All that IP has sent and been given.
	counted() { in_client cat /proc/net/snmp | awk '/^Ip: [0-9]/ { print $4 + $11 }'; }
	before=$(switches) packets=$(counted)
	sleep "$seconds"
	echo "$seconds s at rest: $(($(counted) - packets)) packets, $(($(switches) - before)) wake-ups"
	exec {hold}>&-
	wait "$pid"
}

flapping() {
	local pid losses=0 end=$((SECONDS + seconds))
	covered python3 -c '
import socket, sys, time
s = socket.create_connection(("10.9.0.2", 9001))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
end = time.monotonic() + float(sys.argv[1])
done = 0
took = []
while time.monotonic() < end:
    said = b"%08d" % done
    t = time.monotonic()
    s.sendall(said)
    got = b""
    while len(got) < 8:
        piece = s.recv(8 - len(got))
        if not piece:
            sys.exit("end of file")
        got += piece
    if got != said:
        sys.exit("wrong answer")
    took.append(time.monotonic() - t)
    done += 1
    time.sleep(0.01)
took.sort()
print(f"{done} exchanges, median {took[done // 2] * 1000:.0f} ms, longest {took[-1] * 1000:.0f} ms, "
      f"{sum(t > 1 for t in took)} longer than 1 s")' "$seconds" &
	pid=$!
	sleep 1
	while [ $SECONDS -lt "$end" ]; do
		lab_event wlan0 down
		losses=$((losses + 1))
		sleep 1
		lab_event wlan0 up
		sleep 1
	done
	wait "$pid"
	echo "$losses losses, $(grep -c 'flow 1: on ' "$lab_dir/client.log") handovers," \
		"$(grep -c 'handover .* failed' "$lab_dir/client.log" || :) failed"
}

case $what in
rest)
	mkfifo "$lab_dir/hold"
	rest
	;;
flapping) flapping ;;
*)
	echo "long: rest or flapping, not $what" >&2
	exit 2
	;;
esac

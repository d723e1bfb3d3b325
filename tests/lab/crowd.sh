#!/bin/bash
# SPDX-License-Identifier: MIT
# How long many flows are silent when the interface under all of them is lost: crowd.sh [PROCESSES [FLOWS]]
#
# So many processes (1) with so many quiet flows each (1000), each flow a session. When all have had an exchange wlan0
# goes down, and each has another; printed is how long the slowest process and the one in the middle took for theirs, and
# the same for the exchange before. Every byte is checked. Nothing here passes or fails.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=tests/lab/lab.sh
. tests/lab/lab.sh
lab_become_root "$PWD/tests/lab/crowd.sh" "$@"
why=$(lab_missing)
[ -z "$why" ] || { echo "crowd: no lab here: $why" >&2; exit 1; }
trap lab_down EXIT
trap 'exit 130' INT TERM

processes=${1:-1} flows=${2:-1000}
ulimit -n "$(ulimit -Hn)"
lab_up 5 1000 0
cat >"$lab_dir/policy.conf" <<-'END'
	interface "wlan*" { prefer = 200 }
	interface "wwan*" { prefer = 100 }
	peer "*" { continuity = session }
END
lab_spawn server "$lab_dir/echo.log" python3 tests/lab/echo_server.py 9001
lab_spawn server "$lab_dir/relay.log" "$lab_build/mifcont-relay" --allow 9001 --rate 1000000 \
	--state-dir "$lab_dir/state" --log error
lab_wait_port server 7343
lab_wait_port server 9001

# They end when all have been measured: ending takes time, too. (A third round is begun by the end of what they read.)
# Not a wrapper script of somebody's: it would be so many shells.
python=$(python3 -c "import sys; print(sys.executable)")
pids=()
for ((i = 0; i < processes; i++)); do
	mkfifo "$lab_dir/in.$i"
	in_client env LD_PRELOAD="$lab_build/libmifcont.so" MIFCONT_POLICY="$lab_dir/policy.conf" \
		timeout 300 "$python" tests/lab/wide.py 10.9.0.2 9001 "$flows" 3 <"$lab_dir/in.$i" >"$lab_dir/out.$i" \
		2>"$lab_dir/err.$i" &
	pids+=($!)
	exec {to}>"$lab_dir/in.$i"
	eval "to_$i=$to"
done
lines() { cat "$lab_dir"/out.* | wc -l; }
all_said() { # LINES each
	local i
	for ((i = 0; i < 1200; i++)); do
		[ "$(lines)" -lt $((processes * $1)) ] || return 0
		sleep 0.1
	done
	echo "crowd: $(lines) of $((processes * $1)) answers" >&2
	cat "$lab_dir"/err.* | head >&2
	return 1
}
tell() { for ((i = 0; i < processes; i++)); do eval "echo >&\$to_$i"; done; }
report() { # WHAT LINE
	for ((i = 0; i < processes; i++)); do sed -n "$2p" "$lab_dir/out.$i"; done | sort -n |
		awk -v w="$1" '{ v[NR] = $1 } END { printf "%-16s median %d ms, slowest %d ms\n", w, v[int((NR + 1) / 2)], v[NR] }'
}

echo "$processes processes with $flows flows each"
all_said 1
tell
all_said 2
report "before" 2
# The way to the router is known: the kernel keeps but some ninety packets while it looks for a neighbour.
in_client bash -c 'echo >/dev/udp/10.2.0.1/9' 2>/dev/null || :
sleep 0.2
lab_event wlan0 down
tell
all_said 3
report "after the loss" 3
for ((i = 0; i < processes; i++)); do eval "exec {to_$i}>&-"; done
bad=0
for pid in "${pids[@]}"; do wait "$pid" || bad=$((bad + 1)); done
in_server nstat -sz TcpExtListenOverflows TcpExtListenDrops TcpRetransSegs | tail -n +2
in_client nstat -sz TcpExtTCPSynRetrans TcpRetransSegs | tail -n +2
echo "$bad of $processes failed"
[ "$bad" = 0 ]

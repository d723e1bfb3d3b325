#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Paths that are up, as far as the kernel says, and bring nothing back.

load helper

setup() {
	need_lab
	in_root_nft || skip "no nftables here"
	start_lab 10 200 0
	lab_spawn server "$lab_dir/serve.log" "$lab_build/lab/measure" serve 9000
	wait_port 9000
}

teardown() {
	stop_lab
}

in_root_nft() {
	unshare -n nft list ruleset >/dev/null 2>&1
}

# The client's log says it so often (20 s at most).
logged() { # TIMES WHAT
	local i count
	for ((i = 0; i < 200; i++)); do
		count=$(grep -c "$2" "$lab_dir/client.log" 2>/dev/null) || :
		[ "${count:-0}" -lt "$1" ] || return 0
		sleep 0.1
	done
	echo "not $1 times: $2"
	return 1
}

# One of measure's ways, and the first interface dead after a second; its figure in $output.
through_death() { # WAY SECONDS
	covered timeout 30 "$lab_build/lab/measure" "$1" 10.9.0.2 9000 "$2" >"$lab_dir/figure" &
	local pid=$!
	sleep 1.5
	lab_event wlan0 dead
	wait "$pid"
	cat "$lab_dir/figure"
	grep -q 'flow 1: wlan0 has been silent for .* does wwan0 answer' "$lab_dir/client.log"
	grep -q 'flow 1: on wwan0' "$lab_dir/client.log"
	# By the silence, not by the kernel's own end after minutes.
	run grep -c 'failed; ' "$lab_dir/client.log"
	[ "$output" = 0 ]
}

@test "a receiver" {
	through_death paced 4
}

# The relay is asked over the control connection, which has to come back to that path with the flows.
@test "a receiver whose path dies again, after it was back" {
	covered timeout 60 "$lab_build/lab/measure" paced 10.9.0.2 9000 14 >"$lab_dir/figure" &
	local pid=$! times
	for times in 1 2; do
		sleep 1.5
		lab_event wlan0 dead
		logged "$times" 'flow 1: on wwan0'
		lab_event wlan0 alive
		[ "$times" = 2 ] || logged 1 'flow 1: on wlan0'
	done
	wait "$pid"
}

@test "a sender" {
	through_death push 4
}

@test "one exchange after the other" {
	through_death echo 4
}

# After one event of a link the kernel tells of the next ones up to a second later.
@test "a carrier that is gone and of which the kernel has not told is asked for" {
	local order
	ip -n "$lab-a" link add noise0 type veth peer name noise1
	ip -n "$lab-a" link set noise0 up
	ip -n "$lab-a" link set noise1 up
	covered timeout 30 "$lab_build/lab/measure" push 10.9.0.2 9000 4 >"$lab_dir/figure" &
	local pid=$!
	sleep 1.5
	ip -n "$lab-a" link set noise1 down
	lab_event wlan0 carrier-off
	wait "$pid"
	order=$(grep -oE 'flow 1: silent|wlan0: carrier lost|flow 1: on wwan0' "$lab_dir/client.log" | uniq | tr '\n' ';')
	echo "$order"
	[[ "$order" == *silent* ]] || skip "this kernel told at once"
	# It is known before the other path has answered.
	[[ "$order" == "flow 1: silent;wlan0: carrier lost;flow 1: on wwan0;"* ]]
}

@test "a download is whole, and does not go to and fro while the better path stays dead" {
	# So much that it lasts beyond the first attempt, whatever curl makes of its limit after a pause.
	serve_file 32
	covered curl -sS --limit-rate 2M --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	sleep 1.5
	lab_event wlan0 dead
	wait "$pid"
	same "$lab_dir/out" "$lab_dir/www/file"
	[ "$(grep -c 'flow 1: on w' "$lab_dir/client.log")" = 1 ]
	# 2 s of rest and then twice as long each time; every attempt takes 5 s.
	run grep -c 'handover to wlan0 failed' "$lab_dir/client.log"
	[ "$output" -ge 1 ]
	[ "$output" -le 2 ]
}

@test "it comes back to the better path when that lives again" {
	covered timeout 30 "$lab_build/lab/measure" paced 10.9.0.2 9000 7 >"$lab_dir/figure" &
	local pid=$!
	sleep 1.5
	lab_event wlan0 dead
	sleep 1
	lab_event wlan0 alive
	wait "$pid"
	[ "$(grep -o 'flow 1: on w[lw]an0' "$lab_dir/client.log" | tr '\n' ' ')" = "flow 1: on wwan0 flow 1: on wlan0 " ]
}

@test "an answer that is lost on its way is asked for before the rest" {
	lab_spawn server "$lab_dir/slow.log" python3 -c '
import socket, time
c, _ = socket.create_server(("", 9001)).accept()
c.recv(100)
time.sleep(2)
c.sendall(b"answer")
time.sleep(60)'
	wait_port 9001
	lab_event wwan0 down
	touch "$lab_dir/client.log"
	covered timeout 30 python3 -c '
import socket, sys
s = socket.create_connection(("10.9.0.2", 9001))
s.sendall(b"question")
s.settimeout(15)
sys.exit(s.recv(100) != b"answer")' &
	local pid=$!
	opened 1
	lab_event wwan0 up
	sleep 0.3
	lab_event wlan0 dead
	wait "$pid"
	grep -q 'flow 1: on wwan0' "$lab_dir/client.log"
}

@test "both dead, and one back" {
	covered timeout 30 "$lab_build/lab/measure" push 10.9.0.2 9000 4 >"$lab_dir/figure" &
	local pid=$!
	sleep 1.5
	lab_event wlan0 dead
	lab_event wwan0 dead
	sleep 2
	lab_event wwan0 alive
	wait "$pid"
	grep -q 'flow 1: on wwan0' "$lab_dir/client.log"
}

@test "a peer that is slow, or does not read, is no dead path" {
	lab_spawn server "$lab_dir/slow.log" python3 -c '
import socket, time
s = socket.create_server(("", 9001))
c, _ = s.accept()
for n in range(30):
    c.sendall(b"x" * 20000)
    if n % 10 == 9:
        time.sleep(0.7)
time.sleep(2)
while c.recv(1 << 20):
    pass'
	wait_port 9001
	covered timeout 30 python3 -c '
import socket
s = socket.create_connection(("10.9.0.2", 9001))
got = 0
while got < 600000:
    got += len(s.recv(65536))
s.sendall(b"y" * 30000000)
s.shutdown(socket.SHUT_WR)
assert s.recv(1) == b""'
	run grep -cE 'silent|on wwan0' "$lab_dir/client.log"
	[ "$output" = 0 ]
}

@test "a flow at rest costs neither packet nor wake-up" {
	mkfifo "$lab_dir/fifo"
	covered nc -N 10.9.0.2 9000 <"$lab_dir/fifo" 3>&- &
	local pid=$! before task
	exec 7>"$lab_dir/fifo"
	printf 'e\1\0\0\0\0\0\0\0%064d' 0 >&7
	sleep 2.5
	wake_ups() { cat /proc/"$(pgrep -P "$pid" -x nc || echo "$pid")"/task/*/status | awk '/ctxt_switches/ { n += $2 } END { print n }'; }
	segments() { in_client cat /proc/net/snmp | awk '/^Tcp: [0-9]/ { print $11, $12 }'; }
	before=$(wake_ups) task=$(segments)
	[ -n "$before" ] && [ "$before" -gt 0 ]
	sleep 3
	[ "$(wake_ups)" = "$before" ]
	[ "$(segments)" = "$task" ]
	# And bytes after the rest are looked at again.
	lab_event wlan0 dead
	printf '%064d' 0 >&7
	sleep 2
	grep -q 'flow 1: on wwan0' "$lab_dir/client.log"
	exec 7>&-
	wait "$pid" || :
}

@test "after the machine's sleep an idle session is connected anew, before anybody needs it" {
	command -v strace >/dev/null || skip "no strace here"
	# Only the questions meant below are system calls, where the others are answered without the kernel.
	[ -z "$(strace -qq -e signal=none -e trace=clock_gettime python3 -c 'import time; time.monotonic()' 2>&1)" ] ||
		skip "the clocks of this machine are read by system calls"
	lab_event wwan0 down
	lab_spawn server "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9001
	wait_port 9001
	mkfifo "$lab_dir/fifo"
	# The kernel's answers are changed where the library asks how long the machine has been up (every other question of
	# its agent): from the 81st on an hour has passed. It asks when it wakes, so it comes to that by being asked for its
	# status, below.
	local hour i ports
	hour=$(python3 -c 'import struct, time; print(struct.pack("<qq", int(time.clock_gettime(time.CLOCK_BOOTTIME)) + 3600, 0).hex())')
	in_client strace -qq -f -o "$lab_dir/trace" -e trace=clock_gettime \
		-e "inject=clock_gettime:poke_exit=@arg2=$hour:when=81+2" -E "LD_PRELOAD=$lab_build/libmifcont.so" \
		-E "MIFCONT_POLICY=$lab_dir/policy.conf" -E "MIFCONT_LOG=debug:$lab_dir/client.log" \
		timeout 40 python3 -c 'import socket, sys
s = socket.create_connection(("10.9.0.2", 9001))
s.settimeout(8)
for line in ["a"] + list(sys.stdin):
    s.sendall(line.encode())
    print(s.recv(100).decode().strip(), flush=True)' <"$lab_dir/fifo" >"$lab_dir/out" &
	local pid=$!
	exec 7>"$lab_dir/fifo"
	for ((i = 0; i < 100; i++)); do
		! grep -q a "$lab_dir/out" || break
		sleep 0.1
	done
	never grep 'the machine has slept' "$lab_dir/client.log"
	# Meanwhile the network has forgotten all connections.
	ports=$(in_client ss -tnH state established | awk '{ sub(/.*:/, "", $3); print $3 }' | paste -sd,)
	in_router nft -f - <<-END
		table inet forgotten {
			chain c {
				type filter hook forward priority 0
				tcp sport { $ports } drop
				tcp dport { $ports } drop
			}
		}
	END
	for ((i = 0; i < 200; i++)); do
		in_client "$lab_build/mifcont" status >/dev/null || :
		! grep -q 'flow 1: on wlan0' "$lab_dir/client.log" || break
		sleep 0.1
	done
	grep 'the machine has slept for 3[56]' "$lab_dir/client.log"
	grep 'flow 1: on wlan0' "$lab_dir/client.log"
	echo b >&7
	exec 7>&-
	wait "$pid"
	[ "$(paste -sd' ' "$lab_dir/out")" = "a b" ]
}

# Its way is gone, and nobody says so but the neighbour who does not answer.
idle_flow_moves() {
	mkfifo "$lab_dir/fifo"
	covered nc -N 10.9.0.2 9000 <"$lab_dir/fifo" 3>&- &
	local pid=$! i
	exec 7>"$lab_dir/fifo"
	printf 'e\1\0\0\0\0\0\0\0%064d' 0 >&7
	sleep 2.5
	# Another program's packet finds it out; the flow has none.
	not_reached() {
		in_client bash -c "echo >/dev/udp/$1/9" || :
		for ((i = 0; i < 80; i++)); do
			! grep -q 'Router is not reached wlan0' "$lab_dir/client.log" || return 0
			sleep 0.1
		done
		return 1
	}
	# The way of the other family is gone; this one's is not, and the relay answers.
	in_client ip -6 route replace default via fd00:1::99 dev wlan0 metric 100
	not_reached fd00:9::2
	sleep 1
	run grep -cE 'flow 1: on wwan0|no answer' "$lab_dir/client.log"
	[ "$output" = 0 ]
	: >"$lab_dir/client.log"
	in_router ip link set r-wlan0 arp off
	in_client ip neigh del 10.1.0.1 dev wlan0
	not_reached 10.1.0.1
	for ((i = 0; i < 80; i++)); do
		! grep -q 'flow 1: on wwan0' "$lab_dir/client.log" || break
		sleep 0.1
	done
	grep 'flow 1: on wwan0' "$lab_dir/client.log"
	exec 7>&-
	kill "$pid"
}

@test "an idle flow moves when its router is not reached any more, and only if the relay is not, either" {
	idle_flow_moves
}

@test "also where a service listens to the network for all" {
	export MIFCONT_SERVICE=$lab_dir/service.sock
	lab_spawn client "$lab_dir/service.log" "$lab_build/mifcontd" --socket "$MIFCONT_SERVICE" --user root --log debug
	local i
	for ((i = 0; i < 100; i++)); do
		! grep -q 'ready at' "$lab_dir/service.log" || break
		sleep 0.05
	done
	idle_flow_moves
	grep 'client of user 0' "$lab_dir/service.log"
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Less common ways to use a descriptor, through losses and returns: by the number of the call, by libc's other names,
# by calls that write by themselves.

load helper

setup() {
	need_lab
	start_lab 5 100 0
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
}

teardown() {
	stop_lab
}

used_by() { # HOW [PROGRAM]
	local status=0
	covered timeout 60 "$lab_build/lab/${2:-surface}" "$1" 10.9.0.2 9000 3 >"$lab_dir/out" 2>&1 &
	local pid=$!
	sleep 0.7
	flap "$pid" 3 300 500
	wait "$pid" || status=$?
	[ "$status" != 77 ] || skip "not in this kernel"
	[ "$status" = 0 ] || { cat "$lab_dir/out"; return 1; }
	[ "$(handovers)" -ge 2 ]
	# Nothing of it may have gone by unseen.
	run grep uncovered "$lab_dir/client.log"
	[ "$status" = 1 ]
}

carried() {
	grep -q 'carried by the agent' "$lab_dir/client.log"
}

@test "system calls by their number" {
	used_by number
}

@test "libc's other names" {
	used_by alias
}

@test "preadv2 and pwritev2" {
	used_by v2
}

@test "several numbers of one connection" {
	used_by doubled
}

@test "splice out of the connection" {
	used_by splice-in
}

@test "splice into the connection" {
	used_by splice-out
	carried
}

@test "sendfile" {
	used_by sendfile
}

@test "sendmmsg and recvmmsg" {
	used_by many
}

@test "MSG_WAITALL and MSG_PEEK" {
	used_by whole
}

@test "asynchronous I/O" {
	used_by aio
	carried
}

@test "MSG_ZEROCOPY" {
	used_by zerocopy
	carried
}

@test "MSG_FASTOPEN" {
	used_by fastopen
}

@test "TCP_FASTOPEN_CONNECT" {
	used_by fastopen-option
}

@test "a program told by signals" {
	used_by signal
}

@test "a number that was closed unseen and given to a file" {
	covered timeout 20 "$lab_build/lab/surface" recycled 10.9.0.2 9000 1
	covered timeout 20 "$lab_build/lab/surface" recycled-read 10.9.0.2 9000 1
	covered timeout 20 "$lab_build/lab/surface" recycled-vector 10.9.0.2 9000 1
}

@test "sendmmsg ends with a message that is cut short" {
	in_client timeout 20 "$lab_build/lab/surface" cut 10.9.0.2 9000 1
	covered timeout 20 "$lab_build/lab/surface" cut 10.9.0.2 9000 1
	grep -q 'session open' "$lab_dir/client.log"
}

@test "a write that waits for the connection to be made" {
	local flags
	for flags in 0 1; do
		covered timeout 20 python3 -c "
import socket
s = socket.socket()
s.setblocking(False)
s.connect_ex(('10.9.0.2', 9000))
s.setblocking(True)
assert s.send(b'hello', $flags) == 5
s.shutdown(socket.SHUT_WR)
assert s.recv(100) in (b'hello', b'hell')"
		grep -q 'session open' "$lab_dir/client.log"
	done
}

@test "urgent data: works as without the library, and the session is uncovered" {
	covered timeout 20 "$lab_build/lab/surface" urgent 10.9.0.2 9000 3 >"$lab_dir/out" 2>&1 &
	local pid=$! covered status=0
	sleep 1.5
	covered=$(in_client "$lab_build/mifcont" status --json | jq -r '.[].flows[].covered')
	wait "$pid" || status=$?
	[ "$status" = 0 ] || { cat "$lab_dir/out"; return 1; }
	[ "$covered" = false ]
}

@test "io_uring, the ring before the connection" {
	used_by early ring
	carried
}

@test "io_uring, the ring after the connection" {
	used_by late ring
	carried
}

@test "io_uring, a ring that no hook saw" {
	used_by unseen ring
	carried
}

@test "what is asked and set while there is no path" {
	in_router nft list ruleset >/dev/null 2>&1 || skip "no nftables here"
	mkfifo "$lab_dir/in"
	covered timeout 40 "$lab_build/lab/parked" 10.9.0.2 9000 <>"$lab_dir/in" >"$lab_dir/out" 2>&1 &
	local pid=$!
	says ready
	in_router nft -f - <<-'END'
		table inet away {
			chain forward {
				type filter hook forward priority 0
				tcp dport 7343 reject with tcp reset
			}
		}
	END
	echo >"$lab_dir/in"
	says parked
	in_router nft delete table inet away
	echo >"$lab_dir/in"
	wait "$pid" || { cat "$lab_dir/out"; return 1; }
	[ "$(handovers)" -ge 1 ]
}

says() { # WORD
	local i
	for ((i = 0; i < 100; i++)); do
		! grep -q "^$1" "$lab_dir/out" || return 0
		sleep 0.1
	done
	cat "$lab_dir/out"
	return 1
}

# Nobody could tell the ring of another socket: such a connection is not covered, but it is there.
@test "io_uring, the ring waits for the connection" {
	covered timeout 20 "$lab_build/lab/ring" polled 10.9.0.2 9000 1
}

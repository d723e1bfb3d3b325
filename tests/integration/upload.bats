#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The other direction, both at once, and the ends of streams.

load helper

setup() {
	need_lab
	start_lab 5 100 0
	head -c 30000000 /dev/urandom >"$lab_dir/data"
}

teardown() {
	stop_lab
}

@test "an upload arrives whole, and half-close works" {
	lab_spawn server "$lab_dir/got" timeout 60 nc -l -N 9000
	local server=$lab_pid
	wait_port 9000
	covered timeout 60 nc -N 10.9.0.2 9000 <"$lab_dir/data" &
	local pid=$!
	flap "$pid" 3 300 700
	wait "$pid"
	wait "$server"
	same "$lab_dir/data" "$lab_dir/got"
	[ "$(handovers)" -ge 2 ]
}

@test "both directions at once" {
	lab_spawn server /dev/null timeout 60 socat TCP-LISTEN:9000,reuseaddr,fork EXEC:cat
	wait_port 9000
	covered timeout 60 nc -N 10.9.0.2 9000 <"$lab_dir/data" >"$lab_dir/back" &
	local pid=$!
	flap "$pid" 3 300 700
	wait "$pid"
	same "$lab_dir/data" "$lab_dir/back"
	[ "$(handovers)" -ge 2 ]
}

@test "what was written just before the loss arrives" {
	local i
	lab_spawn server "$lab_dir/got" timeout 60 nc -l 9000
	wait_port 9000
	mkfifo "$lab_dir/fifo"
	covered timeout 60 nc 10.9.0.2 9000 <"$lab_dir/fifo" &
	exec 7>"$lab_dir/fifo"
	sleep 0.5
	for i in 1 2 3; do
		echo "before loss $i" >&7
		lab_event wlan0 down
		sleep 0.7
		echo "after loss $i" >&7
		lab_event wlan0 up
		sleep 0.7
	done
	exec 7>&-
	sleep 1
	cat "$lab_dir/got"
	[ "$(cat "$lab_dir/got")" = "$(for i in 1 2 3; do echo "before loss $i"; echo "after loss $i"; done)" ]
}

# The path goes in the moment in which the program has written its last byte and ends: HOW is what it does then.
last_words() {
	lab_spawn server "$lab_dir/got.$1" timeout 15 nc -l 9000
	local server=$lab_pid
	wait_port 9000
	covered timeout 30 python3 -c '
import socket, sys, os
s = socket.create_connection(("10.9.0.2", 9000))
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4000000)
data = open(sys.argv[1], "rb").read(3000000)
s.sendall(data)
os.write(1, b"written\n")
if sys.argv[2] == "close": s.close()
elif sys.argv[2] == "half": s.shutdown(socket.SHUT_WR)
sys.exit(0)' "$lab_dir/data" "$1" | { read -r _ && lab_event wlan0 down; cat; }
	wait "$server"
	head -c 3000000 "$lab_dir/data" >"$lab_dir/sent"
	same "$lab_dir/sent" "$lab_dir/got.$1"
	lab_event wlan0 up
	sleep 0.5
}

@test "the last bytes before close and exit arrive although the path goes in that moment" {
	last_words close
	last_words half
	last_words exit
}

@test "a session is over when the program has closed it, after a half-close, too" {
	lab_spawn server /dev/null timeout 60 socat TCP-LISTEN:9000,reuseaddr,fork EXEC:cat
	wait_port 9000
	mkfifo "$lab_dir/fifo"
	covered timeout 60 python3 -c '
import socket, sys
s = socket.create_connection(("10.9.0.2", 9000))
s.sendall(b"x" * 1000)
s.shutdown(socket.SHUT_WR)
while s.recv(4096):
    pass
s.close()
sys.stdin.read()' <"$lab_dir/fifo" 7>&- &
	exec 7>"$lab_dir/fifo"
	local i over=
	for ((i = 0; i < 100; i++)); do
		grep -q 'session 1 over: both directions are done' "$lab_dir/relay.log" && over=1 && break
		sleep 0.1
	done
	# It is over while the process still lives.
	kill -0 $!
	exec 7>&-
	wait $!
	[ "$over" = 1 ]
}

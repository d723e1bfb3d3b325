#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A service that resets its connections at once. The reset and the relay's word of it come by two connections, in any
# order: neither may pass for a lost path.

load helper

setup() {
	need_lab
	start_lab
	lab_spawn server "$lab_dir/resets.log" python3 "$lab_root/tests/lab/resets.py" serve 9001
	wait_port 9001
}

teardown() {
	stop_lab
}

resets() { # WAY
	covered timeout 60 python3 "$lab_root/tests/lab/resets.py" 10.9.0.2 9001 "$1" 100
	[ "$(grep -c 'session open' "$lab_dir/client.log")" -ge 100 ]
	# Nor was there anything to resume: asking for a session that is over takes seconds, and never ends without a path.
	run grep 'does not know the session' "$lab_dir/client.log"
	[ "$status" = 1 ]
}

@test "with reads that block" {
	resets block
}

@test "with epoll" {
	resets epoll
}

@test "with one path only" {
	lab_event wwan0 down
	resets block
	resets epoll
}

# A client that closes by a reset; what is to happen to the network before that is in the arguments.
aborts() { # CMD...
	lab_spawn server "$lab_dir/witness.log" python3 "$lab_root/tests/lab/resets.py" witness 9000
	wait_port 9000
	mkfifo "$lab_dir/held"
	exec 7<>"$lab_dir/held"
	covered timeout 30 python3 "$lab_root/tests/lab/resets.py" abort 10.9.0.2 9000 <&7 &
	local client=$! i
	for ((i = 0; i < 100; i++)); do
		[ "$(wc -l <"$lab_dir/witness.log")" -lt 1 ] || break
		sleep 0.1
	done
	"$@"
	echo >&7
	sleep 0.3
	lab_event wlan0 up
	for ((i = 0; i < 100; i++)); do
		[ "$(wc -l <"$lab_dir/witness.log")" -lt 2 ] || break
		sleep 0.1
	done
	# Its end would be told to the service, too.
	kill -0 "$client"
	kill "$client"
	exec 7>&-
	cat "$lab_dir/witness.log"
	[ "$(cat "$lab_dir/witness.log")" = $'got 5\nreset' ]
	grep -q 'session open' "$lab_dir/client.log"
}

without_a_path() {
	lab_event wlan0 down
	lab_event wwan0 down
	sleep 0.3
}

@test "a client's own reset is one for the service, too" {
	aborts true
}

@test "also where there is no path at that moment" {
	aborts without_a_path
}

@test "a client that only writes hears that the service has closed" {
	lab_spawn server "$lab_dir/once.log" python3 "$lab_root/tests/lab/resets.py" once 9000
	wait_port 9000
	covered timeout 60 python3 "$lab_root/tests/lab/resets.py" write 10.9.0.2 9000
	grep -q 'session open' "$lab_dir/client.log"
}

@test "a reset that comes after an end, while there is still something to read, is no lost path" {
	lab_spawn server "$lab_dir/pour.log" python3 "$lab_root/tests/lab/resets.py" pour 9000
	wait_port 9000
	local i
	for i in 1 2 3; do
		covered timeout 60 python3 "$lab_root/tests/lab/resets.py" slow 10.9.0.2 9000
	done
	[ "$(grep -c 'session open' "$lab_dir/client.log")" = 3 ]
	run grep -E 'resume over|the session any more' "$lab_dir/client.log"
	[ "$status" = 1 ]
}

@test "a peer that resets is seen to do so at once, each time" {
	lab_spawn server "$lab_dir/rude.log" python3 -c '
import socket, struct
s = socket.create_server(("", 9000))
while True:
    c, _ = s.accept()
    c.recv(1024)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()'
	wait_port 9000
	# Taken for a lost path, a reset would be waited out for seconds.
	covered timeout 60 python3 -c '
import select, socket
for n in range(60):
    s = socket.create_connection(("10.9.0.2", 9000))
    s.settimeout(20)
    try:
        while True:
            s.sendall(b"x" * 4096)
    except (ConnectionResetError, BrokenPipeError):
        pass
    s.close()'
	run grep -c 'on w' "$lab_dir/client.log"
	[ "$output" = 0 ]
}

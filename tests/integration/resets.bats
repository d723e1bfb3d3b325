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

@test "a client's own reset is one for the service, too" {
	lab_spawn server "$lab_dir/witness.log" python3 "$lab_root/tests/lab/resets.py" witness 9000
	wait_port 9000
	mkfifo "$lab_dir/held"
	covered timeout 30 python3 "$lab_root/tests/lab/resets.py" abort 10.9.0.2 9000 <>"$lab_dir/held" &
	local client=$! i
	for ((i = 0; i < 100; i++)); do
		[ "$(wc -l <"$lab_dir/witness.log")" -lt 2 ] || break
		sleep 0.1
	done
	kill "$client"
	cat "$lab_dir/witness.log"
	[ "$(cat "$lab_dir/witness.log")" = $'got 5\nreset' ]
	grep -q 'session open' "$lab_dir/client.log"
}

@test "a client that only writes hears that the service has closed" {
	lab_spawn server "$lab_dir/once.log" python3 "$lab_root/tests/lab/resets.py" once 9000
	wait_port 9000
	covered timeout 60 python3 "$lab_root/tests/lab/resets.py" write 10.9.0.2 9000
	grep -q 'session open' "$lab_dir/client.log"
}

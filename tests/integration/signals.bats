#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The program's signals and their handlers, in the middle of calls on a connection that moves.

load helper

setup() {
	need_lab
	start_lab 2 200 0
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
}

teardown() {
	stop_lab
}

signals() { # HANDOVERS NAME...
	local least=$1 name
	shift
	for name; do
		trial signals "$name"
	done
	[ "$(handovers)" -ge "$least" ]
	run grep uncovered "$lab_dir/client.log"
	[ "$status" = 1 ]
}

@test "EINTR comes from the program's own signals alone" {
	signals 6 interrupted
}

@test "nor from a call of the library's that comes too late" {
	[ "$(uname -m)" = x86_64 ] || skip "only there the interrupted call is known"
	signals 1 bystanders
}

@test "a handler that writes: restarting, interrupting, on a stack of its own" {
	signals 18 writes writes-restart writes-altstack
}

@test "a handler that writes in the middle of its own thread's writes" {
	signals 2 writes-within
}

@test "a handler that closes" {
	signals 2 closes
}

@test "a handler that jumps out of the call" {
	signals 6 jumps
}

@test "every signal is the program's" {
	signals 3 all
}

# Without a handler a signal has its default effect, whatever its number.
@test "a signal that ends the process ends it" {
	local signal
	for signal in RTMIN RTMAX-3 RTMAX TERM; do
		: >"$lab_dir/out"
		covered "$lab_build/lab/signals" mortal 10.9.0.2 9000 </dev/null >"$lab_dir/out" &
		local pid=$! status=0
		for ((i = 0; i < 100; i++)); do
			! grep -q end "$lab_dir/out" || break
			sleep 0.05
		done
		grep -q end "$lab_dir/out"
		kill -"$signal" "$pid"
		wait "$pid" || status=$?
		[ "$status" = $((128 + $(kill -l "$signal" 2>/dev/null || kill -l "SIG$signal"))) ]
	done
}

@test "the trials hold without the library" {
	local bare=yes name
	for name in interrupted writes-altstack writes-within closes jumps all; do
		trial signals "$name"
	done
}

#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Bulk data to a service and back in one program, every byte checked, while paths come and go: a writer that sleeps in
# its call, signals that make calls again, set*id in all threads.

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

goes_on() { # HOW
	covered timeout 60 "$lab_build/lab/bulk" "$1" 10.9.0.2 9000 6 >"$lab_dir/out" 2>&1 &
	local pid=$!
	sleep 0.6
	# Up for long enough to be gone back to: a path must have been usable for a quarter of a second.
	flap "$pid" 6 350 500
	wait "$pid" || { cat "$lab_dir/out"; return 1; }
	[ "$(handovers)" -ge 3 ]
}

@test "one thread, poll" {
	goes_on poll
}

@test "one thread, epoll" {
	goes_on epoll
}

@test "a thread each, blocking" {
	goes_on threads
}

@test "signals to both threads" {
	goes_on signals
}

@test "set*id in all threads" {
	goes_on setid
}

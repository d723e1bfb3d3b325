#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What can be the matter with a socket before, while and after it is connected.

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

connects() { # NAME HANDOVERS
	trial connects "$1"
	[ "$(handovers)" -ge "$2" ]
	run grep uncovered "$lab_dir/client.log"
	[ "$status" = 1 ]
}

@test "numbers that a socket had before it was connected go with it" {
	connects doubled 3
}

@test "connect() says once that it is connected" {
	connects again 4
}

@test "a connect() that failed and then one to another peer: it is that one's that goes on" {
	connects elsewhere 2
}

@test "what listens is connected to nobody" {
	trial connects listening
}

@test "receives of nothing come back in the middle of handovers" {
	connects nothing 3
}

@test "SO_LINGER makes nobody wait for what the library closes" {
	connects lingers 6
}

@test "a socket that a child connects is its parent's as well" {
	trial connects by-a-child
	run grep 'session open' "$lab_dir/client.log"
	[ "$status" = 1 ]
}

@test "bad pointers are refused, and no signal" {
	connects wrong 1
}

redials() {
	echo 'peer "*" { continuity = redial  replay = line }' >"$lab_dir/policy.conf"
}

@test "one that a process has passed to itself is the same connection" {
	trial connects passed
	redials
	trial connects passed
}

@test "one that was refused is not dialled again" {
	trial connects refused
	redials
	trial connects refused
	run grep 'failed' "$lab_dir/client.log"
	[ "$status" = 1 ]
}

@test "children of an executed program, while what the one before it had is kept" {
	connects executed 3
}

@test "the trials hold without the library" {
	local bare=yes name
	for name in doubled again elsewhere listening nothing lingers by-a-child wrong passed refused executed; do
		trial connects "$name"
	done
}

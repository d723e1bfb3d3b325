#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A connection in other hands than those of the process that made it: stdio, children, executed programs, receivers of
# descriptors, daemons. The hands change, the session goes on.

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

# Lines through losses and returns. Some leave a process of theirs behind when their first one ends: the pipe is open
# until all are through.
used_by() { # HOW
	covered timeout 60 "$lab_build/lab/relatives" "$1" 10.9.0.2 9000 5 >"$lab_dir/out" 2>&1 &
	local pid=$!
	sleep 0.7
	flap "$pid" 5 300 600
	wait "$pid" || { cat "$lab_dir/out"; return 1; }
	[ "$(handovers)" -ge 2 ]
	nobody_left
}

# Keepers end with the last flow, and the relay has seen the end.
nobody_left() {
	local i
	for ((i = 0; i < 100; i++)); do
		if [ -z "$(ip netns pids "$lab-c")" ] && grep -q "session [0-9]* over" "$lab_dir/relay.log"; then break; fi
		sleep 0.1
	done
	[ -z "$(ip netns pids "$lab-c")" ]
	grep -q 'session [0-9]* over' "$lab_dir/relay.log"
}

@test "stdio" {
	used_by stdio
}

@test "stdio from halfway on" {
	used_by stdio-halfway
}

@test "dprintf" {
	used_by dprintf
}

@test "a forked child, then the parent again" {
	used_by child
}

@test "a child without the library writes past the agent that carries it: an error, and no wrong byte" {
	sed -i 's/damp = 0/damp = 0  gone = 2000/' "$lab_dir/policy.conf"
	covered timeout 40 "$lab_build/lab/relatives" unseen 10.9.0.2 9000 5 >"$lab_dir/out" 2>&1 &
	local pid=$! i
	for ((i = 0; i < 200; i++)); do
		! grep -q written "$lab_dir/out" || break
		sleep 0.05
	done
	# What is written meanwhile the relay has not got when it is asked.
	lab_event wlan0 dead
	sleep 0.05
	lab_event wlan0 down
	wait "$pid" || { cat "$lab_dir/out"; return 1; }
	grep 'uncovered: bytes that no hook saw' "$lab_dir/client.log"
}

@test "parent and child at once" {
	used_by both
}

@test "a child whose parent has closed it" {
	used_by heir
}

@test "a second child, which begins when the parent has closed what the first one uses" {
	used_by second
}

@test "a second child, which begins when nobody else has the connection" {
	used_by second-alone
}

@test "two children of a parent that has closed it, the second when nobody else has it" {
	used_by second-before-alone
}

@test "who had it last has never used it: the session ends with that" {
	covered timeout 60 "$lab_build/lab/relatives" second-alone-unused 10.9.0.2 9000 1
	nobody_left
}

# The parent closes it in the middle of a loss, so many seconds after its begin.
told_heir() { # SECONDS
	covered timeout 60 "$lab_build/lab/relatives" told-heir 10.9.0.2 9000 1 >"$lab_dir/out" 2>&1 &
	local pid=$! status=0
	opened 1
	sleep 0.6
	[ -z "${nowhere:-}" ] || lab_event wwan0 down
	lab_event wlan0 down
	# No path, and no connection either: the program's is on the placeholder.
	[ -z "${nowhere:-}" ] || in_client ss -Kn dport = 7343 >/dev/null 2>&1
	sleep "$1"
	# Under it is its child, and above what runs it.
	kill -USR1 "$(ip netns pids "$lab-c" | sort -n | sed -n 2p)"
	sleep 0.2
	[ -z "${nowhere:-}" ] || lab_event wwan0 up
	wait "$pid" || status=$?
	lab_event wlan0 up
	[ "$status" = 0 ] || { cat "$lab_dir/out"; return 1; }
	nobody_left
}

@test "a child whose parent closes it while there is no path" {
	nowhere=yes told_heir 0.5
}

@test "a child whose parent closes it in the middle of a handover" {
	local s
	for s in 0.005 0.025 0.050; do
		told_heir "$s"
		: >"$lab_dir/client.log"
	done
}

@test "a program executed by a forked child" {
	used_by fork-exec
}

@test "a program executed by a vforked child" {
	used_by vfork-exec
}

@test "a spawned program" {
	used_by spawn
}

# It asks for its part at its start, which takes some milliseconds.
@test "a spawned program that is just being given the connection when its parent closes it" {
	local us
	for us in 2000 4000 6000 8000 11000 14000 18000 25000; do
		covered timeout 20 "$lab_build/lab/relatives" "spawn-$us" 10.9.0.2 9000 0.1
	done
	nobody_left
}

@test "shells that system() starts" {
	used_by system
}

@test "shells that popen() starts" {
	used_by popen
}

@test "shells that wordexp() starts" {
	used_by wordexp
}

@test "the process itself becomes another program" {
	used_by exec
}

@test "a child whose parent has ended" {
	used_by orphan
}

@test "a child whose parent has ended by _exit" {
	used_by orphan-at-once
}

@test "a child that is busy while its parent ends" {
	used_by orphan-busy
}

@test "a descriptor passed to a process that goes on alone" {
	used_by receiver
}

@test "a daemon made after the connection" {
	used_by daemon-itself
}

@test "a daemon that has inherited the connection" {
	used_by daemon
}

@test "a child goes on with a connection that is still being made" {
	used_by connecting
}

@test "a child whose parent closes a connection that is still being made" {
	used_by connecting-heir
}

# On one processor the child often asks for its part before the agent's thread has run.
@test "a child that is forked right after connect() is known" {
	local i
	for ((i = 0; i < 10; i++)); do
		covered taskset -c 0 timeout 20 "$lab_build/lab/relatives" connecting 10.9.0.2 9000 0.1
	done
	nobody_left
}

@test "who has a connection whose owner is killed sees an error, not an end" {
	covered timeout 20 "$lab_build/lab/relatives" killed 10.9.0.2 9000 1
	nobody_left
}

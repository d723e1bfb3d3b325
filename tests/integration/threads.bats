#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Several threads on one connection, through losses and returns of the network.

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

threads() { # HANDOVERS NAME...
	local least=$1 name
	shift
	for name; do
		trial threads "$name"
	done
	[ "$(handovers)" -ge "$least" ]
	run grep uncovered "$lab_dir/client.log"
	[ "$status" = 1 ]
}

# The kernel's buffers, of six sockets here, end where a program's writes can fill them; some kernels let each of
# them have 32 MiB.
small_buffers() {
	local side
	for side in in_client in_server; do
		$side sysctl -qw net.ipv4.tcp_rmem='4096 131072 1000000' net.ipv4.tcp_wmem='4096 16384 1000000'
	done
}

@test "eight threads in read(), with and without every signal blocked" {
	threads 12 readers masked
}

@test "readers and writers at once: no message is torn" {
	threads 6 crowd
}

@test "threads that live for one exchange" {
	threads 6 mortals
}

@test "a cancelled reader, deferred and asynchronous" {
	threads 3 cancel
}

@test "a thread whose calls never wait is cancelled, too" {
	trial threads cancel-busy
}

@test "small writes wait for room, through a handover" {
	small_buffers
	threads 1 small-writes
}

@test "a receive with a low-water mark waits for so much, before and after a handover" {
	threads 6 low-water
}

@test "a cancelled writer leaves nothing locked" {
	trial threads cancel-writer
}

@test "the process ends with its last thread when the main thread has gone before" {
	threads 2 leader leader-closed
}

@test "the trials hold without the library" {
	local bare=yes name
	small_buffers
	for name in readers crowd cancel cancel-busy low-water small-writes leader; do
		trial threads "$name"
	done
}

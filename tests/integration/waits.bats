#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every way to wait, while the connection moves between losses and returns of the network: what is told is told once
# and is true, time limits are kept, nothing else is noticed.

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

waits() { # HANDOVERS NAME...
	local least=$1 name
	shift
	for name; do
		trial waits "$name"
	done
	[ "$(handovers)" -ge "$least" ]
	run grep uncovered "$lab_dir/client.log"
	[ "$status" = 1 ]
}

@test "poll and ppoll" {
	waits 10 poll ppoll late
}

@test "select and pselect, and descriptors above 1024" {
	waits 15 select pselect high
}

@test "epoll, level-triggered" {
	waits 14 epoll pwait2 early anew reused
}

@test "epoll, edge-triggered and one-shot" {
	waits 10 edge oneshot disarmed
}

@test "epoll, exclusive, nested, re-armed and taken off" {
	waits 15 exclusive nested rearm
}

@test "signalfd, eventfd and timerfd beside; masks with a signal pending" {
	waits 4 beside masks
}

@test "SO_RCVTIMEO and SO_SNDTIMEO" {
	waits 12 rcvtimeo rcvtimeo-early sndtimeo sndtimeo-moving
}

@test "MSG_WAITALL, and threads that wait for something else" {
	waits 8 waitall elsewhere
}

# What the trials expect is what the kernel does.
@test "the trials hold without the library" {
	local bare=yes name
	for name in early disarmed exclusive masks sndtimeo waitall late; do
		trial waits "$name"
	done
}

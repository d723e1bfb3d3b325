#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Urgent data through the relay: each byte in its place and by its own way, as without us; afterwards the session is
# uncovered, and the loss of its path an ordinary error.

load helper

setup() {
	need_lab
	start_lab 2 0 0
	trial="timeout 30 python3 $lab_root/tests/lab/urgent.py"
	lab_spawn server "$lab_dir/serve.log" python3 "$lab_root/tests/lab/urgent.py" serve 9000
	wait_port 9000
}

teardown() {
	stop_lab
}

# The same as without the library: KIND PIECES [PAUSE]
alike() {
	local bare with
	bare=$(in_client $trial "$1" 10.9.0.2 9000 "${@:2}")
	: >"$lab_dir/client.log"
	with=$(covered $trial "$1" 10.9.0.2 9000 "${@:2}")
	echo "$1: without: $bare"
	echo "$1: with: $with"
	[ "$with" = "$bare" ]
	[ "$(tail -n 1 <<<"$with")" = ok ]
	grep -q 'session open' "$lab_dir/client.log"
}

complaints() {
	cat "$lab_dir/serve.log"
	never grep -q Assertion "$lab_dir/serve.log"
}

is_open() {
	local i
	for ((i = 0; i < 100; i++)); do
		grep -q 'session open' "$lab_dir/client.log" 2>/dev/null && return 0
		sleep 0.05
	done
	return 1
}

@test "both ways, by select and poll, in line and not" {
	local kind
	for kind in to from to-poll from-poll to-inline from-inline; do
		alike "$kind" 8
	done
	complaints
}

@test "SIGURG comes to who has asked for it" {
	alike from-signal 5
}

@test "marks that overtake each other: no byte is lost, or in the wrong place" {
	alike to-busy 60
	alike from-busy 60
	complaints
}

@test "a flow that the agent carries" {
	local kind
	for kind in to-child from-child to-child-busy from-child-busy; do
		alike "$kind" 8
		grep -q 'carried by the agent' "$lab_dir/client.log"
	done
	complaints
}

@test "after a handover; then the session says that it is uncovered, and why" {
	local pid said i
	covered $trial from 10.9.0.2 9000 2 2 >"$lab_dir/out" &
	pid=$!
	is_open
	lab_event wlan0 down
	for ((i = 0; i < 60; i++)); do
		said=$(in_client "$lab_build/mifcont" status --json)
		[ "$(jq -r '.[].flows[].covered' <<<"$said")" = true ] || break
		sleep 0.1
	done
	wait "$pid"
	[ "$(handovers)" = 1 ]
	[ "$(tail -n 1 "$lab_dir/out")" = ok ]
	[ "$(jq -r '.[].flows[] | "\(.covered) \(.note)"' <<<"$said")" = "false uncovered: urgent data" ]
}

@test "SO_OOBINLINE alone uncovers nothing" {
	local pid
	covered $trial from-inline 10.9.0.2 9000 1 2 >"$lab_dir/out" &
	pid=$!
	is_open
	lab_event wlan0 down
	wait "$pid"
	[ "$(handovers)" = 1 ]
	[ "$(tail -n 1 "$lab_dir/out")" = ok ]
}

# As without us it waits for its path to come back, or ends in an error: neither end sees an end of the stream before
# its end, or another byte.
true_or_error() { # KIND PIECES PAUSE, while PATH is away at times
	local status=0 pid
	: >"$lab_dir/client.log"
	covered $trial "$1" 10.9.0.2 9000 "${@:2}" >"$lab_dir/out" &
	pid=$!
	is_open
	flap "$pid" 4 150 250
	wait "$pid" || status=$?
	echo "$1 $3: $status $(tail -n 1 "$lab_dir/out")"
	[ "$status" = 0 ] || [ "$status" = 3 ]
}

@test "paths that go and come back while urgent data goes" {
	local kind
	for kind in to-small from-small to-small-child; do
		true_or_error "$kind" 30 0.05
	done
	complaints
}

@test "the first urgent byte in the middle of handovers" {
	local pause moved=0
	for pause in 0.6 0.66 0.72; do
		true_or_error to-small 2 "$pause"
		moved=$((moved + $(handovers)))
		true_or_error from-small 2 "$pause"
		moved=$((moved + $(handovers)))
	done
	[ "$moved" -ge 3 ]
	complaints
}
